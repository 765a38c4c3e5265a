import subprocess
import sys

import pytest

from exporter.probe import main


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["http://a/", "http://b/"], id="two"),
        pytest.param(["--help"], id="option"),
        pytest.param(["127.0.0.1:10874"], id="no scheme"),
        pytest.param(["ftp://127.0.0.1/"], id="other scheme"),
        pytest.param(["http:///metrics"], id="no host"),
        pytest.param(["http://127.0.0.1:99999/"], id="port"),
        pytest.param(["http://u:geheim@127.0.0.1/"], id="password"),
        pytest.param(["http://127.0.0.1/a b"], id="space"),
        pytest.param(["http://127.0.0.1/\u00e4"], id="letter"),
    ],
)
def test_wrong_usage_is_told(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """Exit 2 and one line, which repeats no password."""
    assert main(arguments) == 2
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("usage: ")
    assert "geheim" not in err


def test_only_the_standard_library_is_loaded() -> None:
    """The probe starts quickly, as nothing heavy comes with it."""

    def modules(statement: str) -> set[str]:
        code = f"{statement}import sys; print(*sys.modules)"
        command = [sys.executable, "-c", code]
        run = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)  # noqa: S603 # our own
        return set(run.stdout.split())

    loaded = modules("import exporter.probe; ") - modules("")
    ours = {each for each in loaded if each.partition(".")[0] == "exporter"}
    assert ours == {"exporter", "exporter.probe", "exporter.version"}
    assert {each.partition(".")[0] for each in loaded - ours} <= sys.stdlib_module_names
    assert not {"asyncio", "email", "http", "logging"} & loaded
