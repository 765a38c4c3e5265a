"""The certificates to trust, and the explanation of one that is refused.

It must not read the environment other than through its argument, or open connections.
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
"""Where systems keep the certificates that they trust, for an OpenSSL built for others."""

LARGEST = 8 * 1024 * 1024
"""Bytes of a file of certificates that are read at most; all public authorities take 0.3 MB."""

_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")
"""The file names by which OpenSSL finds a certificate in a directory."""

_UNKNOWN_AUTHORITY = {2, 18, 19, 20, 21, 27}
_NOT_YET_VALID = 9
_EXPIRED = 10
_OTHER_HOST = {62, 64}
"""OpenSSL's codes: X509_V_ERR_..."""


def read_trust(environ: Mapping[str, str], *, strict: bool) -> ssl.SSLContext:
    """Return a context for clients: takes some 20 ms where a file of certificates is read.

    ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` replace the system's certificates; a system without
    any gets certifi's. ``strict`` asks for all of RFC 5280. Raises ConfigError with a line for
    each variable that cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Said in full, as the defaults changed with Python 3.13.
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
        mistakes += [] if file else missing  # systems set both, where the file has all
    if not file and not folders:
        _load_system(context)
    if log := environ.get("SSLKEYLOGFILE"):
        try:
            context.keylog_filename = log
        except OSError as exc:
            text = f"cannot be written ({exc.strerror or exc}); unset it, or name another file"
            mistakes.append(f"SSLKEYLOGFILE: {log}: {text}")
    if mistakes:
        raise ConfigError(mistakes)
    return context


def explain_refusal(error: ssl.SSLCertVerificationError, *, strict: bool) -> str:
    """Return what is wrong with the certificate of a server, and what to do about it.

    ``strict`` says that all of RFC 5280 was asked for.
    """
    code, words = error.verify_code, error.verify_message.rstrip(".")
    if code in _UNKNOWN_AUTHORITY:
        what = "it is not signed by an authority that is trusted"
        remedy = "add it to the authorities of the system, or name its PEM file in SSL_CERT_FILE"
    elif code == _EXPIRED:
        what, remedy = "it has expired", "check the clock of this machine, or have it renewed"
    elif code == _NOT_YET_VALID:
        what, remedy = "it is not valid yet", "check the clock of this machine"
    elif code in _OTHER_HOST:
        what, remedy = "it is for another host", "check base_url"
    else:
        what = "it, or an authority's above it, has a defect"
        remedy = "have it issued anew"
        remedy += ", or set poll.tls_strict to false" if strict else ""
    return f"the server's certificate is refused: {what} ({words}); {remedy}"


def _load_file(context: ssl.SSLContext, file: str) -> list[str]:
    try:
        # OpenSSL itself would wait for a pipe, and read a device without an end.
        content = read_file(file, LARGEST)
        # What stands around the certificates need not be ASCII, and ssl takes nothing else.
        context.load_verify_locations(cadata=content.decode("ascii", "ignore") or "nothing")
    except ssl.SSLError:
        text = "is not a file of certificates in PEM form; name one"
    except ValueError as exc:
        text = str(exc)
    else:
        return []
    return [f"SSL_CERT_FILE: {file}: {text}"]


def _load_folders(context: ssl.SSLContext, folders: str) -> list[str]:
    """Let certificates be searched for in ``folders``; a mistake if none of them has any."""
    mistakes = []
    loaded = False
    for folder in filter(None, folders.split(os.pathsep)):
        text = "has no certificate by the name that OpenSSL looks for; run: openssl rehash FOLDER"
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
            # Read as they are needed, so that it costs nothing now.
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
