"""What is learned once and used again: lower layers, word vectors, heads, the board's tasks."""

from nnlm2bert.transfer.answers import Asked, SpanRecipe, answer, learn_answers, load_answers
from nnlm2bert.transfer.bert_features import Concatenated, MarkedReader
from nnlm2bert.transfer.bert_spans import BERTSpans
from nnlm2bert.transfer.bert_tuning import BERTReader, renewed
from nnlm2bert.transfer.causal_features import CausalReader
from nnlm2bert.transfer.contextual import (
    Contextual,
    ContextualEncoder,
    Features,
    Tuning,
    tune_language_model,
)
from nnlm2bert.transfer.fine_tuning import FineTuning, GPTReader, fine_tune, transferred
from nnlm2bert.transfer.first_layer import MODES, FirstLayer, WordEncoder
from nnlm2bert.transfer.heads import HeadConfig, build_model
from nnlm2bert.transfer.layers import Layered, copy_layers, freeze, frozen_layers, unfreeze
from nnlm2bert.transfer.marked_words import MarkedWords
from nnlm2bert.transfer.pictures import PictureRecipe, classify, extract, fit
from nnlm2bert.transfer.span_head import SpanHead
from nnlm2bert.transfer.tasks import TASKS, Example, Task, draw, load_task
from nnlm2bert.transfer.training_recipe import Recipe, learn, predict
from nnlm2bert.transfer.translation import (
    Pairs,
    TranslationRecipe,
    Written,
    learn_translation,
    load_translation,
    translate,
    translator,
)

__all__ = [
    "MODES",
    "TASKS",
    "Asked",
    "BERTReader",
    "BERTSpans",
    "CausalReader",
    "Concatenated",
    "Contextual",
    "ContextualEncoder",
    "Example",
    "Features",
    "FineTuning",
    "FirstLayer",
    "GPTReader",
    "HeadConfig",
    "Layered",
    "MarkedReader",
    "MarkedWords",
    "Pairs",
    "PictureRecipe",
    "Recipe",
    "SpanHead",
    "SpanRecipe",
    "Task",
    "TranslationRecipe",
    "Tuning",
    "WordEncoder",
    "Written",
    "answer",
    "build_model",
    "classify",
    "copy_layers",
    "draw",
    "extract",
    "fine_tune",
    "fit",
    "freeze",
    "frozen_layers",
    "learn",
    "learn_answers",
    "learn_translation",
    "load_answers",
    "load_task",
    "load_translation",
    "predict",
    "renewed",
    "transferred",
    "translate",
    "translator",
    "tune_language_model",
    "unfreeze",
]
