import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest


@pytest.mark.parametrize(
    ("words", "prefix"),
    [
        (["--web.external-url=https://example.org/telnyx/"], "/telnyx"),
        (["--web.external-url=https://example.org/telnyx/", "--web.route-prefix=/"], ""),
        (["--web.route-prefix=sims"], "/sims"),
    ],
)
def test_flags_give_the_prefix(
    simulate: Callable[..., Any], export: Callable[..., Any], words: list[str], prefix: str
) -> None:
    """As in Prometheus; what is logged at the start can be opened, and probed."""
    running = export(simulate().url, *words)
    assert httpx.URL(running.url).path == (prefix or "/")
    assert running.get("/metrics").status_code == 200
    assert running.get("/").status_code == 200
    probe = [sys.executable, "-m", "exporter.probe", f"{running.url}/-/healthy"]
    assert subprocess.run(probe, check=False, timeout=30).returncode == 0  # noqa: S603 # ours
    origin = {"Origin": "https://example.org"}
    status = running.http.post(f"{running.url}/-/reload", headers=origin).status_code
    assert status == (200 if "external" in words[0] else 403)
