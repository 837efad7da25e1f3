"""Every chapter keeps every rule; every rule catches a small notebook that breaks it."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import chapter_rules
from canonical import canonical, chapter_paths, read_notebook, render
from sync_address import WITHOUT_ADDRESS

ALT = "Perplexity falls from 321 to 276 as the context grows."
SVG = {"image/svg+xml": "<svg></svg>", "text/plain": "<Figure size 1x1>"}


def stream(text: str, name: str = "stdout") -> NotebookNode:
    return new_output("stream", name=name, text=text)


def shown(**data: str) -> NotebookNode:
    return new_output("display_data", data={k.replace("_", "/", 1): v for k, v in data.items()})


def good() -> NotebookNode:
    """A chapter in small that keeps every rule."""
    drawn = new_code_cell("draw()", outputs=[new_output("display_data", data=SVG)])
    drawn.metadata = {"mystnb": {"image": {"alt": ALT}}, "tags": ["nbval-ignore-output"]}
    cells = [
        new_markdown_cell("# T"),
        new_code_cell(WITHOUT_ADDRESS),
        new_code_cell('notebook.head("NNLM")'),
        new_markdown_cell("## The idea\n\n```python\n# no heading\n```"),
        drawn,
        new_code_cell("seed_everything(1)\nx = torch.rand(2)", outputs=[stream("0.5\n")]),
        new_markdown_cell("## Claims"),
        new_code_cell("notebook.claim_box(5)"),
        new_markdown_cell("## What it cannot do\n\n## Exercises"),
        *(cell for number in range(1, 6) for cell in exercise(number)),
        new_markdown_cell("## Quiz"),
        new_code_cell("notebook.quiz([])"),
        new_markdown_cell("## Sources"),
    ]
    notebook = new_notebook(cells=cells)
    for place, cell in enumerate(notebook.cells):
        cell.id = f"c{place}"
    return renumber(notebook)


def exercise(number: int) -> list[NotebookNode]:
    solution = new_code_cell(f"{number}", metadata={"tags": ["hide-cell"]})
    return [new_markdown_cell(f"### Exercise {number}\n\nDo."), solution]


def renumber(notebook: NotebookNode) -> NotebookNode:
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, 1):
        cell.execution_count = count
    return notebook


def added(source: str, output: NotebookNode | None = None, **metadata) -> Callable:
    """A change that adds one executed code cell behind the head card."""

    def change(notebook: NotebookNode) -> None:
        cell = new_code_cell(source, outputs=[output] if output else [], metadata=metadata)
        notebook.cells.insert(4, cell)
        renumber(notebook)

    return change


def said(text: str) -> Callable:
    """A change that adds one markdown cell behind the head card."""
    return lambda notebook: notebook.cells.insert(4, new_markdown_cell(text))


def without(start: str) -> Callable:
    """A change that takes out the cells beginning with ``start``."""

    def change(notebook: NotebookNode) -> None:
        notebook.cells = [cell for cell in notebook.cells if not cell.source.startswith(start)]
        renumber(notebook)

    return change


def unexecuted(notebook: NotebookNode) -> None:
    notebook.cells[4].execution_count = None


def swapped(notebook: NotebookNode) -> None:
    cells = notebook.cells
    cells[4].execution_count, cells[5].execution_count = 4, 3


def undescribed(notebook: NotebookNode) -> None:
    notebook.cells[4].metadata.mystnb.image.alt = "A figure."


def unsolved(notebook: NotebookNode) -> None:
    next(c for c in notebook.cells if c.source == "3").metadata = {}


ERROR = new_output("error", ename="ValueError", evalue="no", traceback=[])
IGNORED = {"tags": ["nbval-ignore-output"]}
BAD = [
    ("headings", said("# Another title")),
    ("headings", said("#### Too deep")),
    ("headings", without("# T")),
    ("last_sections", without("## Quiz")),
    ("last_sections", lambda notebook: notebook.cells.append(notebook.cells.pop(-3))),
    ("set_up_first", without("# set-up")),
    ("parts_shown", without("notebook.head")),
    ("parts_shown", without("notebook.claim_box")),
    ("parts_shown", without("notebook.quiz")),
    ("exercises", without("### Exercise 5")),
    ("exercises", unsolved),
    ("executed_in_order", unexecuted),
    ("executed_in_order", swapped),
    ("clean_outputs", added("f()", ERROR)),
    ("clean_outputs", added("f()", stream("UserWarning: old", "stderr"))),
    ("clean_outputs", added("f", stream("<function f at 0x7f3a10c0>"))),
    ("clean_outputs", added("f", stream("saved to /home/me/book/x.pt"))),
    ("short_outputs", added("f()", stream("word " * 40))),
    ("short_outputs", added("f()", stream("word\n" * 80))),
    ("short_outputs", added("f()", shown(text_plain="'" + "word " * 40 + "'"))),
    ("pictures_described", undescribed),
    ("pictures_described", added("f()", shown(text_html="<svg viewBox='0 0 1 1'></svg>"))),
    ("pictures_described", added("f()", shown(text_html='<img src="a.png">'))),
    ("nothing_from_elsewhere", said("![A picture of it](https://example.org/a.png)")),
    ("nothing_from_elsewhere", added("f()", shown(text_html='<script src="//e.org/a.js">'))),
    ("short_cells", added("\n".join(["x = 1"] * 46))),
    ("no_silencing_semicolons", added("ax.set_xlabel('n');\n")),
    (
        "imports_nothing_it_defines",
        added("from nnlm2bert.models.nnlm import NNLM\n\n\nclass NNLM:\n    pass"),
    ),
    ("ignored_outputs_asserted", added("print(loss)", stream("1.2"), **IGNORED)),
    ("ignored_outputs_asserted", added("f()", tags=["nbval-skip"])),
    ("ignored_outputs_asserted", added("f()", tags=["raises-exception"])),
    ("chance_is_seeded", added("x = torch.randn(3)")),
    ("chance_is_seeded", added("train(model, loss, batches, config)")),
]


def broken_rules(notebook: NotebookNode) -> dict[str, list[str]]:
    found = {rule.__name__: rule(notebook) for rule in chapter_rules.RULES}
    return {name: lines for name, lines in found.items() if lines}


def test_a_good_chapter_breaks_no_rule():
    assert broken_rules(good()) == {}


@pytest.mark.parametrize(("rule", "change"), BAD)
def test_a_rule_catches_what_breaks_it(rule, change):
    notebook = copy.deepcopy(good())
    change(notebook)
    assert rule in broken_rules(notebook)


def test_every_rule_is_put_to_the_test():
    assert {rule for rule, _ in BAD} == {rule.__name__ for rule in chapter_rules.RULES}


@pytest.mark.parametrize(
    "change",
    [
        added("%pip list\nassert 1 < loss < 2", stream("1.5"), **IGNORED),
        added("# src: nnlm2bert/x.py::X\n" + "\n".join(["torch.rand(2)"] * 60)),
        added("x = torch.rand(2, generator=generator)"),
        said("```{exercise-start}\n:label: six\n```\n```{solution-start} six\n```"),
    ],
)
def test_what_is_allowed_is_not_caught(change):
    notebook = good()
    change(notebook)
    assert set(broken_rules(notebook)) <= {"exercises"}


def test_a_gated_solution_counts():
    notebook = good()
    gate = new_markdown_cell("```{solution-start} three\n```")
    place = next(at for at, cell in enumerate(notebook.cells) if cell.source == "3")
    notebook.cells[place].metadata = {}
    notebook.cells.insert(place, gate)
    assert broken_rules(notebook) == {}


def test_a_file_that_is_not_canonical_is_caught(tmp_path):
    path = tmp_path / "a.ipynb"
    text = render(canonical(good()))
    path.write_text(text, encoding="utf-8")
    assert chapter_rules.canonical_file(path) == []
    path.write_text(text.replace("\n", "\n "), encoding="utf-8")
    assert chapter_rules.canonical_file(path) == ["run tools/run_notebooks.py"]


def test_a_stale_source_cell_is_caught(tmp_path):
    notebook = good()
    notebook.cells[5].source = "# src: nnlm2bert/diagrams.py::Stage\nclass Stage: ..."
    path = tmp_path / "a.ipynb"
    path.write_text(render(canonical(notebook)), encoding="utf-8")
    assert any("source_in_sync" in line for line in chapter_rules.problems(path))


def test_the_command_prints_what_is_broken(tmp_path, capsys):
    notebook = good()
    path = tmp_path / "a.ipynb"
    path.write_text(render(canonical(notebook)), encoding="utf-8")
    assert chapter_rules.main([str(path)]) == 0
    undescribed(notebook)
    path.write_text(render(canonical(notebook)), encoding="utf-8")
    assert chapter_rules.main([str(path)]) == 1
    assert "a.ipynb: pictures_described: cell c4" in capsys.readouterr().out


@pytest.mark.parametrize("path", chapter_paths(), ids=lambda path: path.stem)
def test_the_chapters_keep_the_rules(path):
    assert chapter_rules.problems(path) == []


def test_there_is_a_chapter():
    assert [read_notebook(path).nbformat for path in chapter_paths()], "notebooks/ is empty"
