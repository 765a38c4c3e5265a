import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from exporter.doctor.findings import ACCOUNT_CHECKS, LOCAL_CHECKS

Invoke = Callable[..., Result]


def lines_of(text: str) -> dict[str, tuple[str, str]]:
    """Return result and text of each check that has a line of its own."""
    found = re.findall(r"^  (OK|WARN|FAIL|SKIP) +([a-z_]+)  +(\S.*)$", text, re.MULTILINE)
    return {check: (result, words) for result, check, words in found}


def test_one_screen_for_one_account(
    invoke: Invoke, write: Callable[..., str], api: str, tmp_path: Path
) -> None:
    """A line for each check, what is wrong with what to do, the counts last; no state is made."""
    file = write(api)
    result = invoke("doctor", "--config.file", file)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    found = lines_of(result.stdout)
    assert [*found] == [*LOCAL_CHECKS, *ACCOUNT_CHECKS]
    assert found["list"] == ("OK", "2 of 2 actions read")
    assert found["clock"][0] == "WARN", "the account's clock is two hours behind"
    assert "To do: synchronize the clock" in result.stdout
    assert re.fullmatch(r"1 account, \d+ requests: \d+ OK, 2 WARN, 0 FAIL, \d+ SKIP", lines[-1])
    assert [each.name for each in tmp_path.iterdir()] == ["config.yaml"]


def test_accounts_come_in_the_order_of_the_file(
    invoke: Invoke, write: Callable[..., str], api: str
) -> None:
    """What is well is one line for each, and one that fails makes the exit code 1."""
    file = write(api.replace("/v2", "/v1"), api)
    result = invoke("doctor", "--config.file", file)
    assert result.exit_code == 1
    titles = re.findall(r"^account-\d", result.stdout, re.MULTILINE)
    assert titles == ["account-0", "account-1"]
    first, second = result.stdout.split("\naccount-")[1:]
    assert "FAIL  list            the list of actions cannot be read (HTTP 404)" in first
    assert "FAIL" not in second.partition("accounts, ")[0]
    assert re.search(r"OK +\d+ checks: network, tls, origin, key,", second)


def test_only_the_accounts_that_are_named(
    invoke: Invoke, write: Callable[..., str], api: str
) -> None:
    """Others are not asked; a name that is unknown is wrong usage, with those that there are."""
    file = write("http://127.0.0.1:1/v2", api)
    result = invoke("doctor", "--config.file", file, "--account", "account-1")
    assert result.exit_code == 0
    assert "account-0" not in result.stdout
    wrong = invoke("doctor", "--config.file", file, "--account", "other")
    assert wrong.exit_code == 2
    assert "no account 'other'; there are account-0, account-1" in wrong.stderr


def test_json_has_every_check(invoke: Invoke, write: Callable[..., str], api: str) -> None:
    """With the keys that the documentation names."""
    result = invoke("doctor", "--config.file", write(api), "--format", "json")
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert told.keys() == {"versions", "local", "accounts", "summary"}
    assert [each["check"] for each in told["local"]] == [*LOCAL_CHECKS]
    (account,) = told["accounts"]
    assert account.keys() == {"name", "base_url", "requests", "checks"}
    assert (account["name"], account["base_url"]) == ("account-0", api)
    assert [each["check"] for each in account["checks"]] == [*ACCOUNT_CHECKS]
    for each in (*told["local"], *account["checks"]):
        assert each.keys() == {"check", "result", "text", "details", "remedy"}
    assert told["summary"].keys() == {"ok", "warn", "fail", "skip"}
    assert sum(told["summary"].values()) == len(LOCAL_CHECKS) + len(ACCOUNT_CHECKS)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_report_can_be_published(
    form: str, invoke: Invoke, write: Callable[..., str], api: str
) -> None:
    """It has versions, and neither names, hosts, paths, IDs nor reasons; without it, they show."""
    targets = ["http://alertmanager.invalid"]
    file = write(
        api,
        api.replace("/v2", "/v1"),
        reasons=[{"class": "no_such", "match": "no such reason"}],
        alertmanager={"targets": targets},
        state={"url": "sqlite:///secret-name.db"},
    )
    words = ("doctor", "--config.file", file, "--format", form)
    whole, report = invoke(*words).stdout, invoke(*words, "--report").stdout
    private = ("account-0", "127.0.0.1", "config.yaml", "secret-name", "alertmanager.invalid")
    assert not [each for each in private if each in report]
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", report)
    if form == "json":
        assert [each for each in private if each not in whole] == []
        names = [(each["name"], each["base_url"]) for each in json.loads(report)["accounts"]]
        elsewhere = "(not api.telnyx.com)"
        assert names == [("account 1", elsewhere), ("account 2", elsewhere)]
    for version in ("telnyx-sim-exporter", "Python", "OpenSSL", "httpx", "msgspec"):
        assert version in report


def test_mistakes_in_the_configuration_are_told(invoke: Invoke, write: Callable[..., str]) -> None:
    """With their places; nothing else is examined then."""
    result = invoke(
        "doctor", "--config.file", write("http://127.0.0.1:1/v2", poll={"intervall": 1})
    )
    assert result.exit_code == 1
    text = " ".join(result.stdout.split())
    assert "poll.intervall: unknown key; did you mean interval?" in text
    assert "SKIP the configuration has mistakes: state, state_in_use, alertmanager" in text


def test_without_a_key_it_says_where_to_put_it(invoke: Invoke) -> None:
    """As the first command that anybody runs."""
    result = invoke("doctor")
    assert result.exit_code == 1
    assert "TELNYX_API_KEY: is not set" in result.stdout


def test_a_variable_that_cannot_be_used_leaves_the_rest(
    invoke: Invoke, write: Callable[..., str]
) -> None:
    """Accounts are not asked, this machine is examined all the same."""
    file = write("https://api.telnyx.test/v2")
    result = invoke("doctor", "--config.file", file, HTTPS_PROXY="socks5://me:secret@h")
    assert result.exit_code == 1
    found = lines_of(result.stdout)
    assert (found["configuration"][0], found["state"][0]) == ("FAIL", "OK")
    assert "SKIP  the configuration has mistakes: network, tls," in result.stdout
    assert "secret" not in result.stdout


@pytest.mark.parametrize("key", ["KEY0-echoed-by-a-server-in-its-error"])
def test_the_key_is_nowhere(key: str, invoke: Invoke, write: Callable[..., str], api: str) -> None:
    """Neither when it is refused, nor in JSON."""
    for form in ("text", "json"):
        result = invoke("doctor", "--config.file", write(api, key=key), "--format", form)
        assert result.exit_code == 1
        assert key not in result.output
