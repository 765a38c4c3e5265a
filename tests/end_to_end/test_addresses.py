import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.support.loopback import NO_TLS

LOOPBACK = ("127.0.0.1:0", "127.0.0.2:0")
WORDS = tuple(f"--web.listen-address={address}" for address in LOOPBACK)
KEY = {"TELNYX_API_KEY": "KEY-simulated"}


def answers(url: str, path: str) -> int:
    """Ask once; return the status."""
    return httpx.get(f"{url}{path}", trust_env=False, verify=NO_TLS, timeout=10).status_code


@pytest.mark.parametrize("command_name", ["run", "demo"])
def test_every_address_is_served(command: Callable[..., Any], command_name: str) -> None:
    """A flag that is given twice is two addresses, each with the port that it got."""
    running = command(command_name, "--log.format=json", *WORDS, env=KEY)
    urls = running.wait_for(r'"address": "(http[^"]+)"')[1].split(",")
    assert [re.sub(r"\d+$", "0", url.removeprefix("http://")) for url in urls] == [*LOOPBACK]
    assert [answers(url, "/-/healthy") for url in urls] == [200, 200]


def test_the_simulator_serves_every_address(command: Callable[..., Any], free_port: int) -> None:
    """It takes the same flag as all else."""
    second = f"127.0.0.2:{free_port}"
    running = command("simulate", WORDS[0], f"--web.listen-address={second}")
    first = running.wait_for(r"base_url (http://127.0.0.1:\S+)/v2")[1]
    assert [answers(url, "/_simulator/record") for url in (first, f"http://{second}")] == [200, 200]


def test_the_file_may_have_a_list(command: Callable[..., Any], tmp_path: Any) -> None:
    """As the flag, and both are one server: a reload by one is a reload."""
    file = tmp_path / "config.yaml"
    file.write_text(
        "accounts: [{api_key: KEY-simulated, base_url: 'http://127.0.0.1:1/v2'}]\n"
        f"web: {{listen_address: {list(LOOPBACK)}}}\nlog: {{format: json}}\n"
    )
    running = command("run", "--config.file", str(file))
    urls = running.wait_for(r'"address": "(http[^"]+)"')[1].split(",")
    assert [answers(url, "/metrics") for url in urls] == [200, 200]
    assert httpx.post(f"{urls[1]}/-/reload", trust_env=False, verify=NO_TLS).status_code == 200
