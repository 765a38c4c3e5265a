from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.replicas.fleet import Fleet, secret
from tests.support.postgresql import PASSWORD, Cluster

pytestmark = [pytest.mark.program("postgres"), pytest.mark.timeout(60)]

WRONG = "another-Wörd/1"


def test_the_password_is_shown_nowhere(
    cluster: Cluster, fleet_of: Callable[..., Fleet], tmp_path: Path
) -> None:
    """Wrong, right or missing, the password is in nothing that is said, served or listed."""
    fleet = fleet_of(cluster)
    fleet.password_file = str(tmp_path / "password")
    file = Path(fleet.password_file)
    file.write_text(f"{WRONG}\n", encoding="utf-8")
    fleet.configure(0, log={"format": "json", "level": "debug"})
    replica = fleet.start(0, file=tmp_path / "replica-0.yaml")

    def unavailable(text: str) -> bool:
        return any(text in each["error"] for each in replica.events("leases_unavailable"))

    shown: list[str] = []

    def look() -> None:
        paths = ("/", "/metrics", "/-/ready", "/-/healthy", "/api/v1/problems")
        shown.extend(replica.get(path).text for path in paths)

    fleet.wait(lambda: unavailable("its password in state.password_file"))
    assert replica.get("/-/ready").status_code == 503
    look()
    file.unlink()
    fleet.wait(lambda: unavailable(f"state.password_file: {file}"))
    look()
    # It is read for each new connection, so this takes no restart.
    file.write_text(f"{PASSWORD}\n", encoding="utf-8")
    fleet.wait(fleet.all_up)
    look()
    shown.append(replica.post("/-/reload").text)
    process = Path("/proc") / str(replica.process.pid)
    shown.extend((process / name).read_bytes().decode() for name in ("cmdline", "environ"))
    assert replica.end() == 0
    for text in (*shown, *replica.out, *replica.err):
        assert not secret(text)
        assert WRONG not in text
