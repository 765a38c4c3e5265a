"""The trusted certificates, and explanations of rejected ones.

It must only read the environment through its argument, and must not open connections.
"""

import os
import re
import ssl
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import certifi

from exporter.errors import ConfigError
from exporter.reading import read_file

SYSTEM_FILES = (
    "/etc/ssl/cert.pem",
    "/etc/pki/tls/cert.pem",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/ca-bundle.pem",
)
"""Where systems keep their trusted certificates, for an OpenSSL built for another system."""

LARGEST = 8 * 1024 * 1024
"""Maximum size of a certificate file in bytes; all public CAs take 0.3 MB."""

_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")
"""The names under which OpenSSL finds certificates in a directory."""

_UNKNOWN_ISSUER = {2, 18, 19, 20, 21, 27}
_NOT_YET_VALID = 9
_EXPIRED = 10
_OTHER_HOST = {62, 64}
"""OpenSSL's codes: X509_V_ERR_..."""


def read_trust(environ: Mapping[str, str], *, strict: bool) -> ssl.SSLContext:
    """Return a client context: takes some 20 ms if a certificate file is read.

    ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` replace the system's certificates; without any of these,
    certifi's are used. ``strict`` requires full conformance to RFC 5280. Raises ConfigError with a
    line for each invalid variable.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Explicit, because the defaults changed in Python 3.13.
    context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_PARTIAL_CHAIN
    if strict:
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    mistakes: list[str] = []
    file = environ.get("SSL_CERT_FILE")
    folders = environ.get("SSL_CERT_DIR")
    if file:
        mistakes += _load_file(context, file)
    if folders:
        missing = _load_folders(context, folders)
        mistakes += [] if file else missing  # distributions set both, and the file has all
    if not file and not folders:
        _load_system(context)
    if log := environ.get("SSLKEYLOGFILE"):
        try:
            context.keylog_filename = log
        except OSError as exc:
            text = f"cannot be written ({exc.strerror or exc}); check the path, or unset it"
            mistakes.append(f"SSLKEYLOGFILE: {log}: {text}")
    if mistakes:
        raise ConfigError(mistakes)
    return context


def explain_refusal(
    error: ssl.SSLCertVerificationError,
    *,
    strict: bool,
    unknown_issuer: str = (
        "add the CA to the system's trust store, or set SSL_CERT_FILE to its PEM file"
    ),
    other_host: str = "check base_url",
) -> str:
    """Return why the certificate of a server was rejected, and what to do about it.

    ``strict`` says whether full conformance to RFC 5280 was required. ``unknown_issuer`` and
    ``other_host`` are the remedies for those causes.
    """
    code, words = error.verify_code, error.verify_message.rstrip(".")
    if code in _UNKNOWN_ISSUER:
        what, remedy = "its CA is not trusted", unknown_issuer
    elif code == _EXPIRED:
        what, remedy = "it has expired", "check the clock of this machine, or renew the certificate"
    elif code == _NOT_YET_VALID:
        what, remedy = "it is not valid yet", "check the clock of this machine"
    elif code in _OTHER_HOST:
        what, remedy = "it was issued for another host", other_host
    else:
        what = "it, or a CA certificate in its chain, is invalid"
        remedy = "replace the certificate"
        remedy += ", or set poll.tls_strict to false" if strict else ""
    return f"the server's certificate was rejected: {what} ({words}); {remedy}"


def _load_file(context: ssl.SSLContext, file: str) -> list[str]:
    try:
        # OpenSSL itself would block on a pipe, and read a device endlessly.
        content = read_file(file, LARGEST)
        # Text around the certificates need not be ASCII, but ssl accepts nothing else.
        context.load_verify_locations(cadata=content.decode("ascii", "ignore") or "nothing")
    except ssl.SSLError:
        text = "is not a certificate file in PEM format; set it to one"
    except ValueError as exc:
        text = str(exc)
    else:
        return []
    return [f"SSL_CERT_FILE: {file}: {text}"]


def _load_folders(context: ssl.SSLContext, folders: str) -> list[str]:
    """Search ``folders`` for certificates; returns mistakes if none of them has any."""
    mistakes = []
    loaded = False
    for folder in filter(None, folders.split(os.pathsep)):
        text = "has no certificate with a hashed name; run: openssl rehash DIRECTORY"
        try:
            if _holds_certificates(folder):
                context.load_verify_locations(capath=folder)
                loaded = True
        except OSError as exc:
            text = f"cannot be read ({exc.strerror}); check the path and permissions"
        mistakes.append(f"SSL_CERT_DIR: {folder}: {text}")
    return [] if loaded else mistakes


def _load_system(context: ssl.SSLContext) -> None:
    known = ssl.get_default_verify_paths()
    loaded = False
    with suppress(OSError):
        if _holds_certificates(known.openssl_capath):
            # Loaded on demand, so it costs nothing now.
            context.load_verify_locations(capath=known.openssl_capath)
            loaded = True
    with suppress(OSError):
        context.load_verify_locations(cafile=known.openssl_cafile)
        loaded = True
    for file in () if loaded else (*SYSTEM_FILES, certifi.where()):
        with suppress(OSError):
            context.load_verify_locations(cafile=file)
            return


def _holds_certificates(folder: str) -> bool:
    return any(_HASHED.fullmatch(each.name) for each in Path(folder).iterdir())
