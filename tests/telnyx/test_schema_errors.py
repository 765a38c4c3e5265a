"""Decoding of error bodies."""

import json

import pytest

from exporter.telnyx.schema import ApiError, decode_errors


def _body(value: object) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize("code", ["10015", 10015])
def test_the_whole_error_body_is_read(code: object) -> None:
    """Every documented field of every entry is kept; the code may be a number or a text."""
    first = {
        "code": code,
        "title": "Bad value",
        "detail": "must be a UUID",
        "source": {"parameter": "filter[sim_card_id]", "pointer": "/x"},
        "meta": {"url": "https://developers.telnyx.com"},
    }
    assert decode_errors(_body({"errors": [first, {"title": "Other"}]})) == (
        ApiError("10015", "Bad value", "must be a UUID", "/x", "filter[sim_card_id]"),
        ApiError("", "Other", "", "", ""),
    )


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        pytest.param(ApiError("1", "T", "d", "/p", "q"), "1 T: d (q)", id="all"),
        pytest.param(ApiError("1", "T", "", "/p", ""), "1 T (/p)", id="pointer"),
        pytest.param(ApiError("", "", "d", "", ""), "d", id="detail"),
        pytest.param(ApiError("", "", "", "", ""), "", id="none"),
    ],
)
def test_a_problem_is_one_line(problem: ApiError, line: str) -> None:
    """People are told what there is, without empty brackets and colons."""
    assert str(problem) == line


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"<html></html>",
        b'{"errors":null}',
        b'{"errors":"no"}',
        b'{"errors":["no",5,null]}',
        b'{"error":"older form"}',
        b'[{"code":1}]',
    ],
)
def test_another_error_body_names_no_problem(body: bytes) -> None:
    """Older bodies and none are no error of their own: the status says enough."""
    assert decode_errors(body) == ()
