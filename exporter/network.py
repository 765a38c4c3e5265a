"""The routes to the APIs of the accounts and to Alertmanager, from settings and environment."""

import os
from pathlib import Path

from exporter.config import Settings
from exporter.sinks.alertmanager.http_config import HttpConfigReloader
from exporter.telnyx.http import Network


def find_network(settings: Settings) -> Network:
    """Return the routes to the APIs of the accounts. Raises ConfigError with every mistake."""
    urls = (account.base_url for account in settings.accounts)
    return Network.read(urls, os.environ, strict=settings.poll.tls_strict)


def find_alertmanager(settings: Settings) -> HttpConfigReloader | None:
    """Return how the targets of alerts are reached; None if nothing is configured.

    Raises ConfigError with every mistake in the file of ``alertmanager.config_file``.
    """
    chosen = settings.alertmanager
    if not chosen.targets and chosen.config_file is None:
        return None
    path = None if chosen.config_file is None else Path(chosen.config_file)
    return HttpConfigReloader(path, chosen.targets, os.environ)
