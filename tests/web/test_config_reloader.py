from collections.abc import Callable
from typing import Any

import pytest

from exporter.errors import ConfigError


def test_bad_file_is_refused_at_the_start(web_file: Any) -> None:
    """Nothing is served by a file that is wrong from the beginning."""
    with pytest.raises(ConfigError, match="basic_auth_users: must be a mapping"):
        web_file.reloader("basic_auth_users: x")


def test_change_holds_at_once(web_file: Any, hashed: Callable[..., str]) -> None:
    """The next question already sees the new users."""
    reloader = web_file.reloader(f"basic_auth_users: {{a: {hashed('x')}}}")
    web_file.write(f"basic_auth_users: {{b: {hashed('x')}}}")
    assert set(reloader.current().users) == {b"b"}
    assert reloader.check() == ()
    assert web_file.reports == [()]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("basic_auth_users: {a: x}", "is not a bcrypt hash", id="bad hash"),
        pytest.param("", "is empty", id="truncated"),
        pytest.param("basic_auth_users: {a: ", "is not valid YAML", id="half written"),
        pytest.param("{}", "basic_auth_users: cannot be removed", id="no users"),
        pytest.param(None, "cannot be read", id="gone"),
    ],
)
def test_bad_change_leaves_everything(
    web_file: Any, hashed: Callable[..., str], text: str | None, says: str
) -> None:
    """The users stay as they were, and the mistake is reported once, not at each request."""
    good = f"basic_auth_users: {{a: {hashed('x')}}}"
    reloader = web_file.reloader(good)
    before = reloader.current()
    if text is None:
        web_file.path.unlink()
    else:
        web_file.write(text)
    assert reloader.current() is before
    assert reloader.current() is before
    assert len(web_file.reports) == 1
    assert says in web_file.reports[0][0]
    assert reloader.check() == web_file.reports[0]
    web_file.write(good)
    assert reloader.check() == ()
    assert web_file.reports[1:] == [()]
