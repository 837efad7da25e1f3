"""The rules of the design hold for the whole code, and each catches what breaks it."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
from functools import cache
from pathlib import Path

import pytest

import design_layout as layout
import design_rules as rules
from design_rules import RULES, Module, Rule
from nnlm2bert.experiments import EXPERIMENTS

ROOT = Path(__file__).resolve().parents[1]
CODE = layout.modules(ROOT / "src")
AROUND = [
    (module, folder)
    for folder in ("tests", "tools", "book/extensions")
    for module in layout.modules(ROOT / folder).values()
]
# What holds outside src/, too; tests need neither types nor docstrings.
EVERYWHERE = (rules.functions_short, rules.no_source_executed, rules.files_have_encodings)
CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))
IN_CHAPTERS = (*EVERYWHERE, rules.globals_untouched, rules.devices_chosen_openly)
HOUSE = (
    "_config.yml _toc.yml environment.yml pyproject.toml requirements.lock Makefile README.md "
    "LICENSE CITATION.cff book/intro.md book/how-to-use.md book/glossary.md book/claims.md "
    "book/references.bib book/assets src/nnlm2bert/corpora/registry.json"
).split()
LONGEST_MEDIAN = 12

MODEL = "nnlm2bert.models.elmo"
NETWORK = '''
"""The biLM (Peters et al., 2018)."""
from dataclasses import dataclass
from torch import Tensor, nn

@dataclass(frozen=True)
class ELMoConfig:
    """Sizes."""

class ELMo(nn.Module):
    """Both directions."""

    def forward(self, words: Tensor) -> Tensor:
        """Return (B, T, D)."""
        return words
'''
LONG = "def f():\n" + "    pass\n" * 40
EXPLAINED = 'def f():\n    """Say.\n' + "    more\n" * 40 + '    """\n' + "    pass\n" * 30

# The rule, the module it is broken in, and the code that breaks it.
BAD: list[tuple[Rule, str, str]] = [
    (rules.imports_flow_one_way, name, code)
    for name, code in (
        (MODEL, "from nnlm2bert.training import train"),
        (MODEL, "from nnlm2bert import training"),
        (MODEL, "from ..training import train"),
        (MODEL, "import nnlm2bert.synthetic.oracle"),
        (MODEL, "from nnlm2bert.objectives import next_word"),
        (MODEL, "def f():\n    from nnlm2bert.corpora import load"),
        (
            MODEL,
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import nnlm2bert.notebook",
        ),
        (MODEL, "from importlib import import_module\nimport_module('nnlm2bert.experiments')"),
        (MODEL, "import importlib\nimportlib.import_module(f'nnlm2bert.corpora.{x}')"),
        ("nnlm2bert.synthetic.tasks", "from nnlm2bert.corpora import load"),
        ("nnlm2bert.corpora.readers", "import nnlm2bert.tokenizers"),
        ("nnlm2bert.tokenizers.bpe", "from nnlm2bert.objectives import next_word"),
        ("nnlm2bert.objectives", "from nnlm2bert.models.bert import BERT"),
        ("nnlm2bert.training.loop", "from nnlm2bert.models.nnlm import NNLM"),
        ("nnlm2bert.transfer.heads", "from nnlm2bert.evaluation import accuracy"),
        ("nnlm2bert.evaluation.probes", "from nnlm2bert.models.elmo import ELMo"),
        ("nnlm2bert.evaluation.probes", "from nnlm2bert.experiments import records"),
        ("nnlm2bert.experiments.nnlm.experiment", "from nnlm2bert.plots import figure"),
        ("nnlm2bert.plots", "from nnlm2bert import diagrams"),
        ("nnlm2bert.diagrams", "from nnlm2bert import notebook"),
        ("nnlm2bert.notebook", "from nnlm2bert.__main__ import main"),
        ("nnlm2bert.errors", "from nnlm2bert.corpora import errors"),
        ("nnlm2bert", "from nnlm2bert.errors import UserError"),
        ("nnlm2bert.helpers", ""),
        ("nnlm2bert.notebook", "from nnlm2bert.helpers import help"),
    )
]
BAD += [
    (rules.functions_short, "m", LONG),
    (
        rules.functions_short,
        "m",
        "class C:\n" + LONG.replace("\n", "\n    ").replace("def", "    def", 1),
    ),
    (rules.documented, "m", "x = 1"),
    (rules.documented, "m", '"""M."""\ndef f(): ...'),
    (rules.documented, "m", '"""M."""\nclass C: ...'),
    (
        rules.documented,
        "m",
        '"""M."""\nclass C:\n    """C."""\n    @property\n    def p(self): ...',
    ),
    (rules.typed, "m", "def f(x) -> int: ..."),
    (rules.typed, "m", "def f(x: int): ..."),
    (rules.typed, "m", "def f(*, x) -> int: ..."),
    (rules.typed, "m", "def f(*xs) -> int: ..."),
    (rules.typed, "m", "class C:\n    def f(self, **options) -> int: ..."),
    (rules.typed, "m", "def f() -> int:\n    def g(x) -> int: ..."),
    (rules.globals_untouched, "m", "x = 1\ndef f():\n    global x\n    x = 2"),
    (rules.globals_untouched, "m", "x = {}\ndef f():\n    x[1] = 2"),
    (rules.globals_untouched, "m", "x = {}\ndef f():\n    del x[1]"),
    (rules.globals_untouched, "m", "x: list[int] = []\ndef f():\n    x.append(2)"),
    (rules.globals_untouched, "m", "x = C()\ndef f():\n    x.y = 2"),
    (rules.no_source_executed, "m", "exec('1')"),
    (rules.no_source_executed, "m", "x = eval(text)"),
    (rules.no_source_executed, "m", "import builtins\nbuiltins.exec(text)"),
    (rules.libraries_at_home, MODEL, "import requests"),
    (rules.libraries_at_home, "nnlm2bert.training.loop", "def f():\n    import pooch"),
    (rules.libraries_at_home, "nnlm2bert.corpora.transfer", "from urllib.request import urlopen"),
    (rules.models_short, MODEL, "x = 1\n" * 331),
    (rules.networks_described, MODEL, NETWORK.replace("frozen=True", "")),
    (rules.networks_described, MODEL, NETWORK.replace("ELMoConfig", "Sizes")),
    (rules.networks_described, MODEL, NETWORK.replace(", 2018", "")),
    (rules.networks_described, MODEL, NETWORK.replace("(B, T, D)", "states")),
    (rules.networks_described, MODEL, NETWORK.replace("2018", "").replace("nn.Module", "Base")),
]
BAD += [
    (rules.devices_chosen_openly, name, "import torch\n" + code)
    for name, code in (
        (MODEL, "torch.cuda.is_available()"),
        (MODEL, "model.cuda()"),
        (MODEL, "model.to('cuda')"),
        (MODEL, "model.half().to('cuda:1')"),
        (MODEL, "torch.device('mps')"),
        (MODEL, "torch.zeros(2, device='cuda')"),
        (MODEL, "torch.set_default_device(place)"),
        (MODEL, "torch.backends.mps.is_available()"),
        (MODEL, "from torch import cuda\ncuda.is_available()"),
        ("nnlm2bert.experiments.runner", "def run():\n    torch.cuda.is_available()"),
    )
]
BAD += [
    (rules.chance_seeded, MODEL, "import os, random, torch, uuid\nimport numpy as np\n" + code)
    for code in (
        "random.random()",
        "random.Random()",
        "from random import shuffle\nshuffle(x)",
        "np.random.rand(3)",
        "np.random.seed(0)",
        "np.random.default_rng()",
        "np.random.default_rng(None)",
        "from numpy.random import default_rng\ndefault_rng()",
        "torch.rand(3)",
        "torch.randint(5, (3,))",
        "torch.manual_seed(0)",
        "x.multinomial(1)",
        "x.normal_(0, 1)",
        "hash(word)",
        "os.urandom(8)",
        "uuid.uuid4()",
    )
]
BAD += [
    (rules.sets_sorted, "m", code)
    for code in (
        "for word in set(words): ...",
        "vocabulary = list({word for word in words})",
        "ids = {word: i for i, word in enumerate(set(words))}",
        "' '.join(set(a) - known)",
        "[f(x) for x in {'a', 'b'}]",
    )
]
BAD += [
    (rules.files_have_encodings, "m", "import gzip, io, os, tempfile\n" + code)
    for code in (
        "open(path)",
        "open(path, 'w')",
        "open(path, mode='a')",
        "io.open(path)",
        "os.fdopen(handle, 'w')",
        "path.open()",
        "path.open('w')",
        "path.read_text()",
        "path.write_text(text)",
        "gzip.open(path, 'rt')",
        "tempfile.NamedTemporaryFile('w')",
    )
]

# The same rules let these pass.
GOOD: list[tuple[Rule, str, str]] = [
    (rules.imports_flow_one_way, MODEL, "from nnlm2bert.models.softmax import loss"),
    (rules.imports_flow_one_way, MODEL, "from nnlm2bert.errors import UserError"),
    (rules.imports_flow_one_way, MODEL, "import torch\nfrom torch.nn import training"),
    (rules.imports_flow_one_way, "nnlm2bert.objectives", "from nnlm2bert import tokenizers"),
    (rules.imports_flow_one_way, "nnlm2bert.transfer.heads", "from nnlm2bert.models import bert"),
    (rules.imports_flow_one_way, "nnlm2bert.notebook", "from nnlm2bert import plots, __version__"),
    (rules.imports_flow_one_way, "nnlm2bert.__main__", "from nnlm2bert import notebook"),
    (rules.functions_short, "m", EXPLAINED),
    (rules.documented, "m", '"""M."""\ndef _f(): ...\ndef f():\n    """F."""\n    def g(): ...'),
    (rules.documented, "m", '"""M."""\nclass C:\n    """C."""\n    def __len__(self): ...'),
    (
        rules.typed,
        "m",
        "class C:\n    def f(self, x: int) -> int:\n        return (lambda y: y)(x)",
    ),
    (rules.globals_untouched, "m", "x = {}\ndef f():\n    x = {}\n    x[1] = 2"),
    (rules.globals_untouched, "m", "x = {}\ndef f(x: dict):\n    x.update(a=1)"),
    (rules.globals_untouched, "m", "x = {}\nx[1] = 2\ndef f():\n    return x[1]"),
    (rules.no_source_executed, "m", "import re\nmodel.eval()\nre.compile('x')"),
    (rules.devices_chosen_openly, "nnlm2bert.training.devices", "import torch\nmodel.cuda()"),
    (
        rules.devices_chosen_openly,
        "nnlm2bert.experiments.runner",
        "def settle():\n    import torch\n    torch.cuda.is_available()",
    ),
    (rules.devices_chosen_openly, MODEL, "model.to(device)\nmodel.to('cpu')\nmodel.to(x.dtype)"),
    (rules.chance_seeded, rules.RANDOMNESS, "import random\nrandom.seed(0)"),
    (rules.chance_seeded, MODEL, "import random\nrandom.Random(seed).random()"),
    (rules.chance_seeded, MODEL, "import numpy as np\nnp.random.default_rng(0).normal()"),
    (
        rules.chance_seeded,
        MODEL,
        "import torch\ntorch.rand(3, generator=g)\nx.normal_(generator=g)",
    ),
    (rules.chance_seeded, MODEL, "from torch import nn\nnn.init.normal_(w, std=0.1)"),
    (rules.chance_seeded, MODEL, "random = draw()\nrandom.choice(words)"),
    (rules.sets_sorted, "m", "for word in sorted(set(words)): ...\nlen({1, 2})\nall(set(x))"),
    (rules.files_have_encodings, "m", "open(path, encoding='utf-8')\nopen(path, 'rb')"),
    (rules.files_have_encodings, "m", "path.read_text('utf-8')\npath.open('wb')\nopen(path, mode)"),
    (rules.files_have_encodings, "m", "archive.open('words.txt')\nimport os\nos.open(p, flags)"),
    (
        rules.files_have_encodings,
        "m",
        "import gzip, tempfile\ngzip.open(p)\ntempfile.TemporaryFile()",
    ),
    (rules.libraries_at_home, "nnlm2bert.corpora.transfer", "import requests, urllib.parse"),
    (rules.models_short, MODEL, "x = 1\n" * 330),
    (rules.models_short, "nnlm2bert.notebook", "x = 1\n" * 500),
    (rules.networks_described, MODEL, NETWORK),
    (rules.networks_described, MODEL, "from torch import nn\nclass _Part(nn.Module): ..."),
]


def name_of(rule: object) -> str | None:
    """Let tests be called after the rule they are about."""
    return getattr(rule, "__name__", None)


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_source_keeps_the_rule(rule: Rule) -> None:
    assert [f"{name}: {line}" for name, module in CODE.items() for line in rule(module)] == []


@pytest.mark.parametrize("rule", EVERYWHERE, ids=name_of)
def test_tests_and_tools_keep_the_rule(rule: Rule) -> None:
    assert [f"{at}/{m.name}: {line}" for m, at in AROUND for line in rule(m)] == []


@pytest.mark.parametrize("rule", [rules.typed, rules.documented], ids=name_of)
def test_tools_keep_the_rule(rule: Rule) -> None:
    tools = [module for module, folder in AROUND if folder != "tests"]
    assert tools and [f"{module.name}: {line}" for module in tools for line in rule(module)] == []


@cache
def chapter_code(path: Path) -> Module:
    """The code cells of a chapter as one module, without magics."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    return Module(path.stem, re.sub(r"^(\s*)[%!].*", r"\1pass", code, flags=re.MULTILINE))


