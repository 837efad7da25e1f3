"""The rules of the design, each a function from a module to what breaks it, a line each."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

PACKAGE = "nnlm2bert"
# Data flow from left to right; nothing imports what stands beside it or to its right.
FLOW = (
    {"", "errors"},
    {"files"},
    {"synthetic", "corpora"},
    {"tokenizers"},
    {"objectives"},
    {"models", "training"},
    {"transfer"},
    {"evaluation"},
    {"experiments"},
    {"plots"},
    {"diagrams"},
    {"diagrams_transformer", "diagrams_bert", "diagrams_family_tree"},
    {"notebook"},
    {"__main__"},
)
RANKS = {part: rank for rank, parts in enumerate(FLOW) for part in parts}
# What is kept apart beyond that: models know nothing of data, and evaluation takes instances.
STRANGERS = {
    *(("models", data) for data in ("synthetic", "corpora", "tokenizers", "objectives")),
    *(("evaluation", code) for code in ("models", "transfer")),
}
LONGEST_FUNCTION = 40
LONGEST_MODEL = 330
RANDOMNESS = f"{PACKAGE}.training.randomness"
# Who may ask which devices there are: these modules, in these functions (None: in all).
CHOOSES_DEVICES = {
    f"{PACKAGE}.training.devices": None,
    f"{PACKAGE}.experiments.runner": "settle",
}
DEVICE_QUESTIONS = re.compile(
    r"torch\.(cuda\.(is_available|device_count|current_device|set_device)"
    r"|(backends\.)?mps\.is_available|accelerator\..*|set_default_(device|tensor_type))"
)
SEEDED = {
    "random.Random",
    *(f"numpy.random.{name}" for name in "default_rng MT19937 PCG64 PCG64DXSM Philox".split()),
    *(f"numpy.random.{name}" for name in "SFC64 Generator SeedSequence RandomState".split()),
}
GENERATED = re.compile(
    r"torch\.(rand|randn|randint|randperm|rand_like|randn_like|randint_like|normal|poisson)"
    r"|(torch)?\.(multinomial|bernoulli)"
    r"|\.(normal|uniform|bernoulli|random|exponential|geometric|log_normal|cauchy)_"
)
GLOBAL_CHANCE = re.compile(
    r"(numpy\.)?random\.\w+|torch\.((cuda|random)\.)?(manual_)?seed(_all)?|\.seed|hash|os\.urandom"
    r"|secrets\.\w+|uuid\.uuid[14]"
)
MUTATORS = set(
    "add append clear discard extend insert pop popitem remove setdefault update".split()
)
# What no module imports, and what only one part does: a kept library is there for the rest.
ONLY_IN = {
    **dict.fromkeys(("requests", "pooch"), "corpora"),
    **dict.fromkeys(("ftplib", "getopt", "http.client", "optparse", "socket", "urllib.request")),
}
SHAPE = re.compile(r"\([A-Z]{1,2}(,| [-+x] ?)")
YEAR = re.compile(r"\b(19|20)\d\d\b")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """A Python file: its dotted name, its text, and whether it is the ``__init__`` of a package."""

    name: str
    text: str
    package: bool = False

    @classmethod
    def read(cls, path: Path, root: Path) -> Module:
        """Read a file below ``root``, the folder where imports begin."""
        parts = path.relative_to(root).with_suffix("").parts
        package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if package else parts)
        return cls(name, path.read_text(encoding="utf-8"), package)

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.text)

    @property
    def part(self) -> str:
        """The part of the package it belongs to: ``models`` of ``nnlm2bert.models.nnlm``."""
        return part_of(self.name)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the tree."""
        return list(ast.walk(self.tree))

    @cached_property
    def functions(self) -> list[Function]:
        """All functions, methods and functions in functions."""
        return [node for node in self.nodes if isinstance(node, Function)]

    @cached_property
    def names(self) -> dict[str, str]:
        """What the imported names stand for: ``np`` for ``numpy``, ``nn`` for ``torch.nn``."""
        found = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    first = alias.name.split(".")[0]
                    found[alias.asname or first] = alias.name if alias.asname else first
            elif isinstance(node, ast.ImportFrom):
                source = self.source(node)
                found |= {a.asname or a.name: f"{source}.{a.name}" for a in node.names}
        return found

    def source(self, node: ast.ImportFrom) -> str:
        """The module that ``from ... import`` names, in full."""
        above = self.name.split(".")
        kept = above[: len(above) - node.level + self.package] if node.level else []
        return ".".join([*kept, *([node.module] if node.module else [])])

    def called(self, node: ast.expr) -> str:
        """The full name of what is called; ``.name`` for a method of some object."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.insert(0, node.attr)
            node = node.value
        if isinstance(node, ast.Name) and (not parts or node.id in self.names):
            return ".".join([self.names.get(node.id, node.id), *parts])
        return f".{parts[-1]}" if parts else ""

    @cached_property
    def calls(self) -> list[tuple[ast.Call, str]]:
        """Every call with the full name of what is called."""
        return [(n, self.called(n.func)) for n in self.nodes if isinstance(n, ast.Call)]

    def imports(self, nodes: Iterable[ast.AST] | None = None) -> Iterator[tuple[int, str]]:
        """(line, full name) of all that is imported: lazily, by name in a string, for types."""
        for node in self.nodes if nodes is None else nodes:
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from ((node.lineno, f"{self.source(node)}.{a.name}") for a in node.names)
            elif isinstance(node, ast.Call) and self.called(node.func).endswith("import_module"):
                yield from ((node.lineno, name) for name in _strings(node.args[0]))


Rule = Callable[[Module], list[str]]


def part_of(name: str) -> str:
    """The part of the package that a dotted name lies in; "" for the package itself."""
    second = "".join(name.split(".")[1:2])
    return second if second == "__main__" or not second.startswith("__") else ""


def imports_flow_one_way(module: Module) -> list[str]:
    """No import, lazy or not, of what stands beside or to the right in the flow of data."""
    own = module.part
    if own not in RANKS:
        return [f"{module.name} has no place in the flow of imports: give it one in FLOW"]
    parts = [(line, part_of(n)) for line, n in module.imports() if n.split(".")[0] == PACKAGE]
    return [
        f"line {line}: {own or PACKAGE} imports {part or PACKAGE}"
        for line, part in parts
        if part != own and (RANKS.get(part, len(FLOW)) >= RANKS[own] or (own, part) in STRANGERS)
    ]


def functions_short(module: Module) -> list[str]:
    """No function has more than 40 lines, its docstring apart."""
    sizes = ((function, function_length(function)) for function in module.functions)
    return [
        f"line {f.lineno}: {f.name} has {size} lines, at most {LONGEST_FUNCTION}"
        for f, size in sizes
        if size > LONGEST_FUNCTION
    ]


def function_length(function: Function) -> int:
    """Lines of a function, from ``def`` on, without its docstring."""
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is None:
        return lines
    return lines - (function.body[0].end_lineno - function.body[0].lineno + 1)


def documented(module: Module) -> list[str]:
    """Modules, public classes, their public methods and public functions have docstrings."""
    lines = [] if ast.get_docstring(module.tree) else [f"{module.name} has no docstring"]
    return lines + [
        f"line {node.lineno}: {node.name} has no docstring"
        for node in _public(module.tree)
        if not ast.get_docstring(node)
    ]


def typed(module: Module) -> list[str]:
    """Every argument and every returned value has its type."""
    lines = []
    for function in module.functions:
        given = function.args
        arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        bare = [a.arg for a in arguments if a and not a.annotation and a.arg not in ("self", "cls")]
        bare += [] if function.returns else ["what is returned"]
        lines += [f"line {function.lineno}: {function.name}: no type for {name}" for name in bare]
    return lines


def globals_untouched(module: Module) -> list[str]:
    """No function changes what belongs to its module."""
    shared = {name for node in module.tree.body for name in _assigned(node)}
    lines = []
    for function in module.functions:
        local = {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
        local |= {node.id for node in ast.walk(function) if _is_stored(node, ast.Name)}
        for node in ast.walk(function):
            declared = isinstance(node, ast.Global)
            names = set(node.names) if declared else _changed(node) & shared - local
            lines += [
                f"line {node.lineno}: {function.name} changes the global {name}"
                for name in sorted(names)
            ]
    return lines


def no_source_executed(module: Module) -> list[str]:
    """Nothing is executed that was put together as text."""
    banned = {"exec", "eval", "compile", "builtins.exec", "builtins.eval"}
    return [f"line {call.lineno}: {name}()" for call, name in module.calls if name in banned]


def devices_chosen_openly(module: Module) -> list[str]:
    """No hidden choice of a device: only ``choose_device`` and ``settle`` ask what there is."""
    within = CHOOSES_DEVICES.get(module.name, "")
    if within is None:
        return []
    chosen = {id(n) for f in module.functions if f.name == within for n in ast.walk(f)}
    return [
        f"line {call.lineno}: {name}() chooses a device"
        for call, name in module.calls
        if id(call) not in chosen
        and (DEVICE_QUESTIONS.fullmatch(name) or name == ".cuda" or _names_accelerator(call, name))
    ]


def chance_seeded(module: Module) -> list[str]:
    """Whatever is drawn at random comes from a seeded generator that is handed over."""
    if module.name == RANDOMNESS:
        return []
    return [
        f"line {call.lineno}: {name}() draws without a seed of its own"
        for call, name in module.calls
        if (GENERATED.fullmatch(name) and "generator" not in _keywords(call))
        or (name in SEEDED and not _has_seed(call))
        or (name not in SEEDED and GLOBAL_CHANCE.fullmatch(name))
    ]


def sets_sorted(module: Module) -> list[str]:
    """No set is run through in its own order, which for words differs from run to run."""
    orders = {"list", "tuple", "enumerate", "iter", ".join"}
    run = [call.args[0] for call, name in module.calls if name in orders and call.args]
    for node in module.nodes:
        if isinstance(node, ast.For):
            run.append(node.iter)
        elif isinstance(node, ast.ListComp | ast.GeneratorExp | ast.DictComp):
            run += [generator.iter for generator in node.generators]
    return [f"line {n.lineno}: a set in its own order; sort it" for n in run if _is_set(n, module)]


def files_have_encodings(module: Module) -> list[str]:
    """Every file of text is opened with its encoding named."""
    return [
        f"line {call.lineno}: {name}() without an encoding"
        for call, name in module.calls
        if _opens_text(call, name) and "encoding" not in _keywords(call)
    ]


def libraries_at_home(module: Module) -> list[str]:
    """Downloads are left to ``corpora``, and nothing is done by hand that a kept library does."""
    lines = []
    for line, name in module.imports():
        for banned, home in ONLY_IN.items():
            if f"{name}.".startswith(f"{banned}.") and (home is None or module.part != home):
                lines.append(f"line {line}: imports {banned}")
    return lines


def models_short(module: Module) -> list[str]:
    """One paper, one file, of at most 330 lines."""
    lines = module.text.count("\n")
    long = module.part == "models" and lines > LONGEST_MODEL
    return [f"{module.name} has {lines} lines, at most {LONGEST_MODEL}"] * long


def networks_described(module: Module) -> list[str]:
    """A network has a frozen config, names its paper, and gives the shapes in ``forward``."""
    lines = []
    for network in networks(module):
        if not _has_config(module):
            lines.append(f"{network.name} has no frozen dataclass of its settings, ...Config")
        said = (ast.get_docstring(network) or "") + (ast.get_docstring(module.tree) or "")
        if not YEAR.search(said):
            lines.append(f"{network.name} does not name the paper it comes from, with its year")
        for method in network.body:
            text = ast.get_source_segment(module.text, method) or ""
            if getattr(method, "name", "") == "forward" and not SHAPE.search(text):
                lines.append(f"line {method.lineno}: {network.name}.forward names no shapes")
    return lines


def networks(module: Module) -> list[ast.ClassDef]:
    """The public networks of a file in ``models``: what is a Module or has a ``forward``."""
    if module.part != "models":
        return []
    return [
        node
        for node in module.tree.body
        if isinstance(node, ast.ClassDef)
        and not node.name.startswith("_")
        and (
            any(module.called(base).endswith("Module") for base in node.bases)
            or any(getattr(method, "name", "") == "forward" for method in node.body)
        )
    ]


RULES: tuple[Rule, ...] = (
    imports_flow_one_way,
    functions_short,
    documented,
    typed,
    globals_untouched,
    no_source_executed,
    devices_chosen_openly,
    chance_seeded,
    sets_sorted,
    files_have_encodings,
    libraries_at_home,
    models_short,
    networks_described,
)


def import_cycle(modules: Mapping[str, Module]) -> list[str]:
    """A ring of modules that import each other as they load, [] if there is none."""
    graph = {}
    for name, module in modules.items():
        wanted = (full for _, full in module.imports(_loaded(module.tree)))
        graph[name] = {_nearest(full, modules) for full in wanted} - {name, None}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def _nearest(full: str, modules: Mapping[str, Module]) -> str | None:
    """The module that a dotted name lies in, if it is one of ``modules``."""
    return next((name for name in (full, full.rpartition(".")[0]) if name in modules), None)


def _loaded(node: ast.AST) -> Iterator[ast.AST]:
    """All that is executed when a module is loaded: no functions, no imports for types alone."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from _loaded(child)


