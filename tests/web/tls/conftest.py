"""Make certificates with openssl, and web configurations that use them."""

import ssl
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Authority:
    """A certificate authority made by openssl for one run of the tests; all files are PEM."""

    openssl: str
    folder: Path

    @property
    def file(self) -> Path:
        """Give its own certificate."""
        return self.folder / "ca.pem"

    def issue(self, folder: Path, name: str, names: str = "DNS:localhost,IP:127.0.0.1") -> None:
        """Write NAME.pem and NAME.key, certified for ``names``, into ``folder``."""
        extensions = (f"subjectAltName={names}", "authorityKeyIdentifier=keyid")
        self._make(folder / name, extensions, ("-CA", "ca.pem", "-CAkey", "ca.key"))

    def found(self) -> None:
        """Make the key and the certificate of the authority itself."""
        (self.folder / "req.cnf").write_text("[req]\ndistinguished_name=dn\n[dn]\n")
        extensions = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
        self._make(self.folder / "ca", extensions)

    def context(self, certificate: Path | None = None) -> ssl.SSLContext:
        """Give the TLS side of a client that trusts it, with NAME.pem and NAME.key if given."""
        context = ssl.create_default_context(cafile=str(self.file))
        if certificate is not None:
            context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        return context

    def run(self, folder: Path, *words: str) -> None:
        """Run openssl in a folder."""
        subprocess.run(  # noqa: S603 # openssl, with arguments of our own
            [self.openssl, *words], cwd=folder, check=True, capture_output=True, timeout=30
        )

    def _make(self, stem: Path, extensions: Iterable[str], *more: Iterable[str]) -> None:
        every = ("subjectKeyIdentifier=hash", *extensions)
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        self.run(
            self.folder,
            *("req", "-x509", "-config", "req.cnf", "-days", "2"),
            *key,
            *("-subj", f"/CN={stem.name}", "-keyout", f"{stem}.key", "-out", f"{stem}.pem"),
            *(part for each in every for part in ("-addext", each)),
            *(part for each in more for part in each),
        )


@pytest.fixture(scope="session")
def authority(
    program_path: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Authority:
    """Give an authority; a test that uses it is marked ``program("openssl")``."""
    authority = Authority(program_path("openssl"), tmp_path_factory.mktemp("authority"))
    authority.found()
    return authority


@pytest.fixture
def secured(authority: Authority, web_file: Any) -> Callable[..., str]:
    """Give a maker of the text of a configuration with TLS, which may say more of it.

    The certificate, server.pem, is new, and stands beside the file.
    """
    folder = web_file.path.parent

    def make(*more: str) -> str:
        authority.issue(folder, "server")
        lines = ("cert_file: server.pem", "key_file: server.key", *more)
        return "tls_server_config:\n" + "".join(f"  {line}\n" for line in lines)

    return make
