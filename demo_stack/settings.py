"""Configuration of Prometheus and Alertmanager: the shipped files with addresses on loopback.

Pure. It must not start anything, nor change the shipped rules, routes or templates.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

JOB = "telnyx-sim-exporter"
"""The job name that the shipped rules select."""

_REDIRECTS: Mapping[str, Callable[[dict[str, Any], str], dict[str, Any]]] = {
    "webhook_configs": lambda each, url: each | {"url": url},
    "slack_configs": lambda each, url: _without(each, "api_url_file") | {"api_url": url},
    "pagerduty_configs": lambda each, url: (
        _without(each, "routing_key_file") | {"routing_key": "none", "url": url}
    ),
}
"""How the address or secret of each integration is replaced by a URL."""


def prometheus_config(
    *, targets: str, alertmanager: str, rules: Sequence[str], scrape_interval: float
) -> dict[str, Any]:
    """Return Prometheus' configuration; rules are evaluated every ``scrape_interval`` seconds too.

    ``targets`` is the path of a file_sd file; ``alertmanager`` is host:port.
    """
    interval = f"{round(scrape_interval * 1000)}ms"
    return {
        "global": {
            "scrape_interval": interval,
            "scrape_timeout": interval,
            "evaluation_interval": interval,
        },
        "rule_files": list(rules),
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [{"job_name": JOB, "file_sd_configs": [{"files": [targets]}]}],
    }


def target_list(exporters: Sequence[str]) -> list[dict[str, Any]]:
    """Return the content of a file_sd file for exporters at these host:port."""
    return [{"targets": list(exporters)}]


def alertmanager_config(
    shipped: dict[str, Any], *, receiver_url: str, folder: str
) -> dict[str, Any]:
    """Return the shipped configuration with each receiver sending to ``receiver_url``/<its name>.

    Templates are read from ``folder``. Raises ValueError for an integration whose address
    cannot be replaced.
    """
    return shipped | {
        "templates": [f"{folder}/{name}" for name in shipped["templates"]],
        "receivers": [
            _redirected(receiver, f"{receiver_url}/{receiver['name']}")
            for receiver in shipped["receivers"]
        ],
    }


def _redirected(receiver: dict[str, Any], url: str) -> dict[str, Any]:
    integrations = receiver.keys() - {"name"}
    if unknown := integrations - _REDIRECTS.keys():
        raise ValueError(f"receiver {receiver['name']}: cannot set the address of {min(unknown)}")
    return receiver | {
        name: [_REDIRECTS[name](each, url) for each in receiver[name]] for name in integrations
    }


def _without(values: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != key}
