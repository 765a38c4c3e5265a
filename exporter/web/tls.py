"""Make the TLS side of the server from ``tls_server_config``, with certificates and key checked.

It must not listen, and must not decide when files are read again.
"""

import ipaddress
import os
import platform
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from exporter.web import suites
from exporter.web.files import Files
from exporter.web.form import Section, boolean, path, text, texts

PYTHON = f"Python {platform.python_version()}"
"""Who may refuse a curve that OpenSSL has: older ones do so with X25519."""


@dataclass(frozen=True, slots=True, eq=False)
class Tls:
    """How to speak TLS; each reading of the files makes a new one."""

    context: ssl.SSLContext
    allowed_sans: frozenset[str] = frozenset()
    """Names of which a client's certificate has to carry one; empty: any name."""
    own_authority: bool = False
    """Whether clients have to come from authorities of the file, not from those of the system."""

    @property
    def requires_certificate(self) -> bool:
        """Tell whether a client without a certificate is turned away."""
        return self.context.verify_mode is ssl.CERT_REQUIRED

    def admits(self, certificate: Mapping[str, object] | None) -> bool:
        """Tell whether a verified certificate, as ssl decodes it, carries an allowed name."""
        return not self.allowed_sans or not self.allowed_sans.isdisjoint(_names(certificate or {}))


@dataclass(frozen=True, slots=True)
class _Pem:
    """PEM text: in a file, or written into the configuration."""

    key: str
    """Where a mistake about it stands."""
    place: Path | None
    content: bytes = field(repr=False)

    @contextmanager
    def file(self) -> Iterator[str]:
        """Give the path of a file that holds it, as ssl reads nothing else."""
        if self.place is not None and not hasattr(os, "memfd_create"):
            yield str(self.place)
            return
        # In memory: a key must not touch a disk it was not put on, and what was read and checked is
        # what is used, whatever stands at the path by now.
        descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, self.content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)


def read_tls(section: Section, files: Files, folder: Path) -> Tls | None:
    """Return what ``section`` says, None if it is empty; mistakes are noted in the section.

    Relative paths are from ``folder``.
    """
    if not section:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION  # as in Go; OpenSSL before 3 would let clients
    _negotiation(section, context)
    certificate, key, authority = (
        _pem(section, name, files, folder) for name in ("cert", "key", "client_ca")
    )
    auth = section.take("client_auth_type", suites.client_auth, None)
    none: Sequence[str] = ()
    names = frozenset(section.take_text("client_allowed_sans", texts, none))
    section.end()
    for pem, name in ((certificate, "cert_file"), (key, "key_file")):
        if pem is None and not section.given(name) and not section.given(name[: -len("_file")]):
            section.wrong(name, "is missing; TLS needs a certificate and its key")
    if certificate is not None and _holds_certificates(section, certificate) and key is not None:
        _load(section, context, certificate, key)
    if auth is not None or not section.given("client_auth_type"):
        _clients(section, auth or ssl.CERT_NONE, names)
    if authority is not None and _holds_certificates(section, authority):
        with authority.file() as file:
            context.load_verify_locations(file)
        # As in Go, each certificate of the file is trusted, be it self-signed or not.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    elif auth is not None and auth is not ssl.CERT_NONE:
        context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
    context.verify_mode = auth or ssl.CERT_NONE
    return Tls(context, names, own_authority=authority is not None)


def _negotiation(section: Section, context: ssl.SSLContext) -> None:
    lowest = section.take("min_version", suites.version, ssl.TLSVersion.TLSv1_2)
    highest = section.take("max_version", suites.version, ssl.TLSVersion.TLSv1_3)
    if lowest > highest:
        section.wrong("max_version", "is below min_version; raise it")
    context.minimum_version, context.maximum_version = lowest, highest
    chosen = section.take("cipher_suites", suites.suites, "")
    curve = section.take("curve_preferences", suites.curve, "")
    try:
        if chosen:
            context.set_ciphers(chosen)
    except ssl.SSLError:
        section.wrong("cipher_suites", "this OpenSSL has none of them; name others")
    try:
        if curve:
            context.set_ecdh_curve(curve)
    except (ssl.SSLError, ValueError):
        section.wrong("curve_preferences", f"{PYTHON}'s ssl cannot set it; name another")
    if section.take("prefer_server_cipher_suites", boolean, default=True):
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE


