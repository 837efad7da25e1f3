"""The rules that every chapter keeps, each a function from a notebook to what breaks it.

``python tools/chapter_rules.py [notebooks]`` prints what is broken, and exits 1 if anything is.
"""

from __future__ import annotations

import argparse
import ast
import itertools
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from nbformat import NotebookNode

import sync_cells
from canonical import canonical, chapter_paths, read_notebook, render
from sync_address import SETUP

LONGEST_CELL = 45
LONGEST_LINE = 120
MOST_LINES = 60
MOST_BYTES = 3_000_000
SHORTEST_ALT = 20
FEWEST_EXERCISES = 5
LAST_SECTIONS = ("claims", "cannot do", "exercises", "quiz", "sources")
IMAGES = ("image/svg+xml", "image/png", "image/jpeg")
HIDDEN = {"hide-cell", "hide-input"}
CHANCE = re.compile(
    r"torch\.(rand|randn|randint|randperm|multinomial|bernoulli|normal)\(|\bnp\.random\.|"
    r"\brandom\.\w+\(|\btrain\(|default_rng\(\)"
)
EXERCISE = re.compile(r"^(#{3,4} Exercise\b|[`:]{3,}\{exercise(-start)?\})", re.MULTILINE)
SOLUTION = re.compile(r"^[`:]{3,}\{solution(-start)?\}", re.MULTILINE)
MACHINE = re.compile(r"(?<![\w.])/(home|root|work|tmp|Users|content)/")

Rule = Callable[[NotebookNode], list[str]]


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all chapters")
    options = parser.parse_args(arguments)
    broken = [line for path in options.notebooks or chapter_paths() for line in problems(path)]
    print("\n".join(broken) if broken else "every rule is kept")
    return 1 if broken else 0


def problems(path: Path) -> list[str]:
    """Everything in one notebook that breaks a rule, a line each: file, rule, what."""
    notebook = read_notebook(path)
    found = [(rule.__name__, line) for rule in RULES for line in rule(notebook)]
    found += [("canonical_file", line) for line in canonical_file(path)]
    found += [("source_in_sync", line) for line in source_in_sync(path)]
    return [f"{path.name}: {rule}: {line}" for rule, line in found]


def canonical_file(path: Path) -> list[str]:
    """The file is what ``tools/run_notebooks.py`` writes, and not too large to load."""
    text = path.read_text(encoding="utf-8")
    lines = [] if text == render(canonical(read_notebook(path))) else ["run tools/run_notebooks.py"]
    size = len(text.encode())
    return lines + [f"{size:,} bytes, at most {MOST_BYTES:,}"] * (size > MOST_BYTES)


def source_in_sync(path: Path) -> list[str]:
    """Every source cell is what stands in ``src/``."""
    try:
        return sync_cells.sync([path], write=False)
    except sync_cells.SyncError as error:
        return [str(error)]


def headings(notebook: NotebookNode) -> list[str]:
    """One title, at the top, and no level skipped below it."""
    levels = [level for level, _ in _headings(notebook)]
    wrong = [] if levels[:1] == [1] and levels.count(1) == 1 else ["one '# ' title, at the top"]
    for before, after in itertools.pairwise(levels):
        if after > before + 1:
            wrong.append(f"a heading of level {after} follows one of level {before}")
    return wrong


def last_sections(notebook: NotebookNode) -> list[str]:
    """The chapter ends with claims, what the model cannot do, exercises, a quiz and sources."""
    names = [name.lower() for level, name in _headings(notebook) if level == 2]
    places = [next((at for at, n in enumerate(names) if s in n), None) for s in LAST_SECTIONS]
    missing = [s for s, place in zip(LAST_SECTIONS, places, strict=True) if place is None]
    if missing:
        return [f"no section (##) on {', '.join(missing)}"]
    ordered = places == sorted(places)
    return [] if ordered else [f"the last sections are in another order than {LAST_SECTIONS}"]


def set_up_first(notebook: NotebookNode) -> list[str]:
    """The first code cell is the set-up cell that ``tools/sync.py`` keeps."""
    first = next(iter(_code(notebook)), None)
    kept = first is not None and first.source.startswith(SETUP)
    return [] if kept else [f"the first code cell must begin with '{SETUP}'"]


