"""How alerts are sent: to everybody, in spite of those that are down, slow or refuse some."""

import asyncio
import base64
import json
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from demo_stack.programs import reserve_port
from exporter.domain import ResolvedProblem
from exporter.sinks.alertmanager.alerts import AccountAlerts, AlertOptions
from exporter.sinks.alertmanager.http_config import HttpConfig
from exporter.sinks.alertmanager.sender import API, Sender, TargetStats
from exporter.sinks.alertmanager.sink import AlertmanagerSink
from tests.sinks.alertmanager.conftest import Server

pytestmark = pytest.mark.timeout(60)

Maker = Callable[..., Any]


@pytest.fixture
async def silent() -> AsyncIterator[str]:
    """Give the URL of somebody who takes connections and never says anything."""
    held: list[asyncio.StreamWriter] = []
    listener = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    for each in held:
        each.close()
    listener.close()


@pytest.fixture
def free_url() -> str:
    """Give a URL at which nobody listens."""
    return f"http://127.0.0.1:{reserve_port('nobody', 0)}"


async def test_one_that_is_down_and_one_that_hangs_hold_up_nobody(
    rig: Any, server: Server, silent: str, problem: Maker, snapshot: Maker, free_url: str
) -> None:
    """The third target gets everything at once, resent and resolved in time."""
    url = await server.open()
    rig.configure(free_url, silent, url)
    rig.show(snapshot(problem(1)))
    rig.sink.start()
    await server.until(lambda: len(server.requests) >= 3)
    rig.show(snapshot(resolved=[ResolvedProblem(problem(1), rig.clock.now())]))
    await server.until(lambda: server.alerts()[-1]["endsAt"] <= server.alerts()[0]["endsAt"])
    (failed,) = rig.events("alertmanager_failed")
    assert failed["target"] == free_url
    assert rig.stats(silent) == (0, 0)
    assert rig.stats(free_url)[0] == 0
    assert rig.stats(free_url)[1] >= 1
    assert rig.stats(url)[1] == 0


async def test_an_active_alert_ends_half_a_minute_ahead_at_least(
    rig: Any, server: Server, problem: Maker, snapshot: Maker
) -> None:
    """It is sent again each interval, and begins when the problem opened."""
    rig.configure(await server.open(), resend_interval=1.0)
    rig.show(snapshot(problem(1)))
    rig.sink.start()
    await server.until(lambda: len(server.requests) >= 2)
    first, second = server.alerts()[:2]
    assert first["startsAt"] == second["startsAt"] == "2026-08-01T12:00:06.000+00:00"
    ahead = datetime.fromisoformat(first["endsAt"]).timestamp() - rig.clock.now()
    assert 4.0 < ahead <= 30.0  # short intervals are no reason to expire early
    assert first["endsAt"] < second["endsAt"]
    assert first["generatorURL"] == "http://exporter.example.org:10874/sim-cards/sim-1"


async def test_a_clock_that_is_ahead_delays_neither_beginning_nor_end(
    rig: Any, server: Server, problem: Maker, snapshot: Maker
) -> None:
    """A problem dated in the future begins now, and is over as soon as it is known to be."""
    later = rig.clock.now() + 3600.0
    rig.configure(await server.open(), resend_interval=3600.0)
    rig.show(snapshot(problem(1, opened_at=later), problem(2, opened_at=1e18)))
    rig.sink.start()
    await server.until(lambda: len(server.alerts()) >= 2)
    rig.show(snapshot(resolved=[ResolvedProblem(problem(1, opened_at=later), later + 60.0)]))
    await server.until(lambda: len(server.alerts()) >= 4)
    now = rig.clock.now()
    began, ended = (
        [datetime.fromisoformat(each[key]).timestamp() for each in server.alerts()]
        for key in ("startsAt", "endsAt")
    )
    assert max(began) <= now
    assert max(ended[2:]) <= now < min(ended[:2])
    assert all(start <= end for start, end in zip(began, ended, strict=True))


