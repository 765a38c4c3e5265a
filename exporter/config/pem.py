"""Certificates and private keys in PEM: checks them, and passes them to ssl.

It must not know in which section they are configured, or read their files.
"""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

HAS_MEMORY_FILES = hasattr(os, "memfd_create")
"""Whether text can be passed to ssl, which only reads files."""


@dataclass(frozen=True, slots=True)
class Pem:
    """PEM text from a file, or from the configuration itself."""

    key: str
    """Where it is configured: ``cert_file``."""
    path: Path | None
    content: bytes = field(repr=False)

    @contextmanager
    def file(self) -> Iterator[str]:
        """Provide the path of a file with the text."""
        if self.path is not None and not HAS_MEMORY_FILES:
            yield str(self.path)
            return
        # In memory: a key must not be written to disk, and exactly the text that was checked is
        # used, even if the file at the path has changed.
        descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, self.content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)


class PemError(ValueError):
    """PEM that ssl cannot use, and how to fix it; ``pem`` is the invalid text."""

    def __init__(self, pem: Pem, text: str) -> None:
        """Store ``pem``; ``text`` quotes nothing from it."""
        super().__init__(text)
        self.pem = pem


def check_certificates(pem: Pem) -> None:
    """Raise PemError if ``pem`` holds anything but certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        with pem.file() as file:
            context.load_verify_locations(file)
    except OSError as exc:  # ssl's errors are among them
        text = (
            f"contains no certificate in PEM format ({_reason(exc)}); set it to a certificate file"
        )
        raise PemError(pem, text) from None
    stored = context.cert_store_stats()
    if stored["crl"] or not stored["x509"]:
        raise PemError(pem, "contains a revocation list, which is not supported; remove it")


def load_key_pair(context: ssl.SSLContext, certificate: Pem, key: Pem) -> None:
    """Load ``certificate`` and its private ``key`` into ``context``; raises PemError."""

    def passphrase() -> str:
        # Otherwise OpenSSL would prompt for it on the terminal.
        raise PemError(key, "is encrypted; provide the key without a passphrase")

    try:
        with certificate.file() as certificate_file, key.file() as key_file:
            context.load_cert_chain(certificate_file, key_file, passphrase)
    except ssl.SSLError as exc:
        if exc.reason == "KEY_VALUES_MISMATCH":
            text = "does not match the certificate; set it to the key of the certificate"
            raise PemError(key, text) from None
        if (exc.reason or "").startswith(("EE_", "CA_")):
            text = f"is rejected by OpenSSL ({_reason(exc)}); issue a new certificate"
            raise PemError(certificate, text) from None
        text = f"contains no private key in PEM format ({_reason(exc)}); set it to a key file"
        raise PemError(key, text) from None
    except OSError as exc:
        text = f"cannot be read ({exc.strerror}); check the path and permissions"
        raise PemError(key, text) from None


def _reason(exc: OSError) -> str:
    reason = exc.reason if isinstance(exc, ssl.SSLError) else exc.strerror
    return (reason or "unreadable").replace("_", " ").lower()
