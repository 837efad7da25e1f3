"""What is learned once and used again: vectors as a first layer, heads, the scoreboard's tasks."""

from nnlm2bert.transfer.first_layer import MODES, FirstLayer, WordEncoder
from nnlm2bert.transfer.heads import HeadConfig, build_model
from nnlm2bert.transfer.tasks import TASKS, Example, Task, draw, load_task
from nnlm2bert.transfer.training_recipe import Recipe, learn, predict

__all__ = [
    "MODES",
    "TASKS",
    "Example",
    "FirstLayer",
    "HeadConfig",
    "Recipe",
    "Task",
    "WordEncoder",
    "build_model",
    "draw",
    "learn",
    "load_task",
    "predict",
]
