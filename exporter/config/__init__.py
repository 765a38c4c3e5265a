"""The settings: file, environment and flags, read and validated as a whole.

It must not act on what it reads: no connection, no database, no server.
"""

from exporter.config.api_keys import read_api_key
from exporter.config.fields import LOG_LEVELS, ExportedTypes, LogFormat, LogLevel
from exporter.config.load import from_environment, load
from exporter.config.postgresql import is_postgresql, read_password_file
from exporter.config.settings import (
    Account,
    Alertmanager,
    ExternalLink,
    Log,
    Metrics,
    Poll,
    Problems,
    Reason,
    Settings,
    SimCards,
    State,
    StuckAfter,
    Web,
    read_listen_addresses,
    read_state,
)

__all__ = [
    "LOG_LEVELS",
    "Account",
    "Alertmanager",
    "ExportedTypes",
    "ExternalLink",
    "Log",
    "LogFormat",
    "LogLevel",
    "Metrics",
    "Poll",
    "Problems",
    "Reason",
    "Settings",
    "SimCards",
    "State",
    "StuckAfter",
    "Web",
    "from_environment",
    "is_postgresql",
    "load",
    "read_api_key",
    "read_listen_addresses",
    "read_password_file",
    "read_state",
]
