import asyncio
from typing import Any

import pytest
from pydantic import SecretStr

from exporter.config import Account, ExternalLink, Log, LogLevel, Reason, State, Web
from exporter.errors import ConfigError
from exporter.simulator.rate_limiter import RateLimiter
from exporter.simulator.settings import SimulatorSettings
from tests.support.simulation import QUIET

FAILED = "telnyx_sim_card_actions_failed_total"
POLLS = "telnyx_exporter_polls_total"
UP = "telnyx_up"
KEY = "KEY-simulated"
LIMIT = "telnyx_exporter_api_rate_limit"
SUCCESSFUL = "telnyx_exporter_config_last_reload_successful"

SPENT_AT_ONCE = SimulatorSettings(world=QUIET, rate_limit=1, rate_window=1e7)
"""A limit that is not renewed during a test: windows begin at multiples of their length."""


@pytest.fixture
async def running(simulators: Any, settings: Any, build: Any, fail: Any) -> Any:
    """Start a service of one account in which five actions have failed."""
    simulator, url = await simulators()
    rig = build(settings({"default": url}))
    await rig.start()
    await rig.until_total(UP, 1)
    fail(simulator, 5)
    await rig.until_total(FAILED, 5)
    # Two polls may have had too little time for bulk actions; then they are not asked for.
    await rig.until_polled()
    rig.simulator, rig.url = simulator, url
    return rig


async def test_counters_do_not_dip(running: Any, settings: Any) -> None:
    """While accounts are built anew, no scrape sees less than the one before."""
    reading = True

    async def watch() -> list[tuple[float, float]]:
        seen = []
        while reading:
            samples = await running.scrape()
            seen.append((sum(samples[FAILED].values()), sum(samples[POLLS].values())))
        return seen

    watching = asyncio.create_task(watch())
    for interval in (0.06, 0.05, 0.07):
        running.next = settings({"default": running.url}, interval=interval)
        assert await running.exporter.reload() == ()
        await running.until_polled()
    reading = False
    seen = await watching
    assert {failed for failed, _ in seen} == {5}
    assert [polls for _, polls in seen] == sorted(polls for _, polls in seen)
    assert await running.total(UP) == 1
    assert len(running.events("configuration_reloaded")) == 3


async def test_the_key_of_an_account_that_is_gone_is_struck_out(running: Any, build: Any) -> None:
    """Its lines may still wait for a reader; and those of one that was not polled yet as well."""
    assert build(running.next).exporter.secrets() == {KEY}
    other = Account(name="other", api_key=SecretStr("KEY-other"), base_url=running.url)
    running.next = running.next.model_copy(update={"accounts": (other,)})
    assert await running.exporter.reload() == ()
    assert running.exporter.secrets() == {KEY, "KEY-other"}


async def test_what_happens_meanwhile_is_counted_once(
    running: Any, settings: Any, fail: Any
) -> None:
    """Reloads in the middle of polls lose no action, count none twice, log none twice."""
    ids = []
    for interval in (0.051, 0.052, 0.053, 0.054, 0.055):
        ids += fail(running.simulator, 20)
        running.next = settings({"default": running.url}, interval=interval)
        await asyncio.gather(running.exporter.reload(), running.scrape())
    await running.until_total(FAILED, 5 + len(ids))
    await running.until_total("telnyx_sim_card_actions_created_total", 5 + len(ids))

    async def reported() -> bool:
        return len(running.events("sim_card_action_failed")) >= 5 + len(ids)

    await running.until(reported)
    events = [event["action_id"] for event in running.events("sim_card_action_failed")]
    assert len(events) == len(set(events)) == 5 + len(ids)


async def test_accounts_come_and_go(
    running: Any, settings: Any, simulators: Any, fail: Any
) -> None:
    """A new account is polled, with zeros from the start; the series of a removed one go."""
    other, url = await simulators()
    running.next = settings({"default": running.url, "other": url})
    assert await running.exporter.reload() == ()
    await running.until_total(UP, 1, "other")
    assert await running.total(FAILED, "default") == 5
    fail(other, 2)
    await running.until_total(FAILED, 2, "other")

    running.next = settings({"other": url})
    assert await running.exporter.reload() == ()
    samples = await running.scrape()
    assert {key[0] for key in samples[UP]} == {"other"}
    assert {key[0] for key in samples[FAILED]} == {"other"}
    await running.until_polled()  # a request that was on its way has arrived by then
    before = running.simulator.served
    for _ in range(3):
        await running.until_polled()
    assert running.simulator.served == before

    fail(running.simulator, 1)
    running.next = settings({"other": url, "default": running.url})
    assert await running.exporter.reload() == ()
    assert await running.total(FAILED, "default") >= 5
    await running.until_total(FAILED, 6, "default")


