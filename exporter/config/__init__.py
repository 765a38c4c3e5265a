"""The settings: the file, the environment and the flags, read and validated as a whole.

It must not act on what it reads: no connection, no database, no server.
"""

from exporter.config.durations import format_duration, parse_duration
from exporter.config.fields import LOG_LEVELS, LogFormat, LogLevel
from exporter.config.keys import read_api_key
from exporter.config.load import from_environment, load
from exporter.config.schema import json_schema
from exporter.config.settings import (
    Account,
    ExternalLink,
    Log,
    Poll,
    Reason,
    Settings,
    State,
    StuckAfter,
    Web,
    read_listen_addresses,
)

__all__ = [
    "LOG_LEVELS",
    "Account",
    "ExternalLink",
    "Log",
    "LogFormat",
    "LogLevel",
    "Poll",
    "Reason",
    "Settings",
    "State",
    "StuckAfter",
    "Web",
    "format_duration",
    "from_environment",
    "json_schema",
    "load",
    "parse_duration",
    "read_api_key",
    "read_listen_addresses",
]