async def test_an_odd_alert_does_not_keep_the_others_from_arriving(
    rig: Any, server: Server, problem: Maker, snapshot: Maker
) -> None:
    """A batch that is refused is split; the odd one is counted each time, and logged once."""

    def refuse(alerts: list[dict[str, Any]]) -> tuple[int, str]:
        odd = any(each["labels"]["sim_card_id"] == "sim-40" for each in alerts)
        return (400, '"bad label\nvalue"') if odd else (200, "")

    server.answer = refuse
    url = await server.open()
    rig.configure(url)
    rig.show(snapshot(*map(problem, range(100))))
    rig.sink.start()
    await rig.until(lambda: rig.stats(url)[0] >= 198)  # resent once
    (refused,) = rig.events("alert_refused")
    assert refused["sim_card_id"] == "sim-40"
    assert "HTTP 400" in refused["error"]
    assert rig.stats(url)[1] <= rig.stats(url)[0] // 90
    arrived = {
        each["labels"]["sim_card_id"]
        for _, alerts in server.requests
        if refuse(alerts)[0] == 200
        for each in alerts
    }
    assert len(arrived) == 99
    # Once it is known, it goes alone: the second round needs no splitting.
    assert len(server.requests) < 30
    assert not rig.events("alertmanager_failed")
    server.answer = lambda _: (200, "")
    await rig.until(lambda: rig.stats(url)[0] >= 300)


async def test_one_that_refuses_everything_is_broken(
    rig: Any, server: Server, problem: Maker, snapshot: Maker
) -> None:
    """Not every alert is tried on its own."""
    server.answer = lambda _: (400, "no")
    url = await server.open()
    rig.configure(url, resend_interval=60.0)
    rig.show(snapshot(*map(problem, range(500))))
    rig.sink.start()
    await rig.until(lambda: rig.events("alertmanager_failed"))
    assert len(server.requests) < 60


@pytest.mark.parametrize("status", [429, 500, 503, 404, 401])
async def test_a_failed_request_is_sent_again(
    rig: Any, server: Server, problem: Maker, snapshot: Maker, status: int
) -> None:
    """Before the next resend; that it failed and works again is told once."""
    server.answer = lambda _: (status, "overloaded") if len(server.requests) < 2 else (200, "")
    url = await server.open()
    rig.configure(url, resend_interval=3600.0)
    rig.show(snapshot(problem(1), problem(2)))
    rig.sink.start()
    await rig.until(lambda: rig.events("alertmanager_recovered"))
    (failed,) = rig.events("alertmanager_failed")
    assert failed["error"].startswith(f"HTTP {status}: overloaded")
    assert rig.stats(url) == (2, 4)
    assert rig.sink.stats()[url].last_success <= rig.clock.now()


async def test_the_oldest_waiting_alerts_are_dropped_and_counted(
    silent: str, rig: Any, problem: Maker, snapshot: Maker
) -> None:
    """The queue of a target that hangs is bounded; the newer state of an alert replaces it."""
    alerts = AccountAlerts().update(snapshot(*map(problem, range(300))), AlertOptions(), 0.0)
    stats = TargetStats()

    async def config() -> HttpConfig:
        return HttpConfig(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))

    sender = Sender(silent, "", stats, config, rig.lookups, rig.clock, rig.log)
    for _ in range(3):
        sender.put(alerts, valid_for=4.0, most=250)
    assert stats == TargetStats(errors=50 * 3)
    await sender.close()


async def test_a_slow_target_gets_every_alert_before_it_gets_one_again(
    server: Server, rig: Any, problem: Maker, snapshot: Maker
) -> None:
    """Resending while alerts wait replaces what they say, not their place."""
    alerts = AccountAlerts().update(snapshot(*map(problem, range(200))), AlertOptions(), 0.0)

    async def config() -> HttpConfig:
        return HttpConfig(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))

    def resend(_: list[dict[str, Any]]) -> tuple[int, str]:
        if len(server.requests) < 4:
            sender.put(alerts, valid_for=4.0, most=1000)
        return 200, ""

    server.answer = resend
    sender = Sender(await server.open(), "", TargetStats(), config, rig.lookups, rig.clock, rig.log)
    sender.put(alerts, valid_for=4.0, most=1000)
    await server.until(lambda: len(server.requests) >= 4)
    told = [each["labels"]["sim_card_id"] for each in server.alerts()[:200]]
    assert len(set(told)) == 200
    await sender.close()


