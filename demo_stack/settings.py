"""Configuration of Prometheus and Alertmanager: the shipped files with addresses on loopback.

Pure. It must not start anything, nor change the shipped rules, routes or templates.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

JOB = "telnyx-sim-exporter"
"""The job name that the shipped rules select."""

_ADDRESSES = frozenset(
    {"api_url", "api_url_file", "app_token", "app_token_file", "app_url", "http_config"}
    | {"routing_key", "routing_key_file", "service_key", "service_key_file", "url"}
)
"""Settings of Slack and PagerDuty that say where to send, and with which secret."""

_QUIET = frozenset({"email_configs", "slack_configs", "wechat_configs"})
"""Integrations that do not send resolved notifications by default."""


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
    shipped: Mapping[str, Any], *, receiver_url: str, folder: Path
) -> dict[str, Any]:
    """Return a configuration with each receiver sending to ``receiver_url``/<its name>.

    Slack and PagerDuty keep their formats and templates; a webhook replaces any other integration.
    Templates are read from ``folder``, or from where an absolute path says. No file with a secret
    is read. Raises ValueError for receivers that are not lists of mappings.
    """
    own = {
        "templates": [str(folder / name) for name in shipped.get("templates") or ()],
        "receivers": [_redirected(each, receiver_url) for each in _list(shipped, "receivers")],
    }
    wait = (shipped.get("global") or {}).get("resolve_timeout")  # all else is where to send
    general = {"global": {"resolve_timeout": wait}} if wait else {}
    return {name: each for name, each in shipped.items() if name != "global"} | own | general


def _redirected(receiver: Mapping[str, Any], receiver_url: str) -> dict[str, Any]:
    name = receiver.get("name")
    redirected: dict[str, Any] = {"name": name}
    for kind in receiver.keys() - {"name"}:
        for each in _list(receiver, kind):
            new_kind, settings = _integration(
                kind, each, f"{receiver_url}/{quote(str(name), safe='')}"
            )
            redirected.setdefault(new_kind, []).append(settings)
    return redirected


def _integration(kind: str, each: dict[str, Any], url: str) -> tuple[str, dict[str, Any]]:
    """Return an integration, by its kind, that sends to a URL without any secret."""
    texts = {name: value for name, value in each.items() if name not in _ADDRESSES}
    if kind == "slack_configs":
        return kind, texts | {"api_url": url}
    if kind == "pagerduty_configs":
        return kind, texts | {"routing_key": "none", "url": url}
    resolved = each.get("send_resolved", kind not in _QUIET)
    return "webhook_configs", {"url": url, "send_resolved": resolved}


def _list(values: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = values.get(name) or []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ValueError(f"{name} is not a list of mappings")
    return found
