"""One head for answers above word vectors of any stage: word2vec, ELMo, GPT, BERT as features.

After the document reader of Chen, Fisch, Weston & Bordes (2017), "Reading Wikipedia to Answer
Open-Domain Questions", section 3.2, with one layer of LSTMs where they have three: question and
paragraph are read apart by the encoder; that a word of the paragraph stands in the question, and
which words of the question are like it, are told beside its vector; the question becomes one
vector, and begin and end are found by two bilinear forms with it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from nnlm2bert.transfer.answers import Asked, SpanNetwork
from nnlm2bert.transfer.first_layer import WordEncoder, spelling
from nnlm2bert.transfer.heads import BothDirections, HeadConfig

MATCHES = 2
"""What is told of a word of the paragraph: whether the question has it as it is written, and in
whatever capitals."""


class SpanHead(SpanNetwork):
    """The head on the vectors of ``encoder``, which reads sentences of words: a `WordEncoder`."""

    def __init__(self, encoder: WordEncoder, config: HeadConfig | None = None) -> None:
        super().__init__()
        sizes = config or HeadConfig()
        self.encoder = encoder
        self.alike = nn.Linear(encoder.width, sizes.hidden)
        self.question_reader = BothDirections(encoder.width, sizes.states)
        self.paragraph_reader = BothDirections(2 * encoder.width + MATCHES, sizes.states)
        self.important = nn.Linear(self.question_reader.width, 1)
        self.dropout = nn.Dropout(sizes.tagger_dropout)
        self.output = nn.Linear(self.question_reader.width, 2 * self.paragraph_reader.width)

    def forward(self, asked: Sequence[Asked]) -> Tensor:
        """Return the scores (B, T, 2) of begin and end at each word, -inf behind a paragraph."""
        questions, in_question = self._words([one.question for one in asked])
        paragraphs, inside = self._words([one.paragraph for one in asked])
        matches = pad_sequence([match(one) for one in asked], batch_first=True).to(questions.device)
        beside = self.aligned(paragraphs, questions, in_question)
        given = torch.cat([paragraphs, beside, matches], dim=2)
        read = self.paragraph_reader(self.dropout(given), inside.sum(dim=1))  # (B, T, 2 S)
        wanted = self.output(self.dropout(self.summary(questions, in_question)))
        forms = wanted.unflatten(1, (2, -1))  # (B, 2, 2 S)
        scores = self.dropout(read) @ forms.transpose(1, 2)
        return scores.float().masked_fill(~inside.unsqueeze(2), -torch.inf)

    def aligned(self, paragraphs: Tensor, questions: Tensor, in_question: Tensor) -> Tensor:
        """Return for each word the mean (B, T, D) of the question's vectors, weighed by likeness.

        f_align of section 3.2: the products of both vectors after one layer.
        """
        left, right = (self.alike(vectors).relu() for vectors in (paragraphs, questions))
        scores = left @ right.transpose(1, 2)  # (B, T, Q)
        weights = scores.masked_fill(~in_question.unsqueeze(1), -torch.inf).softmax(dim=2)
        return weights @ questions

    def summary(self, questions: Tensor, in_question: Tensor) -> Tensor:
        """Return the question as one vector (B, 2 S): its states, weighed by their importance."""
        states = self.question_reader(self.dropout(questions), in_question.sum(dim=1))
        scores = self.important(states).squeeze(2).masked_fill(~in_question, -torch.inf)
        return (scores.softmax(dim=1).unsqueeze(1) @ states).squeeze(1)

    def _words(self, sentences: Sequence[Sequence[str]]) -> tuple[Tensor, Tensor]:
        """Return the vectors (B, T, D) of sentences, and where they stand (B, T)."""
        vectors = self.encoder(sentences)
        lengths = torch.tensor([len(sentence) for sentence in sentences], device=vectors.device)
        places = torch.arange(vectors.shape[1], device=vectors.device)
        inside = places < lengths.unsqueeze(1)
        return vectors.masked_fill(~inside.unsqueeze(2), 0.0), inside


def match(asked: Asked) -> Tensor:
    """Return (T, 2) for the words of a paragraph: as `MATCHES` says, 0 or 1."""
    exact, plain = set(asked.question), set(map(spelling, asked.question))
    rows = [(word in exact, spelling(word) in plain) for word in asked.paragraph]
    return torch.tensor(rows, dtype=torch.float32)
