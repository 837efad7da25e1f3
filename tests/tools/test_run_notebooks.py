"""Running a chapter twice gives the same bytes; a failing one leaves its file alone."""

from __future__ import annotations

from nbformat.v4 import output_from_msg

from canonical import join_streams, read_notebook
from run_notebooks import main

DRAWING = """from nnlm2bert import plots
plots.use_style()
fig, ax = plots.figure()
plots.line(ax, [1, 2], [3, 4], "NNLM")
plots.limit_line(ax, 1)
import os; print(os.environ["OMP_NUM_THREADS"], len(set("abc")), flush=True)
print(list({"b", "a", "c"}))"""


def test_two_runs_give_the_same_bytes(write_notebook, tmp_path):
    path = write_notebook(tmp_path / "a.ipynb", ("markdown", "# T"), ("code", DRAWING))
    assert main([str(path)]) == 0
    once = path.read_bytes()
    assert main([str(path)]) == 0
    assert path.read_bytes() == once
    assert main(["--check", str(path)]) == 0
    cell = read_notebook(path).cells[1]
    stream, drawing = cell.outputs
    assert stream.text.startswith("2 3\n['")
    assert "image/svg+xml" in drawing.data and "date" not in drawing.data["image/svg+xml"]
    assert cell.execution_count == 1 and cell.metadata == {}


def test_a_failing_cell_leaves_the_file_alone(write_notebook, tmp_path, capsys):
    path = write_notebook(tmp_path / "a.ipynb", ("code", "1"), ("code", "raise OSError('no')"))
    before = path.read_bytes()
    assert main([str(path)]) == 1
    assert path.read_bytes() == before
    said = capsys.readouterr().err
    assert "a.ipynb" in said and "cell 2 (c1)" in said and "OSError" in said


def test_check_sees_a_change_and_writes_nothing(write_notebook, tmp_path):
    path = write_notebook(tmp_path / "a.ipynb", ("code", "1 + 1"))
    before = path.read_bytes()
    assert main(["--check", str(path)]) == 1
    assert path.read_bytes() == before


def test_pieces_of_one_stream_are_joined():
    pieces = [("stdout", "a"), ("stdout", "b\n"), ("stderr", "c"), ("stdout", "d")]
    outputs = [
        output_from_msg({"header": {"msg_type": "stream"}, "content": {"name": n, "text": t}})
        for n, t in pieces
    ]
    assert [o.text for o in join_streams(outputs)] == ["ab\n", "c", "d"]
