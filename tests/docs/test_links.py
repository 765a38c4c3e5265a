"""Follow the links of the documents, and those into the documents from everywhere else."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.documents import DOCS, DOCUMENTS, FENCE, ROOT, name_of, read

LINK = re.compile(r"\]\(([^)\s]+)\)")
URL = re.compile(
    r"https://github\.com/telnyx-sim-exporter/telnyx-sim-exporter/(?:blob|tree)/main/([\w./#-]+)"
)
LARGEST_PICTURE = 200_000

POINTING = [
    *DOCUMENTS,
    ROOT / "pyproject.toml",
    *sorted((ROOT / ".github").rglob("*.*")),
    *sorted((ROOT / "exporter").rglob("*.py")),
    *sorted((ROOT / "dashboards").rglob("*.py")),
    *sorted(path for path in (ROOT / "helm").rglob("*") if path.is_file()),
]
"""Files that may have links to files of the project on GitHub."""


def anchors(text: str) -> Iterator[str]:
    """Give the anchors of a document's headings, as GitHub makes them."""
    seen: Counter[str] = Counter()
    for heading in re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE):
        anchor = re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")
        yield f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor
        seen[anchor] += 1


def leads_somewhere(path: Path, anchor: str) -> bool:
    """Tell whether a file or folder is there, and a heading in it if there is an anchor."""
    return path.exists() and (not anchor or anchor in anchors(read(path)))


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    """Every file and heading that a document links to is there."""
    broken = []
    for target in LINK.findall(FENCE.sub("", read(path))):
        file, _, anchor = target.partition("#")
        if "://" not in target and not leads_somewhere(
            (path.parent / file).resolve() if file else path, anchor
        ):
            broken.append(target)
    assert broken == []


def test_links_through_github_lead_somewhere() -> None:
    """So is what is linked to by its address on GitHub, wherever the link stands."""
    found = [(path, url) for path in POINTING for url in URL.findall(path.read_text("utf-8"))]
    assert {path.name for path, _ in found} >= {"Chart.yaml", "page.py", "pyproject.toml"}
    broken = []
    for path, url in found:
        file, _, anchor = url.rstrip(".").partition("#")
        if not leads_somewhere(ROOT / file, anchor):
            broken.append((name_of(path), url))
    assert broken == []


@pytest.mark.parametrize(
    ("target", "anchor", "good"),
    [
        pytest.param("docs/tls.md", "client-certificates", True, id="heading"),
        pytest.param("docs/runbooks", "", True, id="folder"),
        pytest.param("docs/tls.md", "no-such-heading", False, id="no-heading"),
        pytest.param("docs/no-such-page.md", "", False, id="no-file"),
    ],
)
def test_a_broken_link_is_found(target: str, anchor: str, *, good: bool) -> None:
    """The tests above can fail."""
    assert leads_somewhere(ROOT / target, anchor) is good


def test_every_page_is_in_the_index() -> None:
    """docs/README.md leads to each page beside it."""
    assert {path.name for path in DOCS.glob("*.md")} <= {
        "README.md",
        *LINK.findall(read(DOCS / "README.md")),
    }


def test_pictures_are_modest() -> None:
    """All pictures are used, and are PNG files that load quickly."""
    used = {
        (path.parent / name).resolve()
        for path in DOCUMENTS
        for name in re.findall(r"!\[[^]]+\]\(([^)]+)\)", read(path))
    }
    assert used == set((DOCS / "images").iterdir())
    for picture in used:
        content = picture.read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) < LARGEST_PICTURE
