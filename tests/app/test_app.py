import asyncio
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest

from exporter.config import State, Web
from exporter.domain import Status
from exporter.errors import ConfigError, UsageError
from tests.support.loopback import NO_TLS

FAILED = "telnyx_sim_card_actions_failed_total"
UP = "telnyx_up"
DEADLINE = 15.0


async def test_it_polls_and_serves(simulators: Any, settings: Any, build: Any, fail: Any) -> None:
    """Each account is polled, counted and served apart."""
    one, first = await simulators()
    two, second = await simulators()
    rig = build(settings({"one": first, "two": second}))
    await rig.start()
    await rig.until_total(UP, 2)
    fail(one, 3)
    fail(two, 4)
    await rig.until_total(FAILED, 7)
    assert (await rig.total(FAILED, "one"), await rig.total(FAILED, "two")) == (3, 4)
    assert (await rig.http.get("/-/ready")).status_code == 200
    (event,) = rig.events("started")
    assert (event["address"], event["accounts"]) == (str(rig.http.base_url).rstrip("/"), "one,two")


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
async def test_a_state_in_memory_is_asked_as_any_other(
    simulators: Any, settings: Any, build: Any, fail: Any, url: str
) -> None:
    """Also for actions that completed, and for what they meant for the problems of a SIM card."""
    simulator, api = await simulators()
    rig = build(settings({"default": api}, state=State(url=url)))
    await rig.start()
    await rig.until_total(UP, 1)
    (failed,) = fail(simulator, 1)
    await rig.until_total(FAILED, 1)
    card = simulator.world.get(failed).sim_card_id
    (mending,) = simulator.world.create(1, action_type="enable", sim_card_id=card)
    simulator.world.finish(mending, Status.COMPLETED)
    await rig.until_total("telnyx_sim_card_problems_closed_total", 1)
    listed = (await rig.http.get("/v2/sim_card_actions")).json()
    assert {each["id"] for each in listed["data"]} == {failed, mending}
    assert listed["meta"]["complete_since"] is not None
    timeline = (await rig.http.get(f"/sim-cards/{card}")).text
    assert "problem opened" in timeline
    assert "problem mended" in timeline
    assert "Not available" not in (await rig.http.get("/")).text


async def test_an_account_that_is_down_does_not_touch_another(
    simulators: Any, settings: Any, build: Any
) -> None:
    """One account with a wrong key is down by itself, and ready waits for it."""
    _, good = await simulators()
    _, bad = await simulators(key="KEY-other")
    rig = build(settings({"good": good, "bad": bad}))
    await rig.start()

    async def failed() -> bool:
        return bool(await rig.total("telnyx_exporter_poll_failures_total", "bad"))

    await rig.until(failed)
    await rig.until_total(UP, 1, "good")
    assert await rig.total(UP, "bad") == 0
    assert (await rig.http.get("/-/healthy")).status_code == 200
    assert (await rig.http.get("/-/ready")).status_code == 503


async def test_what_is_kept_is_there_from_the_first_scrape_on(
    simulators: Any, settings: Any, build: Any, fail: Any
) -> None:
    """After a restart no scrape sees 0, though no poll has ended: it would look like a reset."""
    simulator, url = await simulators()
    first = build(settings({"default": url}))
    await first.start()
    await first.until_total(UP, 1)
    fail(simulator, 5)
    await first.until_total(FAILED, 5)
    await first.stop()
    simulator.faults.settings = simulator.faults.settings.changed(silence=1.0)
    second = build(settings({"default": url}))
    await second.start()
    assert await second.total(FAILED) == 5
    assert (await second.http.get("/-/ready")).status_code == 200
    assert await second.total(UP) == 0


async def test_stopping_ends_everything(simulators: Any, settings: Any, build: Any) -> None:
    """After the stop there is no poll and no answer, and the state file is free."""
    simulator, url = await simulators()
    rig = build(settings({"default": url}))
    await rig.start()
    await rig.until_total(UP, 1)
    address = rig.http.base_url
    await rig.stop()
    served = simulator.served
    assert len(rig.events("stopped")) == 1
    async with httpx.AsyncClient(base_url=address, trust_env=False, verify=NO_TLS) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("/-/healthy")
    # Asked elsewhere, so that not one request here is another's.
    _, elsewhere = await simulators()
    other = build(settings({"default": elsewhere}))
    for _ in range(3):
        assert (await other.exporter.poll_once()).accounts[0][1].up
    assert simulator.served == served


