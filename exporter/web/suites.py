"""The words of exporter-toolkit for TLS, which are Go's, and what OpenSSL calls the same.

It must not build anything from them. What Python's ssl cannot do is refused in words.
"""

import ssl
from collections.abc import Mapping
from types import MappingProxyType

from exporter.config.problems import advice
from exporter.web.form import choice, text, texts

VERSIONS: Mapping[str, ssl.TLSVersion] = MappingProxyType(
    {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
)

CLIENT_AUTH: Mapping[str, ssl.VerifyMode] = MappingProxyType(
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

SUITES: Mapping[str, str] = MappingProxyType(
    {
        f"TLS_ECDHE_{signed}_WITH_{suite}": f"ECDHE-{signed}-{openssl}"
        for signed in ("ECDSA", "RSA")
        for suite, openssl in (
            ("AES_128_GCM_SHA256", "AES128-GCM-SHA256"),
            ("AES_256_GCM_SHA384", "AES256-GCM-SHA384"),
            ("CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305"),
            ("AES_128_CBC_SHA", "AES128-SHA"),
            ("AES_256_CBC_SHA", "AES256-SHA"),
        )
    }
)
"""Those up to TLS 1.2 that Go counts as secure."""

_SUITES_13 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
_OLD_VERSIONS = ("TLS10", "TLS11")
_UNCHECKED = ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert")


def version(value: object) -> ssl.TLSVersion:
    """Return a version of TLS from 1.2 on."""
    if value in _OLD_VERSIONS:
        raise ValueError("is broken and not offered here; write TLS12 or TLS13")
    return choice(VERSIONS)(value)


def client_auth(value: object) -> ssl.VerifyMode:
    """Return whether clients show a certificate."""
    if value in _UNCHECKED:
        raise ValueError(
            "Python's ssl takes no certificate without checking it; "
            "write RequireAndVerifyClientCert, or VerifyClientCertIfGiven"
        )
    return choice(CLIENT_AUTH)(value)


def curve(value: object) -> str:
    """Return the only curve, as OpenSSL calls it; empty for the default."""
    words = list(dict.fromkeys(texts(value)))
    if not words:
        return ""
    if len(words) != 1:
        raise ValueError("Python's ssl takes exactly one curve; keep one, or remove the key")
    return choice(CURVES)(words[0])


def suites(value: object) -> str:
    """Return the cipher suites up to TLS 1.2 as OpenSSL lists them; empty for the default."""
    words = texts(value)
    for index, word in enumerate(words, 1):
        if word in _SUITES_13:
            raise ValueError(
                f"item {index} is of TLS 1.3, whose suites Python's ssl does not let choose: "
                "all three are on; remove it"
            )
        if word not in SUITES:
            raise ValueError(f"item {index} is unknown; {advice(text(word), SUITES)}")
    return ":".join(SUITES[word] for word in words)
