"""The exporter and its Alertmanagers: configured, reloaded and counted."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from demo_stack.receiver import NotificationReceiver
from exporter.config import Alertmanager
from exporter.errors import ConfigError

SENT = "telnyx_exporter_alerts_sent_total"
ERRORS = "telnyx_exporter_alert_errors_total"
SUCCESS = "telnyx_exporter_alertmanager_last_success_timestamp_seconds"
ACTIVE = "telnyx_exporter_alerts_active"


@pytest.fixture
def target() -> Iterator[str]:
    """Give the URL of a receiver that accepts every alert."""
    with closing(NotificationReceiver(lambda _: None)) as receiver:
        yield receiver.url


async def test_targets_are_counted_from_the_start_and_follow_a_reload(
    simulators: Any, settings: Any, build: Any, target: str, tmp_path: Path
) -> None:
    """Series begin at 0; a target that is removed has none, one that is added is asked at once."""
    _, url = await simulators()
    none = settings({"default": url})
    rig = build(none)
    await rig.start()
    samples = await rig.scrape("telnyx_exporter_alert")
    assert samples == {ACTIVE: {("default",): 0.0}}

    chosen = Alertmanager.model_validate({"targets": [target]})
    rig.next = none.model_copy(update={"alertmanager": chosen})
    assert await rig.exporter.reload() == ()
    samples = await rig.scrape("telnyx_exporter_alert")
    assert samples[SENT] == samples[ERRORS] == {(target,): 0.0}

    async def accepted() -> bool:
        return bool(await rig.total(SUCCESS))

    await rig.until(accepted)

    file = tmp_path / "http.yml"
    file.write_text("basic_auth: {username: x, user: x}")
    wrong = chosen.model_copy(update={"config_file": str(file)})
    rig.next = none.model_copy(update={"alertmanager": wrong})
    mistake, *_ = await rig.exporter.reload()
    assert mistake.startswith(f"{file}:1: basic_auth.user: unknown key")
    assert (await rig.scrape(SENT))[SENT] == {(target,): 0.0}

    rig.next = none
    assert await rig.exporter.reload() == ()
    assert SENT not in await rig.scrape("telnyx_exporter_alert")


async def test_it_does_not_start_with_a_wrong_file(
    simulators: Any, settings: Any, build: Any, tmp_path: Path
) -> None:
    """As with every other mistake in the configuration."""
    _, url = await simulators()
    chosen = Alertmanager.model_validate({"config_file": str(tmp_path / "gone.yml")})
    with pytest.raises(ConfigError, match=r"gone\.yml: cannot be read"):
        build(settings({"default": url}).model_copy(update={"alertmanager": chosen}))
