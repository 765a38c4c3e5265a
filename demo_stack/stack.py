"""Prometheus with the shipped rules and Alertmanager with the shipped example, as processes.

They scrape exporters that the caller starts. It must not know what is shown or tested.
"""

import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from demo_stack.programs import Program, StackError, find, start
from demo_stack.settings import alertmanager_config, prometheus_config, target_list
from demo_stack.shorten import shorten_alertmanager, shorten_rules

FILES = Path(__file__).parents[1] / "helm" / "telnyx-sim-exporter" / "files"
RULES = FILES / "rules" / "telnyx-sim-exporter.rules.yaml"
ALERTMANAGER = FILES / "alertmanager" / "alertmanager.yaml"


@dataclass(frozen=True, slots=True)
class StackSettings:
    """Ports, the base URL for notifications, and durations.

    ``faster`` divides every duration of rules and routes; ``scrape_interval`` is in seconds. The
    receivers of ``alertmanager_file`` are redirected to that URL.
    """

    receiver_url: str
    prometheus_port: int
    alertmanager_port: int
    faster: float
    scrape_interval: float
    alertmanager_file: Path = ALERTMANAGER
    rules_file: Path = RULES


class Stack:
    """The two programs; ``close`` stops both."""

    def __init__(self, folder: Path, settings: StackSettings, stop: threading.Event) -> None:
        """Start both and wait until they are ready; all files are written to ``folder``.

        Raises StackError if that fails, StoppedError if ``stop`` is set before.
        """
        self.prometheus = f"http://127.0.0.1:{settings.prometheus_port}"
        self.alertmanager = f"http://127.0.0.1:{settings.alertmanager_port}"
        self.programs: list[Program] = []
        prometheus = find("prometheus", "prometheus")
        alertmanager = find("prometheus-alertmanager", "alertmanager", "prometheus-alertmanager")
        self._folder = folder
        self._targets = folder / "targets.yml"
        self.set_targets()
        with ExitStack() as undo:
            undo.callback(self.close)
            self._start_alertmanager(alertmanager, settings)
            self._start_prometheus(prometheus, settings)
            for each, url in zip(self.programs, (self.alertmanager, self.prometheus), strict=True):
                each.wait_for(f"{url}/-/ready", stop)
            undo.pop_all()

    def close(self) -> None:
        """Stop both programs."""
        for each in reversed(self.programs):
            each.stop()

    def set_targets(self, *exporters: str) -> None:
        """Make Prometheus scrape the exporters at these host:port, and no others."""
        new_file = self._targets.with_suffix(".new")
        _write(new_file, target_list(exporters))
        new_file.replace(self._targets)  # atomically: Prometheus must not read a partial file

    def _start_alertmanager(self, path: str, settings: StackSettings) -> None:
        file = self._folder / "alertmanager.yml"
        _write(file, shorten_alertmanager(_redirected(settings), settings.faster))
        self._start(
            "alertmanager",
            path,
            f"--config.file={file}",
            f"--storage.path={self._folder / 'alertmanager'}",
            f"--web.listen-address={self.alertmanager.removeprefix('http://')}",
            "--cluster.listen-address=",
        )

    def _start_prometheus(self, path: str, settings: StackSettings) -> None:
        rules = self._folder / "rules.yml"
        shipped = yaml.safe_load(settings.rules_file.read_text(encoding="utf-8"))
        _write(rules, shorten_rules(shipped, settings.faster))
        file = self._folder / "prometheus.yml"
        config = prometheus_config(
            targets=str(self._targets),
            alertmanager=self.alertmanager.removeprefix("http://"),
            rules=[str(rules)],
            scrape_interval=settings.scrape_interval,
        )
        _write(file, config)
        self._start(
            "prometheus",
            path,
            f"--config.file={file}",
            f"--storage.tsdb.path={self._folder / 'prometheus'}",
            f"--web.listen-address={self.prometheus.removeprefix('http://')}",
            f"--web.external-url={self.prometheus}",
        )

    def _start(self, name: str, *command: str) -> None:
        self.programs.append(start(name, command, self._folder))


def _redirected(settings: StackSettings) -> dict[str, Any]:
    """Return Alertmanager's configuration; raises StackError if the file cannot be used."""
    file = settings.alertmanager_file
    try:
        given = yaml.safe_load(file.read_text(encoding="utf-8"))
        if not isinstance(given, dict):
            raise StackError(f"{file}: not a configuration of Alertmanager, which is a mapping")
        url, folder = settings.receiver_url, file.absolute().parent
        return alertmanager_config(given, receiver_url=url, folder=folder)
    except (OSError, ValueError, yaml.YAMLError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else " ".join(str(exc).split())
        raise StackError(f"{file}: {reason}") from exc


def _write(file: Path, value: Any) -> None:
    """Write a value as YAML."""
    file.write_text(yaml.safe_dump(value, sort_keys=False), encoding="utf-8")
