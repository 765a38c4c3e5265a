"""How long it takes to catch up with what happened while nobody polled, beside two others.

The same recorded pages come from one server, in a process of its own, to three contenders: the
exporter as it runs, with its state on disk and its log in a file; a program that asks the very
same requests and decodes the answers, no more; and the official SDK, which lists what is new.
"""

import asyncio
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import msgspec
from telnyx import DefaultHttpxClient, Telnyx

from benchmarks.absence import AUDIT_INTERVAL, BEARER, PATH, Scene, open_store, rehearse
from benchmarks.core import CONCURRENCY, KEY, NAME, PAGE, UNLIMITED
from benchmarks.figures import Figure, Report, markdown
from benchmarks.recorded import served
from benchmarks.timing import Spent, in_turn
from exporter.account import AccountRuntime, SharedResources
from exporter.clock import SystemClock
from exporter.config import LogFormat, LogLevel, Settings
from exporter.ledger.snapshot import AccountSnapshot
from exporter.network import find_network
from exporter.sinks.delivery import Delivery
from exporter.sinks.event_log import EventLog
from exporter.sinks.log import LogSink
from exporter.sinks.logging_setup import open_event_log
from exporter.telnyx.http import open_http

UNSEEN = 100_000
MANY = 1_000_000

MEANING = """\
What came while the exporter was down, or Telnyx was: it is all counted, each failure logged, in
{requests:,} requests, an audit included. All three get the same bytes over loopback from one
server in another process, without TLS and compression, which each would pay alike. CPU is that
of the contender's process alone. At Telnyx it is the limit of requests that takes the time."""


class StatusItem(msgspec.Struct, gc=False):
    """The status of an action, as it is sent."""

    value: str | None = None
    reason: str | None = None


class Item(msgspec.Struct, gc=False):
    """What of an action the exporter reads."""

    id: str
    sim_card_id: str | None = None
    action_type: str | None = None
    status: StatusItem | str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class Meta(msgspec.Struct):
    """What of a page's meta the exporter reads."""

    total_results: int | None = None
    page_size: int | None = None


class Listed(msgspec.Struct):
    """A page."""

    data: list[Item]
    meta: Meta | None = None


class Single(msgspec.Struct):
    """The answer for one action."""

    data: Item


@dataclass(frozen=True, slots=True)
class Race:
    """The three contenders, each over the server at ``address``."""

    scene: Scene
    address: str
    folder: Path
    event_log: EventLog

    async def ours(self) -> None:
        """Catch up as the exporter does, from its start on: its state on disk, its log in a file.

        Raises RuntimeError unless it ends up with what happened.
        """
        state = self.folder / "ours.db"
        shutil.copy(self.scene.state, state)
        settings = Settings.model_validate(
            {
                "accounts": [{"name": NAME, "api_key": KEY, "base_url": self.address + "/v2"}],
                "poll": {"audit_interval": f"{AUDIT_INTERVAL:g}s", "rate_limit": UNLIMITED},
            }
        )
        with ThreadPoolExecutor(1) as worker, closing(open_store(state)) as store:
            clock = SystemClock()
            delivery = Delivery([LogSink(self.event_log)], clock, self.event_log)
            shared = SharedResources(
                store, worker, clock, self.event_log, find_network(settings), delivery
            )
            runtime = AccountRuntime.build(settings, settings.accounts[0], shared)
            await runtime.poller.poll()
            await delivery.settle()
            await runtime.close()
        if not self.agrees(runtime.ledger.snapshot) or not runtime.self_metrics.health().up:
            raise RuntimeError(f"did not catch up: {runtime.self_metrics.health().last_error}")

    async def bare(self) -> None:
        """Ask for the very same, side by side as the exporter does, and decode it."""
        decode = msgspec.json.Decoder(Listed).decode
        single = msgspec.json.Decoder(Single).decode
        rest = iter(self.scene.asked)
        items = 0

        async def ask(http: httpx.AsyncClient) -> None:
            nonlocal items
            for path, params in rest:
                answer = await http.get(self.address + path, params=params, headers=BEARER)
                body = answer.raise_for_status().content
                items += len(decode(body).data) if path == PATH else bool(single(body).data)

        async with open_http(timeout=10, concurrency=CONCURRENCY) as http:
            await asyncio.gather(*(ask(http) for _ in range(CONCURRENCY)))
        if items < self.scene.count:
            raise RuntimeError(f"only {items} actions came")

    async def sdk(self) -> None:
        """List what is new with the official SDK, and do nothing with it."""
        with Telnyx(
            api_key=KEY,
            base_url=self.address + "/v2",
            max_retries=0,
            http_client=DefaultHttpxClient(trust_env=False),
        ) as client:
            actions = client.sim_cards.actions.list(page_size=PAGE)
            listed = sum(1 for _ in islice(actions, self.scene.count))
        if listed < self.scene.count:
            raise RuntimeError(f"only {listed} actions came")

    def agrees(self, snapshot: AccountSnapshot) -> bool:
        """Tell whether what is exported is what happened."""
        happened = {
            (action_type, status.value): n
            for (action_type, status), n in self.scene.happened.current.items()
        }
        shown = {key: n for key, n in snapshot.actions.items() if n}
        return sum(snapshot.created.values()) == self.scene.count and shown == {
            key: n for key, n in happened.items() if n
        }


async def race(
    count: int, rounds: int, folder: Path, event_log: EventLog
) -> tuple[Scene, dict[str, Spent]]:
    """Time the three; returns the medians, by name."""
    scene = await rehearse(count, folder)
    with served(scene.answers) as address:
        each = Race(scene, address, folder, event_log)
        contenders = {"ours": each.ours, "bare": each.bare, "SDK": each.sdk}
        return scene, await in_turn(contenders, rounds=rounds)


def measure(count: int = UNSEEN, rounds: int = 5) -> Report:
    """Time it, and say how many times the others' time it is."""
    with TemporaryDirectory() as folder, Path(folder, "log").open("w") as log:
        event_log = open_event_log(
            level=LogLevel.INFO, form=LogFormat.LOGFMT, stream=log, secrets=lambda: {KEY}
        )
        scene, spent = asyncio.run(race(count, rounds, Path(folder), event_log))
    ours, bare, sdk = spent["ours"], spent["bare"], spent["SDK"]
    title = f"catching up with {count:,}"
    return Report(
        f"Catching up with {count:,} unseen actions",
        MEANING.format(requests=len(scene.asked)),
        (
            Figure(f"{title}: ours over bare, time", ours.wall / bare.wall, "x", most=4.0),
            Figure(f"{title}: ours over bare, CPU", ours.cpu / bare.cpu, "x", most=4.0),
            Figure(f"{title}: SDK listing over ours, time", sdk.wall / ours.wall, "x", least=5.0),
            Figure(f"{title}: SDK listing over ours, CPU", sdk.cpu / ours.cpu, "x", least=5.0),
            *(
                Figure(f"{title}: {name}, {what}", seconds, "s", steady=False)
                for name, each in spent.items()
                for what, seconds in (("time", each.wall), ("CPU", each.cpu))
            ),
        ),
    )


if __name__ == "__main__":
    sys.stdout.write(markdown(measure(MANY, rounds=1)) + "\n")
