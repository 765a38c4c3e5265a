"""The key is refused: what is asked meanwhile, and how soon another key is tried."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exporter.errors import AccountError, AuthError, Cause, UnavailableError
from exporter.scheduling.budget import PollBudget
from tests.scheduling.poller.conftest import Inline

Write = Callable[[Path, str], None]
KEY = "KEY-simulated"


def _in_place(file: Path, key: str | None) -> None:
    """Write over the file; None takes it away."""
    if key is None:
        file.unlink()
    else:
        file.write_text(key, encoding="utf-8")


def _atomically(file: Path, key: str) -> None:
    """Put another file in its place."""
    other = file.with_suffix(".new")
    other.write_text(key, encoding="utf-8")
    other.replace(file)


def _as_a_secret_volume_does(file: Path, key: str) -> None:
    """Let the link point to another file."""
    target = file.with_suffix(f".{key}")
    target.write_text(key, encoding="utf-8")
    link = file.with_suffix(".link")
    link.symlink_to(target)
    link.replace(file)


REPLACE = [
    pytest.param(_in_place, id="in place"),
    pytest.param(_atomically, id="atomically"),
    pytest.param(_as_a_secret_volume_does, id="by a link"),
]


@pytest.fixture
def file(rig: Any, tmp_path: Path) -> Path:
    """Give the file of the key, which is the right one so far."""
    path = tmp_path / "api.key"
    path.write_text(KEY, encoding="utf-8")
    rig.account.simulator.key = KEY
    rig.read_key_from(path)
    return path


async def _tick(rig: Any, poller: Any) -> int:
    """Let an interval pass and poll; returns how many requests that took."""
    rig.account.clock.advance(rig.budget.interval)
    served = rig.account.simulator.served
    assert await poller.poll() == 0.0
    return int(rig.account.simulator.served - served)


async def _refused(rig: Any) -> Any:
    """Poll well, then with a key that was revoked; returns the poller."""
    poller = rig.poller()
    await poller.poll()
    assert rig.telemetry.health().up
    rig.account.simulator.key = "KEY-renewed"
    assert await _tick(rig, poller) > 0
    assert rig.telemetry.health().last_cause is Cause.AUTH
    return poller


@pytest.mark.parametrize("replace", REPLACE)
async def test_a_key_that_is_revoked_and_renewed_is_tried_at_the_next_tick(
    rig: Any, file: Path, replace: Write
) -> None:
    """However the file is replaced, the next poll after it sends the new key, and it works."""
    poller = await _refused(rig)
    assert await _tick(rig, poller) == 0
    replace(file, "KEY-renewed")
    assert await _tick(rig, poller) > 0
    assert rig.telemetry.health().up
    assert await _tick(rig, poller) > 0
    assert rig.reported("poll_recovered")


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize(
    ("interval", "between"), [(1.0, 5), (60.0, 5), (100.0, 3), (200.0, 1), (3600.0, 1)]
)
async def test_an_unchanged_key_is_tried_slowly(rig: Any, interval: float, between: int) -> None:
    """It is sent every five intervals, or every five minutes if that is sooner."""
    rig.budget = PollBudget(interval, 86_400.0)
    poller = await _refused(rig)
    asked = [await _tick(rig, poller) > 0 for _ in range(3 * between)]
    assert asked == [*[False] * (between - 1), True] * 3


@pytest.mark.usefixtures("file")
async def test_a_blocked_account_is_asked_for_as_slowly(rig: Any) -> None:
    """It is told as what it is, in Telnyx's words, and works again once it is settled."""
    poller = rig.poller()
    await poller.poll()
    rig.cycle.errors = [AccountError("HTTP 402: 20100 Insufficient funds")] * 3
    asked = []
    for _ in range(15):
        left = len(rig.cycle.errors)
        await _tick(rig, poller)
        asked.append(len(rig.cycle.errors) < left)
    assert asked == [True, *[False] * 4] * 3
    (event,) = rig.reported("poll_failed")
    assert (event["cause"], event["error"]) == ("account", "HTTP 402: 20100 Insufficient funds")
    assert await _tick(rig, poller) > 0
    assert rig.telemetry.health().up


@pytest.mark.usefixtures("file")
async def test_to_look_at_the_key_leaves_no_trace(rig: Any) -> None:
    """While there is no other key nothing is counted, logged or shown that was not before."""
    poller = await _refused(rig)
    health, lines, snapshot = rig.telemetry.health(), rig.stream.getvalue(), rig.account.snapshot
    for _ in range(4):
        assert await _tick(rig, poller) == 0
    assert rig.telemetry.health() == health
    assert not health.up
    assert rig.stream.getvalue() == lines
    assert rig.account.snapshot is snapshot
    assert KEY not in lines


