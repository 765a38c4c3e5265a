import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from demo_stack.programs import free_port
from tests.end_to_end.replicas.fleet import Fleet
from tests.support.postgresql import Cluster, new_cluster

pytestmark = [
    pytest.mark.program("postgres", "ip", "iptables"),
    pytest.mark.timeout(150),
    pytest.mark.skipif(os.getuid() != 0, reason="needs root, for a network of its own"),
]


def run(*words: str) -> None:
    """Run a program; it must succeed."""
    done = subprocess.run(words, check=False, capture_output=True, text=True)  # noqa: S603 # fixed
    assert done.returncode == 0, done.stderr


@dataclass(frozen=True, slots=True)
class Island:
    """A network namespace: its name, its address, and that of this side of its one link."""

    name: str
    here: str
    there: str

    def words(self) -> tuple[str, ...]:
        """Return the words that run a program in it."""
        return ("ip", "netns", "exec", self.name)

    def divert(self, port: int, target: int) -> None:
        """Lead connections to a port of its own loopback over the link, to a port of this side."""
        to = ("-p", "tcp", "-d", "127.0.0.1", "--dport", str(port))
        jump = ("-j", "DNAT", "--to-destination", f"{self.here}:{target}")
        run(*self.words(), "iptables", "-w", "-t", "nat", "-A", "OUTPUT", *to, *jump)

    @contextmanager
    def cut_off(self, port: int) -> Iterator[None]:
        """Lose all packets to and from a port of this side, without a word to anybody."""
        rules = (
            ("OUTPUT", "-p", "tcp", "--dport", str(port), "-j", "DROP"),
            ("INPUT", "-p", "tcp", "--sport", str(port), "-j", "DROP"),
        )
        for rule in rules:
            run(*self.words(), "iptables", "-w", "-I", *rule)
        yield
        for rule in rules:
            run(*self.words(), "iptables", "-w", "-D", *rule)


@pytest.fixture
def island() -> Iterator[Island]:
    """Make a namespace with one link to here."""
    number = os.getpid() % 16384
    block = f"10.{64 + number // 256}.{number % 256}"
    island = Island(f"island{number}", f"{block}.1", f"{block}.2")
    here, there = f"isl{number}h", f"isl{number}t"
    run("ip", "netns", "add", island.name)
    try:
        run("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", island.name)
        run("ip", "address", "add", f"{island.here}/30", "dev", here)
        run("ip", "link", "set", here, "up")
        run("ip", "-n", island.name, "address", "add", f"{island.there}/30", "dev", there)
        run("ip", "-n", island.name, "link", "set", there, "up")
        run("ip", "-n", island.name, "link", "set", "lo", "up")
        # What is sent from loopback may leave, under an address that can be answered.
        setting = "/proc/sys/net/ipv4/conf/all/route_localnet"
        run(*island.words(), "sh", "-c", f"echo 1 > {setting}")
        masquerade = ("POSTROUTING", "-o", there, "-j", "MASQUERADE")
        run(*island.words(), "iptables", "-w", "-t", "nat", "-A", *masquerade)
        yield island
    finally:
        run("ip", "netns", "delete", island.name)


@pytest.fixture
def cluster(island: Island) -> Iterator[Cluster]:
    """Give a server that can also be reached from the island."""
    with new_cluster(f"listen_addresses=127.0.0.1,{island.here}") as cluster:
        with (cluster.folder / "data" / "pg_hba.conf").open("a") as file:
            file.write(f"host all all {island.there}/32 scram-sha-256\n")
        cluster.reload()
        yield cluster


def test_a_replica_that_is_cut_off(
    island: Island, cluster: Cluster, fleet_of: Callable[..., Fleet]
) -> None:
    """A holder whose packets to the database are lost gives up, others take over, it comes back."""
    port = free_port()
    fleet = fleet_of(cluster, "--web.listen-address", f"{island.here}:{port}")
    island.divert(int(fleet.simulator.url.rpartition(":")[2]), port)
    url = fleet.url.replace("127.0.0.1", island.here)
    web = {"listen_address": f"{island.there}:0"}
    file = fleet.configure(0, state_url=url, web=web)
    marooned = fleet.start(0, file=file, before=island.words())
    fleet.wait(fleet.all_up)
    other = fleet.stand_by(1)
    with fleet.fed():
        with island.cut_off(cluster.port):
            fleet.gone(marooned)
            fleet.wait(lambda: fleet.polls(other))
            scrape = fleet.scrape(marooned)
            assert scrape.up == {}
            assert scrape.held == dict.fromkeys(fleet.accounts, 0)
            fleet.wait(lambda: marooned.events("leases_unavailable"))
            fleet.wait(lambda: marooned.get("/-/ready").status_code == 503)
            # Once nothing waits for the database any more.
            every = dict.fromkeys(fleet.accounts, 1)
            fleet.wait(lambda: fleet.scrape(marooned).lost == every)
        fleet.wait(lambda: marooned.get("/-/ready").status_code == 200)
        fleet.live.append(marooned)
        fleet.wait(lambda: fleet.scrape(marooned).unheld == 0)
        fleet.wait(lambda: marooned.events("leases_available"))
    assert len(marooned.events("lease_lost")) == len(fleet.accounts)
    # What was written to the log as the cut came may not have been noted.
    fleet.check(times=2)
