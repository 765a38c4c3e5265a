import os
from pathlib import Path

import pytest

from exporter.config import Account, read_api_key
from exporter.errors import ConfigError

CHARACTER = "contains a character that no API key has, perhaps a space or a line break; remove it"


def test_a_key_in_the_settings_is_handed_out() -> None:
    """What the settings hold masked is what the client gets."""
    assert read_api_key(Account.model_validate({"api_key": "KEY0"})) == "KEY0"


@pytest.mark.parametrize(
    "content",
    [
        b"KEY0",
        b"KEY0\n",
        b"KEY0\r\n",
        b"KEY0\n\n",
        b" KEY0\t\n",
        b"\xef\xbb\xbfKEY0\r\n",
        "KEY0\r\n".encode("utf-16"),
    ],
    ids=["bare", "lf", "crlf", "empty-line", "blanks", "bom", "utf-16"],
)
def test_what_editors_put_around_the_key_does_not_count(tmp_path: Path, content: bytes) -> None:
    """Line breaks, blanks and a byte order mark are no part of the key."""
    path = tmp_path / "key"
    path.write_bytes(content)

    assert read_api_key(Account(name="a", api_key_file=str(path))) == "KEY0"


def test_the_file_is_read_each_time(tmp_path: Path) -> None:
    """A key that is replaced is the new one at the next call."""
    path = tmp_path / "key"
    account = Account(name="a", api_key_file=str(path))
    path.write_text("old")
    assert read_api_key(account) == "old"

    path.write_text("new")

    assert read_api_key(account) == "new"


@pytest.mark.parametrize(
    ("content", "mistake"),
    [
        (b"", "the file is empty; put the API key there"),
        (b"\n", "the file is empty; put the API key there"),
        (b" \r\n", "the file is empty; put the API key there"),
        (
            b"SECRET\nSECRET\n",
            "the file contains several lines; put the key alone there, on one line",
        ),
        (b"SECRET KEY", f"the file {CHARACTER}"),
        (b"SECRET\x00", f"the file {CHARACTER}"),
        (b"SECRET\xff", f"the file {CHARACTER}"),
        (b"S" * 4097, "is longer than 4096 bytes; check that it is the right file"),
    ],
    ids=["empty", "newline", "blank", "two-lines", "space", "control", "no-ascii", "long"],
)
def test_a_file_without_a_sound_key_is_refused(
    tmp_path: Path, content: bytes, mistake: str
) -> None:
    """What no HTTP header could carry is told without being quoted."""
    path = tmp_path / "key"
    path.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        read_api_key(Account(name="a", api_key_file=str(path)))

    assert caught.value.mistakes == (f"account a: api_key_file: {mistake}",)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("name", "why"),
    [("none", "No such file or directory"), (".", "Is a directory")],
    ids=["missing", "directory"],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, name: str, why: str) -> None:
    """The reason of the operating system is handed on."""
    account = Account(name="a", api_key_file=str(tmp_path / name))

    with pytest.raises(ConfigError) as caught:
        read_api_key(account)

    assert caught.value.mistakes == (
        f"account a: api_key_file: cannot be read ({why}); check the path and permissions",
    )


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    """A pipe that nobody writes to would keep the whole program waiting."""
    pipe = tmp_path / "key"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(ConfigError, match="is not a regular file; set it to one"):
            read_api_key(Account(name="a", api_key_file=str(path)))
