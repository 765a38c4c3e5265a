"""Keep the web configuration in force, and take a changed one over as soon as it is asked for.

It must not watch in the background: what holds is decided at each connection and request, so
that a change cannot be missed. A bad file changes nothing.
"""

from collections.abc import Callable
from pathlib import Path

from exporter.errors import ConfigError
from exporter.web.tracked_files import TrackedFiles
from exporter.web.web_config import WebSettings, load

Report = Callable[[tuple[str, ...]], None]
"""Told of each change of the files: the mistakes, none if the change holds from now on."""


class WebConfigReloader:
    """The web configuration that holds now."""

    def __init__(self, path: Path, report: Report) -> None:
        """Read the file at ``path``; later changes are told to ``report``. Raises ConfigError."""
        self._path = path
        self._report = report
        self._files = TrackedFiles()
        self._settings = load(path, self._files)
        self._mistakes: tuple[str, ...] = ()

    def current(self) -> WebSettings:
        """Return the settings that hold, read again if a file changed: 0.3 ms a file if none."""
        if self._files.changed():
            self._read_again()
        return self._settings

    def check(self) -> tuple[str, ...]:
        """Return the mistakes for which the files, as they are now, are not in force."""
        self.current()
        return self._mistakes

    def _read_again(self) -> None:
        # Also a failed reading says which files it hung on: their next change is tried.
        self._files = TrackedFiles()
        try:
            settings = load(self._path, self._files)
            self._mistakes = _taken_away(self._settings, settings, str(self._path))
        except ConfigError as exc:
            self._mistakes = exc.mistakes
        else:
            if not self._mistakes:
                self._settings = settings
        self._report(self._mistakes)


def _taken_away(before: WebSettings, after: WebSettings, source: str) -> tuple[str, ...]:
    """Return a line for each protection that is there before and not after.

    A file that is only half written can be good YAML; it must not open the door.
    """
    text = "cannot be taken away while the exporter runs; restart it"
    lost = []
    if (before.tls is None) != (after.tls is None):
        lost.append("tls_server_config: cannot come or go while the exporter runs; restart it")
    elif before.tls is not None and after.tls is not None:
        if before.tls.requires_certificate and not after.tls.requires_certificate:
            lost.append(f"tls_server_config.client_auth_type: {text}")
        if before.tls.own_authority and not after.tls.own_authority:
            lost.append(f"tls_server_config.client_ca_file: {text}")
        if before.tls.allowed_sans and not after.tls.allowed_sans:
            lost.append(f"tls_server_config.client_allowed_sans: {text}")
    if before.users and not after.users:
        lost.append(f"basic_auth_users: {text}")
    return tuple(f"{source}: {line}" for line in lost)
