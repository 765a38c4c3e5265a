"""Keeps the import direction and the purity of the core; what the code does is not its matter."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LAYERS = (
    {"cli", "__main__", "probe"},
    {"demo", "doctor"},
    {"app", "polls", "account", "account_client", "api_key", "network", "state"},
    {"web", "history"},
    {"metrics", "sinks"},
    {"scheduling"},
    {"sync"},
    {"ledger"},
    {"telnyx"},
    {
        "config",
        "address",
        "listen",
        "clock",
        "domain",
        "http_protocol",
        "errors",
        "reading",
        "sanitize",
        "version",
        "__init__",
    },
)
"""The rooms, from the top: each imports from itself and from what lies below."""

DEPTHS = {room: depth for depth, layer in enumerate(LAYERS) for room in layer}
BOTTOM = LAYERS[-1]

SIMULATOR_USERS = LAYERS[0] | {"demo", "simulator"}
SIMULATOR_NEEDS = BOTTOM | {"simulator"}

OWNERS = {
    "uvicorn": {"http_protocol"},
    "httpx": {"telnyx", "sinks/alertmanager"},
    "prometheus_client": {"metrics", "web"},
    "psycopg": {"ledger/store", "config"},
    "sqlalchemy": {"ledger/store"},
    "sqlite3": {"ledger/store", "history"},
}
"""Libraries that only some rooms, or folders of them, may import."""

STORE = "ledger.store"
STORE_USERS = {"state.py", "cli/copy_state.py"}
"""Who chooses a store; all others know its protocol."""

PURE = (
    "doctor/connection_checks.py",
    "doctor/findings.py",
    "doctor/list_checks.py",
    "doctor/rendering.py",
    "doctor/seen.py",
    "domain.py",
    "history/past.py",
    "history/report.py",
    "history/series.py",
    "ledger/leases.py",
    "ledger/listings.py",
    "ledger/queries.py",
    "ledger/reasons.py",
    "ledger/rules.py",
    "ledger/snapshot.py",
    "ledger/state.py",
    "ledger/unit_of_work.py",
    "ledger/views.py",
    "sanitize.py",
    "scheduling/budget.py",
    "scheduling/lease_rules.py",
    "sinks/alertmanager/alerts.py",
    "sync/cursors.py",
    "sync/filters.py",
    "sync/request_plan.py",
    "sync/sort_order.py",
)
IMPURE = {"asyncio", "httpx", "logging", "random", "sqlalchemy", "structlog", "time"}
HTTPX_CALLS = {"Client", "AsyncClient", "get", "post", "put", "delete", "request", "stream"}
SDK = {"Telnyx", "AsyncTelnyx", "DefaultHttpxClient", "DefaultAsyncHttpxClient"}
PROXIED = re.compile("|".join(("httpx", "urlopen", *SDK)).encode())
"""One of these is in each file with a call that may go through a proxy."""
OPENERS = {
    "reading",
    "ledger",  # its own state file and lock, which stay open
    "cli",  # /dev/null, in place of a standard stream that is closed
}
"""Rooms that may open files; what users provide is read by `reading.read_file` alone."""
OPEN_CALLS = {"open", "io.open", "os.open", "os.fdopen"}
READ_METHODS = {"read_text", "read_bytes"}
CLOCK_CALLS = {"now", "today", "utcnow"}


@dataclass(frozen=True)
class Module:
    """One parsed file; ``path`` is relative to the package."""

    path: Path
    tree: ast.Module

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Give all nodes: each of the checks looks through them."""
        return tuple(ast.walk(self.tree))

    @property
    def name(self) -> str:
        """Give its dotted name."""
        return ".".join(("exporter", *self.path.with_suffix("").parts)).removesuffix(".__init__")

    @property
    def room(self) -> str:
        """Give the room it stands in: a folder, or a file, of the package."""
        return self.path.parts[0].removesuffix(".py")

    def at(self, line: int, what: str) -> str:
        """Word a break of a rule, with its place."""
        return f"exporter/{self.path}:{line}: {what}"

    def imports(self) -> Iterator[tuple[int, str]]:
        """Yield (line, dotted name) of each import; ``from a import b`` is ``a.b``."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = [node.module] if node.module else []
                if node.level:
                    package = ["exporter", *self.path.parent.parts]
                    base = package[: len(package) - node.level + 1] + base
                yield from ((node.lineno, ".".join([*base, a.name])) for a in node.names)

    def own_imports(self) -> Iterator[tuple[int, str, str]]:
        """Yield (line, room, dotted name below the package) of each import of the package."""
        for line, name in self.imports():
            head, _, inner = name.partition(".")
            if head == "exporter":
                room = inner.partition(".")[0]
                # `from exporter import __version__`: a name of the package itself
                known = room in DEPTHS or room == "simulator" or (PACKAGE / room).is_dir()
                yield line, room if known else "__init__", inner


PACKAGE = ROOT / "exporter"


@cache
def modules() -> tuple[Module, ...]:
    """Parse all files of the package."""
    return tuple(
        Module(path.relative_to(PACKAGE), ast.parse(path.read_bytes(), str(path)))
        for path in sorted(PACKAGE.rglob("*.py"))
    )


def direction_breaks(module: Module) -> list[str]:
    """List the imports that point upwards."""
    if module.room == "simulator":
        return []
    if module.room not in DEPTHS:
        return [module.at(1, f"room {module.room!r} is not in LAYERS: say where it belongs")]
    return [
        module.at(line, f"{module.room} lies below {room}, so it must not import {name}")
        for line, room, name in module.own_imports()
        if room != "simulator" and DEPTHS.get(room, -1) < DEPTHS[module.room]
    ]


def simulator_breaks(module: Module) -> list[str]:
    """List the imports that tie the exporter to the simulator, or the simulator to it."""
    if module.room == "simulator":
        return [
            module.at(line, f"the simulator must not import {name}")
            for line, room, name in module.own_imports()
            if not {room, ".".join(name.split(".")[:2])} & SIMULATOR_NEEDS
        ]
    return [
        module.at(line, f"{module.room} must not import the simulator")
        for line, room, _ in module.own_imports()
        if room == "simulator" and module.room not in SIMULATOR_USERS
    ]


def library_breaks(module: Module) -> list[str]:
    """List the imports of libraries that belong to other rooms."""
    folders = {module.room, *(folder.as_posix() for folder in module.path.parents)}
    return [
        module.at(line, f"only {', '.join(sorted(OWNERS[library]))} may import {library}")
        for line, name in module.imports()
        if not folders & OWNERS.get(library := name.partition(".")[0], folders)
    ]


def store_breaks(module: Module) -> list[str]:
    """List the imports of a store by those who have to do with any."""
    if module.path.as_posix() in STORE_USERS or module.name.startswith(f"exporter.{STORE}"):
        return []
    return [
        module.at(line, f"must not import {name}: use {STORE}.protocol")
        for line, _, name in module.own_imports()
        if name.startswith(STORE) and not name.startswith(f"{STORE}.protocol.")
    ]


def dotted(node: ast.expr) -> str:
    """Write the names of an attribute, or a name; what they are taken from is left out."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def proxied(tree: ast.Module) -> Iterator[int]:
    """Yield the line of each call that leaves the choice of a proxy to the environment."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            library, _, name = dotted(node.func).rpartition(".")
            given = {keyword.arg for keyword in node.keywords}
            client = library == "httpx" and name in HTTPX_CALLS
            direct = given & {"trust_env", "transport", "http_client"}
            if name == "urlopen" or ((client or name in SDK) and not direct):
                yield node.lineno


def purity_breaks(module: Module) -> list[str]:
    """List what reaches for a clock, for chance or for the world in a pure module."""
    if module.path.as_posix() not in PURE:
        return []
    imports = [
        module.at(line, f"is pure, so it must not import {name}")
        for line, name in module.imports()
        if name.partition(".")[0] in IMPURE
    ]
    return imports + [
        module.at(node.lineno, f"is pure, so it must not call .{node.func.attr}()")
        for node in module.nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in CLOCK_CALLS
    ]


def print_breaks(module: Module) -> list[str]:
    """List the calls of print outside the command line."""
    return [
        module.at(node.lineno, "only cli may print")
        for node in module.nodes
        if module.room != "cli" and isinstance(node, ast.Call)
        if isinstance(node.func, ast.Name) and node.func.id == "print"
    ]


def opening_breaks(module: Module) -> list[str]:
    """List what opens a file without the bounds of `reading`."""
    return [
        module.at(node.lineno, f"must not call {dotted(node.func)}: use reading.read_file")
        for node in module.nodes
        if module.room not in OPENERS and isinstance(node, ast.Call)
        if dotted(node.func) in OPEN_CALLS
        or (isinstance(node.func, ast.Attribute) and node.func.attr in READ_METHODS)
    ]


def docstring_breaks(module: Module) -> list[str]:
    """List the module if it does not say what it is for."""
    return [] if ast.get_docstring(module.tree) else [module.at(1, "has no docstring")]


Check = Callable[[Module], list[str]]
CHECKS: tuple[Check, ...] = (
    direction_breaks,
    simulator_breaks,
    library_breaks,
    store_breaks,
    purity_breaks,
    print_breaks,
    opening_breaks,
    docstring_breaks,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_rule_is_kept(check: Check) -> None:
    """Every module keeps the rule."""
    breaks = [line for module in modules() for line in check(module)]
    assert not breaks, "\n" + "\n".join(breaks)


def test_pure_modules_exist() -> None:
    """The list of pure modules names files that are there, so that the rule holds something."""
    assert [name for name in PURE if not (PACKAGE / name).is_file()] == []


def test_who_asks_over_http_asks_directly() -> None:
    """No program or test of ours speaks to loopback through a proxy that the environment names."""
    programs = (
        path
        for folder in ("benchmarks", "demo_stack", "exporter", "scripts", "tests")
        for path in sorted((ROOT / folder).rglob("*.py"))
    )
    breaks = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in programs
        if PROXIED.search(source := path.read_bytes())
        for line in proxied(ast.parse(source, str(path)))
    ]
    assert not breaks, "say trust_env=False:\n" + "\n".join(breaks)


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("httpx.AsyncClient(timeout=5)", [1]),
        ("\nhttpx.get(url)", [2]),
        ("Telnyx(api_key=key)", [1]),
        ("urllib.request.urlopen(url)", [1]),
        ("httpx.Client(trust_env=False)", []),
        ("httpx.AsyncClient(transport=played)", []),
        ("http.get(url)", []),
    ],
)
def test_a_proxied_call_is_found(source: str, lines: list[int]) -> None:
    """A call that would look into the environment is found, with its line."""
    assert list(proxied(ast.parse(source))) == lines


def test_no_import_cycle() -> None:
    """No module imports itself, be it through others."""
    names = {module.name for module in modules()}
    graph = {
        module.name: {n if n in names else n.rpartition(".")[0] for _, n in module.imports()}
        for module in modules()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as exc:
        pytest.fail(" imports ".join(reversed(exc.args[1])), pytrace=False)


@pytest.mark.parametrize(
    ("check", "path", "source", "line"),
    [
        pytest.param(direction_breaks, "ledger/a.py", "\nimport exporter.web", 2, id="upwards"),
        pytest.param(direction_breaks, "errors.py", "from exporter import cli", 1, id="from"),
        pytest.param(direction_breaks, "web/a.py", "from ..cli import main", 1, id="relative"),
        pytest.param(direction_breaks, "web/a.py", "from exporter.ledger import b", 0, id="down"),
        pytest.param(direction_breaks, "web/a.py", "from . import b", 0, id="own-room"),
        pytest.param(
            direction_breaks, "errors.py", "from exporter import __version__", 0, id="up0"
        ),
        pytest.param(direction_breaks, "misc/a.py", "", 1, id="unknown-room"),
        pytest.param(simulator_breaks, "simulator/a.py", "import exporter.telnyx", 1, id="sim"),
        pytest.param(
            simulator_breaks, "simulator/a.py", "from exporter.domain import X", 0, id="domain"
        ),
        pytest.param(
            simulator_breaks,
            "simulator/a.py",
            "from exporter.ledger import store",
            1,
            id="sim-store",
        ),
        pytest.param(simulator_breaks, "web/a.py", "import exporter.simulator", 1, id="of-sim"),
        pytest.param(simulator_breaks, "demo.py", "import exporter.simulator", 0, id="demo"),
        pytest.param(library_breaks, "web/a.py", "if 1:\n from httpx import get", 2, id="httpx"),
        pytest.param(library_breaks, "telnyx/a.py", "from httpx import get", 0, id="owner"),
        pytest.param(library_breaks, "ledger/a.py", "import sqlite3", 1, id="sql-outside"),
        pytest.param(library_breaks, "ledger/store/a.py", "import sqlite3", 0, id="sql-inside"),
        pytest.param(
            store_breaks, "account.py", "from exporter.ledger.store.sqlite import S", 1, id="store"
        ),
        pytest.param(
            store_breaks, "ledger/a.py", "from exporter.ledger.store import sqlite", 1, id="module"
        ),
        pytest.param(
            store_breaks, "a.py", "from exporter.ledger.store.protocol import L", 0, id="protocol"
        ),
        pytest.param(
            store_breaks, "state.py", "from exporter.ledger.store.sqlite import S", 0, id="root"
        ),
        pytest.param(purity_breaks, PURE[0], "from time import time", 1, id="clock"),
        pytest.param(purity_breaks, PURE[0], "\nx = datetime.now()", 2, id="now"),
        pytest.param(purity_breaks, PURE[0], "from datetime import datetime", 0, id="datetime"),
        pytest.param(print_breaks, "web/a.py", "def f():\n print(1)", 2, id="print"),
        pytest.param(print_breaks, "cli/a.py", "print(1)", 0, id="cli-prints"),
        pytest.param(opening_breaks, "web/a.py", "\nopen(path)", 2, id="open"),
        pytest.param(opening_breaks, "web/a.py", "Path(name).read_text()", 1, id="read-text"),
        pytest.param(opening_breaks, "web/a.py", "ledger.open(now)", 0, id="method"),
        pytest.param(opening_breaks, "reading.py", "os.open(path, 0)", 0, id="reading"),
        pytest.param(docstring_breaks, "web/a.py", "import os", 1, id="no-docstring"),
    ],
)
def test_check_finds(check: Check, path: str, source: str, line: int) -> None:
    """A break is found and its line named; 0 stands for none."""
    breaks = check(Module(Path(path), ast.parse(source)))
    assert [found.split(": ")[0] for found in breaks] == [f"exporter/{path}:{line}"] * bool(line)
