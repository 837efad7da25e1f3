"""What the experiment `bert` reads: the pre-trained networks, their text, tasks, and held-out text.

Networks are pre-trained once for each objective; a seed is of what follows. At scale ``smoke``
Pocket English stands for everything, and no file is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from nnlm2bert.corpora.store import cache_folder
from nnlm2bert.experiments.bert.cloze import PAIRS
from nnlm2bert.experiments.bert.measures import held_out_pieces
from nnlm2bert.experiments.bert.pretraining import Pieces, Pretrained, place, pretrained_bert, read
from nnlm2bert.experiments.gpt.pretraining import log_frequencies
from nnlm2bert.experiments.pretraining import POCKET_ENGLISH_SEED, pocket_english
from nnlm2bert.experiments.scoreboard import LABORATORY_SIZES, PRETRAINING_SEED
from nnlm2bert.tokenizers.subwords import SubwordEncoder, TokenStream, encode_text
from nnlm2bert.tokenizers.wordpiece import SEPARATOR, UNKNOWN_ID
from nnlm2bert.transfer import Concatenated, Features, MarkedReader, Task, load_task
from nnlm2bert.transfer.contextual import SentenceReader

POCKET = "Pocket English"
STANDING_IN: Mapping[str, str] = {
    "part-of-speech": "laboratory part-of-speech",
    "chunks": "laboratory part-of-speech",
    "entities": "laboratory part-of-speech",
    "sentiment": "laboratory sentiment",
    "entailment": "laboratory entailment",
    "same-sense": "laboratory same-sense",
}
"""The task of the laboratory that stands for each real one at scale smoke."""
HELD_OUT_TOKENS: Mapping[str, int] = {"smoke": 1_000, "laptop": 60_000, "gpu": 60_000}
"""Tokens of each held-out text that a network is measured on."""
POCKET_HELD_OUT: Mapping[str, int] = {"smoke": 2_000, "laptop": 60_000, "gpu": 60_000}
"""Words of Pocket English to be measured on."""
CLOZE_TOKENS: Mapping[str, int] = {"smoke": 1_500, "laptop": 200_000, "gpu": 200_000}
"""Tokens of each held-out text that words are left out of."""
HELD_OUT_SEED = POCKET_ENGLISH_SEED + 1


@dataclass
class Material:
    """Everything the arms share; each piece is read when it is first asked for.

    ``device``: where networks are pre-trained that are not kept yet; `run` says it.
    """

    scale: str
    device: str = field(default="cpu", init=False)
    _streams: dict[str, TokenStream] = field(default_factory=dict)
    _held_out: dict[str, dict[str, TokenStream]] = field(default_factory=dict)
    _pretrained: dict[tuple[str, str], Pretrained] = field(default_factory=dict)
    _tasks: dict[str, Task] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The text that the networks were trained on."""
        return POCKET if self.scale == "smoke" else "running text"

    @cached_property
    def folder(self) -> Path:
        """Where what was trained is kept."""
        return cache_folder() / "vectors"

    def stream(self, text: str) -> TokenStream:
        """A text in tokens."""
        if text not in self._streams:
            self._streams[text] = read(text, self.scale, self.folder)
        return self._streams[text]

    def pretrained(self, objective: str, text: str | None = None) -> Pretrained:
        """The network of an objective and a text, trained once."""
        key = objective, text or self.text
        if key not in self._pretrained:
            where = PRETRAINING_SEED, self.scale, self.folder, key[1], self.device
            self._pretrained[key] = pretrained_bert(objective, *where)
        return self._pretrained[key]

    def place(self, objective: str, text: str) -> Path:
        """The file of the network of an objective and a text."""
        return place(objective, PRETRAINING_SEED, self.scale, self.folder, text)

    def held_out(self, text: str) -> dict[str, TokenStream]:
        """Text that the networks of a text were not trained on, by name, in their tokens."""
        if text not in self._held_out:
            self._held_out[text] = self._read_held_out(text)
        return self._held_out[text]

    def held_out_pieces(self, text: str, context: int, tokens: int) -> list[Pieces]:
        """The first pieces of each held-out text, of about so many tokens each."""
        streams = self.held_out(text).values()
        return [held_out_pieces(stream, context, tokens) for stream in streams]

    def frequencies(self) -> Tensor:
        """The logarithms of the tokens' shares of the text, (V,)."""
        stream = self.stream(self.text)
        return log_frequencies(torch.from_numpy(stream.ids), stream.tokenizer.get_vocab_size())

    def pairs(self, side: str) -> dict[str, tuple[int, int]]:
        """The tokens of the pairs of words that a side decides between, of those that have one."""
        encoder = SubwordEncoder(self.stream(self.text).tokenizer)
        found = {" / ".join(pair): [encoder.word(word) for word in pair] for pair in PAIRS[side]}
        return {
            name: (one[0], two[0])
            for name, (one, two) in found.items()
            if len(one) == len(two) == 1 and UNKNOWN_ID not in (*one, *two)
        }

    def task(self, name: str) -> Task:
        """A task by its name in this experiment."""
        if name not in self._tasks:
            self._tasks[name] = self._load(name)
        return self._tasks[name]

    def _load(self, name: str) -> Task:
        if self.scale != "smoke":
            return load_task(name)
        return load_task(STANDING_IN[name], LABORATORY_SIZES[self.scale])

    def features(self, objective: str, task: Task, layers: Sequence[int] = ()) -> Features:
        """What a frozen network says of all sentences of a task; of some layers, side by side."""
        trained = self.pretrained(objective)
        reader: SentenceReader = MarkedReader(trained.network, SubwordEncoder(trained.tokenizer))
        if layers:
            reader = Concatenated(reader, tuple(layers))
        examples = [example for split in task.splits.values() for example in split]
        sentences = [sentence for example in examples for sentence in example.sentences]
        return Features(reader, sentences, self.folder / "features")

    def _read_held_out(self, text: str) -> dict[str, TokenStream]:
        tokenizer = self.stream(text).tokenizer
        if text == POCKET:
            found = pocket_english(POCKET_HELD_OUT[self.scale], HELD_OUT_SEED)
            return {POCKET: encode_text(tokenizer, found, SEPARATOR)}
        from nnlm2bert.corpora.running import HELD_OUT_TEXT
        from nnlm2bert.experiments.token_streams import held_out_tokens

        return {name: held_out_tokens(name, tokenizer, "wordpiece") for name in HELD_OUT_TEXT}
