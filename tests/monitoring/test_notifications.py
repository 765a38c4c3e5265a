"""What Alertmanager sends for names and texts that YAML takes for something else.

From 0.30 on it parses each rendered detail of PagerDuty as YAML. An older one does not, so what it
sends is parsed here as a newer one does. Another Alertmanager is run by putting it first
on PATH.
"""

import html
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from demo_stack.receiver import Notification, NotificationReceiver
from demo_stack.settings import alertmanager_config
from demo_stack.shorten import shorten_alertmanager
from tests.monitoring.mail import MailServer, text_of
from tests.support.loopback import NO_TLS
from tests.support.waiting import eventually

SHIPPED = Path(__file__).parents[2] / "helm" / "telnyx-sim-exporter" / "files"
CONFIG = SHIPPED / "alertmanager" / "alertmanager.yaml"
FASTER = 300.0
RECEIVERS = {
    "critical": "telnyx-sim-pager",
    "warning": "telnyx-sim-ticket",
    "info": "telnyx-sim-mail",
    "unknown": "telnyx-sim-chat",
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
SHOWN = ("description", "reason_class", "page_url")
PLAIN = ("fleet-eu", "set_public_ip", "Fleet EU 2", "network, busy", "v1.2/eu", "Käfer", RUNBOOK)

pytestmark = pytest.mark.program("alertmanager")


def parsed(text: str) -> Any:
    """Read a detail as Alertmanager 0.30 and newer does: what is no YAML is a text as it stands."""
    try:
        value = yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError):  # a date that there is not, such as 2026-13-01
        return text
    return text if isinstance(value, str) else value


class Told:
    """Alerts with a text wherever there can be any, and what an Alertmanager tells of them."""

    def __init__(self, url: str, notes: dict[str, list[Any]]) -> None:
        """Post them all at once, as each would take a second; receivers fill ``notes``.

        ``notes`` has bodies of HTTP requests, or mails, by the cluster that they name.
        """
        self._url = url
        self._notes = notes
        cases = product(RECEIVERS, (*ODD, *PLAIN, NOTHING))
        self._places = {case: f"cluster-{number}." for number, case in enumerate(cases)}
        self.post(*(_alert(*case, place) for case, place in self._places.items()))

    def post(self, *alerts: dict[str, Any]) -> None:
        """Tell Alertmanager of alerts."""
        answer = httpx.post(
            f"{self._url}/api/v2/alerts", json=alerts, trust_env=False, verify=NO_TLS
        )
        assert answer.status_code == httpx.codes.OK, answer.text

    def by(self, severity: str, text: str) -> Any:
        """Return the body of what was told of the alert with this severity and text."""
        return self.at(self._places[severity, text], RECEIVERS[severity])

    def place(self, severity: str, text: str) -> str:
        """Return the cluster of the alert with this severity and text."""
        return self._places[severity, text]

    def at(self, place: str, receiver: str) -> Any:
        """Return the body of what a receiver was told of a cluster first."""
        name, body = eventually(lambda: self._notes.get(place, []))[0]
        assert name == receiver
        return body

    def texts(self, place: str, receiver: str) -> list[str]:
        """Return the text of each message about a cluster, which only this receiver gets."""
        notes = self._notes.get(place, [])
        assert {name for name, _ in notes} <= {receiver}
        return [_text(body) for _, body in notes]

    def details(self, text: str) -> dict[str, Any]:
        """Return the details of PagerDuty as it shows them, less the numbers among them."""
        given = self.by("critical", text)["payload"]["custom_details"]
        own = {name: each for name, each in given.items() if not name.startswith("num_")}
        return {name: parsed(each) if isinstance(each, str) else each for name, each in own.items()}


def _alert(severity: str, text: str, place: str) -> dict[str, dict[str, str]]:
    labels = {"alertname": "TelnyxSimKeyRefused", "severity": severity, "cluster": place}
    labels |= dict.fromkeys(("account", "action_type"), text)
    notes = {"summary": f"About {text}", "runbook_url": text and RUNBOOK}
    return {"labels": labels, "annotations": notes | dict.fromkeys(SHOWN, text)}


def _shown(text: str, place: str) -> str:
    """Return the part of a message about an alert with this text."""
    return f"\n{text}\nLabels: account={text}, action_type={text}, cluster={place}\nSince: "