def _public(tree: ast.Module | ast.ClassDef) -> Iterator[ast.ClassDef | Function]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from _public(node)


def _strings(node: ast.expr) -> list[str]:
    """The text that an expression begins with, if it is a string or a format."""
    first = node.values[0] if isinstance(node, ast.JoinedStr) else node
    return [first.value] if isinstance(first, ast.Constant) else []


def _assigned(node: ast.stmt) -> set[str]:
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _is_stored(node: ast.AST, kind: type[ast.expr]) -> bool:
    return isinstance(node, kind) and isinstance(getattr(node, "ctx", None), ast.Store)


def _changed(node: ast.AST) -> set[str]:
    """The name whose object a piece of code changes: ``x[i] = 1``, ``del x.y``, ``x.append(1)``."""
    if isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
        base = node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        base = node.func.value if node.func.attr in MUTATORS else None
    else:
        return set()
    return {base.id} if isinstance(base, ast.Name) else set()


def _keywords(call: ast.Call) -> set[str | None]:
    return {keyword.arg for keyword in call.keywords}


def _names_accelerator(call: ast.Call, name: str) -> bool:
    """Whether a call moves something to a device that the code names: ``x.to("cuda")``."""
    named = [k.value for k in call.keywords if k.arg == "device"]
    named += call.args if name in (".to", "torch.device") else []
    texts = [node.value for node in named if isinstance(node, ast.Constant)]
    return any(re.match(r"(cuda|mps)\b", str(text)) for text in texts)


