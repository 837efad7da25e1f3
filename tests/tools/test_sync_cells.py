"""Source cells are copies of what stands in src/, and nothing else of a notebook changes."""

from __future__ import annotations

import json

import pytest

from canonical import read_notebook
from sync_cells import SyncError, main, shown, sync

FILE = "# src: nnlm2bert/models/small.py::"


def body(repository, names):
    return shown(FILE + names, repository / "src")


def test_a_definition_comes_with_its_decorators_and_inner_comments(repository):
    expected = (
        '@functools.cache\ndef twice(x):\n    """Twice x."""\n    return 2 * x  # a comment inside'
    )
    assert body(repository, "twice") == expected


def test_constants_stand_in_a_block_and_definitions_apart(repository):
    text = body(repository, "LOW, HIGH, twice")
    assert text.startswith("LOW = 1\nHIGH: int = 2\n\n\n@functools.cache\ndef twice")


def test_a_method_is_shown_without_its_indentation(repository):
    assert body(repository, "Model.size") == "@property\ndef size(self):\n    return HIGH"


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (FILE + "Gone", ["has no 'Gone'", "Model", "twice"]),
        (FILE + "Model.gone", ["has no 'Model.gone'", "size"]),
        ("# src: nnlm2bert/models/none.py::Model", ["no file src/nnlm2bert/models/none.py"]),
        ("# src: Model", ["not of the form"]),
    ],
)
def test_what_src_does_not_have_is_named(repository, write_notebook, header, words):
    path = write_notebook(repository / "notebooks" / "01_a.ipynb", ("code", header))
    with pytest.raises(SyncError) as error:
        sync([path], write=True, root=repository)
    for word in ["01_a.ipynb", "cell c0", *words]:
        assert word in str(error.value)


def test_only_the_source_of_stale_cells_changes(repository, write_notebook):
    cells = [("markdown", "# T"), ("code", FILE + "Model\nclass Model: ..."), ("code", "1 + 1")]
    path = write_notebook(repository / "notebooks" / "01_a.ipynb", *cells)
    before = json.loads(path.read_text("utf-8"))
    before["cells"][1] |= {"execution_count": 7, "metadata": {"tags": ["x"]}}
    path.write_text(json.dumps(before), encoding="utf-8")
    stale = sync([path], write=True, root=repository)
    after = json.loads(path.read_text("utf-8"))
    assert len(stale) == 1 and "Model" in stale[0]
    assert "".join(after["cells"][1].pop("source")).endswith("return HIGH")
    before["cells"][1].pop("source")
    assert after == before
    assert sync([path], write=True, root=repository) == []


def test_check_finds_a_stale_cell_and_leaves_it(write_notebook, tmp_path, capsys):
    header = "# src: nnlm2bert/diagrams.py::Stage"
    path = write_notebook(tmp_path / "01_a.ipynb", ("code", f"{header}\nclass Stage: ..."))
    before = path.read_bytes()
    assert main(["--check", str(path)]) == 1
    assert "stale" in capsys.readouterr().out
    assert path.read_bytes() == before
    assert main([str(path)]) == 0
    assert main(["--check", str(path)]) == 0
    assert "idea: str" in read_notebook(path).cells[0].source