async def test_without_problems_a_target_is_asked_all_the_same(
    rig: Any, server: Server, free_url: str
) -> None:
    """A wrong target or password shows before the first alert has to be sent."""
    url = await server.open()
    rig.configure(url, free_url)
    rig.sink.start()
    await server.until(lambda: len(server.requests) >= 2)
    assert server.alerts() == []
    await rig.until(lambda: rig.events("alertmanager_failed"))
    assert rig.sink.stats()[url].last_success > 0
    assert rig.sink.stats()[free_url].last_success == 0


async def test_every_address_of_a_name_is_told(rig: Any, problem: Maker, snapshot: Maker) -> None:
    """Each under the name of the target; a name is looked up again, and counted as one target."""
    async with AsyncExitStack() as stack:
        servers = [Server(), Server()]
        first = await servers[0].open("127.0.0.2")
        port = int(first.rpartition(":")[2])
        await servers[1].open("127.0.0.3", port)
        for each in servers:
            stack.push_async_callback(each.close)
        rig.names["mesh.example.org"] = ["127.0.0.2", "127.0.0.3"]
        target = f"http://mesh.example.org:{port}/am"
        rig.configure(target)
        rig.show(snapshot(problem(1)))
        rig.sink.start()
        for each in servers:
            await each.until(partial(bool, each.requests))
            headers, _ = each.requests[0]
            assert headers["host"] == f"mesh.example.org:{port}"
            assert headers["line"] == "POST /am/api/v2/alerts HTTP/1.1"
        await rig.until(lambda: rig.stats(target)[0] >= 2)
        assert rig.sink.stats().keys() == {target}


async def test_a_look_up_that_hangs_holds_up_nobody(
    rig: Any, server: Server, problem: Maker, snapshot: Maker
) -> None:
    """There is one look-up of a name at a time, and what is wrong is logged."""
    rig.hanging.add("mesh.example.org")
    url = await server.open()
    rig.configure("http://mesh.example.org:9093", url)
    rig.show(snapshot(problem(1)))
    rig.sink.start()
    await rig.until(lambda: rig.events("alertmanager_failed"))
    (failed,) = rig.events("alertmanager_failed")
    assert failed["target"] == "http://mesh.example.org:9093"
    assert "mesh.example.org does not answer" in failed["error"]
    assert rig.asked == ["mesh.example.org"]
    assert rig.stats(url)[0] >= 2


@pytest.mark.parametrize("proxied", [False, True])
async def test_sending_waits_for_no_thread_that_others_use(
    rig: Any, server: Server, tmp_path: Path, problem: Maker, snapshot: Maker, *, proxied: bool
) -> None:
    """Look-ups and reading of files have their own, so that none holds up the other."""
    url = (await server.open()).replace("127.0.0.1", "localhost")
    (tmp_path / "http.yml").write_text(f"proxy_url: {url}" if proxied else "{}")
    url = "http://am.example.org:9093" if proxied else url
    rig.sink = AlertmanagerSink(rig.clock, rig.log, rig.snapshots.values)
    rig.configure(url, config_file=str(tmp_path / "http.yml"))
    rig.show(snapshot(problem(1)))
    loop, release = asyncio.get_running_loop(), threading.Event()
    loop.set_default_executor(ThreadPoolExecutor(1))
    blocked = loop.run_in_executor(None, release.wait)
    try:
        rig.sink.start()
        await server.until(lambda: len(server.requests) >= 2)
    finally:
        release.set()
        await blocked
    headers, _ = server.requests[0]
    assert headers["host"] == url.removeprefix("http://")
    assert headers["line"] == f"POST {url if proxied else ''}{API} HTTP/1.1"