@pytest.fixture(scope="module")
def told(start_alertmanager: Callable[[dict[str, Any]], str]) -> Iterator[Told]:
    """Give an Alertmanager with the shipped routes that was told of all of them."""
    notes: dict[str, list[Any]] = {}

    def take(receiver: str, body: Any, text: str) -> None:
        notes.setdefault(PLACE.findall(text)[0], []).append((receiver, body))

    def take_note(note: Notification) -> None:
        take(note.receiver, note.body, str(note.body))

    def take_mail(mail: EmailMessage) -> None:
        take(RECEIVERS["info"], mail, text_of(mail))

    with closing(NotificationReceiver(take_note)) as sink, closing(MailServer(take_mail)) as mails:
        shipped = yaml.load(CONFIG.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        wired = alertmanager_config(shipped, receiver_url=sink.url, folder=CONFIG.parent)
        wired["receivers"] = [
            _to_mail(own, mails.address) if "email_configs" in own else redirected
            for own, redirected in zip(shipped["receivers"], wired["receivers"], strict=True)
        ]
        yield Told(start_alertmanager(shorten_alertmanager(wired, FASTER)), notes)


def _to_mail(receiver: dict[str, Any], address: str) -> dict[str, Any]:
    """Return a receiver that sends its mail to a server without passwords."""
    own = {"smarthost": address, "require_tls": False}
    (given,) = receiver["email_configs"]
    return receiver | {
        "email_configs": [
            {name: each for name, each in given.items() if not name.startswith("auth_")} | own
        ]
    }


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
    names = ("account", "action_type", "reason_class", "page")
    changed = {
        text: details
        for text, details in shown.items()
        if any(details[name] not in {text, _quoted(text)} for name in names)
        or _shown(text, told.place("critical", text)) not in details["text"]
        or f"\nreason_class: {text}\n" not in details["text"]
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
    names = ("account", "action_type", "reason_class", "page", "runbook")
    assert {name: shown[name] for name in names} == dict.fromkeys(names, "see text")


def test_the_chat_has_the_text_as_it_is(told: Told) -> None:
    """Nothing but the details of PagerDuty is parsed."""
    messages = {text: told.by("unknown", text)["attachments"][0] for text in ODD}
    changed = {
        text: each
        for text, each in messages.items()
        if _shown(text, told.place("unknown", text)) not in each["text"]
        or not each["title"].startswith(f"[FIRING:1] TelnyxSimKeyRefused: About {text}, cluster")
        or each["fallback"] != each["title"]
    }
    assert changed == {}


def test_a_mail_has_the_text_as_it_is(told: Told) -> None:
    """In its plain body, and escaped in the other; the subject is the title, in one line."""
    mails = {text: told.by("info", text) for text in ODD}
    changed = {
        text: each
        for text, each in mails.items()
        if _lines(_shown(text, told.place("info", text))) not in text_of(each)
        or f"<b>About {_lines(text)}</b>" not in html.unescape(text_of(each, "html"))
        or " ".join(f"About {text}, cluster".split()) not in " ".join(each["subject"].split())
    }
    assert changed == {}
    assert "&lt;b&gt;&amp;amp;&lt;/b&gt;" in text_of(mails["<b>&amp;</b>"], "html")
    assert "<b>&amp;</b>" not in text_of(mails["<b>&amp;</b>"], "html")


def test_the_ticket_has_the_text_as_it_is(told: Told) -> None:
    """A webhook gets labels and annotations unchanged."""
    bodies = {text: told.by("warning", text) for text in ODD}
    assert {text: each["commonLabels"]["account"] for text, each in bodies.items()} == {
        text: text for text in ODD
    }
    assert {text: each["commonAnnotations"]["description"] for text, each in bodies.items()} == {
        text: text for text in ODD
    }


@pytest.mark.parametrize("severity", ["critical", "info", "unknown"])
def test_each_alert_has_its_lines_until_it_is_over(told: Told, severity: str) -> None:
    """A message shows each alert of its group; RESOLVED says what it means, firing does not."""
    place = f"cluster-9{[*RECEIVERS].index(severity)}000."
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    over = began + timedelta(minutes=30)
    since, until = (f"{each:%Y-%m-%d %H:%M:%S} UTC" for each in (began, over))
    cards = {
        number: _card(number, severity, place) | {"startsAt": began.isoformat()}
        for number in (1, 2)
    }
    told.post(*cards.values())
    text = _told_of_all(told, place, severity, "2 firing, 0 resolved\n\n")[0]
    for number, card in cards.items():
        assert f"SIM card 8988{number}: enable failed in account fleet" in text
        for name, value in card["annotations"].items():
            assert name in {"summary", "resolved", "runbook_url"} or f"{name}: {value}" in text
        assert f"sim_card_id=sim-{number}, status=failed\nSince: {since}\n" in text
    assert "RESOLVED" not in text
    assert text.endswith(f"Runbook: {RUNBOOK}")

    for card in cards.values():
        card["endsAt"] = over.isoformat()
    told.post(*cards.values())
    texts = _told_of_all(told, place, severity, "\n\nResolved:\n\nSIM card 8988")
    meanings = sum(text.count("\nRESOLVED means: It works again.\n") for text in texts)
    assert meanings == len(cards)
    assert sum(text.count(f"\nSince: {since}, until {until}\n") for text in texts) == len(cards)


def _told_of_all(told: Told, place: str, severity: str, part: str) -> list[str]:
    """Return the messages with this part, as soon as they have both SIM cards.

    Alertmanager takes alerts one by one and may send a message in between, about one of them.
    """

    def all_of_them() -> list[str]:
        texts = [text for text in told.texts(place, RECEIVERS[severity]) if part in text]
        found = "".join(texts)
        return texts if "SIM card 89881:" in found and "SIM card 89882:" in found else []

    return eventually(all_of_them)


def _card(number: int, severity: str, place: str) -> dict[str, Any]:
    """Return an alert for a single SIM card, as the exporter sends it."""
    labels = {"alertname": "TelnyxSimCardProblem", "severity": severity, "cluster": place}
    labels |= {"account": "fleet", "concern": "connectivity", "status": "failed"}
    notes = {"iccid": f"8988{number}", "sim_card_group": "Fleet EU", "tags": "a, b"}
    notes |= {"attempts": "3", "reason": f"No network {number}.", "reason_class": "network"}
    notes |= {"opened": f"2026-01-0{number}T00:00:00Z", "resolved": "It works again."}
    notes["summary"] = f"SIM card 8988{number}: enable failed in account fleet"
    own = {"labels": labels | {"sim_card_id": f"sim-{number}"}}
    return own | {"annotations": notes | {"runbook_url": RUNBOOK}}


def _text(body: Any) -> str:
    """Return the text of a mail, or of a message to the chat or the pager."""
    if isinstance(body, EmailMessage):
        return text_of(body).rstrip()
    if "attachments" in body:
        return str(body["attachments"][0]["text"])
    return str(body["payload"]["custom_details"]["text"])


def _lines(text: str) -> str:
    """Return a text with the ends of lines that a mail has."""
    return re.sub(r"\r\n?", "\n", text)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
