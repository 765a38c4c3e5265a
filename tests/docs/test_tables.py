"""Hold the tables and lists of the documents to what the code and the rules declare."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from exporter.cli.main import COMMANDS
from exporter.errors import Cause
from exporter.ledger.reasons import Reasons
from exporter.metrics.catalogue import CATALOGUE
from exporter.metrics.self_metrics import HandshakeCause
from tests.docs.documents import DOCS, DOCUMENTS, ROOT, code, name_of, names, page, read, section
from tests.docs.documents import table as rows_of
from tests.packaging.running import run

SCRIPT = str(ROOT / "scripts" / "docs.py")
KNOWN = {each.name for each in CATALOGUE}


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Give a copy of docs/."""
    return Path(shutil.copytree(DOCS, tmp_path / "docs"))


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("metrics", "metrics"),
        ("alerts", "alerts"),
        ("alerts", "thresholds"),
        ("operations", "log events"),
    ],
)
def test_tables_are_written_by_the_command(copied: Path, file: str, name: str) -> None:
    """`make docs` would change nothing, and puts back a row that was changed by hand."""
    written = copied / f"{file}.md"
    text = read(written)
    broken = re.sub(rf"(<!-- {name}: .*? -->\n\n)\|.*?\|\n", r"\1| by hand |\n", text, count=1)
    assert broken != text
    written.write_text(broken, encoding="utf-8")
    done = run(sys.executable, SCRIPT, str(copied))
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name: read(path) for path in copied.glob("*.md")} == {
        path.name: read(path) for path in DOCS.glob("*.md")
    }, "run `make docs`"


def test_a_page_without_a_place_for_its_table_is_an_error(copied: Path) -> None:
    """What was to be written is not lost silently."""
    (copied / "alerts.md").write_text("# Alerts\n", encoding="utf-8")
    done = run(sys.executable, SCRIPT, str(copied))
    assert done.returncode == 1
    assert re.fullmatch(r".*alerts\.md: needs one '<!-- alerts: .*\n", done.stderr)


def test_table_of_metrics_has_every_metric() -> None:
    """The table is what users rely on: no metric is renamed, retyped or relabelled unnoticed."""
    shown = [
        (names(name), kind, names(labels), meaning)
        for name, kind, labels, meaning in rows_of(section(page("metrics"), "Metrics"))
    ]
    assert shown == [
        ((each.name,), each.metric_type.value, each.labels, each.help) for each in CATALOGUE
    ], "run `make docs`; if a name, a type or a label changed, say so in CHANGELOG.md"


def test_readme_shows_five_metrics() -> None:
    """Each with its type."""
    kinds = {each.name: each.metric_type.value for each in CATALOGUE}
    shown = list(rows_of(section(read(ROOT / "README.md"), "Metrics and alerts")))
    assert len(shown) == 5
    assert [kind for _, kind, _ in shown] == [kinds[names(cell)[0]] for cell, _, _ in shown]


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_metrics_that_are_named_exist(path: Path) -> None:
    """A metric in a block or in backquotes is exported, or recorded by a rule."""
    rules = (ROOT / "helm").glob("*/files/rules/*.yaml")
    records = {each for f in rules for each in re.findall(r"record: (\S+)", read(f))}
    told = {
        name
        for text in code(read(path))
        for name in re.findall(r"(?:\w+:)?telnyx_[\w:]+", text)
        if not name.endswith("_") and name != "telnyx_sim_exporter"  # a prefix; the package
    }
    bare = {re.sub(r"_(bucket|count|sum)$", "", each) for each in told - records - KNOWN}
    assert bare <= KNOWN


def test_reason_classes_are_those_of_the_code() -> None:
    """Every built-in class of reasons is listed, in the order of the exposition."""
    about = section(page("metrics"), "Reason classes")
    text = re.search(r"from the text of the reason:(.*?)\.\n", about, re.DOTALL)
    assert text is not None
    assert names(text[1]) == Reasons.with_configured([]).classes


def test_causes_of_failed_handshakes_are_those_of_the_code() -> None:
    """The documentation explains every cause, in the order of the exposition."""
    shown = [names(row[0]) for row in rows_of(section(page("tls"), "Failed handshakes"))]
    assert shown == [(each.value,) for each in HandshakeCause]


def test_causes_are_those_of_the_code() -> None:
    """Every cause of a failed poll is explained."""
    causes = [names(row[0]) for row in rows_of(section(page("operations"), "When telnyx_up is 0"))]
    assert causes == [(cause.value,) for cause in Cause]


def test_commands_are_those_of_the_code() -> None:
    """Every command is listed, and no other."""
    shown = [names(row[0]) for row in rows_of(section(page("operations"), "Command line"))]
    assert sorted(shown) == [(f"telnyx-sim-exporter {name}",) for name in sorted(COMMANDS)]
