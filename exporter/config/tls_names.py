"""The TLS names of exporter-toolkit, which are Go's, and the corresponding names of OpenSSL.

It must not build anything from them, and has the one section that is common to all. What Python's
ssl does not support is rejected with a reason.
"""

import ssl
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import BeforeValidator, ValidationInfo, field_validator

from exporter.config.config_section import ConfigSection, as_text, choice
from exporter.config.mistakes import invalid

TLS_VERSIONS: Mapping[str, ssl.TLSVersion] = MappingProxyType(
    {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
)

CLIENT_AUTH_TYPES: Mapping[str, ssl.VerifyMode] = MappingProxyType(
    {
        "NoClientCert": ssl.CERT_NONE,
        "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
        "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
    }
)

CURVES: Mapping[str, str] = MappingProxyType(
    {
        "CurveP256": "prime256v1",
        "CurveP384": "secp384r1",
        "CurveP521": "secp521r1",
        "X25519": "X25519",
    }
)

CIPHER_SUITES: Mapping[str, str] = MappingProxyType(
    {
        f"TLS_ECDHE_{signature}_WITH_{suite}": f"ECDHE-{signature}-{openssl}"
        for signature in ("ECDSA", "RSA")
        for suite, openssl in (
            ("AES_128_GCM_SHA256", "AES128-GCM-SHA256"),
            ("AES_256_GCM_SHA384", "AES256-GCM-SHA384"),
            ("CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305"),
            ("AES_128_CBC_SHA", "AES128-SHA"),
            ("AES_256_CBC_SHA", "AES256-SHA"),
        )
    }
)
"""Those up to TLS 1.2 that Go considers secure."""

_TLS13_SUITES = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
_OLD_VERSIONS = ("TLS10", "TLS11")
_UNVERIFIED = ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert")

_version = choice(TLS_VERSIONS)
_client_auth_type = choice(CLIENT_AUTH_TYPES)
_cipher_suite = choice(CIPHER_SUITES)


def _supported_version(value: object) -> ssl.TLSVersion:
    if value in _OLD_VERSIONS:
        raise invalid("is insecure and not supported; use TLS12 or TLS13")
    return _version(value)


def _verified_client_auth_type(value: object) -> ssl.VerifyMode:
    if value in _UNVERIFIED:
        raise invalid(
            "Python's ssl does not support unverified client certificates; "
            "use RequireAndVerifyClientCert or VerifyClientCertIfGiven"
        )
    return _client_auth_type(value)


def _selectable_cipher_suite(value: object) -> str:
    if as_text(value) in _TLS13_SUITES:
        raise invalid("is a TLS 1.3 suite; these are always enabled in Python's ssl; remove it")
    return _cipher_suite(value)


TlsVersion = Annotated[ssl.TLSVersion, BeforeValidator(_supported_version)]
ClientAuthType = Annotated[ssl.VerifyMode, BeforeValidator(_verified_client_auth_type)]
CipherSuite = Annotated[str, BeforeValidator(_selectable_cipher_suite)]
Curve = Annotated[str, BeforeValidator(choice(CURVES))]


class TlsVersionRange(ConfigSection):
    """The versions of TLS that a section allows."""

    min_version: TlsVersion = ssl.TLSVersion.TLSv1_2
    max_version: TlsVersion = ssl.TLSVersion.TLSv1_3

    @field_validator("max_version")
    @classmethod
    def _not_below_min_version(cls, value: ssl.TLSVersion, info: ValidationInfo) -> ssl.TLSVersion:
        if value < info.data.get("min_version", value):
            raise invalid("is lower than min_version; use the same or a higher version")
        return value
