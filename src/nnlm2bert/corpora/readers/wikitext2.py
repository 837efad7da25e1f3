"""WikiText-2: 720 good and featured Wikipedia articles, tokenised, rare words as ``<unk>``.

Merity, Xiong, Bradbury and Socher, "Pointer Sentinel Mixture Models" (2016), section 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datasets import DatasetDict

_SPLITS = {"train": "train", "validation": "valid", "test": "test"}
_DEEPEST = 5


def read(paths: Mapping[str, Path]) -> DatasetDict:
    """Splits train, validation and test; one row a line of the files, in their order.

    Columns: ``tokens``, case kept, with ``<unk>``, ``@-@``, ``@,@`` and ``@.@`` as published, empty
    for a blank line; ``level``, 0 for a blank line or a paragraph, 1 for the title of an article, 2
    and more for the headings below it; ``article``, counted from 0 in each split.
    """
    import datasets

    features = datasets.Features(
        tokens=datasets.Sequence(datasets.Value("string")),
        level=datasets.Value("int8"),
        article=datasets.Value("int32"),
    )
    splits = {
        split: datasets.Dataset.from_list(_rows(paths[f"wikitext-2/{stem}.txt"]), features=features)
        for split, stem in _SPLITS.items()
    }
    return datasets.DatasetDict(splits)


def _rows(path: Path) -> list[dict[str, object]]:
    text = path.read_bytes().decode("utf-8")
    lines = [line.split() for line in text.removesuffix("\n").split("\n")]
    levels = [_level(lines, position) for position in range(len(lines))]
    titles = accumulate(int(level == 1) for level in levels)
    return [
        {"tokens": tokens, "level": level, "article": max(title - 1, 0)}
        for tokens, level, title in zip(lines, levels, titles, strict=True)
    ]


def _level(lines: Sequence[Sequence[str]], position: int) -> int:
    """Depth of the heading at ``position``, 0 if it is none.

    A heading stands between blank lines: elsewhere lines in "=" are rows of tables and formulas.
    """
    tokens = lines[position]
    if not tokens or any(lines[position - 1 : position]) or any(lines[position + 1 : position + 2]):
        return 0
    for level in range(_DEEPEST, 0, -1):
        mark = ["="] * level
        if len(tokens) > 2 * level and tokens[:level] == mark and tokens[-level:] == mark:
            return level
    return 0
