import html
import re
import signal
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from exporter.simulator.settings import DEMO

pytestmark = pytest.mark.timeout(240)

NOWHERE = "http://user:secret@127.0.0.1:1"
HOSTILE = {
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), NOWHERE),
    **dict.fromkeys(("ALL_PROXY", "all_proxy"), "socks4://user:secret@127.0.0.1:1"),
    **dict.fromkeys(("NO_PROXY", "no_proxy"), "fd00::/108,a/b"),
    **dict.fromkeys(("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"), "/no/such/file"),
}
"""Variables of networks that neither demo nor simulator has anything to do with."""


def test_the_environment_has_no_say_in_the_demo(
    command: Callable[..., Any], until: Callable[..., Any]
) -> None:
    """It speaks to its own machine alone, so it works behind any proxy."""
    demo = command("demo", "--web.listen-address", "127.0.0.1:0", env=HOSTILE)
    demo.url = demo.wait_for(r"Open +(http://\S+)/")[1]
    until(lambda: demo.total("telnyx_up") == 1)
    assert demo.end() == 0
    assert not [line for line in (*demo.out, *demo.err) if "secret" in line or "/no/" in line]


def test_the_environment_has_no_say_in_the_simulator(
    command: Callable[..., Any], export: Callable[..., Any], until: Callable[..., Any]
) -> None:
    """It serves, and an exporter of it polls, in the same environment."""
    simulator = command("simulate", "--web.listen-address", "127.0.0.1:0", env=HOSTILE)
    url = simulator.wait_for(r"base_url (http://\S+)/v2")[1]
    exporter = export(url, **HOSTILE)
    until(lambda: exporter.total("telnyx_up") == 1)
    assert (exporter.end(), simulator.end()) == (0, 0)


def a_bulk_moves(demo: Any, seen: defaultdict[str, set[str]]) -> bool:
    """Tell whether the page has shown three different states of one bulk action."""
    bars = re.findall(
        r'Progress of bulk action (\S+)" max="(\d+)" value="(\d+)"></progress> \3 of \2 ended',
        demo.get("/").text,
    )
    for id_, _, ended in bars:
        seen[id_].add(ended)
    return any(len(each) > 2 for each in seen.values())  # two may be a correction


def all_is_known_of(demo: Any, mended: str) -> None:
    """Assert that the demo has all actions of a SIM card that works again, and the timeline."""
    timeline = demo.get(f"/sim-cards/{mended}").text
    assert timeline.count("problem opened") >= timeline.count("problem mended") >= 1
    which = {"filter[sim_card_id]": mended, "filter[status]": "completed"}
    known = demo.http.get(f"{demo.url}/v2/sim_card_actions", params=which).json()
    assert known["data"]
    assert known["meta"]["complete_since"] is not None


def test_the_demo_shows_what_it_promises(
    command: Callable[..., Any], tmp_path: Path, until: Callable[..., Any]
) -> None:
    """It says what to open; there, within a minute, is all that it says; then nothing is left."""
    home, temporary, work = (tmp_path / name for name in ("home", "tmp", "work"))
    for folder in (home, temporary, work):
        folder.mkdir()
    env = {"HOME": str(home), "TMPDIR": str(temporary)}
    demo = command("demo", "--web.listen-address", "127.0.0.1:0", cwd=work, env=env)
    demo.url = demo.wait_for(r"Open +(http://\S+)/")[1]
    api = demo.wait_for(r"^  (http://\S+)/v2$")[1]
    demo.wait_for("Ctrl-C")
    promised = ("problems", "actions_failed_total", "actions_interrupted_total", "actions_stuck")
    places = [f"telnyx_sim_card_{name} " for name in promised]
    places += [
        f"{demo.url}{path}"
        for path in ("/?refresh=on ", "/problems ", "/api/v1/problems", "/metrics")
    ]
    assert [each for each in places if not any(each in line for line in demo.out)] == []

    for name in promised:
        until(lambda name=name: demo.total(f"telnyx_sim_card_{name}") > 0, within=60)
    assert demo.total("telnyx_up") == 1
    demo.wait_for("sim_card_action_failed")
    demo.wait_for("sim_card_action_stuck")

    def problems(**filters: str) -> list[dict[str, Any]]:
        answer = demo.http.get(f"{demo.url}/api/v1/problems", params=filters).json()
        found: list[dict[str, Any]] = answer["data"]["problems"]
        return found

    # Each is asked until it holds, as a problem may be mended between two requests.
    def a_failed_enable_is_shown() -> bool:
        found = problems(concern="connectivity", status="failed")
        enables = [each for each in found if each["action_type"] == "enable"]
        assert enables
        enable = enables[0]
        assert enable["iccid"] in demo.get("/").text
        assert enable["iccid"] in demo.get("/problems").text
        assert enable["reason"] in html.unescape(demo.http.get(enable["url"]).text)
        return True

    def asked(path: str, **parameters: str | int) -> list[dict[str, Any]]:
        key = {"authorization": f"Bearer {DEMO.key}"}
        answer = demo.http.get(f"{api}/v2/{path}", params=parameters, headers=key)
        found: list[dict[str, Any]] = answer.raise_for_status().json()["data"]
        return found

    def the_first_bulk_is_shown() -> bool:
        bulks = asked("bulk_sim_card_actions")
        assert bulks
        which = {"filter[bulk_sim_card_action_id]": bulks[-1]["id"], "page[size]": 250}
        members = {each["id"] for each in asked("sim_card_actions", **which)}
        found = problems(concern="public_ip", status="failed")
        broken = [each["iccid"] for each in found if each["action_id"] in members]
        page = demo.get("/problems?concern=public_ip&status=failed").text
        assert len(broken) >= DEMO.world.bulk_failures
        return all(each in page for each in broken)

    until(a_failed_enable_is_shown, within=60)
    until(the_first_bulk_is_shown, within=60)
    until(partial(a_bulk_moves, demo, defaultdict(set)), within=60)
    mended = demo.wait_for(r"event=problem_mended .*sim_card_id=(\S+) .*iccid=\d", within=60)[1]
    assert demo.total("telnyx_sim_card_problems_closed_total", outcome="mended") > 0
    all_is_known_of(demo, mended)

    assert demo.end(signal.SIGINT, within=10) == 0
    assert not [line for line in demo.err if "Traceback" in line]
    assert set(tmp_path.rglob("*")) == {home, temporary, work}