def _has_seed(call: ast.Call) -> bool:
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    return any(not (isinstance(v, ast.Constant) and v.value is None) for v in values)


def _is_set(node: ast.expr, module: Module) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr | ast.BitAnd | ast.Sub):
        return _is_set(node.left, module) or _is_set(node.right, module)
    if isinstance(node, ast.Call):
        return module.called(node.func) in ("set", "frozenset")
    return isinstance(node, ast.Set | ast.SetComp)


def _opens_text(call: ast.Call, name: str) -> bool:
    """Whether a call opens a file of text; files in archives and raw descriptors are bytes."""
    if name in (".read_text", ".write_text"):
        return len(call.args) <= (name == ".write_text")
    places = {"open": 1, "io.open": 1, "os.fdopen": 1, "codecs.open": 1, ".open": 0}
    packed = {"gzip.open", "bz2.open", "lzma.open"}
    temporary = {"tempfile.NamedTemporaryFile", "tempfile.TemporaryFile"}
    mode = _mode(call, 1 if name in packed else places.get(name, 0))
    if name in packed | temporary:
        return bool(mode) and ("t" in mode if name in packed else "b" not in mode)
    if name == ".open" and mode and not re.fullmatch(r"[rwaxbt+]+", mode):
        return False
    return name in places and "b" not in (mode or "r")


def _mode(call: ast.Call, place: int) -> str | None:
    """The mode a file is opened with; "b" if it is worked out, so that nothing can be said."""
    given = [keyword.value for keyword in call.keywords if keyword.arg == "mode"]
    given += call.args[place : place + 1]
    if not given:
        return None
    return given[0].value if isinstance(given[0], ast.Constant) else "b"


def _has_config(module: Module) -> bool:
    frozen = {
        node.name
        for node in module.tree.body
        if isinstance(node, ast.ClassDef)
        and any("dataclass(frozen=True" in ast.unparse(d) for d in node.decorator_list)
    }
    return any(name.endswith("Config") for name in frozen | set(module.names))
