import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.packaging.running import ROOT, run

SCRIPT = (ROOT / "scripts" / "test-as-user.sh").read_text("utf-8")


@pytest.mark.program("setpriv")
def test_without_root_it_says_that_it_does_nothing(program_path: Callable[[str], str]) -> None:
    """Nothing is left out in silence; who is not root runs the tests without rights anyway."""
    lower = (program_path("setpriv"), "--reuid=65534") if os.geteuid() == 0 else ()
    done = run(*lower, "/bin/sh", "-s", cwd=Path("/"), text=SCRIPT)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Skipping the tests as an unprivileged user: not running as root.\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gets so far")
def test_without_python_it_says_that_it_does_nothing() -> None:
    """A machine without Debian's Python is told what is missing."""
    done = run("/bin/sh", "-s", "--", "/no/python", text=SCRIPT)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(" user: /no/python is not Python 3.11 or later.\n")
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize(("as_user", "rest"), [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_run_fails_where_either_part_fails(tmp_path: Path, as_user: int, rest: int) -> None:
    """All is run, in CI's way, and what the whole suite says comes last on the output."""
    bash = shutil.which("bash")
    assert bash is not None
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    (tmp_path / "scripts").mkdir()
    script = tmp_path / "scripts" / "programs.sh"
    script.write_text("#!/bin/sh\necho programs in CI=$CI\n", encoding="utf-8")
    script.chmod(0o755)
    codes = {"lint": 0, "test-as-user": as_user, "test": rest}
    recipes = (f"{name}:\n\t@echo {name} in CI=$$CI; exit {codes[name]}\n" for name in codes)
    (tmp_path / "Makefile").write_text("".join(recipes), encoding="utf-8")
    done = run(bash, str(tmp_path / ".ci" / "run"), cwd=Path(sys.prefix))
    assert (done.returncode == 0) is (as_user == rest == 0)
    programs, *early, test = (f"{name} in CI=true" for name in ("programs", *codes))
    # A make above this one would have its say, too.
    lines = [each for each in done.stdout.splitlines() if not each.startswith("make[")]
    assert (lines[0], sorted(lines[1:3]), lines[3]) == (programs, sorted(early), test)
