"""Problems reach people through real Alertmanagers: told once, and once that they are over."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest
import yaml

from demo_stack.programs import reserve_port
from demo_stack.stack import ALERTMANAGER
from exporter.domain import ProblemStatus, ResolvedProblem
from tests.sinks.alertmanager.conftest import ROUTE
from tests.support.loopback import NO_TLS

pytestmark = [pytest.mark.program("alertmanager"), pytest.mark.timeout(120)]

Maker = Callable[..., Any]


async def test_a_problem_is_told_once_and_resolved_once(
    rig: Any, receiver: Any, problem: Maker, snapshot: Maker
) -> None:
    """However often it is sent again, there is one notification of each."""
    url, _ = await receiver.start()
    rig.configure(url)
    rig.show(snapshot(problem(1), problem(2)))
    rig.sink.start()
    await receiver.told(("firing", "sim-1 failed"), ("firing", "sim-2 failed"))
    sent, _ = rig.stats(url)
    await rig.until(lambda: rig.stats(url)[0] >= sent + 4)  # resent twice
    over = ResolvedProblem(problem(1), rig.clock.now())
    rig.show(snapshot(problem(2), resolved=[over]))
    notes = [
        ("firing", "sim-1 failed"),
        ("firing", "sim-2 failed"),
        ("resolved", "sim-1 failed"),
    ]
    await receiver.told(*notes)
    sent, _ = rig.stats(url)
    await rig.until(lambda: rig.stats(url)[0] >= sent + 4)
    await receiver.told(*notes)


async def test_a_changed_status_resolves_the_old_alert_and_opens_the_new(
    rig: Any, receiver: Any, problem: Maker, snapshot: Maker
) -> None:
    """A stuck action that fails is told as over, and as failed."""
    url, _ = await receiver.start()
    rig.configure(url)
    stuck = problem(1, status=ProblemStatus.STUCK)
    rig.show(snapshot(stuck))
    rig.sink.start()
    await receiver.told(("firing", "sim-1 stuck"))
    rig.show(snapshot(problem(1), resolved=[ResolvedProblem(stuck, rig.clock.now())]))
    await receiver.told(
        ("firing", "sim-1 stuck"), ("resolved", "sim-1 stuck"), ("firing", "sim-1 failed")
    )


async def test_what_was_mended_while_the_exporter_was_down_is_resolved(
    rig: Any, receiver: Any, problem: Maker, snapshot: Maker
) -> None:
    """A restart tells nothing again, and resolves what the first snapshot says is over."""
    url, _ = await receiver.start()
    rig.configure(url)
    rig.show(snapshot(problem(1), problem(2)))
    rig.sink.start()
    both = [("firing", "sim-1 failed"), ("firing", "sim-2 failed")]
    await receiver.told(*both)
    await rig.sink.stop(3.0)
    await receiver.told(*both)
    rig.start_again()
    rig.configure(url)
    rig.show(snapshot(problem(2), resolved=[ResolvedProblem(problem(1), rig.clock.now())]))
    rig.sink.start()
    await receiver.told(*both, ("resolved", "sim-1 failed"))


async def test_an_alertmanager_that_starts_again_is_told_again(
    rig: Any, receiver: Any, problem: Maker, snapshot: Maker
) -> None:
    """It remembers whom it notified, so nobody is notified twice; what was over is resolved."""
    url, program = await receiver.start()
    rig.configure(url)
    rig.show(snapshot(problem(1), problem(2)))
    rig.sink.start()
    both = [("firing", "sim-1 failed"), ("firing", "sim-2 failed")]
    await receiver.told(*both)
    sent, _ = rig.stats(url)
    await rig.until(lambda: rig.stats(url)[0] > sent)  # it has written down whom it notified
    await asyncio.to_thread(program.stop)
    rig.show(snapshot(problem(2), resolved=[ResolvedProblem(problem(1), rig.clock.now())]))
    await rig.until(lambda: rig.events("alertmanager_failed"))
    await receiver.start(port=int(url.rpartition(":")[2]))
    await rig.until(lambda: rig.events("alertmanager_recovered"))
    await receiver.told(*both, ("resolved", "sim-1 failed"))
    (failed,) = rig.events("alertmanager_failed")
    assert failed["target"] == url
    assert "connection failed" in failed["error"]


async def test_two_alertmanagers_in_a_mesh_notify_once(
    rig: Any, receiver: Any, problem: Maker, snapshot: Maker
) -> None:
    """Both are told everything, and one of them notifies."""
    # Between two looks the second has to hear of what the first has told.
    route = ROUTE | {"group_interval": "2s"}
    peers = [reserve_port("a mesh", 0), reserve_port("a mesh", 0)]
    mesh = [
        (
            f"--cluster.listen-address=127.0.0.1:{own}",
            f"--cluster.peer=127.0.0.1:{other}",
            "--cluster.peer-timeout=200ms",
            "--cluster.gossip-interval=50ms",
            "--cluster.settle-timeout=1s",
        )
        for own, other in (peers, peers[::-1])
    ]
    first, second = await asyncio.gather(
        receiver.start(*mesh[0], name="one", route=route),
        receiver.start(*mesh[1], name="two", route=route),
    )
    targets = first[0], second[0]
    async with httpx.AsyncClient(trust_env=False, verify=NO_TLS) as http:
        for target in targets:
            async with asyncio.timeout(30):
                while True:
                    status = (await http.get(f"{target}/api/v2/status")).json()["cluster"]
                    if len(status["peers"]) == 2 and status["status"] == "ready":
                        break
    rig.configure(*targets)
    rig.show(snapshot(problem(1)))
    rig.sink.start()
    firing, over = ("firing", "sim-1 failed"), ("resolved", "sim-1 failed")
    await receiver.told(firing)
    await resent(rig, *targets)  # longer than the second waits for the first
    await receiver.told(firing)
    rig.show(snapshot(resolved=[ResolvedProblem(problem(1), rig.clock.now())]))
    await receiver.told(firing, over)
    await resent(rig, *targets)
    await receiver.told(firing, over)
    assert rig.stats(targets[0])[1] == rig.stats(targets[1])[1] == 0


async def resent(rig: Any, *targets: str) -> None:
    """Wait until everything was sent to these targets twice more, a second apart."""
    for target in targets:
        sent, _ = rig.stats(target)
        await rig.until(lambda target=target, sent=sent: rig.stats(target)[0] >= sent + 2)


async def test_ten_thousand_problems_are_capped(
    rig: Any, receiver: Any, problem: Maker, snapshot: Maker
) -> None:
    """The oldest are told one by one, one alert stands for the rest, and goes when they do."""
    url, _ = await receiver.start(
        route={
            "receiver": "webhook",
            "group_by": ["alertname"],
            "group_wait": "500ms",
            "group_interval": "1s",
        }
    )
    rig.configure(url, max_alerts=500)
    every = [problem(number) for number in range(10_000)]
    rig.show(snapshot(*every))
    rig.sink.start()
    many = ("firing", "TelnyxSimCardProblemsMany")
    await receiver.until(lambda: len(receiver.notes) >= 501)
    async with httpx.AsyncClient(trust_env=False, verify=NO_TLS, timeout=2) as http:
        alerts = (await http.get(f"{url}/api/v2/alerts")).json()
    assert len(alerts) == 501
    assert receiver.notes.count(many) == 1
    assert "9500 more SIM cards" in str(alerts)
    rig.show(snapshot(*every[:400]))
    await receiver.until(lambda: ("resolved", many[1]) in receiver.notes)
    await receiver.until(lambda: sum(each[0] == "resolved" for each in receiver.notes) >= 101)
    assert receiver.notes.count(many) == 1
    assert rig.stats(url)[1] == 0


@pytest.mark.program("openssl")
async def test_tls_and_a_password_are_those_of_its_own_configuration(  # what it needs
    rig: Any,
    receiver: Any,
    authority: Any,
    problem: Maker,
    snapshot: Maker,
    tmp_path: Path,
) -> None:
    """An Alertmanager behind TLS and a password takes the alerts of who has CA and password."""
    authority.issue(tmp_path, "server")
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    (tmp_path / "web.yml").write_text(
        "tls_server_config: {cert_file: server.pem, key_file: server.key}\n"
        f"basic_auth_users: {{exporter: '{hashed}'}}\n"
    )
    (tmp_path / "http.yml").write_text(
        "basic_auth: {username: exporter, password_file: password}\n"
        f"tls_config: {{ca_file: {authority.file}, server_name: localhost}}\n"
    )
    (tmp_path / "password").write_text("wrong\n")
    url, _ = await receiver.start(f"--web.config.file={tmp_path / 'web.yml'}")
    url = url.replace("http:", "https:")
    rig.configure(url, config_file=str(tmp_path / "http.yml"))
    rig.show(snapshot(problem(1)))
    rig.sink.start()
    await rig.until(lambda: rig.events("alertmanager_failed"))
    assert "HTTP 401" in rig.events("alertmanager_failed")[0]["error"]
    (tmp_path / "password").write_text("secret\n")
    await receiver.told(("firing", "sim-1 failed"))
    assert rig.events("alertmanager_configuration_reloaded")
    await rig.until(lambda: rig.events("alertmanager_recovered"))


async def test_the_rule_is_silent_about_an_account_whose_sim_cards_are_told(
    rig: Any, receiver: Any, problem: Maker, snapshot: Maker
) -> None:
    """With the shipped inhibition nobody reads the same twice; another account's rule notifies."""
    shipped = yaml.load(ALERTMANAGER.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    url, _ = await receiver.start(inhibit_rules=shipped["inhibit_rules"])
    rig.configure(url)
    rig.show(snapshot(problem(1)))
    rig.sink.start()
    pushed = ("firing", "sim-1 failed")
    await receiver.told(pushed)
    rule = {"alertname": "TelnyxSimCardProblems", "job": "telnyx-sim-exporter", "cluster": "a"}
    rules = [{"labels": rule | {"account": name}} for name in ("fleet", "other")]
    async with httpx.AsyncClient(trust_env=False, verify=NO_TLS) as http:
        (await http.post(f"{url}/api/v2/alerts", json=rules)).raise_for_status()
        await receiver.told(pushed, ("firing", "TelnyxSimCardProblems"))
        filters = {"filter": ['alertname="TelnyxSimCardProblems"', 'account="fleet"']}
        (alert,) = (await http.get(f"{url}/api/v2/alerts", params=filters)).json()
    assert len(alert["status"]["inhibitedBy"]) == 1
    await rig.until(lambda: rig.stats(url)[0] >= 3)
    await receiver.told(pushed, ("firing", "TelnyxSimCardProblems"))
