import re
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.program("openssl")


def test_new_certificate_is_taken_over(web_file: Any, secured: Callable[..., str]) -> None:
    """A renewed certificate holds from the next question on, and is reported once."""
    reloader = web_file.reloader(secured())
    before = reloader.current().tls
    assert reloader.current().tls is before
    secured()
    assert reloader.current().tls is not before
    assert reloader.current().tls is reloader.current().tls
    assert web_file.reports == [()]


def test_half_renewed_certificate_changes_nothing(
    web_file: Any, secured: Callable[..., str], authority: Any
) -> None:
    """A certificate whose key is still to come leaves the old pair; then the new one holds."""
    reloader = web_file.reloader(secured())
    before = reloader.current().tls
    folder = web_file.path.parent
    authority.issue(folder, "next")
    (folder / "next.pem").rename(folder / "server.pem")
    assert reloader.current().tls is before
    assert "does not match the certificate" in reloader.check()[0]
    (folder / "next.key").rename(folder / "server.key")
    assert reloader.check() == ()
    assert reloader.current().tls is not before
    assert [len(each) for each in web_file.reports] == [1, 0]


@pytest.mark.parametrize(
    ("lost", "place"),
    [
        pytest.param(r"  client_allowed", "tls_server_config.client_allowed_sans", id="names"),
        pytest.param(r"  client_", "tls_server_config.client_auth_type", id="client certificates"),
        pytest.param(r"  client_ca", "tls_server_config.client_ca_file", id="authorities"),
        pytest.param("basic_auth_users", "basic_auth_users", id="users"),
        pytest.param(r"  ", "tls_server_config", id="tls"),
    ],
)
def test_half_written_file_opens_no_door(
    web_file: Any,
    secured: Callable[..., str],
    authority: Any,
    hashed: Callable[..., str],
    lost: str,
    place: str,
) -> None:
    """What is there of a file can be valid; a protection that is missing in it stays in force."""
    text = secured(
        f"client_ca_file: {authority.file}",
        "client_auth_type: RequireAndVerifyClientCert",
        "client_allowed_sans: [scraper]",
    )
    text += f"basic_auth_users: {{a: {hashed('x')}}}\n"
    reloader = web_file.reloader(text)
    before = reloader.current()
    kept = (line for line in text.splitlines() if not re.match(lost, line))
    web_file.write("\n".join(kept))
    assert reloader.current() is before
    assert any(f": {place}: cannot " in line for line in reloader.check())