def parts_shown(notebook: NotebookNode) -> list[str]:
    """A head card, a claims box and a quiz are called for."""
    called = {name for cell in _code(notebook) for name in _calls(cell)}
    return [
        f"no cell calls {name}()" for name in ("head", "claim_box", "quiz") if name not in called
    ]


def exercises(notebook: NotebookNode) -> list[str]:
    """At least five exercises, each followed by a hidden solution with code that was executed."""
    solved: list[bool] = []
    gated = False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            solved += [False] * len(EXERCISE.findall(cell.source))
            gated = bool(SOLUTION.search(cell.source)) or (
                gated and "solution-end" not in cell.source
            )
        elif solved and (gated or HIDDEN & _tags(cell)) and cell.execution_count:
            solved[-1] = True
    few = [f"{len(solved)} exercises, at least {FEWEST_EXERCISES}"]
    lines = few if len(solved) < FEWEST_EXERCISES else []
    return lines + [f"exercise {n} has no solution" for n, done in enumerate(solved, 1) if not done]


def executed_in_order(notebook: NotebookNode) -> list[str]:
    """Every code cell was executed, from top to bottom, in one run."""
    counts = [cell.execution_count for cell in _code(notebook)]
    ordered = counts == list(range(1, len(counts) + 1))
    return [] if ordered else [f"execution counts are {counts}; run tools/run_notebooks.py"]


def clean_outputs(notebook: NotebookNode) -> list[str]:
    """No output is an error or a warning, none names a place in memory or on a disk."""
    lines = []
    for cell, output in _outputs(notebook):
        if output.output_type == "error":
            lines.append(f"cell {cell.id} raised {output.ename}")
        if output.get("name") == "stderr":
            lines.append(f"cell {cell.id} wrote to the error stream: {output.text[:60]!r}")
        text = _plain(output)
        if re.search(r"0x[0-9a-f]{6,}", text):
            lines.append(f"cell {cell.id} prints an address in memory")
        if MACHINE.search(text):
            lines.append(f"cell {cell.id} prints a path of the machine it ran on")
    return lines


def short_outputs(notebook: NotebookNode) -> list[str]:
    """No output is long enough to hold a passage of a corpus."""
    lines = []
    for cell, output in _outputs(notebook):
        text = "" if "text/html" in output.get("data", {}) else _plain(output)
        longest = max(map(len, text.split("\n")))
        if longest > LONGEST_LINE or text.count("\n") > MOST_LINES:
            lines.append(
                f"cell {cell.id} prints {text.count(chr(10)) + 1} lines of up to {longest} signs; "
                f"at most {MOST_LINES} of {LONGEST_LINE}"
            )
    return lines


def pictures_described(notebook: NotebookNode) -> list[str]:
    """Every picture has a text of its own that says what it shows."""
    lines = []
    for cell, output in _outputs(notebook):
        data = output.get("data", {})
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        if any(kind in data for kind in IMAGES) and len(alt) <= SHORTEST_ALT:
            lines.append(
                f"cell {cell.id}: metadata mystnb.image.alt must say what the figure shows"
            )
        for tag in re.findall(r"<(?:img|svg)\b[^>]*>", data.get("text/html", "")):
            if not re.search(r"(alt|aria-label)=\"[^\"]{5,}", tag):
                lines.append(f"cell {cell.id}: {tag[:40]}... has no alt or aria-label")
    return lines


def nothing_from_elsewhere(notebook: NotebookNode) -> list[str]:
    """No picture and no script comes from another host."""
    texts = [(c.id, c.source) for c in notebook.cells if c.cell_type == "markdown"]
    texts += [(cell.id, o.get("data", {}).get("text/html", "")) for cell, o in _outputs(notebook)]
    remote = re.compile(r"""(!\[[^\]]*\]\(|src=["'])(https?:)?//""")
    return [
        f"cell {name} loads something from another host" for name, t in texts if remote.search(t)
    ]


