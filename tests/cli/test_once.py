import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from prometheus_client.parser import text_string_to_metric_families

Invoke = Callable[..., Result]


def test_once_prints_the_exposition(
    invoke: Invoke, write: Callable[..., str], api: str, tmp_path: Path
) -> None:
    """One poll, then the text that Prometheus reads on stdout, and nothing else there."""
    result = invoke("once", "--config.file", write(api))
    assert result.exit_code == 0, result.stderr
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(result.stdout)
        for sample in family.samples
    }
    assert samples["telnyx_up", "account-0"] == 1
    assert samples["telnyx_sim_card_actions", "account-0", "enable", "in-progress"] == 1
    assert samples["telnyx_sim_card_actions", "account-0", "enable", "failed"] == 1
    assert "baseline_taken" in result.stderr
    assert (tmp_path / "telnyx-sim-exporter.db").exists()


def test_once_prints_a_table(invoke: Invoke, write: Callable[..., str], api: str) -> None:
    """For people: what is wrong, a row for the account, and one for each action type it has."""
    result = invoke("once", "--config.file", write(api), "--format", "table")
    assert result.exit_code == 0, result.stderr
    lines = [re.findall(r"[\w-]+", line) for line in result.stdout.splitlines()]
    assert lines[0] == ["1", "account", "1", "with", "problems"]
    assert ["account-0", "1", "stuck", "action", "enable", "1"] in lines[1:3]
    assert ["account-0", "problems", "1", "1", "1", "1", "0"] in lines
    assert [row for row in lines if row[:1] == ["enable"]] == [["enable", "1", "1", "0", "1", "0"]]
    assert not [row for row in lines if row[:1] == ["disable"]]


@pytest.mark.parametrize("form", ["metrics", "table"])
def test_once_fails_if_an_account_fails(
    form: str, invoke: Invoke, write: Callable[..., str], api: str
) -> None:
    """Accounts that can be polled are shown all the same; log and exit code tell of others."""
    file = write(api, api.replace("/v2", "/v1"))
    result = invoke("once", "--config.file", file, "--format", form, "--log.format", "json")
    assert result.exit_code == 1
    assert "account-0" in result.stdout
    events = [json.loads(line) for line in result.stderr.splitlines()]
    assert [each["account"] for each in events if each["event"] == "poll_failed"] == ["account-1"]
    if form == "table":
        assert "Poll failed: HTTP 404" in result.stdout


def test_a_flag_wins_over_the_file(invoke: Invoke, write: Callable[..., str], api: str) -> None:
    """What the command line says of the log holds, whatever the file says."""
    file = write(api, log={"format": "json", "level": "info"})
    assert "baseline_taken" in invoke("once", "--config.file", file).stderr
    again = invoke("once", "--config.file", file, "--log.level", "warning")
    assert (again.exit_code, again.stderr) == (0, "")


def test_once_does_not_poll_what_another_may_poll(
    invoke: Invoke, write: Callable[..., str], api: str
) -> None:
    """Only the shared database tells, and it does not answer."""
    file = write(api, state={"url": "postgresql://127.0.0.1:1/telnyx"})
    result = invoke("once", "--config.file", file, "--log.format", "json")
    assert result.exit_code == 1
    unavailable, failed = (json.loads(line) for line in result.stderr.splitlines())
    assert "Connection refused" in unavailable["error"]
    assert failed["error"] == (
        "the state database does not tell whether another process polls this account"
    )
