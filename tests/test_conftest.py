import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]
SETTINGS = "[pytest]\naddopts = -p no:asyncio\nmarkers =\n    program(name): as in the project\n"


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Lay out a suite of its own, with this project's conftest.py and without CI set."""
    monkeypatch.delenv("CI", raising=False)
    pytester.makeconftest((ROOT / "tests" / "conftest.py").read_text(encoding="utf-8"))
    pytester.makeini(SETTINGS)
    return pytester


def add_test(suite: pytest.Pytester, *names: str, times: int = 1) -> None:
    """Give the suite a test that needs the programs ``names`` and looks for the last."""
    marks = ", ".join(repr(name) for name in names)
    suite.makepyfile(
        "import pytest\n\n"
        f"@pytest.mark.program({marks})\n"
        f"@pytest.mark.parametrize('number', range({times}))\n"
        "def test_runs(program_path, number):\n"
        f"    assert program_path({names[-1]!r})\n"
    )


def test_missing_program_skips(suite: pytest.Pytester) -> None:
    """On a developer's machine a missing program skips the test and says what to install."""
    add_test(suite, "sh", "no-such-program")
    result = suite.runpytest_inprocess("-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*needs no-such-program: apt-get install no-such-program"])


def test_all_that_is_skipped_stands_in_one_line(suite: pytest.Pytester) -> None:
    """With how many tests there are, and why, whatever pytest's own summary shows."""
    add_test(suite, "no-such-program", times=3)
    suite.makepyfile(
        test_other="import pytest\n\n@pytest.mark.skip(reason='no root')\ndef test(): ..."
    )
    result = suite.runpytest_inprocess()
    result.stdout.fnmatch_lines(
        ["Skipped 4 tests: 3 needs no-such-program: apt-get install no-such-program; 1 no root"]
    )


def test_long_tests_run_first(suite: pytest.Pytester) -> None:
    """Those that are given a time of their own; the others follow in their order."""
    suite.makepyfile(
        "import pytest\n\n"
        "def test_one(): ...\n\n"
        "def test_two(): ...\n\n"
        "@pytest.mark.timeout(900)\ndef test_long(): ...\n"
    )
    result = suite.runpytest_inprocess("-v")
    result.stdout.fnmatch_lines(["*::test_long *", "*::test_one *", "*::test_two *"])


def test_waiting_tests_begin_on_three_workers_in_four(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one begins with other tests, which take up what is left of the cores."""
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "4")
    names = (*(f"demo_stack/test_w{number}" for number in range(3)), "test_a", "test_b")
    for name in names:
        suite.path.joinpath(name).parent.mkdir(exist_ok=True)
        suite.path.joinpath(f"{name}.py").write_text(
            "import pytest\n\n@pytest.mark.parametrize('n', range(2))\ndef test(n): ...\n"
        )
    result = suite.runpytest_inprocess("-v", *(f"{name}.py" for name in ("test_a", "test_b")), ".")
    shares = ("w0-0", "w0-1", "a-0"), ("w1-0", "w1-1", "a-1"), ("w2-0", "w2-1", "b-0"), ("b-1",)
    lines = [each.split("-") for share in shares for each in share]
    result.stdout.fnmatch_lines([f"*test_{file}.py::test[[]{n}]*" for file, n in lines])


def test_long_tests_of_a_group_are_not_spread(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are in the share of one worker, of whatever files they are."""
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "2")
    for name in ("one", "two", "three"):
        group = "" if name == "two" else '@pytest.mark.xdist_group("image")\n'
        test = "@pytest.mark.timeout(900)\ndef test_long(): ...\n"
        suite.makepyfile(**{f"test_{name}": f"import pytest\n\n{group}{test}"})
    result = suite.runpytest_inprocess("-v", "test_one.py", "test_two.py", "test_three.py")
    result.stdout.fnmatch_lines(
        ["test_one.py::test_long *", "test_three.py::test_long *", "test_two.py::test_long *"]
    )


def test_missing_program_fails_in_ci(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In CI a missing program fails the test, so that nothing goes untested unnoticed."""
    monkeypatch.setenv("CI", "true")
    add_test(suite, "no-such-program")
    result = suite.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*needs no-such-program: apt-get install no-such-program"])


def test_present_program_runs(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test whose programs are installed runs, in CI too."""
    monkeypatch.setenv("CI", "true")
    add_test(suite, "sh")
    suite.runpytest_inprocess().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("name", "installed", "package"),
    [
        pytest.param("alertmanager", "prometheus-alertmanager", "", id="debian-name"),
        pytest.param("promtool", "", "prometheus", id="promtool"),
        pytest.param("amtool", "", "prometheus-alertmanager", id="amtool"),
        pytest.param("chromium", "", "chromium", id="chromium"),
    ],
)
def test_debian_names(
    suite: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    installed: str,
    package: str,
) -> None:
    """Programs are found under Debian's name, and the advice names Debian's package."""
    if installed:
        (tmp_path / installed).symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(tmp_path))
    add_test(suite, name)
    result = suite.runpytest_inprocess("-rs")
    if package:
        result.stdout.fnmatch_lines([f"*needs {name}: apt-get install {package}"])
    else:
        result.assert_outcomes(passed=1)
