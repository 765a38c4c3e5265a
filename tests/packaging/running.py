"""Runs programs for the tests to their end; it must not judge what comes of it."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(
    *words: str, cwd: Path = ROOT, text: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a program with a text as its input, and this environment added to ours."""
    return subprocess.run(  # noqa: S603 - the tests' own words
        words,
        check=False,
        capture_output=True,
        text=True,
        input=text,
        cwd=cwd,
        env={**os.environ, **environment},
    )
