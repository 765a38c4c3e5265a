"""The series of an account stays one, whichever replica polls it, by the shipped relabelling.

A real Prometheus scrapes three targets that expose what exporters would: a counter that goes on
from target to target, and what each of them has of its own.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.end_to_end.conftest import Running, free_port, gather, start
from tests.monitoring.scraping import ONE_INSTANCE, RELABELING
from tests.support.waiting import eventually

__all__ = ["free_port", "gather", "start"]
# Fixtures of these names are for this module too.

COUNTER = "telnyx_sim_card_actions_failed_total"
INTERVAL = "200ms"
WITHOUT = "without-relabelling"
"""A job that scrapes the same targets, and shows what would be counted twice."""


@dataclass
class Ledger:
    """What the replicas share: how many actions of an account have failed."""

    failed: int = 0


@dataclass
class Target:
    """A replica that Prometheus scrapes; ``holds`` tells whether it polls the account."""

    ledger: Ledger
    holds: bool = False
    port: int = 0
    answered: int = 0
    _undo: ExitStack = field(default_factory=ExitStack)

    def begin(self) -> None:
        """Answer on loopback; later on the same port again."""
        target = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = target.exposition().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(body)
                target.answered += 1

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = server.server_address[1]
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        for end in (server.server_close, thread.join, server.shutdown):
            self._undo.callback(end)

    def close(self) -> None:
        """End it; the connections of scrapes are refused from then on."""
        self.holds = False
        self._undo.close()

    def scraped(self) -> None:
        """Wait until it was scraped by both jobs, by requests that began after this.

        A sample has the time at which its scrape began: what changes later cannot be older.
        """
        before = self.answered
        eventually(lambda: self.answered >= before + 4)

    def exposition(self) -> str:
        """Return what it shows."""
        account = 'account="eu"'
        own = f"telnyx_exporter_account_held{{{account}}} {int(self.holds)}\n"
        if not self.holds:
            return own
        labels = f'{account}, action_type="enable", reason_class="network"'
        return f"{own}{COUNTER}{{{labels}}} {self.ledger.failed}\ntelnyx_up{{{account}}} 1\n"


def configuration(targets: list[Target]) -> dict[str, Any]:
    """Return a configuration of Prometheus with the shipped relabelling, of pods as well."""
    static = [
        {"targets": [f"127.0.0.1:{each.port}"], "labels": {"pod": f"exporter-{number}"}}
        for number, each in enumerate(targets)
    ]
    relabeling = [*RELABELING, {**RELABELING[0], "target_label": "pod"}]
    jobs = {"telnyx-sim-exporter": relabeling, WITHOUT: []}
    return {
        "global": {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL},
        "scrape_configs": [
            {"job_name": name, "static_configs": static, "metric_relabel_configs": changes}
            for name, changes in jobs.items()
        ],
    }


@dataclass(frozen=True, slots=True)
class Fleet:
    """Three replicas, and the Prometheus that scrapes them."""

    ledger: Ledger
    targets: list[Target]
    server: Running

    def ask(self, query: str, **more: str) -> list[dict[str, Any]]:
        """Return the series that an instant query finds."""
        parameters = {"query": query, **more}
        answer = self.server.http.get(f"{self.server.url}/api/v1/query", params=parameters)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def samples(self, selector: str) -> list[tuple[Mapping[str, str], list[tuple[float, float]]]]:
        """Return the labels, and times and values of all samples, of each series."""
        return [
            (each["metric"], [(at, float(value)) for at, value in each["values"]])
            for each in self.ask(f"{selector}[1h]")
        ]

    def fail(self, count: int) -> None:
        """Let actions fail."""
        self.ledger.failed += count

    def seen(self) -> None:
        """Wait until Prometheus has the count, from both jobs."""
        query = f"count by (job) ({COUNTER} == {self.ledger.failed})"
        eventually(lambda: len(self.ask(query)) == 2)

    def unseen(self) -> None:
        """Wait until Prometheus knows that no target has the count."""
        eventually(lambda: not self.ask(COUNTER))


@pytest.fixture
def fleet(
    start: Callable[..., Running],
    program_path: Callable[[str], str],
    free_port: int,
    tmp_path: Path,
) -> Iterator[Fleet]:
    """Give three replicas, of which the first polls the account, and Prometheus."""
    ledger = Ledger()
    targets = [Target(ledger) for _ in range(3)]
    with ExitStack() as undo:
        for each in targets:
            each.begin()
            undo.enter_context(closing(each))
        targets[0].holds = True
        file = tmp_path / "prometheus.yml"
        file.write_text(json.dumps(configuration(targets)), "utf-8")  # JSON is YAML
        server = start(
            program_path("prometheus"),
            f"--config.file={file}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{free_port}",
        )
        server.url = f"http://127.0.0.1:{free_port}"
        found = Fleet(ledger, targets, server)
        found.seen()
        yield found


def moved_about(fleet: Fleet) -> None:
    """Let the account move in every way while actions fail."""
    first, second, third = fleet.targets
    fleet.fail(5)
    fleet.seen()
    # Let go, and taken over at once.
    first.holds, second.holds = False, True
    second.scraped()
    fleet.fail(3)
    fleet.seen()
    # Let go, and taken over after it was missing.
    second.holds = False
    fleet.unseen()
    fleet.fail(7)
    third.holds = True
    fleet.seen()
    # Shown by both for a while, as if one was scraped before it moved and the other after it.
    first.holds = True
    first.scraped()
    third.scraped()
    third.holds = False
    first.scraped()
    fleet.fail(2)
    fleet.seen()
    # Killed; what failed meanwhile is counted by the next one.
    first.close()
    fleet.fail(11)
    fleet.unseen()
    second.holds = True
    fleet.fail(1)
    fleet.seen()
    # Back, first as one that stands by.
    first.begin()
    first.scraped()
    second.holds, first.holds = False, True
    first.scraped()
    fleet.fail(4)
    fleet.seen()


@pytest.mark.program("prometheus")
def test_increase_is_exact_over_takeovers(fleet: Fleet) -> None:
    """There is one series, it never goes back, and its increase is what has failed.

    The time is that of the last sample, and the first one is 0, so that nothing is extrapolated.
    """
    moved_about(fleet)
    ((labels, samples),) = fleet.samples(f'{COUNTER}{{job="telnyx-sim-exporter"}}')
    assert labels["instance"] == labels["pod"] == ONE_INSTANCE
    values = [value for _, value in samples]
    assert values[0] == 0
    assert values == sorted(values)
    query = f'increase({COUNTER}{{job="telnyx-sim-exporter"}}[1h])'
    (increase,) = fleet.ask(query, time=str(samples[-1][0]))
    assert float(increase["value"][1]) == pytest.approx(fleet.ledger.failed, abs=1e-6)

    ((labels, ups),) = fleet.samples('telnyx_up{job="telnyx-sim-exporter"}')
    assert labels["instance"] == labels["pod"] == ONE_INSTANCE
    assert {value for _, value in ups} == {1.0}

    own = fleet.samples('telnyx_exporter_account_held{job="telnyx-sim-exporter"}')
    of_targets = {
        (f"127.0.0.1:{each.port}", f"exporter-{i}") for i, each in enumerate(fleet.targets)
    }
    assert {(labels["instance"], labels["pod"]) for labels, _ in own} == of_targets

    # It would not be without: a replica that polls again has grown by what others counted, too.
    several = fleet.samples(f'{COUNTER}{{job="{WITHOUT}"}}')
    assert len(several) == len(fleet.targets)
    grown = sum(samples[-1][1] - samples[0][1] for _, samples in several)
    assert grown > fleet.ledger.failed + 10