@pytest.mark.parametrize("location", ["http://[", "http://a:99999999/", "ftp://a/"])
async def test_a_malformed_redirect_is_a_failed_request(
    rig: Any, server: Server, problem: Maker, snapshot: Maker, location: str
) -> None:
    """It is logged and counted as any other failure, and not as a defect of the exporter."""
    server.headers["Location"] = location
    server.answer = lambda _: (308, "")
    url = await server.open()
    rig.configure(url)
    rig.show(snapshot(problem(1)))
    rig.sink.start()
    await rig.until(lambda: rig.events("alertmanager_failed"))
    assert "redirect to an invalid URL" in rig.events("alertmanager_failed")[0]["error"]
    assert rig.stats(url)[1] >= 1


async def test_a_redirect_to_the_same_host_keeps_the_credentials_and_any_2xx_is_success(
    rig: Any, server: Server, tmp_path: Path, problem: Maker, snapshot: Maker
) -> None:
    """However the host is spelled; 202 is accepted as well as 200."""
    (tmp_path / "http.yml").write_text("authorization: {credentials: TOKEN}\n")
    url = await server.open()
    server.headers["Location"] = f"{url.replace('http:', 'HTTP:')}/moved{API}"
    server.answer = lambda _: (307 if len(server.requests) % 2 == 0 else 202, "")
    rig.configure(url, config_file=str(tmp_path / "http.yml"))
    rig.show(snapshot(problem(1)))
    rig.sink.start()
    await rig.until(lambda: rig.stats(url)[0])
    assert [headers["authorization"] for headers, _ in server.requests[:2]] == ["Bearer TOKEN"] * 2
    assert rig.stats(url)[1] == 0


@pytest.mark.parametrize(
    "echo", ["hunter: 2", "me:hunter: 2", base64.b64encode(b"me:hunter: 2").decode()]
)
async def test_credentials_in_an_answer_are_not_logged(
    rig: Any, server: Server, tmp_path: Path, echo: str
) -> None:
    """Neither as they were sent, nor decoded."""
    (tmp_path / "http.yml").write_text("basic_auth: {username: me, password: 'hunter: 2'}\n")
    server.answer = lambda _: (401, f"you are <{echo}>")
    rig.configure(await server.open(), config_file=str(tmp_path / "http.yml"))
    rig.sink.start()
    await rig.until(lambda: rig.events("alertmanager_failed"))
    (failed,) = rig.events("alertmanager_failed")
    assert echo not in failed["error"]
    assert "[secret]>" in failed["error"]


async def test_a_target_recovers_when_it_accepts_something(
    rig: Any, server: Server, problem: Maker, snapshot: Maker
) -> None:
    """One that refuses every alert after it was down has not recovered."""
    server.answer = lambda _: (500 if not server.requests else 400, "")
    rig.configure(await server.open())
    rig.show(snapshot(problem(1)))
    rig.sink.start()
    await server.until(lambda: len(server.requests) >= 3)
    assert rig.events("alert_refused")
    assert not rig.events("alertmanager_recovered")
    server.answer = lambda _: (200, "")
    await rig.until(lambda: rig.events("alertmanager_recovered"))


async def test_targets_may_vanish_while_alerts_are_sent(
    rig: Any, server: Server, problem: Maker, snapshot: Maker
) -> None:
    """What is under way goes on with the previous settings until it ends."""

    def vanish(alerts: list[dict[str, Any]]) -> tuple[int, str]:
        rig.configure(http=False)
        return (400 if len(alerts) > 1 else 200), ""

    server.answer = vanish
    rig.configure(await server.open())
    rig.show(snapshot(problem(1), problem(2)))
    rig.sink.start()
    await server.until(lambda: len(server.requests) >= 3)
    await rig.sink.stop(1.0)
    assert rig.errors() == []