async def test_stopping_breaks_off_a_poll(simulators: Any, settings: Any, build: Any) -> None:
    """A poll that waits for an answer is ended, and is no failure."""
    simulator, url = await simulators()
    simulator.faults.settings = simulator.faults.settings.changed(silence=1.0)
    rig = build(settings({"default": url}))
    await rig.start()

    async def asked() -> bool:
        return bool(simulator.served)

    await rig.until(asked)
    await rig.stop()
    assert not rig.events("poll_failed")
    assert len(rig.events("stopped")) == 1


async def test_a_taken_address_is_an_error_of_use(
    simulators: Any, settings: Any, build: Any
) -> None:
    """Where it cannot listen it does not poll either, and can be stopped."""
    simulator, url = await simulators()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        rig = build(settings({"default": url}, web=Web(listen_address=(address,))))
        with pytest.raises(UsageError, match=address):
            await rig.start()
    await rig.stop()
    assert simulator.served == 0
    assert not rig.events("started")
    assert not rig.events("stopped")


async def test_once_polls_every_account_and_serves_nothing(
    simulators: Any, settings: Any, build: Any
) -> None:
    """One poll of each account gives the snapshot, with what failed."""
    good, url = await simulators()
    _, other = await simulators(key="KEY-other")
    rig = build(settings({"good": url, "bad": other}))
    good.tick()
    good.world.create(3, action_type="enable")
    snapshot = await rig.exporter.poll_once()
    (snapshot, health), (_, bad) = snapshot.accounts
    assert (health.up, bad.up) == (True, False)
    assert snapshot.actions["enable", "in-progress"] == 3
    assert not rig.events("started")


def test_a_web_configuration_that_cannot_be_read_is_refused(
    settings: Callable[..., Any], build: Callable[..., Any], tmp_path: Path
) -> None:
    """TLS that is asked for is not silently left out."""
    file = str(tmp_path / "web.yml")
    wanted = settings({"default": "http://127.0.0.1:1/v2"}, web=Web(config_file=file))
    with pytest.raises(ConfigError) as caught:
        build(wanted)
    assert [mistake.startswith(file) for mistake in caught.value.mistakes] == [True]


async def test_the_web_configuration_guards_every_path(
    settings: Callable[..., Any],
    build: Callable[..., Any],
    simulators: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """Users of the web configuration get in, others do not; a bad change is refused at a reload."""
    file = tmp_path / "web.yml"
    cheap = bcrypt.hashpw(b"open sesame", bcrypt.gensalt(4)).decode()
    file.write_text(f"basic_auth_users: {{prometheus: '{cheap}'}}\n")
    _, url = await simulators()
    web = Web(listen_address=("127.0.0.1:0",), config_file=str(file))
    rig = build(settings({"default": url}, web=web))
    await rig.start()
    right = httpx.BasicAuth("prometheus", "open sesame")
    for path in ("/", "/metrics", "/-/healthy", "/-/ready", "/nothing"):
        assert (await rig.http.get(path)).status_code == 401
        assert (await rig.http.get(path, auth=right)).status_code != 401
    file.write_text("basic_auth_users: {}\n")
    assert (await rig.http.post("/-/reload", auth=right)).status_code == 500
    assert (await rig.http.get("/metrics")).status_code == 401
    assert rig.events("web_configuration_refused")


async def test_counters_of_a_state_that_cannot_be_read_are_left_out(
    settings: Callable[..., Any], build: Callable[..., Any], simulators: Any, fail: Any
) -> None:
    """Zeros that are none would count everything once more when the state can be read."""
    simulator, url = await simulators()
    wanted = settings({"default": url})
    first = build(wanted)
    await first.start()
    await first.until_total(UP, 1)
    fail(simulator, 3)
    await first.until_total(FAILED, 3)
    second = build(wanted)  # while the first one holds the state
    await second.start()
    await second.until_polled()
    assert FAILED not in await second.scrape()
    assert await second.total(UP) == 0
    await first.stop()
    await second.until_total(FAILED, 3)


async def test_a_state_that_another_program_holds_keeps_no_port_shut(
    settings: Callable[..., Any], build: Callable[..., Any], simulators: Any, tmp_path: Path
) -> None:
    """It is waited for once and not by each account, or a probe would find nobody for long."""
    _, url = await simulators()
    rig = build(settings(dict.fromkeys("abcde", url)))
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        async with asyncio.timeout(DEADLINE):  # five seconds for each account would be more
            await rig.start()
        assert (await rig.http.get("/-/healthy")).status_code == 200
        assert (await rig.http.get("/-/ready")).status_code == 503
    await rig.until_total(UP, 5)
