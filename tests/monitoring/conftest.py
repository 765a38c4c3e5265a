"""Start Alertmanagers with configurations of the tests."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from threading import Event
from typing import Any

import pytest
import yaml

from demo_stack.programs import reserve_port, start


@pytest.fixture(scope="module")
def start_alertmanager(
    program_path: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[dict[str, Any]], str]]:
    """Give what starts an Alertmanager with a configuration, and returns its URL; it is ended."""
    with ExitStack() as undo:

        def run(config: dict[str, Any]) -> str:
            folder = tmp_path_factory.mktemp("alertmanager")
            file = folder / "alertmanager.yml"
            file.write_text(yaml.safe_dump(config), encoding="utf-8")
            listen = f"127.0.0.1:{reserve_port('Alertmanager', 0)}"
            command = (
                program_path("alertmanager"),
                f"--config.file={file}",
                f"--storage.path={folder / 'data'}",
                f"--web.listen-address={listen}",
                "--cluster.listen-address=",
            )
            program = start("alertmanager", command, folder)
            undo.callback(program.stop)
            program.wait_for(f"http://{listen}/-/ready", Event())
            return f"http://{listen}"

        yield run
