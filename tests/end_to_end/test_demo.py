import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_the_demo_shows_what_it_promises(
    command: Callable[..., Any], tmp_path: Path, until: Callable[..., Any]
) -> None:
    """It says what to open; there, within a minute, is all that it says; then nothing is left."""
    home, temporary, work = (tmp_path / name for name in ("home", "tmp", "work"))
    for folder in (home, temporary, work):
        folder.mkdir()
    env = {"HOME": str(home), "TMPDIR": str(temporary)}
    demo = command("demo", "--web.listen-address", "127.0.0.1:0", cwd=work, env=env)
    demo.url = demo.wait_for(r"Open +(http://\S+)/")[1]
    promised = ("actions_failed_total", "actions_interrupted_total", "actions_stuck")
    assert all(any(name in line for line in demo.out) for name in promised)

    for name in promised:
        until(lambda name=name: demo.total(f"telnyx_sim_card_{name}") > 0, within=60)
    assert demo.total("telnyx_up") == 1
    assert "<html" in demo.get("/").text
    demo.wait_for("sim_card_action_failed")
    demo.wait_for("sim_card_action_stuck")

    assert demo.end(signal.SIGINT, within=10) == 0
    assert not [line for line in demo.err if "Traceback" in line]
    assert set(tmp_path.rglob("*")) == {home, temporary, work}