@pytest.mark.program("openssl")
async def test_a_certificate_is_verified_with_the_name_not_the_address(
    rig: Any, authority: Any, tmp_path: Path, problem: Maker, snapshot: Maker
) -> None:
    """The server name of TLS is that of the target, though its addresses are connected to."""
    authority.issue(tmp_path, "server", "DNS:mesh.example.org")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    asked: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    (tmp_path / "http.yml").write_text(f"tls_config: {{ca_file: {authority.file}}}\n")
    async with AsyncExitStack() as stack:
        servers = [Server(), Server()]
        url = await servers[0].open("127.0.0.2", tls=context)
        port = int(url.rpartition(":")[2])
        await servers[1].open("127.0.0.3", port, tls=context)
        for each in servers:
            stack.push_async_callback(each.close)
        rig.names |= {
            "mesh.example.org": ["127.0.0.2", "127.0.0.3"],
            "other.example.org": ["127.0.0.2", "127.0.0.3"],
        }
        good, wrong = (f"https://{name}:{port}" for name in rig.names)
        rig.configure(good, wrong, config_file=str(tmp_path / "http.yml"))
        rig.show(snapshot(problem(1)))
        rig.sink.start()
        for each in servers:
            await each.until(partial(bool, each.requests))
        await rig.until(lambda: len(rig.events("alertmanager_failed")) == 2)
    failed = rig.events("alertmanager_failed")
    assert {each["target"] for each in failed} == {wrong}
    assert {each["address"] for each in failed} == {"127.0.0.2", "127.0.0.3"}
    assert "issued for another host" in failed[0]["error"]
    assert set(asked) == {"mesh.example.org", "other.example.org"}


async def test_credentials_are_sent_and_read_again(
    rig: Any, server: Server, tmp_path: Path, problem: Maker, snapshot: Maker
) -> None:
    """A token that is replaced in its file is used without a restart, and is never logged."""
    (tmp_path / "http.yml").write_text("authorization: {credentials_file: token}\n")
    (tmp_path / "token").write_text("SECRET-one\n")
    server.answer = lambda _: (200, "") if server.requests else (500, "you sent SECRET-one")
    rig.configure(await server.open(), config_file=str(tmp_path / "http.yml"))
    rig.show(snapshot(problem(1)))
    rig.sink.start()
    await server.until(lambda: bool(server.requests))
    assert server.requests[0][0]["authorization"] == "Bearer SECRET-one"
    (tmp_path / "token").write_text("SECRET-two\n")
    await server.until(lambda: server.requests[-1][0]["authorization"] == "Bearer SECRET-two")
    (tmp_path / "http.yml").write_text("basic_auth: {username: u, password: 'SECRET: p'}\n")
    basic = base64.b64encode(b"u:SECRET: p").decode()
    await server.until(lambda: server.requests[-1][0]["authorization"] == f"Basic {basic}")
    (tmp_path / "http.yml").write_text("basic_auth: {user: SECRET}\n")
    await rig.until(lambda: rig.events("alertmanager_configuration_refused"))
    await server.until(lambda: len(server.requests) > 5)
    assert server.requests[-1][0]["authorization"] == f"Basic {basic}"
    failed = json.dumps(rig.events("alertmanager_failed"))
    assert "[secret]" in failed
    assert "SECRET" not in json.dumps(rig.events("alertmanager_configuration_refused"))
    assert "SECRET-" not in failed


async def test_a_redirect_is_followed_without_the_credentials(
    rig: Any, server: Server, tmp_path: Path, problem: Maker, snapshot: Maker
) -> None:
    """Another host gets the alerts if it is redirected to, but not the token."""
    other = Server()
    (tmp_path / "http.yml").write_text("authorization: {credentials: TOKEN}\n")
    server.headers["Location"] = f"{await other.open()}/elsewhere"
    server.answer = lambda _: (307, "")
    rig.configure(await server.open(), config_file=str(tmp_path / "http.yml"))
    rig.show(snapshot(problem(1)))
    rig.sink.start()
    await other.until(lambda: bool(other.requests))
    assert "authorization" not in other.requests[0][0]
    assert "authorization" in server.requests[0][0]
    (tmp_path / "http.yml").write_text("follow_redirects: false\n")
    await rig.until(lambda: rig.events("alertmanager_failed"))
    assert "follow_redirects is false" in rig.events("alertmanager_failed")[0]["error"]
    await other.close()


