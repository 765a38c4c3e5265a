import pytest

from exporter.config.mistakes import Mistake
from exporter.config.variables import substitute

ENVIRON = {"KEY": "secret", "AGAIN": "${KEY}", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "replaced"),
    [
        ("${KEY}", "secret"),
        ("a-${KEY}-${KEY}", "a-secret-secret"),
        ("${EMPTY}", ""),
        ("${AGAIN}", "${KEY}"),
        ("$${KEY}", "${KEY}"),
        ("$$${KEY}", "$secret"),
        ("^done$", "^done$"),
        ("$KEY", "$KEY"),
    ],
    ids=["alone", "inside", "empty", "once-only", "escaped", "dollar-before", "regex", "bare"],
)
def test_variables_are_replaced(text: str, replaced: str) -> None:
    """``${VAR}`` is replaced once, ``$$`` is a dollar, and any other dollar stays."""
    assert substitute(text, ENVIRON) == (replaced, [])


def test_all_texts_are_replaced_but_keys_and_numbers() -> None:
    """Texts are found at any depth; keys and other values are left alone."""
    data = {"${KEY}": ["${KEY}", 1, None, {"a": "${KEY}"}]}

    assert substitute(data, ENVIRON) == ({"${KEY}": ["secret", 1, None, {"a": "secret"}]}, [])


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("${NONE}", "environment variable NONE is not set; set it, or write the value"),
        ("${KEY", "contains ${ without a closing }; write ${NAME}, or $${ for a plain ${"),
        (
            "${KEY:-x}",
            "contains ${} without a valid variable name; write ${NAME}, or $${ for a plain ${",
        ),
        ("${}", "contains ${} without a valid variable name; write ${NAME}, or $${ for a plain ${"),
        (
            "${KEY0123456789ABCDEF0123456789ABCDEF_abcdefghijklmnopqrstuv}",
            "environment variable ... is not set; set it, or write the value",
        ),
    ],
    ids=["unset", "open", "default", "no-name", "a-key-for-a-name"],
)
def test_mistakes_are_told_with_their_place(text: str, mistake: str) -> None:
    """A reference that cannot be replaced leaves the text as it was, and is told."""
    data = {"accounts": [{"api_key": text}]}

    assert substitute(data, ENVIRON) == (data, [Mistake(("accounts", 0, "api_key"), mistake)])
