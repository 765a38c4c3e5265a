"""The TLS side of the server, made from a checked ``tls_server_config``.

It must not listen, and must not decide when files are read again.
"""

import ipaddress
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from exporter.errors import ConfigError
from exporter.reading import with_timeout
from exporter.web.pem import PemError, load_key_pair
from exporter.web.tls_config import TlsServerConfig


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


def read_tls(config: TlsServerConfig | None) -> Tls | None:
    """Return how to serve ``config``, None for nothing.

    Raises ConfigError if what was readable when ``config`` was checked no longer is, or if the
    system's authorities, which OpenSSL reads by itself, do not answer.
    """
    if config is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION  # as in Go; OpenSSL before 3 would let clients
    context.minimum_version, context.maximum_version = config.min_version, config.max_version
    if config.cipher_suites:
        context.set_ciphers(":".join(config.cipher_suites))
    for curve in config.curve_preferences:
        context.set_ecdh_curve(curve)
    if config.prefer_server_cipher_suites:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    try:
        load_key_pair(context, config.cert_file, config.key_file)
    except PemError as exc:
        raise ConfigError([f"tls_server_config.{exc.pem.key}: {exc}"]) from None
    if config.client_ca_file is not None:
        with config.client_ca_file.file() as file:
            context.load_verify_locations(file)
        # As in Go, each certificate of the file is trusted, be it self-signed or not.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    elif config.client_auth_type is not ssl.CERT_NONE:
        _trust_system(context)
    context.verify_mode = config.client_auth_type
    names = frozenset(config.client_allowed_sans or ())
    return Tls(context, names, own_authority=config.client_ca_file is not None)


def _trust_system(context: ssl.SSLContext) -> None:
    try:
        with_timeout(
            "the system's authorities", lambda: context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
        )
    except ValueError as exc:
        text = f"the system's certificate authorities: {exc}, or set client_ca_file"
        raise ConfigError([f"tls_server_config.client_auth_type: {text}"]) from None


def _names(certificate: Mapping[str, object]) -> Iterator[str]:
    """Yield the alternative names: DNS, e-mail, URI, and addresses in their shortest form."""
    found = certificate.get("subjectAltName", ())
    for kind, name in found if isinstance(found, tuple) else ():
        if kind == "IP Address":
            with suppress(ValueError):  # of a wrong length: no entry can be equal to it
                yield str(ipaddress.ip_address(name.strip()))
        elif kind in {"DNS", "email", "URI"}:
            yield str(name)
