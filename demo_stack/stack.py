"""Prometheus with the shipped rules and Alertmanager with the shipped example, as processes.

They watch exporters that others start. What is shown or checked of it, it must not know.
"""

import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from demo_stack.programs import Program, find, start
from demo_stack.settings import alertmanager_config, prometheus_config, target_list
from demo_stack.shorten import shorten_alertmanager, shorten_rules

FILES = Path(__file__).parents[1] / "helm" / "telnyx-sim-exporter" / "files"
RULES = FILES / "rules" / "telnyx-sim-exporter.rules.yaml"
ALERTMANAGER = FILES / "alertmanager" / "alertmanager.yaml"


@dataclass(frozen=True, slots=True)
class Plan:
    """Where to listen, where to send, and how fast.

    ``faster`` divides every duration of rules and routes; ``seconds`` lie between two scrapes.
    """

    sink: str
    prometheus_port: int
    alertmanager_port: int
    faster: float
    seconds: float


class Stack:
    """The two programs; a context manager that ends both."""

    def __init__(self, folder: Path, plan: Plan, stop: threading.Event) -> None:
        """Start both and wait until they are ready; all files go to ``folder``.

        Raises StackError if that fails, StoppedError if ``stop`` is set meanwhile.
        """
        self.prometheus = f"http://127.0.0.1:{plan.prometheus_port}"
        self.alertmanager = f"http://127.0.0.1:{plan.alertmanager_port}"
        self.programs: list[Program] = []
        prometheus = find("prometheus", "prometheus")
        alertmanager = find("prometheus-alertmanager", "alertmanager", "prometheus-alertmanager")
        self._folder = folder
        self._targets = folder / "targets.yml"
        self.watch()
        with ExitStack() as undo:
            undo.callback(self.close)
            self._start_alertmanager(alertmanager, plan)
            self._start_prometheus(prometheus, plan)
            for each, url in zip(self.programs, (self.alertmanager, self.prometheus), strict=True):
                each.wait_for(f"{url}/-/ready", stop)
            undo.pop_all()

    def close(self) -> None:
        """End both programs, whatever they are doing."""
        for each in reversed(self.programs):
            each.end()

    def watch(self, *exporters: str) -> None:
        """Let Prometheus scrape the exporters at these host:port, and no others."""
        fresh = self._targets.with_suffix(".new")
        _write(fresh, target_list(exporters))
        fresh.replace(self._targets)  # at once: half a file would be an error

    def _start_alertmanager(self, path: str, plan: Plan) -> None:
        shipped = yaml.safe_load(ALERTMANAGER.read_text(encoding="utf-8"))
        wired = alertmanager_config(shipped, sink=plan.sink, folder=str(ALERTMANAGER.parent))
        file = self._folder / "alertmanager.yml"
        _write(file, shorten_alertmanager(wired, plan.faster))
        self._start(
            "alertmanager",
            path,
            f"--config.file={file}",
            f"--storage.path={self._folder / 'alertmanager'}",
            f"--web.listen-address={self.alertmanager.removeprefix('http://')}",
            "--cluster.listen-address=",
        )

    def _start_prometheus(self, path: str, plan: Plan) -> None:
        rules = self._folder / "rules.yml"
        shipped = yaml.safe_load(RULES.read_text(encoding="utf-8"))
        _write(rules, shorten_rules(shipped, plan.faster))
        file = self._folder / "prometheus.yml"
        config = prometheus_config(
            targets=str(self._targets),
            alertmanager=self.alertmanager.removeprefix("http://"),
            rules=[str(rules)],
            seconds=plan.seconds,
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


def _write(file: Path, value: Any) -> None:
    """Write a value as YAML."""
    file.write_text(yaml.safe_dump(value, sort_keys=False), encoding="utf-8")