@pytest.mark.parametrize("rule", IN_CHAPTERS, ids=name_of)
@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapters_keep_the_rule(path: Path, rule: Rule) -> None:
    assert rule(chapter_code(path)) == []


@pytest.mark.parametrize(("rule", "name", "code"), BAD)
def test_what_breaks_a_rule_is_caught(rule: Rule, name: str, code: str) -> None:
    assert rule(Module(name, code.lstrip()))


@pytest.mark.parametrize(("rule", "name", "code"), GOOD)
def test_what_a_rule_allows_passes(rule: Rule, name: str, code: str) -> None:
    assert rule(Module(name, code.lstrip())) == []


def test_every_rule_is_put_to_the_test() -> None:
    assert {rule for rule, _, _ in BAD} == {rule for rule, _, _ in GOOD} == set(RULES)


def test_functions_are_short_as_a_rule() -> None:
    lengths = [rules.function_length(f) for module in CODE.values() for f in module.functions]
    assert len(lengths) > 100 and statistics.median(lengths) <= LONGEST_MEDIAN


def test_length_of_a_function_leaves_its_docstring_out() -> None:
    (function,) = Module("m", EXPLAINED).functions
    assert rules.function_length(function) == 31


def test_no_modules_import_each_other_in_a_ring() -> None:
    assert rules.import_cycle(CODE) == []


