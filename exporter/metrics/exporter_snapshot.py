"""All that is published, as one value: what a scrape, the page and `once` are written from.

It must not read or compute anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.ledger.snapshot import AccountSnapshot
from exporter.metrics.self_metrics import AccountHealth


@dataclass(frozen=True, slots=True)
class Leases:
    """Who polls the accounts, as this replica sees it; by account, zeros included.

    ``held`` tells which this one polls, ``holders`` names who polls the others, empty for nobody;
    ``unheld`` is how many nobody does. ``takeovers`` and ``lost`` count since it started.
    """

    held: Mapping[str, bool] = field(default_factory=dict)
    holders: Mapping[str, str] = field(default_factory=dict)
    unheld: int = 0
    takeovers: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExporterSnapshot:
    """The exporter at one instant.

    ``accounts`` pairs what is committed of each account with how its polls go, in the order
    of the configuration. Times are seconds since the epoch, ``poll_interval`` is in seconds.
    ``external_links`` are names and addresses, for the page.
    ``state_bytes`` are the sizes of the state on disk by part; empty where it is not on disk.
    ``connections_dropped`` are connections to the exporter that were closed for others,
    ``tls_handshake_errors`` its failed TLS handshakes by cause, ``log_lines_dropped`` lines of
    the log, other than those of actions, that were not written.
    ``alerts_active`` are the alerts of each account that Alertmanager is told of; ``alerts_sent``,
    ``alert_errors`` and ``alertmanager_last_success`` are by the URL of a target.
    ``leases`` are those of the accounts, ``revision`` is the revision of the source.
    """

    accounts: tuple[tuple[AccountSnapshot, AccountHealth], ...]
    reload_successful: bool
    reload_success_at: float
    now: float
    poll_interval: float
    external_links: tuple[tuple[str, str], ...] = ()
    state_bytes: Mapping[str, int] = field(default_factory=dict)
    connections_dropped: int = 0
    tls_handshake_errors: Mapping[str, int] = field(default_factory=dict)
    log_lines_dropped: int = 0
    alerts_active: Mapping[str, int] = field(default_factory=dict)
    alerts_sent: Mapping[str, int] = field(default_factory=dict)
    alert_errors: Mapping[str, int] = field(default_factory=dict)
    alertmanager_last_success: Mapping[str, float] = field(default_factory=dict)
    leases: Leases = field(default_factory=Leases)
    revision: str = "unknown"
