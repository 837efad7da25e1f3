"""One training loop for every model of the book: schedule, precision, checkpoints, processes."""

from nnlm2bert.training.batches import Batches, ShuffledBatches
from nnlm2bert.training.config import TrainingConfig
from nnlm2bert.training.devices import choose_device
from nnlm2bert.training.history import History, TrainingResult
from nnlm2bert.training.loop import TrainingDiverged, train
from nnlm2bert.training.optimiser import adamw
from nnlm2bert.training.randomness import derived_seed, seed_everything
from nnlm2bert.training.stream_batches import StreamBatches

__all__ = [
    "Batches",
    "History",
    "ShuffledBatches",
    "StreamBatches",
    "TrainingConfig",
    "TrainingDiverged",
    "TrainingResult",
    "adamw",
    "choose_device",
    "derived_seed",
    "seed_everything",
    "train",
]