def short_cells(notebook: NotebookNode) -> list[str]:
    """No code cell is longer than a screen, unless it shows a piece of ``src/``."""
    return [
        f"cell {cell.id} has {cell.source.count(chr(10)) + 1} lines, at most {LONGEST_CELL}"
        for cell in _code(notebook)
        if not sync_cells.is_source_cell(cell) and cell.source.count("\n") >= LONGEST_CELL
    ]


def no_silencing_semicolons(notebook: NotebookNode) -> list[str]:
    """No cell hides its value with a semicolon, which nbval does not honour; ``_ =`` does it."""
    last = [(cell.id, cell.source.rstrip()) for cell in _code(notebook)]
    return [
        f"cell {name} ends with ';', write '_ = ...'" for name, text in last if text[-1:] == ";"
    ]


def imports_nothing_it_defines(notebook: NotebookNode) -> list[str]:
    """No name is both shown as code and imported from the package."""
    nodes = [node for cell in _code(notebook) for node in ast.walk(_tree(cell))]
    defined = {n.name for n in nodes if isinstance(n, ast.ClassDef | ast.FunctionDef)}
    imported = {
        alias.asname or alias.name
        for node in nodes
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nnlm2bert")
        for alias in node.names
    }
    return [f"'{name}' is defined here and imported, too" for name in sorted(defined & imported)]


def ignored_outputs_asserted(notebook: NotebookNode) -> list[str]:
    """An output that may differ is held by an assert, unless it is only a picture."""
    lines = []
    for cell in _code(notebook):
        for tag in {"nbval-skip", "raises-exception"} & _tags(cell):
            lines.append(f"cell {cell.id}: the tag {tag} hides what the cell does")
        drawn = [any(kind in o.get("data", {}) for kind in IMAGES) for o in cell.outputs]
        held = any(isinstance(node, ast.Assert) for node in ast.walk(_tree(cell)))
        if "nbval-ignore-output" in _tags(cell) and not held and not (drawn and all(drawn)):
            lines.append(f"cell {cell.id}: nbval-ignore-output needs an assert with a band")
    return lines


def chance_is_seeded(notebook: NotebookNode) -> list[str]:
    """A cell that draws at random sets its seed or names its generator."""
    return [
        f"cell {cell.id} draws at random without a seed or a generator"
        for cell in _code(notebook)
        if not sync_cells.is_source_cell(cell)
        and CHANCE.search(cell.source)
        and not re.search(r"seed|generator", cell.source)
    ]


RULES: tuple[Rule, ...] = (
    headings,
    last_sections,
    set_up_first,
    parts_shown,
    exercises,
    executed_in_order,
    clean_outputs,
    short_outputs,
    pictures_described,
    nothing_from_elsewhere,
    short_cells,
    no_silencing_semicolons,
    imports_nothing_it_defines,
    ignored_outputs_asserted,
    chance_is_seeded,
)


def _code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _outputs(notebook: NotebookNode) -> Iterator[tuple[NotebookNode, NotebookNode]]:
    for cell in _code(notebook):
        for output in cell.outputs:
            yield cell, output


def _tags(cell: NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", ()))


def _plain(output: NotebookNode) -> str:
    """What an output says in plain text."""
    return output.get("text", "") or output.get("data", {}).get("text/plain", "")


def _headings(notebook: NotebookNode) -> list[tuple[int, str]]:
    """(level, name) of every heading outside code blocks, in order."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            text = re.sub(r"^(`{3,}|~{3,}).*?^\1", "", cell.source, flags=re.DOTALL | re.MULTILINE)
            found += re.findall(r"^(#{1,6}) +(.*)", text, re.MULTILINE)
    return [(len(marks), name) for marks, name in found]


def _tree(cell: NotebookNode) -> ast.AST:
    """The cell's code as a tree, with magics left out."""
    return ast.parse(re.sub(r"^(\s*)[%!].*", r"\1pass", cell.source, flags=re.MULTILINE))


def _calls(cell: NotebookNode) -> set[str]:
    """Names of the functions that a cell calls, without the modules before them."""
    calls = [node.func for node in ast.walk(_tree(cell)) if isinstance(node, ast.Call)]
    return {getattr(call, "attr", getattr(call, "id", "")) for call in calls}


if __name__ == "__main__":
    sys.exit(main())
