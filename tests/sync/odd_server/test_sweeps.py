"""Sweeps of lists that are not answered, while everything else is."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from exporter.simulator.settings import ListOrder
from tests.sync.odd_server.conftest import as_ever

OpenOdd = Callable[..., Any]
Params = dict[str, str]


def refuse_filtered(account: Any, code: int, *, beyond: int) -> None:
    """Let lists by type and status be refused beyond a page, but for their totals."""

    def answer(_path: str, params: Params) -> httpx.Response | None:
        both = {"filter[status]", "filter[action_type]"} <= params.keys()
        deep = both and int(params["page[number]"]) > beyond
        return httpx.Response(code) if deep and params["page[size]"] != "1" else None

    account.server.answer = answer


def turn_up(account: Any, count: int) -> None:
    """Let failures of long ago turn up in the middle of the list, where no poll looks."""
    account.server.create(count, "failed", at=account.clock() - 50_000)
    found = account.server.items[-count:]
    del account.server.items[-count:]
    account.server.items[100:100] = found


@pytest.mark.parametrize(
    ("order", "code", "beyond"),
    [
        pytest.param(ListOrder.NEWEST, 400, 0, id="newest first, 400"),
        pytest.param(ListOrder.NEWEST, 500, 0, id="newest first, 500"),
        pytest.param(ListOrder.OLDEST, 500, 0, id="oldest first, 500"),
        pytest.param(ListOrder.OLDEST, 422, 5, id="oldest first, deep pages"),
    ],
)
async def test_a_sweep_that_is_refused_holds_up_nothing(
    open_odd: OpenOdd, order: ListOrder, code: int, beyond: int
) -> None:
    """Polls and audits go on and say what was given up; once the list is served, drift ends."""
    account = open_odd(audit_interval=180.0)
    account.server.order = order
    account.server.history(3_010, "failed")
    await account.poll()
    refuse_filtered(account, code, beyond=beyond)
    turn_up(account, 20)
    abandoned_sweeps = []
    for part in range(1, 13):
        account.server.follow_on(1, "failed", apart=5.0)
        await account.poll()
        assert account.counts == {"created": part, "failed": part}
        abandoned_sweeps += account.abandoned_sweeps
    assert len(abandoned_sweeps) > 1
    assert all(each.startswith("enable, failed: ") for each in abandoned_sweeps)
    assert account.ledger.snapshot.drift["failed"] == 20
    account.server.answer = as_ever
    for _ in range(9):
        await account.poll()
        assert not account.abandoned_sweeps
    assert set(account.ledger.snapshot.drift.values()) == {0}
    assert account.counts == {"created": 12, "failed": 12}


async def test_a_sweep_that_is_given_up_as_an_audit_is_due_is_told(open_odd: OpenOdd) -> None:
    """Each poll audits, and so polls twice: what the first half gave up is told all the same."""
    account = open_odd(audit_interval=60.0)
    account.server.history(3_010, "failed")
    await account.poll()
    refuse_filtered(account, 400, beyond=0)
    turn_up(account, 20)
    abandoned_sweeps = []
    for _ in range(6):
        await account.poll()
        abandoned_sweeps += account.abandoned_sweeps
    assert abandoned_sweeps


@pytest.mark.parametrize("code", [400, 404, 422])
async def test_a_sweep_that_may_not_read_to_its_end_finds_no_end(
    open_odd: OpenOdd, code: int
) -> None:
    """Newest first, 20 failures turn up beyond what may be listed: they stay drift until it may."""
    account = open_odd(audit_interval=180.0)
    await account.poll()
    account.server.follow_on(3_010, "failed", apart=1.0)
    await account.poll()
    refuse_filtered(account, code, beyond=5)
    account.server.create(20, "failed", at=account.clock() - 3_000)
    found = account.server.items[-20:]
    del account.server.items[-20:]
    account.server.items[100:100] = found
    for _ in range(12):
        await account.poll()
    assert account.ledger.snapshot.drift["failed"] == 20
    account.server.answer = as_ever
    for _ in range(12):
        await account.poll()
    assert account.counts == {"created": 3_030, "failed": 3_030}