async def test_other_accounts_are_not_disturbed(
    running: Any, settings: Any, simulators: Any
) -> None:
    """A poll in the middle of which another account is added goes on."""
    running.simulator.faults.settings = running.simulator.faults.settings.changed(silence=1.0)
    before = running.simulator.served

    async def asked() -> bool:
        # For bulk actions a poll does not wait for long.
        new = [*running.simulator.requests][before:]
        return any(each.path.endswith("/sim_card_actions") for each in new)

    await running.until(asked)
    waiting = running.simulator.served
    _, url = await simulators()
    running.next = settings({"default": running.url, "other": url})
    assert await running.exporter.reload() == ()
    await running.until_total(UP, 2)
    assert running.simulator.served == waiting


async def test_new_reasons_hold_from_now_on(running: Any, settings: Any, fail: Any) -> None:
    """A class of reasons that is added counts what fails from then on, and moves nothing."""
    mine = Reason.model_validate({"class": "mine", "match": "blocked"})
    running.next = settings({"default": running.url}, reasons=(mine,))
    assert await running.exporter.reload() == ()
    before = (await running.scrape())[FAILED]
    assert before["default", "enable", "mine"] == 0
    fail(running.simulator, 2)
    await running.until_total(FAILED, 7)
    after = (await running.scrape())[FAILED]
    assert {key: n - before[key] for key, n in after.items() if n != before[key]} == {
        ("default", "enable", "mine"): 2
    }


async def test_links_of_the_page_are_taken_over(running: Any, settings: Any) -> None:
    """A link that is added shows on the page; no account is disturbed for it."""
    link = ExternalLink(name="Dashboards", url="https://grafana.example.org/d/uid")
    web = Web(listen_address=("127.0.0.1:0",), external_links=(link,))
    assert link.url not in (await running.http.get("/")).text
    running.next = settings({"default": running.url}, web=web)
    assert await running.exporter.reload() == ()
    assert link.url in (await running.http.get("/")).text
    assert len(running.events("baseline_taken")) == 1


async def test_accounts_that_are_added_can_be_asked_for(running: Any, settings: Any) -> None:
    """In the API, whose filters know the accounts of the settings in force."""
    path = "/api/v1/problems?account=second"
    assert (await running.http.get(path)).status_code == 400
    running.next = settings({"default": running.url, "second": running.url})
    assert await running.exporter.reload() == ()
    assert (await running.http.get(path)).json()["data"]["problems"] == []


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        pytest.param({"state": State(url="sqlite://")}, ["state.url"], id="state"),
        pytest.param(
            {"web": Web(listen_address=("127.0.0.1:0",), details=False)},
            ["web.details"],
            id="details",
        ),
        pytest.param({"web": Web(listen_address=(":1",))}, ["web.listen_address"], id="address"),
        pytest.param(
            {"web": Web(listen_address=("127.0.0.1:0",), config_file="x")},
            ["web.config_file"],
            id="TLS",
        ),
        pytest.param(
            {"log": Log(level=LogLevel.DEBUG), "state": State(url="sqlite://")},
            ["state.url", "log.level"],
            id="several",
        ),
    ],
)
async def test_what_needs_a_restart_is_refused(
    running: Any, settings: Any, changes: dict[str, Any], places: list[str]
) -> None:
    """Settings that cannot change while it runs are named, each; nothing else changes either."""
    running.next = settings({"renamed": running.url}, **changes)
    mistakes = await running.exporter.reload()
    assert [each.partition(": ")[0] for each in mistakes] == places
    assert {key[0] for key in (await running.scrape())[UP]} == {"default"}
    assert await running.total(FAILED) == 5
    assert await running.total(SUCCESSFUL) == 0


async def test_a_bad_file_is_refused_with_every_mistake(running: Any) -> None:
    """Answer and log name each mistake and the old settings go on, until a good file mends it."""
    good = running.next
    running.next = ConfigError(["config.yaml:1: a: is wrong", "config.yaml:2: b: is wrong"])
    reloaded_at = await running.total(
        "telnyx_exporter_config_last_reload_success_timestamp_seconds"
    )
    answer = await running.http.post("/-/reload")
    assert answer.status_code == 500
    assert answer.text == "config.yaml:1: a: is wrong\nconfig.yaml:2: b: is wrong\n"
    assert [event["problem"] for event in running.events("configuration_refused")] == [
        *answer.text.splitlines()
    ]
    assert await running.total(SUCCESSFUL) == 0
    await running.until_polled()
    running.next = good
    assert (await running.http.post("/-/reload")).status_code == 200
    assert await running.total(SUCCESSFUL) == 1
    assert (
        await running.total("telnyx_exporter_config_last_reload_success_timestamp_seconds")
        > reloaded_at
    )


