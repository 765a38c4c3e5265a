"""What is told when the exporter itself is down, or is no target any more."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.monitoring.chain.conftest import end


@pytest.mark.program("prometheus", "alertmanager")
@pytest.mark.timeout(240)
def test_an_exporter_that_is_down_pages_once_and_silences_the_rest(
    start_chain: Callable[..., Any], shipped: dict[str, Any], until: Callable[..., Any]
) -> None:
    """What it said before is silenced; it is told that it is back, and that nobody looks for it."""
    with start_chain("fleet") as chain:
        many = "TelnyxSimFailureRatioHigh"
        for each in chain.create("fleet", "enable", 25):
            chain.end("fleet", each, "failed")
        chain.note("FIRING:1", many, "fleet")

        end(chain.exporter)
        down = shipped["TelnyxSimExporterDown"]["annotations"]
        note = chain.note("FIRING:1", "TelnyxSimExporterDown")
        assert note.receiver == "telnyx-sim-pager"
        details = note.body["payload"]["custom_details"]
        assert details["runbook"] == down["runbook_url"]
        assert f"127.0.0.1:{chain.exporter_port}" in details["text"]
        silent, loud = {"name": "TelnyxSimFailureRatioHigh"}, {"name": "TelnyxSimExporterDown"}
        until(lambda: chain.silenced_by(silent, loud))

        chain.export()
        until(lambda: chain.titles("RESOLVED", "TelnyxSimExporterDown"))
        assert len(chain.titles("TelnyxSimExporterDown")) == 2, chain.titles()

        chain.stack.set_targets()
        absent = shipped["TelnyxSimExporterAbsent"]["annotations"]
        note = chain.note("FIRING:1", "TelnyxSimExporterAbsent")
        assert note.receiver == "telnyx-sim-pager"
        assert note.body["payload"]["custom_details"]["runbook"] == absent["runbook_url"]
        chain.stack.set_targets(f"127.0.0.1:{chain.exporter_port}")
        until(lambda: chain.titles("RESOLVED", "TelnyxSimExporterAbsent"))
        assert len(chain.titles("TelnyxSimExporterAbsent")) == 2, chain.titles()
        assert len(chain.titles("TelnyxSimExporterDown")) == 2, chain.titles()
