import pytest

from exporter.config.mistakes import (
    KeyPath,
    Mistake,
    format_mistakes,
    format_path,
    redact_quoted,
    suggestion,
)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("poll", "interval"), "poll.interval"),
        (("accounts", 1, "api_key"), "accounts[1].api_key"),
        (("k" * 41, "a"), "....a"),
    ],
    ids=["root", "keys", "index", "long"],
)
def test_paths_are_written_as_people_do(path: KeyPath, text: str) -> None:
    """A path reads like code; a name long enough to be a secret is not quoted."""
    assert format_path(path) == text


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("intervall", "did you mean interval?"),
        ("INTERVAL", "did you mean interval?"),
        ("zzz", "use one of interval, page_size"),
    ],
    ids=["near", "case", "far"],
)
def test_suggestions_name_the_nearest_or_all(word: str, text: str) -> None:
    """A near miss is answered with what was probably meant."""
    assert suggestion(word, ["interval", "page_size"]) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("undefined alias 'KEY123'", "undefined alias '...'"),
        ('undefined alias "KEY123"', "undefined alias '...'"),
        ("but found '<scalar>'", "but found '<scalar>'"),
        ("found unknown escape character 'q'", "found unknown escape character 'q'"),
    ],
    ids=["single", "double", "kind", "character"],
)
def test_quotes_of_the_file_are_left_out(text: str, shown: str) -> None:
    """What a library quotes from the file may be a secret."""
    assert redact_quoted(text) == shown


def test_mistakes_come_in_the_order_of_the_file() -> None:
    """A path that is not in the file counts as its nearest ancestor, before what is in that."""
    lines: dict[KeyPath, int] = {("b",): 3, ("b", "x"): 4, ("a",): 9}
    mistakes = [
        Mistake(("a",), "one"),
        Mistake(("b", "x"), "two"),
        Mistake(("b", "y"), "three"),
        Mistake(("c",), "four"),
    ]

    assert format_mistakes(mistakes, lines, "f") == [
        "f: c: four",
        "f:3: b.y: three",
        "f:4: b.x: two",
        "f:9: a: one",
    ]