async def test_a_state_that_cannot_be_read_refuses_the_reload(
    running: Any, settings: Any, spoil: Any
) -> None:
    """Rather than begin anew from 0 the old accounts go on, with what they know."""
    await running.until_delivered()
    spoil()
    running.next = settings({"default": running.url, "new": running.url}, interval=0.06)
    mistakes = await running.exporter.reload()
    assert len(mistakes) == 1
    assert "state" in mistakes[0]
    samples = await running.scrape()
    assert {key[0] for key in samples[UP]} == {"default"}
    assert sum(samples[FAILED].values()) == 5
    await running.until_polled()


async def test_stopping_waits_for_a_reload(running: Any, settings: Any, build: Any) -> None:
    """A reload that is under way when the stop begins starts no polls after it."""
    running.next = settings({"default": running.url}, interval=0.001)
    await asyncio.gather(running.exporter.reload(), running.stop())
    other = build(settings({"default": running.url}))
    for _ in range(5):
        assert (await other.exporter.poll_once()).accounts[0][1].up
    assert not running.events("internal_error")
    assert not running.events("poll_failed")


async def test_there_is_no_reload_after_the_stop_has_begun(running: Any) -> None:
    """A reload that comes too late is refused at once, and does not hold up the stop."""
    _, mistakes = await asyncio.gather(running.stop(), running.exporter.reload())
    assert mistakes == ("the exporter is stopping",)
    assert not running.events("configuration_reloaded")


@pytest.mark.parametrize("name", ["default", "renamed"])
async def test_a_refusal_outlives_a_reload(running: Any, settings: Any, name: str) -> None:
    """An account that is built anew sends nothing into a window that refused the one before."""
    running.simulator.rate_limiter = RateLimiter(SPENT_AT_ONCE)
    await running.until_total(LIMIT, 1)
    assert await running.exporter.reload() == ()  # what was only said to be spent is tried
    await running.until_total(UP, 0)
    served = running.simulator.served
    polls = await running.total(POLLS) if name == "default" else 0
    running.next = settings({name: running.url}, interval=0.051)
    assert await running.exporter.reload() == ()
    await running.until_total(POLLS, 1 + polls)
    assert running.simulator.served == served


@pytest.mark.parametrize("interval", [0.05, 0.051])
async def test_a_reload_ends_the_wait_for_a_limit_that_is_said_to_be_spent(
    running: Any, settings: Any, interval: float
) -> None:
    """Nothing was refused, and who reloads wants to know; whether or not the account changed."""
    running.simulator.rate_limiter = RateLimiter(SPENT_AT_ONCE)
    await running.until_total(LIMIT, 1)
    running.simulator.rate_limiter = RateLimiter(SimulatorSettings(world=QUIET))
    running.next = settings({"default": running.url}, interval=interval)
    assert await running.exporter.reload() == ()
    for _ in range(2):  # the one that was told so may still have to end
        await running.until_polled()


async def test_a_rate_limit_that_is_spent_is_that_of_its_key(running: Any) -> None:
    """Another key has a limit of its own, and need not wait for the end of the window."""
    running.simulator.rate_limiter = RateLimiter(SPENT_AT_ONCE)
    await running.until_total(LIMIT, 1)
    running.simulator.rate_limiter = RateLimiter(SimulatorSettings(world=QUIET))
    running.simulator.key = "KEY-other"
    account = Account(name="default", api_key=SecretStr("KEY-other"), base_url=running.url)
    running.next = running.next.model_copy(update={"accounts": (account,)})
    assert await running.exporter.reload() == ()
    for _ in range(2):  # the one that was told so may still have to end
        await running.until_polled()


async def test_what_was_told_before_a_reload_is_not_told_again(running: Any, settings: Any) -> None:
    """A failure that lasts is one line, and its end is one, though the account is built anew."""
    running.simulator.key = "KEY-other"
    await running.until_total(UP, 0)
    running.next = settings({"default": running.url}, interval=0.051)
    assert await running.exporter.reload() == ()
    for _ in range(2):
        await running.until_polled()
    running.simulator.key = KEY
    running.next = settings({"default": running.url}, interval=0.052)
    assert await running.exporter.reload() == ()
    await running.until_total(UP, 1)
    for event in ("poll_failed", "poll_recovered", "list_order_found"):
        assert len(running.events(event)) == 1, event


async def test_certificates_that_cannot_be_read_refuse_the_reload(
    running: Any, settings: Any, without_certificates: Any
) -> None:
    """Those in use go on; where no account is built anew, none are read."""
    with without_certificates():
        assert await running.exporter.reload() == ()
        running.next = settings({"default": running.url, "other": "https://localhost:1/v2"})
        (mistake,) = await running.exporter.reload()
    assert mistake.startswith("SSL_CERT_FILE: ")
    assert await running.total(SUCCESSFUL) == 0
    assert await running.total(UP) == 1
    assert await running.exporter.reload() == ()