def _pem(section: Section, name: str, files: Files, folder: Path) -> _Pem | None:
    inline = section.take(name, text, "")
    key = f"{name}_file"
    file = section.take(key, path, "")
    if section.given(name) and section.given(key):
        section.wrong(key, f"stands beside {name}; keep one of the two")
        return None
    if inline and not hasattr(os, "memfd_create"):
        section.wrong(name, f"this system's ssl reads files only; use {key}")
        return None
    if inline:
        return _Pem(name, None, inline.encode())
    try:
        return _Pem(key, folder / file, files.read(folder / file)) if file else None
    except ValueError as exc:
        section.wrong(key, str(exc))
        return None


def _clients(section: Section, auth: ssl.VerifyMode, names: frozenset[str]) -> None:
    """Note what does not fit together about the certificates of clients."""
    authority = next((key for key in ("client_ca", "client_ca_file") if section.given(key)), "")
    if authority and auth is ssl.CERT_NONE:
        section.wrong(authority, "has no use; add client_auth_type: RequireAndVerifyClientCert")
    if names and auth is not ssl.CERT_REQUIRED:
        section.wrong(
            "client_allowed_sans",
            "clients may come without a certificate; "
            "set client_auth_type: RequireAndVerifyClientCert",
        )
    if section.given("client_allowed_sans") and not names and auth is not ssl.CERT_NONE:
        text = "is empty, so no certificate would do; name at least one, or remove the key"
        section.wrong("client_allowed_sans", text)


def _holds_certificates(section: Section, pem: _Pem) -> bool:
    probe = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        with pem.file() as file:
            probe.load_verify_locations(file)
    except OSError as exc:  # ssl's errors are among them
        section.wrong(pem.key, f"holds no certificate in PEM ({_words(exc)}); name one")
        return False
    stored = probe.cert_store_stats()
    if stored["crl"] or not stored["x509"]:
        section.wrong(pem.key, "holds a revocation list, which would not be used; remove it")
        return False
    return True


def _load(section: Section, context: ssl.SSLContext, certificate: _Pem, key: _Pem) -> None:
    def passphrase() -> str:
        # Without this answer OpenSSL asks on the terminal, and waits.
        raise ValueError("is encrypted; write the key without a passphrase")

    try:
        with certificate.file() as certificate_file, key.file() as key_file:
            context.load_cert_chain(certificate_file, key_file, passphrase)
    except ssl.SSLError as exc:
        if exc.reason == "KEY_VALUES_MISMATCH":
            section.wrong(key.key, "is not the key of the certificate; name the one it came with")
        elif (exc.reason or "").startswith(("EE_", "CA_")):
            section.wrong(certificate.key, f"OpenSSL refuses it ({_words(exc)}); make a new one")
        else:
            section.wrong(key.key, f"holds no private key in PEM ({_words(exc)}); name one")
    except OSError as exc:
        section.wrong(key.key, f"cannot be read ({exc.strerror}); check the path and permissions")
    except ValueError as exc:
        section.wrong(key.key, str(exc))


def _words(exc: OSError) -> str:
    reason = exc.reason if isinstance(exc, ssl.SSLError) else exc.strerror
    return (reason or "unreadable").replace("_", " ").lower()


def _names(certificate: Mapping[str, object]) -> Iterator[str]:
    """Yield the alternative names: DNS, e-mail, URI, and addresses in their shortest form."""
    found = certificate.get("subjectAltName", ())
    for kind, name in found if isinstance(found, tuple) else ():
        if kind == "IP Address":
            with suppress(ValueError):  # of a wrong length: no entry can be equal to it
                yield str(ipaddress.ip_address(name.strip()))
        elif kind in {"DNS", "email", "URI"}:
            yield str(name)
