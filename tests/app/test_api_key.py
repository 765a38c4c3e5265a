"""The key of an account: what is noticed of a change of its file, and that it is not shown."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from exporter.api_key import ApiKey
from exporter.config import Account
from exporter.errors import ConfigError

ONE, TWO = "KEY-one", "KEY-two"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a file that holds a key."""
    path = tmp_path / "api.key"
    path.write_text(ONE)
    return path


@pytest.fixture
def key(file: Path) -> ApiKey:
    """Give the key of that file, which a poll has begun to send."""
    made = ApiKey(Account(name="mine", api_key_file=str(file)))
    made.begin()
    assert made() == ONE
    return made


def test_a_key_is_renewed_when_its_file_holds_another(key: ApiKey, file: Path) -> None:
    """It is compared with the one that was sent last, and to look is not to send."""
    assert not key.renewed()
    file.write_text(f"{ONE}\n")
    assert not key.renewed()
    file.write_text(TWO)
    assert key.renewed()
    assert key.renewed()
    assert key.last == ONE
    key.begin()
    assert key() == TWO
    assert not key.renewed()


def test_a_key_that_changes_between_two_requests_is_renewed(key: ApiKey, file: Path) -> None:
    """Which of the two was refused nobody knows, so the one that is there now is worth a try."""
    file.write_text(TWO)
    assert (key(), key()) == (TWO, TWO)
    assert key.renewed()


def test_a_key_that_could_not_be_read_is_renewed_when_it_can_be(key: ApiKey, file: Path) -> None:
    """What was refused then was no key at all, though it is the same one as before again."""
    file.write_text("")
    with pytest.raises(ConfigError):
        key()
    assert not key.renewed()
    file.unlink()
    assert not key.renewed()
    file.write_text(ONE)
    assert key.renewed()
    assert key() == ONE
    assert key.renewed()
    key.begin()
    assert key() == ONE
    assert not key.renewed()


def test_a_key_that_stands_in_the_configuration_is_never_renewed() -> None:
    """Only a reload can change it."""
    key = ApiKey(Account(api_key=SecretStr(ONE)))
    key.begin()
    assert key() == ONE
    assert not key.renewed()


def test_a_key_is_not_shown(key: ApiKey, file: Path) -> None:
    """Neither its repr nor what is struck out by it shows a key."""
    file.write_text(TWO)
    assert key.renewed()
    assert repr(key) == "ApiKey('mine')"
    assert key.redact(f"Bearer {ONE}") == "Bearer [secret]"


def test_a_key_is_struck_out_before_it_is_sent_and_after_it_was_replaced(file: Path) -> None:
    """Lines that wait for a reader may be older, or written before the first request."""
    key = ApiKey(Account(name="mine", api_key_file=str(file)))
    assert key.used == {ONE}
    file.write_text(TWO)
    assert key() == TWO
    assert key.used == {ONE, TWO}
    assert key.redact(f"{ONE} {TWO}") == "[secret] [secret]"
    file.unlink()
    assert ApiKey(Account(name="mine", api_key_file=str(file))).used == frozenset()
