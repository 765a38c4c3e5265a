"""A fleet of replicas, and the PostgreSQL server that they share: real ones, all on loopback."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.replicas.fleet import Fleet
from tests.support.postgresql import Cluster


@pytest.fixture
def fleet_of(
    simulate: Callable[..., Any], command: Callable[..., Any], tmp_path: Path
) -> Callable[..., Fleet]:
    """Give a maker of fleets on an empty database of a server; no replica runs yet.

    The words are further options of the simulator.
    """

    def make(cluster: Cluster, *words: str, url: str | None = None) -> Fleet:
        simulator = simulate(
            *("--duration", "0.5", "--failed", "0.25", "--interrupted", "0.15"),
            *("--stuck", "0", "--resumed", "0", "--history", "300"),
            *words,
        )
        url = url or cluster.url(cluster.new_database())
        return Fleet(tmp_path, command, simulator, url, cluster.password_file)

    return make
