"""What Prometheus and Alertmanager are told, as values: the shipped files, wired up on loopback.

Pure. It must not start anything, nor change what the shipped rules, routes or templates say.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

JOB = "telnyx-sim-exporter"
"""The job that the shipped rules select."""

_WIRED: Mapping[str, Callable[[dict[str, Any], str], dict[str, Any]]] = {
    "webhook_configs": lambda each, url: each | {"url": url},
    "slack_configs": lambda each, url: _without(each, "api_url_file") | {"api_url": url},
    "pagerduty_configs": lambda each, url: (
        _without(each, "routing_key_file") | {"routing_key": "none", "url": url}
    ),
}
"""How each kind of receiver is told where to send, in place of an address or a secret."""


def prometheus_config(
    *, targets: str, alertmanager: str, rules: Sequence[str], seconds: float
) -> dict[str, Any]:
    """Return Prometheus' configuration: scrape and judge every so many ``seconds``.

    ``targets`` is a file that lists the exporters, read again when it changes; ``alertmanager``
    is host:port.
    """
    every = f"{round(seconds * 1000)}ms"
    return {
        "global": {
            "scrape_interval": every,
            "scrape_timeout": every,
            "evaluation_interval": every,
        },
        "rule_files": list(rules),
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [{"job_name": JOB, "file_sd_configs": [{"files": [targets]}]}],
    }


def target_list(exporters: Sequence[str]) -> list[dict[str, Any]]:
    """Return the file of targets for exporters at these host:port."""
    return [{"targets": list(exporters)}]


def alertmanager_config(shipped: dict[str, Any], *, sink: str, folder: str) -> dict[str, Any]:
    """Return the shipped configuration with each receiver sending to ``sink``/<its name>.

    Templates are looked for in ``folder``. Raises ValueError for a kind of receiver of which it
    is not known how to tell it an address.
    """
    return shipped | {
        "templates": [f"{folder}/{name}" for name in shipped["templates"]],
        "receivers": [
            _wired(receiver, f"{sink}/{receiver['name']}") for receiver in shipped["receivers"]
        ],
    }


def _wired(receiver: dict[str, Any], url: str) -> dict[str, Any]:
    kinds = receiver.keys() - {"name"}
    if unknown := kinds - _WIRED.keys():
        raise ValueError(f"receiver {receiver['name']}: {min(unknown)} has no known address")
    return receiver | {kind: [_WIRED[kind](each, url) for each in receiver[kind]] for kind in kinds}


def _without(values: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != key}
