"""A refused key and a reload: whoever asks for one gets an answer, not an interval later."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from exporter.config import Account

UP = "telnyx_up"
LONG = 900.0
"""Seconds between polls: longer than any test waits."""


@pytest.fixture
async def refused(simulators: Any, settings: Any, build: Any, tmp_path: Path) -> Any:
    """Start a service that polls rarely; of its three accounts the keys of two are refused."""
    good, good_url = await simulators()
    inline, inline_url = await simulators(key="KEY-inline")
    filed, filed_url = await simulators(key="KEY-filed")
    file = tmp_path / "api.key"
    file.write_text("KEY-old")

    def wanted(key: str = "KEY-old") -> Any:
        accounts = (
            Account(name="good", api_key=SecretStr("KEY-simulated"), base_url=good_url),
            Account(name="inline", api_key=SecretStr(key), base_url=inline_url),
            Account(name="filed", api_key_file=str(file), base_url=filed_url),
        )
        return settings({"good": good_url}, interval=LONG).model_copy(update={"accounts": accounts})

    rig = build(wanted())
    await rig.start()
    await rig.until_total("telnyx_exporter_polls_total", 3)
    assert [await rig.total(UP, name) for name in ("good", "inline", "filed")] == [1, 0, 0]
    rig.good, rig.inline, rig.filed, rig.file, rig.wanted = good, inline, filed, file, wanted
    return rig


async def test_a_reload_with_a_new_key_polls_at_once(refused: Any) -> None:
    """A key that stands in the configuration is tried as soon as that is read again."""
    refused.next = refused.wanted(key="KEY-inline")
    assert await refused.exporter.reload() == ()
    await refused.until_total(UP, 1, "inline")


async def test_a_reload_with_a_new_key_file_polls_at_once(refused: Any) -> None:
    """The configuration is as before, its file is not."""
    refused.file.write_text("KEY-filed")
    assert await refused.exporter.reload() == ()
    await refused.until_total(UP, 1, "filed")


async def test_a_reload_tries_a_refused_key_again_at_once(refused: Any) -> None:
    """The configuration is as before, but the key may have been put right at Telnyx."""
    refused.inline.key = refused.filed.key = "KEY-old"
    assert await refused.exporter.reload() == ()
    await refused.until_total(UP, 3)
    assert len(refused.events("poll_recovered")) == 2


async def test_a_reload_tries_a_key_once_that_is_still_refused(refused: Any) -> None:
    """Each reload costs one poll of the refused accounts, and none of the others."""
    served = refused.good.served, refused.inline.served, refused.filed.served
    for more in (1, 2):
        assert await refused.exporter.reload() == ()
        await refused.until_total("telnyx_exporter_polls_total", 3 + 2 * more)
        now = refused.good.served, refused.inline.served, refused.filed.served
        assert now == (served[0], served[1] + more, served[2] + more)
