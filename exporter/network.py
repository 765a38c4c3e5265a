"""The routes to the APIs of the accounts, from the settings and the environment."""

import os

from exporter.config import Settings
from exporter.telnyx.http import Network


def find_network(settings: Settings) -> Network:
    """Return the routes to the APIs of the accounts. Raises ConfigError with every mistake."""
    urls = (account.base_url for account in settings.accounts)
    return Network.read(urls, os.environ, strict=settings.poll.tls_strict)
