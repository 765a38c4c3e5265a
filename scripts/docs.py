# ruff: noqa: INP001 - a program that is run by its path
"""Write the tables in the documentation that are made from the code and the rules.

`docs.py [FOLDER]` replaces what stands between the markers in the pages of docs/, or of another
folder. It must not touch any other text.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from exporter.cli.rule_files import objective_rules, plain_rules
from exporter.metrics.catalogue import CATALOGUE
from exporter.sinks.log_events import LOG_EVENTS

ROOT = Path(__file__).parents[1]


def metrics() -> Iterator[tuple[str, ...]]:
    """Yield a row for each metric, in the order of the exposition, below a heading."""
    yield "Name", "Type", "Labels", "Meaning"
    for each in CATALOGUE:
        labels = ", ".join(f"`{label}`" for label in each.labels) or "none"
        yield f"`{each.name}`", each.metric_type.value, labels, each.help


def alerts() -> Iterator[tuple[str, ...]]:
    """Yield a row for each alert, in the order of the rules, below a heading."""
    yield "Alert", "Severity", "Summary"
    for rule in (*plain_rules().rules, *objective_rules().rules):
        if "alert" in rule:
            name, summary = rule["alert"], rule["annotations"]["summary"]
            yield f"[`{name}`](runbooks/{name}.md)", rule["labels"]["severity"], summary


def thresholds() -> Iterator[tuple[str, ...]]:
    """Yield a row for each threshold, in the order of the rules, below a heading."""
    yield "Threshold", "Default", "Meaning"
    for each in (*plain_rules().thresholds.values(), *objective_rules().thresholds.values()):
        yield f"`{each.name}`", each.default, each.meaning


def log_events() -> Iterator[tuple[str, ...]]:
    """Yield a row for each event of the log, below a heading."""
    yield "Event", "Level", "Meaning"
    for each in LOG_EVENTS:
        yield f"`{each.name}`", each.level.value, each.help


def table(rows: Iterable[tuple[str, ...]]) -> str:
    """Return rows, the first of them the heading, as a Markdown table."""
    lines = ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows]
    lines.insert(1, "|---" * (lines[0].count(" | ") + 1) + "|")
    return "\n".join(lines)


def write(page: Path, name: str, rows: Iterable[tuple[str, ...]]) -> None:
    """Write the table of this name into a page; exits if the page has no place for it."""
    text = page.read_text(encoding="utf-8")
    place = re.compile(rf"(<!-- {name}: .*? -->\n).*?(<!-- end -->)", re.DOTALL)
    written, places = place.subn(lambda found: f"{found[1]}\n{table(rows)}\n\n{found[2]}", text)
    if places != 1:
        sys.exit(f"{page}: needs one '<!-- {name}: ... -->' with '<!-- end -->' below it")
    page.write_text(written, encoding="utf-8")


def main(arguments: list[str]) -> None:
    """Write every table into the pages of the folder that is the only argument, or of docs/."""
    if len(arguments) > 1:
        sys.exit("usage: docs.py [FOLDER]")
    folder = Path(arguments[0]) if arguments else ROOT / "docs"
    write(folder / "metrics.md", "metrics", metrics())
    write(folder / "alerts.md", "alerts", alerts())
    write(folder / "alerts.md", "thresholds", thresholds())
    write(folder / "operations.md", "log events", log_events())


if __name__ == "__main__":
    main(sys.argv[1:])