async def test_stopping_resolves_nothing_and_sends_what_changed_last(
    rig: Any, server: Server, problem: Maker, snapshot: Maker
) -> None:
    """A change just before the end arrives; a problem that lasts goes on."""
    rig.configure(await server.open(), resend_interval=3600.0)
    rig.show(snapshot(problem(1)))
    rig.sink.start()
    await server.until(lambda: bool(server.requests))
    now = rig.clock.now()
    rig.show(snapshot(problem(1), problem(2)))
    await rig.sink.stop(5.0)
    assert {each["labels"]["sim_card_id"] for each in server.alerts()} == {"sim-1", "sim-2"}
    assert all(datetime.fromisoformat(each["endsAt"]).timestamp() > now for each in server.alerts())


async def test_an_account_that_is_not_configured_any_more_is_resolved(
    rig: Any, server: Server, problem: Maker, snapshot: Maker
) -> None:
    """One that somebody else watches now is left to them."""
    rig.configure(await server.open(), accounts=("fleet", "lab", "moved"), resend_interval=3600.0)
    for name in ("fleet", "lab", "moved"):
        rig.show(snapshot(problem(1), name=name))
    rig.sink.start()
    await server.until(lambda: len(server.alerts()) == 3)
    assert rig.sink.active() == {"fleet": 1, "lab": 1, "moved": 1}
    del rig.snapshots["moved"], rig.snapshots["lab"]
    rig.configure(server.url, accounts=("fleet", "moved"), resend_interval=3600.0)
    await server.until(lambda: len(server.alerts()) >= 5)
    last = server.alerts()[3:]
    ends = {each["labels"]["account"]: each["endsAt"] for each in last}
    assert ends.keys() == {"fleet", "lab"}
    assert ends["lab"] < ends["fleet"]
    assert rig.sink.active() == {"fleet": 1, "moved": 0}


async def test_what_waits_of_an_account_that_moved_is_not_sent(
    rig: Any, server: Server, problem: Maker, snapshot: Maker
) -> None:
    """By the time that it could be, it may be wrong, and nobody here would ever correct it."""
    server.answer = lambda _: (500, "")
    rig.configure(await server.open(), accounts=("fleet", "moved"), resend_interval=3600.0)
    for name in ("fleet", "moved"):
        rig.show(snapshot(problem(1), name=name))
    rig.sink.start()
    await server.until(lambda: len(server.alerts()) == 2)
    del rig.snapshots["moved"]
    await rig.until(lambda: rig.sink.active() == {"fleet": 1, "moved": 0})
    before = len(server.alerts())
    server.answer = lambda _: (200, "")
    await rig.until(lambda: rig.events("alertmanager_recovered"))
    assert [each["labels"]["account"] for each in server.alerts()[before:]] == ["fleet"]


async def test_a_shared_account_that_is_not_configured_any_more_is_left_to_others(
    rig: Any, server: Server, problem: Maker, snapshot: Maker
) -> None:
    """Replicas are reloaded one after the other: its problems are still open."""
    rig.start_again(shared=True)
    rig.configure(await server.open(), accounts=("fleet", "lab"), resend_interval=3600.0)
    for name in ("fleet", "lab"):
        rig.show(snapshot(problem(1), name=name))
    rig.sink.start()
    await server.until(lambda: len(server.alerts()) == 2)
    del rig.snapshots["lab"]
    rig.configure(server.url, resend_interval=3600.0)
    await server.until(lambda: len(server.alerts()) >= 3)
    assert [each["labels"]["account"] for each in server.alerts()[2:]] == ["fleet"]


async def test_targets_and_labels_change_while_it_runs(
    rig: Any, server: Server, problem: Maker, snapshot: Maker
) -> None:
    """A new target is told everything, an old one nothing more; old labels are resolved."""
    other = Server()
    rig.configure(await other.open(), resend_interval=3600.0)
    rig.show(snapshot(problem(1)))
    rig.sink.start()
    await other.until(lambda: len(other.alerts()) == 1)
    rig.configure(await server.open(), labels={"team": "iot"}, resend_interval=3600.0)
    await server.until(lambda: len(server.alerts()) >= 2)
    teams = {each["labels"].get("team"): each["endsAt"] for each in server.alerts()}
    assert teams.keys() == {"iot", None}
    assert teams[None] < teams["iot"]
    assert len(other.alerts()) == 1
    rig.configure()
    await rig.until(lambda: rig.sink.active() == {"fleet": 0})
    await other.close()
