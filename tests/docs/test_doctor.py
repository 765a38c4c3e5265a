"""Hold what is told of `doctor` to what it does."""

import re
import time
from pathlib import Path

import pytest

from exporter.config import Settings
from exporter.doctor.examination import Examination
from exporter.doctor.findings import ACCOUNT_CHECKS, LOCAL_CHECKS
from exporter.doctor.local_checks import configuration_finding
from exporter.doctor.rendering import as_text
from exporter.simulator.server import serving
from exporter.simulator.settings import SimulatorSettings
from exporter.simulator.simulator import Simulator
from exporter.telnyx.http import Network
from tests.docs.documents import blocks, names, page, section, table
from tests.doctor.conftest import HastyClock

OPTIONS = {"order": "none", "sim_cards_forbidden": 1.0}


def test_checks_are_those_of_the_code() -> None:
    """Each is explained, in the order of the output."""
    rows = table(section(page("operations"), "Doctor"))
    assert [name for row in rows for name in names(row[0])] == [*LOCAL_CHECKS, *ACCOUNT_CHECKS]


async def test_the_sample_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is what the command prints of that simulated account, but for the figures."""
    monkeypatch.chdir(tmp_path)
    (sample,) = blocks("text", "telnyx-sim-exporter ")
    command = f"simulate --order {OPTIONS['order']} --sim-cards-forbidden 1`"
    assert command in page("operations")
    simulator = Simulator(SimulatorSettings.from_options(OPTIONS), time.time)
    async with serving(simulator) as url:
        accounts = [{"api_key": "KEY-simulated", "base_url": url}]
        settings = Settings.model_validate({"accounts": accounts, "poll": {"rate_limit": 50}})
        network = Network.read([url], {}, strict=False)
        examination = Examination(settings, settings.accounts, network, None, HastyClock())
        await examination.run()
    report = examination.report(configuration_finding((), 1, "config.yaml"))
    about = {"telnyx-sim-exporter": "0", "Python": "0"}
    shown = as_text(report, about, width=80, encoding="utf-8")
    figures = re.compile(r"\d[\d.,]*")
    assert figures.sub("0", shown).splitlines() == figures.sub("0", sample).splitlines()