@pytest.mark.parametrize(
    ("a", "b", "found"),
    [
        ("from p import b", "from p.a import x", True),
        ("import p.b", "class C:\n    import p.a", True),
        ("try:\n    from p.b import y\nexcept ImportError: ...", "from .a import x", True),
        ("from p import b", "def f():\n    import p.a", False),
        ("from p.b import y", "if TYPE_CHECKING:\n    from p.a import x", False),
        ("import b", "import p.a", False),
    ],
)
def test_a_ring_of_imports_is_caught(a: str, b: str, found: bool) -> None:
    ring = {name: Module(name, code) for name, code in (("p.a", a), ("p.b", b))}
    assert bool(rules.import_cycle(ring)) is found


def test_a_module_that_needs_its_own_package_is_a_ring() -> None:
    package = Module("p", "from p.a import x", package=True)
    assert rules.import_cycle({"p": package, "p.a": Module("p.a", "from p import y")})


def test_every_part_of_the_source_has_its_tests() -> None:
    assert layout.parts_without_tests(ROOT) == []


def test_every_model_has_its_tests_and_one_of_parity() -> None:
    assert layout.models_without_tests(ROOT) == []


def test_every_network_has_the_tests_of_one() -> None:
    found = []
    for name, module in CODE.items():
        path = ROOT / f"tests/models/test_{name.rpartition('.')[2]}.py"
        if rules.networks(module):
            tests = path.read_text(encoding="utf-8")
            found.append((name, layout.network_tests_missing(module, tests)))
    assert found and [entry for entry in found if entry[1]] == []


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a network, a part of it, a file of helpers, and the tests of all."""
    files = {
        "src/nnlm2bert/__init__.py": "",
        "src/nnlm2bert/__main__.py": "",
        "src/nnlm2bert/errors.py": "",
        "src/nnlm2bert/plots.py": "",
        "src/nnlm2bert/models/__init__.py": "",
        "src/nnlm2bert/models/elmo.py": "from nnlm2bert.models.elmo_layers import Layer",
        "src/nnlm2bert/models/elmo_layers.py": "",
        "tests/test_main.py": "",
        "tests/test_plots.py": "",
        "tests/models/test_elmo.py": "",
        "tests/parity/test_elmo_torch.py": "from nnlm2bert.models.elmo import ELMo",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_repository_with_all_tests_passes(repository: Path) -> None:
    assert layout.parts_without_tests(repository) == []
    assert layout.models_without_tests(repository) == []


@pytest.mark.parametrize(
    ("gone", "line"),
    [
        ("tests/test_main.py", "tests/test_main.py is missing"),
        ("tests/test_plots.py", "tests/test_plots.py is missing"),
        ("tests/models/test_elmo.py", "tests/models/ has no test"),
        ("src/nnlm2bert/models/__init__.py", "tests/models/ mirrors nothing"),
    ],
)
def test_a_part_without_tests_is_caught(repository: Path, gone: str, line: str) -> None:
    (repository / gone).unlink()
    assert layout.parts_without_tests(repository) == [line]


def test_a_model_without_tests_is_caught(repository: Path) -> None:
    (repository / "tests/models/test_elmo.py").rename(repository / "tests/models/test_biLM.py")
    (repository / "tests/parity/test_elmo_torch.py").unlink()
    assert layout.models_without_tests(repository) == [
        "tests/models/test_elmo.py is missing",
        "no test in tests/parity compares nnlm2bert.models.elmo with anything",
        "tests/models/test_elmo_layers.py is missing",
        "no test in tests/parity compares nnlm2bert.models.elmo_layers with anything",
    ]


def test_tests_that_leave_something_out_are_caught() -> None:
    network = Module(MODEL, NETWORK.replace("Sizes.", "Padded words count nothing."))
    whole = "x.shape\nw.grad\ndef test_overfits_one_batch(): ...\ndef test_padding(): ..."
    assert layout.network_tests_missing(network, whole) == []
    assert len(layout.network_tests_missing(network, "")) == 4
    assert layout.network_tests_missing(Module(MODEL, "x = 1"), "") == []


def test_every_experiment_is_listed() -> None:
    assert layout.unlisted_experiments(CODE, EXPERIMENTS.values()) == []


def test_an_experiment_that_is_not_listed_is_caught() -> None:
    recipe = Module("nnlm2bert.experiments.elmo.experiment", "EXPERIMENT: object = Experiment()")
    assert layout.unlisted_experiments({recipe.name: recipe}, ["elmo.experiment"]) == []
    assert layout.unlisted_experiments({recipe.name: recipe}, []) != []
    assert layout.unlisted_experiments({}, ["elmo"]) != []


def test_the_house_stands() -> None:
    assert [name for name in HOUSE if not (ROOT / name).exists()] == []


def test_chapters_are_compared_strictly() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"pytest .*--nbval\s", makefile) and "--nbval-lax" not in makefile


def test_the_repository_holds_no_data() -> None:
    names = layout.tracked_files(ROOT)
    if names is None:
        pytest.skip("this copy of the book is not a git repository")
    files = {name: (ROOT / name).read_bytes() for name in names}
    assert [line for name in files for line in layout.file_misfits(name, files[name])] == []


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("data/brown.zip", b"PK"),
        ("model.pt", b""),
        ("words.csv", b"a,b"),
        ("corpus.txt", b"word " * 5_000),
        ("src/table.py", b"x = 1\n" * 10_000),
        ("results/nnlm/laptop/a/seed-0.json", b" " * 70_000),
        ("results/notes.md", b"note"),
        ("weights.json", b"\x80\x04\x95"),
        ("book/page.md", b"a\0b"),
    ],
)
def test_data_are_caught(name: str, data: bytes) -> None:
    assert layout.file_misfits(name, data)


@pytest.mark.parametrize(
    ("name", "data"),
    [("LICENSE", b"MIT"), ("book/a.png", b"\x89PNG\0"), ("glossary.md", "词向量".encode())],
)
def test_pages_and_pictures_are_no_data(name: str, data: bytes) -> None:
    assert layout.file_misfits(name, data) == []


def test_records_hold_a_few_words_at_most() -> None:
    found = {
        str(path.relative_to(ROOT)): layout.passages(path.read_text(encoding="utf-8"))
        for path in (ROOT / "results").rglob("*.json")
    }
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_a_passage_in_a_record_is_caught() -> None:
    long = "word " * 20
    record = {"command": long, "data": {"brown": "0" * 64}, "words": {"near": ["cat", "dog"]}}
    assert layout.passages(json.dumps(record)) == []
    assert layout.passages(json.dumps(record | {"words": {"text": [long]}}))
    assert layout.passages(json.dumps(record | {"series": {long: [1]}}))


def test_files_are_listed_only_in_a_clone(tmp_path: Path) -> None:
    assert layout.tracked_files(tmp_path) is None
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / "词.md").write_text("x", encoding="utf-8")
    assert layout.tracked_files(tmp_path) == ["词.md"]
