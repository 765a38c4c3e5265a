"""Provides the current web configuration, and reloads it when a file has changed.

It must not watch files in the background: they are checked for each connection and request, so that
no change is missed. An invalid file changes nothing.
"""

from collections.abc import Callable
from pathlib import Path

from exporter.config.tracked_files import TrackedFiles
from exporter.errors import ConfigError
from exporter.web.web_config import WebSettings, load

MistakesCallback = Callable[[tuple[str, ...]], None]
"""Called after each change of the files with the mistakes in them: none if it is in effect."""


class WebConfigReloader:
    """The current web configuration."""

    def __init__(self, path: Path, report: MistakesCallback) -> None:
        """Load the file at ``path``; ``report`` is called for later changes. Raises ConfigError."""
        self._path = path
        self._report = report
        self._files = TrackedFiles()
        self._settings = load(path, self._files)
        self._mistakes: tuple[str, ...] = ()

    def current(self) -> WebSettings:
        """Return the current settings, reloaded if a file changed; takes 0.3 ms per file if not."""
        if self._files.changed():
            self._read_again()
        return self._settings

    def check(self) -> tuple[str, ...]:
        """Return the mistakes because of which the current files are not in effect."""
        self.current()
        return self._mistakes

    def _read_again(self) -> None:
        # A failed load also records the files it depends on: their next change is tried.
        self._files = TrackedFiles()
        try:
            settings = load(self._path, self._files)
            self._mistakes = _removed_protections(self._settings, settings, str(self._path))
        except ConfigError as exc:
            self._mistakes = exc.mistakes
        else:
            if not self._mistakes:
                self._settings = settings
        self._report(self._mistakes)


def _removed_protections(before: WebSettings, after: WebSettings, source: str) -> tuple[str, ...]:
    """Return a line for each protection that would be removed.

    A partly written file can be valid YAML; it must not disable protection.
    """
    text = "cannot be removed by a reload; restart the exporter"
    removed = []
    if (before.tls is None) != (after.tls is None):
        removed.append(
            "tls_server_config: cannot be added or removed by a reload; restart the exporter"
        )
    elif before.tls is not None and after.tls is not None:
        if before.tls.requires_certificate and not after.tls.requires_certificate:
            removed.append(f"tls_server_config.client_auth_type: {text}")
        if before.tls.own_authority and not after.tls.own_authority:
            removed.append(f"tls_server_config.client_ca_file: {text}")
        if before.tls.allowed_sans and not after.tls.allowed_sans:
            removed.append(f"tls_server_config.client_allowed_sans: {text}")
    if before.users and not after.users:
        removed.append(f"basic_auth_users: {text}")
    return tuple(f"{source}: {line}" for line in removed)
