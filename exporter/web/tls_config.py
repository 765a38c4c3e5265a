"""The section ``tls_server_config`` of the web configuration, validated with its files.

It must not serve, and must only read files through its validation context.
"""

import platform
import ssl
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from exporter.config.config_section import Text, YamlBoolean
from exporter.config.mistakes import invalid
from exporter.config.pem import Pem, check_certificates, load_key_pair
from exporter.config.pem_fields import InlinePem, at_its_key, pem_from_file
from exporter.config.tls_names import CipherSuite, ClientAuthType, Curve, TlsVersionRange

_PYTHON = f"Python {platform.python_version()}"
"""Older versions reject X25519, although their OpenSSL supports it."""


def _required(pem: Pem | None) -> Pem:
    if pem is None:
        raise invalid("is missing; TLS requires a certificate and its key")
    return pem


def _accepted_by_openssl(suites: tuple[str, ...]) -> tuple[str, ...]:
    try:
        if suites:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ciphers(":".join(suites))
    except ssl.SSLError:
        raise invalid("none of them is supported by this OpenSSL; use others") from None
    return suites


def _one_curve(curves: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(curves)) > 1:
        raise invalid("Python's ssl supports only one curve; keep one, or remove the key")
    try:
        for curve in curves[:1]:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ecdh_curve(curve)
    except (ssl.SSLError, ValueError):
        raise invalid(f"is not supported by the ssl module of {_PYTHON}; use another") from None
    return curves[:1]


_PemFile = Annotated[Pem, BeforeValidator(_required), BeforeValidator(pem_from_file)]


class TlsServerConfig(TlsVersionRange):
    """The section; if ``cert`` is set, ``cert_file`` has its text; the same for the others."""

    cipher_suites: Annotated[tuple[CipherSuite, ...], AfterValidator(_accepted_by_openssl)] = ()
    """OpenSSL's names, for TLS up to 1.2; empty for its default."""
    curve_preferences: Annotated[tuple[Curve, ...], AfterValidator(_one_curve)] = ()
    """OpenSSL's name, at most one; empty for its default."""
    prefer_server_cipher_suites: YamlBoolean = True
    cert: InlinePem | None = None
    cert_file: _PemFile = Field(default=None, validate_default=True)
    key: InlinePem | None = None
    key_file: _PemFile = Field(default=None, validate_default=True)
    client_auth_type: ClientAuthType = ssl.CERT_NONE
    client_ca: InlinePem | None = None
    client_ca_file: Annotated[Pem | None, BeforeValidator(pem_from_file)] = Field(
        default=None, validate_default=True
    )
    client_allowed_sans: tuple[Text, ...] | None = None

    @field_validator("cert_file")
    @classmethod
    def _certificates(cls, value: Pem) -> Pem:
        with at_its_key():
            check_certificates(value)
        return value

    @field_validator("key_file")
    @classmethod
    def _key_of_certificate(cls, value: Pem, info: ValidationInfo) -> Pem:
        if "cert_file" in info.data:
            with at_its_key():
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                load_key_pair(context, info.data["cert_file"], value)
        return value

    @field_validator("client_ca_file")
    @classmethod
    def _authorities_in_use(cls, value: Pem | None, info: ValidationInfo) -> Pem | None:
        if value is not None:
            if info.data.get("client_auth_type") is ssl.CERT_NONE:
                text = "has no effect; add client_auth_type: RequireAndVerifyClientCert"
                raise invalid(text, sibling=value.key)
            with at_its_key():
                check_certificates(value)
        return value

    @field_validator("client_allowed_sans")
    @classmethod
    def _sans_in_use(
        cls, value: tuple[str, ...] | None, info: ValidationInfo
    ) -> tuple[str, ...] | None:
        mode = info.data.get("client_auth_type")
        if value and mode in (ssl.CERT_NONE, ssl.CERT_OPTIONAL):
            raise invalid(
                "clients may connect without a certificate; "
                "set client_auth_type: RequireAndVerifyClientCert"
            )
        if value == () and mode in (ssl.CERT_OPTIONAL, ssl.CERT_REQUIRED):
            raise invalid("is empty, so no certificate is allowed; add one, or remove the key")
        return value