async def test_another_wrong_key_is_tried_once(rig: Any, file: Path) -> None:
    """Each key that was not yet refused is sent at once, and slowly from then on."""
    poller = await _refused(rig)
    for wrong in ("KEY-wrong", "KEY-wrong-too"):
        _in_place(file, wrong)
        assert [await _tick(rig, poller) > 0 for _ in range(6)] == [True, *[False] * 4, True]
    assert [each["cause"] for each in rig.reported("poll_failed")] == ["auth"]


@pytest.mark.parametrize("content", [None, "", "KEY renewed", "\0" * 10_000])
async def test_a_file_that_is_just_being_replaced_is_waited_for(
    rig: Any, file: Path, content: str | None
) -> None:
    """A file that is away, empty or no key for a moment asks for no poll, and breaks none."""
    poller = await _refused(rig)
    _in_place(file, content)
    assert [await _tick(rig, poller) for _ in range(3)] == [0, 0, 0]
    assert rig.telemetry.health().polls == 2
    _in_place(file, "KEY-renewed\n")
    assert await _tick(rig, poller) > 0
    assert rig.telemetry.health().up


async def test_half_a_key_is_followed_by_the_whole(rig: Any, file: Path) -> None:
    """A file that is read while it is written costs one poll, no slow pace."""
    poller = await _refused(rig)
    _in_place(file, "KEY-ren")
    assert await _tick(rig, poller) > 0
    assert not rig.telemetry.health().up
    _in_place(file, "KEY-renewed")
    assert await _tick(rig, poller) > 0
    assert rig.telemetry.health().up


async def test_a_file_that_comes_back_as_it_was_is_read_at_the_next_tick(
    rig: Any, file: Path
) -> None:
    """A poll that meets an empty file fails; the same key in it again is none that was refused."""
    poller = rig.poller()
    await poller.poll()
    _in_place(file, "")
    assert await _tick(rig, poller) == 0
    assert rig.telemetry.health().last_cause is Cause.AUTH
    _in_place(file, KEY)
    assert await _tick(rig, poller) > 0
    assert rig.telemetry.health().up


async def test_a_file_that_stays_away_is_told_slowly(rig: Any, file: Path) -> None:
    """No key at all is a refusal too: the polls that say so are as rare."""
    poller = rig.poller()
    _in_place(file, None)
    counts = []
    for _ in range(11):
        await _tick(rig, poller)
        counts.append(rig.telemetry.health().polls)
    assert counts == [1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3]
    assert rig.account.simulator.served == 0
    assert len(rig.reported("poll_failed")) == 1


@pytest.mark.usefixtures("file")
async def test_a_try_again_does_not_wait(rig: Any) -> None:
    """Asked to, the next poll sends even the refused key: it may work again."""
    poller = await _refused(rig)
    assert await _tick(rig, poller) == 0
    rig.account.simulator.key = KEY
    assert poller.try_again()
    assert await _tick(rig, poller) > 0
    assert rig.telemetry.health().up
    assert not poller.try_again()


@pytest.mark.parametrize("after", [UnavailableError("HTTP 503"), LookupError("defect")])
async def test_another_failure_ends_the_slow_pace(rig: Any, file: Path, after: Exception) -> None:
    """Once the API answers otherwise than by a refusal, it is asked every interval."""
    poller = await _refused(rig)
    _in_place(file, "KEY-renewed")
    rig.cycle.errors = [after, after]
    for _ in range(3):
        await _tick(rig, poller)
    assert rig.telemetry.health().up
    assert rig.telemetry.health().polls == 5


class Meanwhile(Inline):
    """A key that never changes; a poll that takes it is one during which something happens."""

    happens: Callable[[], object] = bool

    def begin(self) -> None:
        """Let it happen."""
        self.happens()


async def test_who_asks_to_try_again_while_a_refused_poll_runs_is_heard(rig: Any) -> None:
    """The poll that runs may have begun with the key of before: the next one tries."""
    rig.key = Meanwhile()
    rig.cycle.errors = [AuthError("HTTP 401")]
    poller = rig.poller()
    rig.key.happens = poller.try_again
    await poller.poll()
    rig.key.happens = bool
    await poller.poll()
    assert rig.telemetry.health().up


@pytest.mark.parametrize("content", ["TELNYX_API_KEY=KEY-simulated", '"KEY-simulated"\n', "KEY..."])
async def test_a_file_that_becomes_what_is_no_key_is_told_and_recovers(
    rig: Any, file: Path, content: str
) -> None:
    """Nothing is sent, the error names the fault without the content, and a good file mends it."""
    poller = rig.poller()
    await poller.poll()
    _in_place(file, content)
    assert await _tick(rig, poller) == 0
    health = rig.telemetry.health()
    assert (health.up, health.last_cause) == (False, Cause.AUTH)
    assert "api_key_file: the file contains " in str(health.last_error)
    assert "KEY-simulated" not in str(health.last_error) + rig.stream.getvalue()
    _in_place(file, f"\ufeff{KEY}\r\n")
    assert await _tick(rig, poller) > 0
    assert rig.telemetry.health().up
