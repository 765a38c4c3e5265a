"""Build accounts in each state that the page knows, clients of the app, and web files."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import InitVar, dataclass, field, replace
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest
from starlette.types import ASGIApp

from exporter.address import ListenAddress
from exporter.domain import Status
from exporter.ledger.queries import AccountScope, LedgerView
from exporter.ledger.reasons import Reasons
from exporter.ledger.snapshot import AccountSnapshot, EndedAction, InFlightAction
from exporter.ledger.store.database import Database
from exporter.metrics.exporter_snapshot import ExporterSnapshot
from exporter.metrics.exposition import Exposition
from exporter.metrics.self_metrics import AccountHealth, SelfMetrics
from exporter.web.app import create_app
from exporter.web.config_reloader import WebConfigReloader
from exporter.web.detail_routes import LedgerSource
from exporter.web.server import Server
from tests.views import OPTIONS, a_view
from tests.web.ledgers import ShownLedger

NOW = 1_785_585_605.0
"""2026-08-01 12:00:05 UTC."""

REASONS = Reasons.with_configured(())
FIRST_POLLS = "the first complete poll of every account"
VIEW = LedgerView(
    tuple(
        AccountScope(name, replace(OPTIONS, action_types=())) for name in ("default", "one", "two")
    ),
    REASONS.classify,
    REASONS.classes,
)
"""What a test that does not say shows: all of the accounts by these names."""

Account = tuple[AccountSnapshot, AccountHealth]


@dataclass
class Operator:
    """What an app shows and does; a test changes it between requests.

    The ledger is that of the snapshot, in a ``database`` that others may have used.
    """

    snapshot: ExporterSnapshot
    database: InitVar[Database]
    healthy: bool = True
    ready: bool = True
    mistakes: tuple[str, ...] = ()
    reloads: int = 0
    arrived: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    block: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self, database: Database) -> None:
        """Keep a ledger of the snapshot."""
        self.ledger = ShownLedger(database, lambda: self.snapshot)

    async def reload(self) -> tuple[str, ...]:
        """Note that it was asked for."""
        self.reloads += 1
        return self.mistakes

    async def wait(self) -> tuple[str, ...]:
        """Keep a request waiting until the event is set."""
        self.reloads += 1
        self.arrived.release()
        await self.block.wait()
        return ()

    def app(self, *, waits: bool = False, **options: Any) -> ASGIApp:
        """Make the app; with ``waits`` its reload does not end by itself."""
        return create_app(
            snapshot=lambda: self.snapshot,
            exposition=Exposition(),
            healthy=lambda: self.healthy,
            waiting_for=lambda: "" if self.ready else FIRST_POLLS,
            reload=self.wait if waits else self.reload,
            **{"ledger": LedgerSource(lambda: VIEW, self.ledger), **options},
        )


@pytest.fixture
def view() -> Callable[..., AccountSnapshot]:
    """Give the maker of views."""
    return a_view


@pytest.fixture
def busy(view: Callable[..., AccountSnapshot]) -> AccountSnapshot:
    """Give the view of an account with a stuck action and a failure, of nasty text."""
    flight = InFlightAction("action-1", "sim-1", "enable", NOW - 5000, stuck=True)
    failure = EndedAction(
        action_id="action-2",
        sim_card_id="sim-2",
        action_type="set_standby",
        status=Status.FAILED,
        reason="<script>alert('x')</script> & \"more\" " + "A" * 200,
        reason_class="sim_blocked",
        created_at=NOW - 500,
        updated_at=NOW - 100,
    )
    interrupted = replace(
        failure,
        action_id="action-3",
        status=Status.INTERRUPTED,
        reason="",
        reason_class="other",
        created_at=None,
        updated_at=None,
    )
    return view(
        actions={("enable", "in-progress"): 1234, ("enable", "failed"): 2},
        oldest_in_progress={"enable": NOW - 5000},
        stuck={"enable": 1},
        in_flight=(flight,),
        failures=(failure, interrupted),
    )


@pytest.fixture
def up() -> SelfMetrics:
    """Give the telemetry of an account whose last poll, 12 s ago, succeeded."""
    telemetry = SelfMetrics("default")
    telemetry.poll_succeeded(NOW - 12, 0.5)
    return telemetry


@pytest.fixture
def snapshot() -> Callable[..., ExporterSnapshot]:
    """Give a maker of snapshots at the fixed time, of views and telemetries."""

    def make(*accounts: tuple[AccountSnapshot, SelfMetrics], **changes: Any) -> ExporterSnapshot:
        pairs = tuple((view, telemetry.health()) for view, telemetry in accounts)
        return replace(ExporterSnapshot(pairs, True, NOW, NOW, 60.0), **changes)  # noqa: FBT003 # a record

    return make


@pytest.fixture(scope="session")
def database() -> Iterator[Database]:
    """Give a database in memory for the ledgers of all operators, one after the other."""
    made = Database("sqlite://")
    yield made
    made.close()


@pytest.fixture
def operator(
    snapshot: Callable[..., ExporterSnapshot],
    busy: AccountSnapshot,
    up: SelfMetrics,
    database: Database,
) -> Operator:
    """Give an operator of one busy account."""
    return Operator(snapshot((busy, up)), database)


@pytest.fixture
async def client(operator: Operator) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client that speaks to the app directly, without a socket."""
    transport = httpx.ASGITransport(operator.app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Any]]:
    """Give a starter of servers on loopback; all are stopped in the end."""
    servers = []

    async def start(app: ASGIApp, **options: Any) -> tuple[Server, ListenAddress]:
        server = Server(app, **options)
        servers.append(server)
        (address,) = await server.start(ListenAddress("127.0.0.1", 0))
        return server, address

    yield start
    for server in servers:
        await server.stop(grace=0)


@pytest.fixture
async def connect() -> AsyncIterator[Callable[..., Any]]:
    """Give an opener of TCP or TLS connections; all are closed in the end."""
    writers = []

    async def opened(
        address: ListenAddress, **options: Any
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(address.host, address.port, **options)
        writers.append(writer)
        return reader, writer

    yield opened
    for writer in writers:
        writer.transport.abort()
    await asyncio.gather(*(each.wait_closed() for each in writers), return_exceptions=True)


@pytest.fixture(scope="session")
def hashed() -> Callable[..., str]:
    """Give a maker of bcrypt hashes, as cheap as they come unless another cost is given."""

    def make(password: str, cost: int = 4) -> str:
        return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()

    return make


@dataclass
class WebFile:
    """A web configuration in a folder of its own, and what was reported of its changes."""

    path: Path
    reports: list[tuple[str, ...]] = field(default_factory=list)

    def write(self, text: str) -> None:
        """Replace what it says."""
        self.path.write_text(text, encoding="utf-8")

    def reloader(self, text: str | None = None) -> WebConfigReloader:
        """Put it, saying ``text``, in force."""
        if text is not None:
            self.write(text)
        return WebConfigReloader(self.path, self.reports.append)


@pytest.fixture
def web_file(tmp_path: Path) -> WebFile:
    """Give a web configuration that is still to be written."""
    return WebFile(tmp_path / "web.yml")
