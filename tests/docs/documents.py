"""Read the project's Markdown documents; it must not judge what they say."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

GUIDES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
"""What tells users how to run the exporter."""

DOCUMENTS = [
    *GUIDES,
    *sorted(DOCS.glob("runbooks/*.md")),
    *(ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "helm").glob("*/*.md")),
]
"""All documents."""

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`]+)`")


def read(path: Path) -> str:
    """Give the text of a document."""
    return path.read_text(encoding="utf-8")


def name_of(path: Path) -> str:
    """Give the path of a document below the project."""
    return str(path.relative_to(ROOT))


def page(name: str) -> str:
    """Give the text of a page of docs/."""
    return read(DOCS / f"{name}.md")


def section(text: str, title: str) -> str:
    """Give what stands under a heading, up to the next one of any level."""
    below = re.split(rf"^#+ {re.escape(title)}\n", FENCE.sub("", text), flags=re.MULTILINE)[1]
    return re.split(r"^#+ ", below, maxsplit=1, flags=re.MULTILINE)[0]


def table(text: str) -> Iterator[list[str]]:
    """Give the cells of each row of the tables in a text, without the headings."""
    above = ""
    for line in text.splitlines():
        if line.startswith("|") and not line.startswith("|--") and above.startswith("|"):
            yield [cell.strip() for cell in line.strip("|").split("|")]
        above = line


def blocks(language: str, begin: str = "") -> list[str]:
    """Give the fenced blocks of all guides in a language that begin with a text."""
    return [
        body
        for path in GUIDES
        for kind, body in FENCE.findall(read(path))
        if kind == language and body.startswith(begin)
    ]


def names(text: str) -> tuple[str, ...]:
    """Give what stands in backquotes."""
    return tuple(_CODE.findall(text))


def code(text: str) -> list[str]:
    """Give all code of a text: its fenced blocks, and what stands in backquotes outside them."""
    return [*(body for _, body in FENCE.findall(text)), *names(FENCE.sub("", text))]
