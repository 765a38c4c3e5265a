import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sanitize import REDACTED, one_line, redacted


def test_each_secret_is_struck_out() -> None:
    """As often as it stands there; an empty one, of a key that was not read yet, is none."""
    text = "KEY-1 and KEY-2, KEY-1"
    assert redacted(text, ["", "KEY-1", "KEY-2"]) == f"{REDACTED} and {REDACTED}, {REDACTED}"
    assert redacted(text, []) == text


@given(st.text())
def test_any_text_becomes_one_line(text: str) -> None:
    """It can be printed, and read back as JSON reads what is escaped."""
    line = one_line(text)
    assert line.isprintable()
    if not set(text) & set('"\\'):
        assert json.loads(f'"{line}"') == text


@pytest.mark.parametrize(
    ("encoding", "line"),
    [("utf-8", "é \U0001f4f5"), ("latin-1", r"é \ud83d\udcf5"), ("ascii", r"\u00e9 \ud83d\udcf5")],
)
def test_what_an_encoding_lacks_is_escaped(encoding: str, line: str) -> None:
    """The rest stays as it is."""
    assert one_line("é \U0001f4f5", encoding=encoding) == line
