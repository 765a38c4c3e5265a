import pytest

from exporter.config.mistakes import Mistake
from exporter.config.yaml_document import parse_yaml
from exporter.errors import ConfigError

HINT = "start from config.example.yaml"


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "f: is empty; start from config.example.yaml"),
        ("# nothing\n---\n", "f: is empty; start from config.example.yaml"),
        ("- a\n", "f: must be a mapping of keys; start from config.example.yaml"),
        ("just text\n", "f: must be a mapping of keys; start from config.example.yaml"),
        ("a: 1\n---\nb: 2\n", "f:2: contains a second document; keep one, and remove the line ---"),
        ("a:\n\tb: 1\n", "f:2: contains a tab where spaces belong; indent with spaces"),
        (
            "a: b: c\n",
            (
                "f:1: is not valid YAML (mapping values are not allowed here); "
                "fix it, or quote the value"
            ),
        ),
        (
            "a: 1\nb: *KEY123\n",
            "f:2: is not valid YAML (found undefined alias '...'); fix it, or quote the value",
        ),
        ("a: 1\nb: \x00\n", "f:2: contains a control character; save it as plain text"),
        ("a: &x\n  b: *x\n", "f:1: contains itself through an alias; write the value out"),
        ("a: " + "[" * 5000, "f: is nested too deeply; start from config.example.yaml"),
    ],
    ids=[
        "empty",
        "only-comments",
        "list",
        "scalar",
        "two-documents",
        "tab",
        "colon",
        "alias",
        "control",
        "loop",
        "deep",
    ],
)
def test_a_file_of_another_form_is_refused(text: str, mistake: str) -> None:
    """What is no single mapping is refused in one sentence that quotes nothing."""
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "f", hint=HINT)

    assert caught.value.mistakes == (mistake,)
    assert caught.value.__context__ is None


def test_values_keep_their_types_and_lines() -> None:
    """Plain values come as YAML has them, keys as text, each with its line."""
    document = parse_yaml(
        "a: [1, 2.5]\n\n'b':\n  7: null\n  on: true\n  d: 2026-01-02\n", "f", hint=HINT
    )

    assert document.data == {"a": [1, 2.5], "b": {"7": None, "on": True, "d": "2026-01-02"}}
    assert document.lines == {
        ("a",): 1,
        ("a", 0): 1,
        ("a", 1): 1,
        ("b",): 3,
        ("b", "7"): 4,
        ("b", "on"): 5,
        ("b", "d"): 6,
    }
    assert document.mistakes == ()


def test_aliases_and_merged_keys_work() -> None:
    """What is written once and referred to twice is no repeated key."""
    document = parse_yaml(
        "a: &x {k: 1, l: 2}\nb: {<<: *x, k: 3}\nc: *x\nd: {<<: *x}\n", "f", hint=HINT
    )

    assert document.mistakes == ()
    assert document.data == {
        "a": {"k": 1, "l": 2},
        "b": {"k": 3, "l": 2},
        "c": {"k": 1, "l": 2},
        "d": {"k": 1, "l": 2},
    }


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("a: 1\nb: 2\na: 3\n", Mistake(("a",), "is set twice, first on line 1; keep one")),
        (
            "a: {? [x] : 1}\n",
            Mistake(("a",), "a key on line 1 is a list or a mapping; use plain keys"),
        ),
        (
            'a: {\n"\\ud800": 1}\n',
            Mistake(("a",), "a key on line 2 contains a control character; use plain keys"),
        ),
        (
            "a: !!set {x}\n",
            Mistake(
                ("a",), "has a tag, or a number, that cannot be read; remove the tag, or use quotes"
            ),
        ),
        (
            "a: !!int x\n",
            Mistake(
                ("a",), "has a tag, or a number, that cannot be read; remove the tag, or use quotes"
            ),
        ),
        (
            "a: !!python/name:os.system\n",
            Mistake(
                ("a",), "has a tag, or a number, that cannot be read; remove the tag, or use quotes"
            ),
        ),
    ],
    ids=["repeated", "complex-key", "surrogate-key", "set", "bad-number", "python"],
)
def test_what_yaml_lets_pass_is_told(text: str, mistake: Mistake) -> None:
    """A doubtful value is told, and the rest of the file is judged all the same."""
    document = parse_yaml(text + "z: 1\n", "f", hint=HINT)

    assert document.mistakes == (mistake,)
    assert document.data["z"] == 1


def test_the_last_of_repeated_keys_has_its_line() -> None:
    """The value that YAML would take stands where it is written."""
    document = parse_yaml("a: {k: 1}\nb: 2\na: {l: 3}\n", "f", hint=HINT)

    assert document.data == {"b": 2, "a": {"l": 3}}
    assert document.lines == {("b",): 2, ("a",): 3, ("a", "l"): 3}


def test_numbers_can_be_taken_as_they_are_spelled() -> None:
    """Below the given paths numbers and the like are text; a null that is a key's value stays."""
    document = parse_yaml(
        "a: {b: 0x10, c: yes, d: ~, e: x}\nf: [007, ~, {g: 1.50}]\nh: 1\n", "f", hint=HINT
    )

    assert document.spelled(("a",), ("f",), ("h",)) == {
        "a": {"b": "0x10", "c": "yes", "d": None, "e": "x"},
        "f": ["007", "~", {"g": "1.50"}],
        "h": 1,
    }
