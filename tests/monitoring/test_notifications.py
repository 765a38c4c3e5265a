"""What Alertmanager sends for names and texts that YAML takes for something else.

From 0.30 on it parses each rendered detail of PagerDuty as YAML. An older one does not, so what it
sends is parsed here as a newer one does. Another Alertmanager is run by putting it first
on PATH.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from itertools import product
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
import yaml

from demo_stack.programs import reserve_port, start
from demo_stack.receiver import Notification, NotificationReceiver
from demo_stack.settings import alertmanager_config
from demo_stack.shorten import shorten_alertmanager
from tests.end_to_end.conftest import eventually

SHIPPED = Path(__file__).parents[2] / "helm" / "telnyx-sim-exporter" / "files"
CONFIG = SHIPPED / "alertmanager" / "alertmanager.yaml"
FASTER = 300.0
RECEIVERS = {
    "critical": "telnyx-sim-pager",
    "warning": "telnyx-sim-ticket",
    "info": "telnyx-sim-chat",
}
PLACE = re.compile(r"cluster-\d+\.")
RUNBOOK = "https://example.org/runbooks/a.md#what-to-do"
NUMBERS = "0042 42 -1 +3 1_000 0x1F 0o17 0b11 1e3 .5 .inf .nan 1:30 2026-01-31 2026-01-31T10:00:00Z"
WORDS = "yes No on OFF true False null NULL ~ y N << = Yes-man"
INDICATORS = (
    "# #1 - * *a & &a ! !a !!int ? : @a %a %YAML `a` | > [ [] [a] { {} {a} , ' '' \" \"\" \\"
)
ODD = (
    *NUMBERS.split(),
    *WORDS.split(),
    *INDICATORS.split(),
    *("Acme: Berlin", "Acme:", "a: b: c", "Acme #1", "- a", "* a", "? a", "!!int 3", "> a"),
    *("it's", "'quoted'", '"quoted"', 'a "b": c', "'a': b", "C:\\x", "a\\n", "{a: b}", "[a, b]"),
    *("{{ .Status }}", "a\nb", "a\nb: c", "a: b\nc: d", "|-\n  a", "a\n---\nb: c", "--- 3", "..."),
    *("\ta", "a\tb", "a\t: b", " a", "a ", " ", "a\n", "%YAML 1.2\n---\n3", "\x01", "\u2028a: b"),
    *("Käfer: 3", "ключ", "🙂: 1", "🙂", "<b>&amp;</b>", "https://example.org/a?b=c&d=%20#e"),
)
NOTHING = ""
PLAIN = ("fleet-eu", "set_public_ip", "Fleet EU 2", "network, busy", "v1.2/eu", "Käfer", RUNBOOK)

pytestmark = pytest.mark.program("alertmanager")


def parsed(text: str) -> Any:
    """Read a detail as Alertmanager 0.30 and newer does: what is no YAML is a text as it stands."""
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):  # a date that there is not, such as 2026-13-01
        return text
    return text if isinstance(value, str) else value


class Told:
    """Alerts with a text wherever there can be any, and what an Alertmanager tells of them."""

    def __init__(self, url: str, notes: dict[str, Notification]) -> None:
        """Post them all at once, as each would take a second; receivers fill ``notes``."""
        self._notes = notes
        cases = product(RECEIVERS, (*ODD, *PLAIN, NOTHING))
        self._places = {case: f"cluster-{number}." for number, case in enumerate(cases)}
        alerts = [_alert(*case, place) for case, place in self._places.items()]
        answer = httpx.post(f"{url}/api/v2/alerts", json=alerts, trust_env=False)
        assert answer.status_code == httpx.codes.OK, answer.text

    def by(self, severity: str, text: str) -> Any:
        """Return the body of what was told of the alert with this severity and text."""
        place = self._places[severity, text]

        note = eventually(lambda: self._notes.get(place))
        assert note is not None
        assert note.receiver == RECEIVERS[severity]
        return note.body

    def details(self, text: str) -> dict[str, Any]:
        """Return the details of PagerDuty as it shows them, less the numbers among them."""
        given = self.by("critical", text)["payload"]["custom_details"]
        own = {name: each for name, each in given.items() if not name.startswith("num_")}
        return {name: parsed(each) if isinstance(each, str) else each for name, each in own.items()}


def _alert(severity: str, text: str, place: str) -> dict[str, dict[str, str]]:
    labels = {"alertname": "TelnyxSimKeyRefused", "severity": severity, "cluster": place}
    labels |= dict.fromkeys(("account", "action_type", "reason_class"), text)
    notes = {"summary": f"About {text}", "description": text, "runbook_url": text and RUNBOOK}
    return {"labels": labels, "annotations": notes}


@pytest.fixture(scope="module")
def told(
    program_path: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Told]:
    """Give an Alertmanager with the shipped routes that was told of all of them."""
    folder = tmp_path_factory.mktemp("alertmanager")
    notes: dict[str, Notification] = {}

    def take(note: Notification) -> None:
        places = PLACE.findall(str(note.body))
        notes.setdefault(places[0], note)

    with ExitStack() as undo:
        sink = undo.enter_context(closing(NotificationReceiver(take)))
        shipped = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
        wired = alertmanager_config(shipped, receiver_url=sink.url, folder=str(CONFIG.parent))
        file = folder / "alertmanager.yml"
        file.write_text(yaml.safe_dump(shorten_alertmanager(wired, FASTER)), encoding="utf-8")
        listen = f"127.0.0.1:{reserve_port('Alertmanager', 0)}"
        command = (
            program_path("alertmanager"),
            f"--config.file={file}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address={listen}",
            "--cluster.listen-address=",
        )
        program = start("alertmanager", command, folder)
        undo.callback(program.stop)
        program.wait_for(f"http://{listen}/-/ready", Event())
        yield Told(f"http://{listen}", notes)


# Over all texts at once: by text, each worker of pytest-xdist would start its own Alertmanager.


def test_every_detail_of_a_page_is_a_text(told: Told) -> None:
    """Whatever the names and descriptions are."""
    shown = {text: told.details(text) for text in ODD}
    others = {
        (text, name): each
        for text, details in shown.items()
        for name, each in details.items()
        if not isinstance(each, str)
    }
    assert others == {}


def test_a_page_shows_all_that_a_name_says(told: Told) -> None:
    """As it is, or in quotes as YAML has them."""
    shown = {text: told.details(text) for text in ODD}
    names = ("account", "action_type", "reason_class")
    changed = {
        text: details
        for text, details in shown.items()
        if any(details[name] not in {text, _quoted(text)} for name in names)
        or f"\n{text}\nReason class: {text}\n" not in details["text"]
        or details["runbook"] != RUNBOOK
    }
    assert changed == {}


def test_an_ordinary_name_stands_as_it_is(told: Told) -> None:
    """What nothing takes for anything else has no quotes, so that rules can compare it."""
    shown = [told.details(text) for text in PLAIN]
    for name in ("account", "action_type", "reason_class"):
        assert [details[name] for details in shown] == [*PLAIN]


def test_the_detail_of_an_odd_name_reads(told: Told) -> None:
    """A number, a colon and an apostrophe are quoted as YAML quotes them."""
    wanted = {"0042": "'0042'", "Acme: Berlin": "'Acme: Berlin'", "it's": "'it''s'"}
    assert {text: told.details(text)["account"] for text in wanted} == wanted


def test_where_there_is_nothing_the_detail_says_so(told: Told) -> None:
    """An empty text would be null."""
    shown = told.details(NOTHING)
    names = ("account", "action_type", "reason_class", "runbook")
    assert {name: shown[name] for name in names} == dict.fromkeys(names, "none")


def test_the_chat_has_the_text_as_it_is(told: Told) -> None:
    """Nothing but the details of PagerDuty is parsed."""
    messages = {text: told.by("info", text)["attachments"][0] for text in ODD}
    changed = {
        text: each
        for text, each in messages.items()
        if f"{text}\nReason class: {text}\n" not in each["text"]
        or not each["title"].startswith(f"[FIRING:1] TelnyxSimKeyRefused: About {text}, cluster")
        or each["fallback"] != each["title"]
    }
    assert changed == {}


def test_the_ticket_has_the_text_as_it_is(told: Told) -> None:
    """A webhook gets labels and annotations unchanged."""
    bodies = {text: told.by("warning", text) for text in ODD}
    assert {text: each["commonLabels"]["account"] for text, each in bodies.items()} == {
        text: text for text in ODD
    }
    assert {text: each["commonAnnotations"]["description"] for text, each in bodies.items()} == {
        text: text for text in ODD
    }


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
