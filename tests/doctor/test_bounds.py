import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.doctor.findings import ACCOUNT_CHECKS
from exporter.simulator.faults import Fault
from exporter.simulator.simulator import Simulator
from tests.doctor.conftest import examine_simulator

AT_ONCE = [each for each in Fault if each not in {Fault.SLOW, Fault.SILENCE}]
"""The faults that take no time."""

ACCOUNTS = st.fixed_dictionaries(
    {},
    optional={
        "history": st.sampled_from([0, 40, 3000]),
        "stuck_at_start": st.integers(0, 3),
        "rate": st.sampled_from([0, 500]),
        "order": st.sampled_from(["newest", "oldest", "updated", "none"]),
        "mix": st.sampled_from(["enable=1", "a=1,b=1"]),
        "page_size_cap": st.sampled_from([0, 1, 100]),
        "page_depth": st.sampled_from([0, 1, 100, 500]),
        "totals_missing": st.sampled_from([0, 0.5, 1]),
        "meta_missing": st.sampled_from([0, 0.5]),
        "totals_zero": st.sampled_from([0, 0.5, 1]),
        "totals_jump": st.sampled_from([0, 0.5, 1]),
        "malformed": st.sampled_from([0, 0.5, 1]),
        "odd_status": st.sampled_from([0, 0.5]),
        "odd_times": st.sampled_from([0, 0.5]),
        "unknown_status": st.sampled_from([0, 1]),
        "sim_cards_error": st.sampled_from([0, 1]),
        "bulk_summary": st.sampled_from(["list", "object", "nowhere"]),
    },
)


@settings(max_examples=12, deadline=None)
@given(options=ACCOUNTS, faults=st.lists(st.none() | st.sampled_from(AT_ONCE), max_size=40))
def test_whatever_an_account_does_every_check_ends_within_25_requests(
    options: dict[str, object], faults: list[Fault | None]
) -> None:
    """Each check has a finding, in order, and each that is bad says what to do."""

    def prepare(simulator: Simulator) -> None:
        simulator.world.create(2, action_type="enable_voice", bulk=True)
        simulator.faults.script(*faults)

    found = asyncio.run(examine_simulator(options, prepare=prepare))
    assert tuple(found.checks) == ACCOUNT_CHECKS
    assert found.simulator.served <= 25
    assert found.requests == found.simulator.served
    results = {name: each.result for name, each in found.checks.items()}
    assert "fail" in results.values() or results["list"] in {"ok", "warn"}
    for each in found.checks.values():
        assert each.text
        assert bool(each.remedy) == (each.result in {"warn", "fail"}), each
        assert each.result in {"ok", "warn", "fail", "skip"}


@pytest.mark.parametrize(("answered", "requests"), [(0, 2), (1, 5)])
async def test_silence_is_waited_for_twice(answered: int, requests: int) -> None:
    """Without the first page, or after two questions that nobody answers, it gives up."""

    def prepare(simulator: Simulator) -> None:
        simulator.faults.script(*[None] * answered, *[Fault.SILENCE] * 30)

    poll = {"rate_limit": 1000, "request_timeout": "300ms"}
    found = await examine_simulator(prepare=prepare, poll=poll)
    assert found.requests == requests
    if answered:
        assert found.checks["order"].result == "ok"
        assert found.checks["totals"].text == "two questions in a row were not answered"
    else:
        assert found.checks["origin"].result == "fail"
        assert found.checks["totals"].text == "the list of actions was not read"
