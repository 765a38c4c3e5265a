"""What Telnyx tells of the people behind SIM cards, unasked, goes nowhere."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from demo_stack.receiver import Notification, NotificationReceiver
from tests.end_to_end.relay import Row, relay_to

PERSONAL = (
    "imsi",
    "msisdn",
    "eid",
    "authorized_imeis",
    "current_imei",
    "current_device_location",
    "ipv4",
    "ipv6",
)
OF_A_LOCATION = ("latitude", "longitude")


def personal_values(row: Row) -> Iterator[str]:
    """Yield every personal value of a SIM card, as the digits that would show anyhow."""
    for name in PERSONAL:
        value = row[name]
        if name == "current_device_location":
            yield from (value[part].lstrip("-") for part in OF_A_LOCATION)
        elif isinstance(value, list):
            yield from value
        elif value is not None:
            yield value.lstrip("+")


@pytest.fixture
def alertmanager() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Give the URL of somebody who takes alerts, and the alerts that came."""
    came: list[dict[str, Any]] = []

    def take(sent: Notification) -> None:
        came.extend(sent.body)  # type: ignore[arg-type] # alerts are a list, notifications not

    with closing(NotificationReceiver(take)) as server:
        yield server.url, came


def odd(row: Row) -> None:
    """Put a personal value where none belongs, in a type that nobody expects."""
    row["iccid"] = [row["imsi"]]
    row["tags"] = {"imsi": row["imsi"]}
    row["status"] = {"value": {"imsi": row["imsi"]}}


def test_no_personal_value_is_kept_or_shown(
    simulate: Callable[..., Any],
    export: Callable[..., Any],
    until: Callable[..., Any],
    alertmanager: tuple[str, list[dict[str, Any]]],
    tmp_path: Path,
) -> None:
    """Neither in database, log, pages, API and metrics, nor in alerts and output; names are."""
    simulator = simulate("--sim-cards", "40")
    url, alerts = alertmanager
    with relay_to(simulator.url) as relay:

        def fail(count: int) -> set[str]:
            body = {"action_type": "enable", "count": count}
            made = simulator.post("/_simulator/actions", body).json()["ids"]
            for each in made:
                ended = {"status": "failed", "reason": "SIM card is blocked"}
                simulator.post(f"/_simulator/actions/{each}", ended)
            return set(made)

        def looked_up() -> list[Row]:
            with relay.lock:
                found = [rows for path, rows in relay.requests if path.startswith("/v2/sim_cards")]
            return [row for rows in found for row in rows]

        def problems() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = exporter.get("/api/v1/problems").json()["data"][
                "problems"
            ]
            return found

        exporter = export(
            f"{relay.url}/one",
            "--log.level",
            "debug",
            alertmanagers=(url,),
            # Lookups may take half of it; after one that took longer there are none.
            poll={"interval": "2s"},
        )
        exporter.wait_for("baseline_taken")
        fail(1)
        (first,) = until(lambda: [each for each in problems() if each["iccid"]])
        relay.changes |= {
            row["id"]: odd for row in until(looked_up) if row["id"] != first["sim_card_id"]
        }
        fail(20)
        until(lambda: len(problems()) > 5 and all(each["iccid"] for each in problems()))
        until(lambda: len({each["labels"]["sim_card_id"] for each in alerts}) == len(problems()))
        until(lambda: all("iccid" in each["annotations"] for each in alerts[-len(problems()) :]))
        listed = problems()
        pages = ["/", "/problems", "/problems?format=csv", "/failures", "/api/v1/problems"]
        pages += ["/metrics", *(f"/sim-cards/{each['sim_card_id']}" for each in listed)]
        shown = {path: exporter.get(path).text for path in pages}
        paths = [path for path, _ in relay.requests]
        cards = {row["id"]: row for row in looked_up()}

    for form in ("table", "json", "csv"):
        command = [sys.executable, "-m", "exporter", "problems", "--config.file", "config.yaml"]
        done = subprocess.run(  # noqa: S603 # ours
            [*command, "--format", form],
            cwd=tmp_path,
            capture_output=True,
            check=True,
            timeout=30,
            text=True,
        )
        shown[f"problems, {form}"] = done.stdout + done.stderr
    files = [each for each in tmp_path.iterdir() if each.name.startswith("telnyx-sim-exporter.db")]
    shown |= {each.name: each.read_bytes().decode("latin-1") for each in files}
    assert exporter.end() == 0
    with closing(sqlite3.connect(tmp_path / "telnyx-sim-exporter.db")) as database:
        shown["database"] = "\n".join(database.iterdump())  # also what is stored as a number
    shown["log"] = "\n".join([*exporter.out, *exporter.err])
    shown["alerts"] = json.dumps(alerts)

    # By id and by pages, and never with the codes that protect a SIM card.
    assert {path.partition("?")[0].count("/") for path in paths if "/v2/sim_cards" in path} == {
        2,
        3,
    }
    assert not [path for path in paths if "pin" in path.lower() or "puk" in path.lower()]
    values = {value for row in cards.values() for value in personal_values(row)}
    assert len(values) >= len(cards) * 7
    found = [(place, each) for place, text in shown.items() for each in values if each in text]
    assert found == []

    named = [each for each in listed if each["sim_card_group"] and each["tags"]]
    assert named
    everywhere = ("/problems", "/api/v1/problems", "problems, json", "database", "log", "alerts")
    for each in named:
        for place in (*everywhere, f"/sim-cards/{each['sim_card_id']}"):
            for name in (each["iccid"], each["sim_card_group"], *each["tags"]):
                assert name in shown[place], (place, name)
