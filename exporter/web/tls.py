"""The TLS context of the server, from a validated ``tls_server_config``.

It must not listen, or decide when files are reloaded.
"""

import ipaddress
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from exporter.config.pem import PemError, load_key_pair
from exporter.errors import ConfigError
from exporter.reading import with_timeout
from exporter.web.tls_config import TlsServerConfig


@dataclass(frozen=True, slots=True, eq=False)
class Tls:
    """A TLS configuration; each load of the files creates a new one."""

    context: ssl.SSLContext
    allowed_sans: frozenset[str] = frozenset()
    """Allowed names in client certificates; if empty, any name is allowed."""
    own_authority: bool = False
    """Whether client certificates are verified with the configured CAs, not with the system's."""

    @property
    def requires_certificate(self) -> bool:
        """Tell whether a client without a certificate is rejected."""
        return self.context.verify_mode is ssl.CERT_REQUIRED

    def admits(self, certificate: Mapping[str, object] | None) -> bool:
        """Tell whether a verified certificate, as decoded by ssl, has an allowed name."""
        return not self.allowed_sans or not self.allowed_sans.isdisjoint(_names(certificate or {}))


def read_tls(config: TlsServerConfig | None) -> Tls | None:
    """Return the TLS configuration for ``config``, None without one.

    Raises ConfigError if a file is no longer readable since ``config`` was validated, or if reading
    the system's CAs, which OpenSSL does itself, takes too long.
    """
    if config is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION  # as in Go; OpenSSL before 3 would allow it
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
        # As in Go, each certificate in the file is trusted, self-signed or not.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    elif config.client_auth_type is not ssl.CERT_NONE:
        _trust_system(context)
    context.verify_mode = config.client_auth_type
    names = frozenset(config.client_allowed_sans or ())
    return Tls(context, names, own_authority=config.client_ca_file is not None)


def _trust_system(context: ssl.SSLContext) -> None:
    try:
        with_timeout(
            "the system's CA certificates",
            lambda: context.load_default_certs(ssl.Purpose.CLIENT_AUTH),
        )
    except ValueError as exc:
        text = f"the system's CA certificates: {exc}, or set client_ca_file"
        raise ConfigError([f"tls_server_config.client_auth_type: {text}"]) from None


def _names(certificate: Mapping[str, object]) -> Iterator[str]:
    """Yield the alternative names: DNS, email, URI, and IP addresses in their shortest form."""
    found = certificate.get("subjectAltName", ())
    for kind, name in found if isinstance(found, tuple) else ():
        if kind == "IP Address":
            with suppress(ValueError):  # of an invalid length: it cannot match any entry
                yield str(ipaddress.ip_address(name.strip()))
        elif kind in {"DNS", "email", "URI"}:
            yield str(name)
