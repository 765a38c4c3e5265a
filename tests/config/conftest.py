"""Fixtures for the configuration: files that are written, loaded and complained about."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from exporter.config import Settings, load
from exporter.errors import ConfigError


@pytest.fixture
def environ() -> dict[str, str]:
    """Return the environment that the files in these tests refer to."""
    return {
        "KEY": "KEY0-secret",
        "INTERVAL": "30s",
        "SIZE": "100",
        "STRICT": "true",
        "HARD": "a: b # c",
        "EMPTY": "",
        "AGAIN": "a-${KEY}",
    }


@pytest.fixture
def load_text(tmp_path: Path, environ: Mapping[str, str]) -> Callable[[str], Settings]:
    """Return a function that loads a file with the given text."""

    def load_it(text: str) -> Settings:
        path = tmp_path / "config.yaml"
        path.write_text(text, encoding="utf-8")
        return load(path, environ)

    return load_it


@pytest.fixture
def mistakes(load_text: Callable[[str], Settings], tmp_path: Path) -> Callable[[str], list[str]]:
    """Return a function that tells what is wrong with a file, without the folder it is in."""

    def complain(text: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load_text(text)
        return [mistake.replace(f"{tmp_path}/", "") for mistake in caught.value.mistakes]

    return complain
