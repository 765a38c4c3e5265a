"""How Alertmanager is spoken to: the file of ``alertmanager.config_file``, Prometheus' http_config.

It must not connect, or decide when the file is read again.
"""

import base64
import json
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, cast
from urllib.parse import urlsplit

import httpx
from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from exporter.config.config_file import read_document, validate
from exporter.config.config_section import ConfigSection, Text, YamlBoolean, as_boolean, as_text
from exporter.config.mistakes import invalid
from exporter.config.pem import Pem, PemError, check_certificates, load_key_pair
from exporter.config.pem_fields import FileContext, InlinePem, at_its_key, pem_from_file, read_named
from exporter.config.tls_names import TlsVersionRange
from exporter.config.tracked_files import TrackedFiles
from exporter.config.urls import is_host, is_proxy
from exporter.errors import ConfigError
from exporter.reading import with_timeout
from exporter.telnyx.http import TRUST_TIMEOUT
from exporter.telnyx.proxy import Proxy, find_proxy
from exporter.telnyx.trust import read_trust

_HINT = "add basic_auth, authorization or tls_config, or use {} for none of them"


@dataclass(frozen=True, slots=True, eq=False)
class HttpConfig:
    """How to reach Alertmanager; each load of the files makes a new one.

    ``authorization`` is the value of the header of that name, empty for none. ``proxies`` has the
    proxy of each target that has one; its URL may contain a password. ``secrets`` are all spellings
    of the credentials, the longest first.
    """

    trust: ssl.SSLContext
    authorization: str = field(default="", repr=False)
    server_name: str = ""
    follow_redirects: bool = True
    proxies: Mapping[str, Proxy] = field(default_factory=dict)
    secrets: tuple[str, ...] = field(default=(), repr=False)


def load(
    path: Path | None,
    targets: tuple[str, ...],
    environ: Mapping[str, str],
    files: TrackedFiles | None = None,
) -> HttpConfig:
    """Return the settings in the file at ``path``, or the defaults; for the URLs ``targets``.

    Paths in it are relative to its directory; what is read is recorded in ``files``. Raises
    ConfigError with all mistakes, in the order of the file:
    ``am.yml:3: basic_auth.password_file: what is wrong; how to fix it``.
    """
    files = TrackedFiles() if files is None else files
    config = _HttpConfigFile()
    if path is not None:
        document = read_document(path, hint=_HINT, read=files.read)
        source = FileContext(path.parent, files)
        config = validate(_HttpConfigFile, document, document.data, context=source)
    try:
        proxies = _proxies(config, targets, environ)
        return HttpConfig(
            _trust(config.tls_config, targets, environ),
            config.header(),
            config.tls_config.server_name,
            config.follow_redirects,
            proxies,
            _secrets(config, proxies.values()),
        )
    except ConfigError as exc:
        place = "" if path is None else f"{path}: "
        raise ConfigError([f"{place}{line}" for line in exc.mistakes]) from None


class HttpConfigReloader:
    """The current settings."""

    def __init__(
        self, path: Path | None, targets: tuple[str, ...], environ: Mapping[str, str]
    ) -> None:
        """Load the file at ``path``. Raises ConfigError."""
        self._path, self._targets, self._environ = path, targets, environ
        self._files = TrackedFiles()
        self._config = load(path, targets, environ, self._files)

    def current(self) -> tuple[HttpConfig, tuple[tuple[str, ...], ...]]:
        """Return the settings, read again if a file changed; it may block for seconds.

        With them comes a report if the files changed: the mistakes because of which the previous
        settings stay in effect, empty if there are none.
        """
        if not self._files.changed():
            return self._config, ()
        # A failed load also records the files it depends on: their next change is tried.
        self._files = TrackedFiles()
        try:
            self._config = load(self._path, self._targets, self._environ, self._files)
        except ConfigError as exc:
            return self._config, (exc.mistakes,)
        return self._config, ((),)


def _trust(
    tls: "_TlsConfig", targets: tuple[str, ...], environ: Mapping[str, str]
) -> ssl.SSLContext:
    if tls.ca_file is not None or tls.insecure_skip_verify:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # As in Go, each certificate in the file is trusted, self-signed or not.
        context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_PARTIAL_CHAIN
        if tls.ca_file is not None:
            with tls.ca_file.file() as file:
                context.load_verify_locations(file)
        if tls.insecure_skip_verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    elif any(target.startswith("https:") for target in targets):
        try:
            context = with_timeout(
                "the trusted certificates",
                lambda: read_trust(environ, strict=False),
                timeout=TRUST_TIMEOUT,
            )
        except ValueError as exc:
            text = f"SSL_CERT_FILE, SSL_CERT_DIR or SSLKEYLOGFILE: {exc}"
            raise ConfigError([text]) from None
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # plain http: nothing to trust
    context.minimum_version, context.maximum_version = tls.min_version, tls.max_version
    if tls.cert_file is not None and tls.key_file is not None:
        try:
            load_key_pair(context, tls.cert_file, tls.key_file)
        except PemError as exc:
            raise ConfigError([f"tls_config.{exc.pem.key}: {exc}"]) from None
    return context


def _proxies(
    config: "_HttpConfigFile", targets: tuple[str, ...], environ: Mapping[str, str]
) -> dict[str, Proxy]:
    proxies: dict[str, Proxy] = {}
    for target in targets:
        if config.proxy_url is not None:
            proxies[target] = Proxy("proxy_url", config.proxy_url)
        elif config.proxy_from_environment and (proxy := find_proxy(target, environ)):
            proxies[target] = proxy
    if proxies and config.tls_config.server_name:
        text = "has no effect through a proxy; remove it, or the proxy"
        raise ConfigError([f"tls_config.server_name: {text}"])
    return proxies


def _secrets(config: "_HttpConfigFile", proxies: Iterable[Proxy]) -> tuple[str, ...]:
    found = {config.header().partition(" ")[2]}
    if config.basic_auth is not None:
        password = config.basic_auth.password_file or ""
        found |= {password, f"{config.basic_auth.username_file}:{password}"}
    for proxy in proxies:
        found |= {urlsplit(proxy.url).password or "", httpx.URL(proxy.url).password}
    # As text of JSON too: many answers are.
    found |= {
        json.dumps(each, ensure_ascii=escaped)[1:-1] for each in found for escaped in (True, False)
    }
    return tuple(sorted(found - {""}, key=len, reverse=True))


def _file_text(value: object, info: ValidationInfo) -> str | None:
    """Return the content of the file that a key names; without a file, the inline text or None."""
    inline = str(info.field_name).removesuffix("_file")
    if value is None:
        return cast("str | None", info.data.get(inline))
    if info.data.get(inline) is not None:
        raise invalid(f"cannot be combined with {inline}; remove one of them")
    _, content = read_named(value, info)
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        text = ""
    if not text:
        raise invalid("is empty or not UTF-8; write the value into the file")
    return text


def _of_header(value: str | None) -> str | None:
    if value is not None and not (value.isascii() and value.isprintable()):
        raise invalid("contains a character that is invalid in a header; remove it")
    return value


def _scheme(value: object) -> str:
    word = as_text(value)
    if not (word.isascii() and word.replace("-", "").isalnum()):
        raise invalid("is not a type such as Bearer; write one word")
    if word.casefold() == "basic":
        raise invalid("cannot be Basic; use basic_auth")
    return word


def _server_name(value: object) -> str:
    name = as_text(value)
    if not is_host(name):
        raise invalid("is not a host name; write a name in the certificate")
    return name


def _proxy_url(value: object) -> str:
    if not is_proxy(as_text(value)):
        raise invalid("is not a proxy URL; write it like http://proxy.example.org:3128")
    return as_text(value)


def _off(value: object) -> bool:
    if as_boolean(value):
        raise invalid("HTTP/2 is not supported; remove the key or set it to false")
    return False


_FileText = Annotated[str | None, BeforeValidator(_file_text)]


class _BasicAuth(ConfigSection):
    username: Text | None = None
    username_file: _FileText = Field(default=None, validate_default=True)
    password: Text | None = Field(default=None, repr=False)
    password_file: _FileText = Field(default=None, validate_default=True, repr=False)

    @field_validator("username", "password")
    @classmethod
    def _fit_for_utf8(cls, value: str | None) -> str | None:
        if any("\ud800" <= letter <= "\udfff" for letter in value or ""):
            raise invalid("contains half of a surrogate pair; remove it")
        return value

    @field_validator("username_file")
    @classmethod
    def _named(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "username" in info.data:
            if value is None:
                raise invalid("is missing; set username or username_file", sibling="username")
            if ":" in value:
                given = "username" if info.data["username"] is not None else "username_file"
                raise invalid("contains a colon, which is not allowed; remove it", sibling=given)
        return value


class _Authorization(ConfigSection):
    scheme: Annotated[str, BeforeValidator(_scheme)] = Field(default="Bearer", alias="type")
    credentials: Text | None = Field(default=None, repr=False)
    credentials_file: _FileText = Field(default=None, validate_default=True, repr=False)

    @field_validator("credentials", "credentials_file")
    @classmethod
    def _fit_for_a_header(cls, value: str | None) -> str | None:
        return _of_header(value)

    @field_validator("credentials_file")
    @classmethod
    def _given(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and "credentials" in info.data:
            text = "is missing; set credentials or credentials_file"
            raise invalid(text, sibling="credentials")
        return value


class _TlsConfig(TlsVersionRange):
    ca: InlinePem | None = None
    ca_file: Annotated[Pem | None, BeforeValidator(pem_from_file)] = Field(
        default=None, validate_default=True
    )
    cert: InlinePem | None = None
    cert_file: Annotated[Pem | None, BeforeValidator(pem_from_file)] = Field(
        default=None, validate_default=True
    )
    key: InlinePem | None = None
    key_file: Annotated[Pem | None, BeforeValidator(pem_from_file)] = Field(
        default=None, validate_default=True
    )
    server_name: Annotated[str, BeforeValidator(_server_name)] = ""
    insecure_skip_verify: YamlBoolean = False

    @field_validator("ca_file", "cert_file")
    @classmethod
    def _certificates(cls, value: Pem | None) -> Pem | None:
        if value is not None:
            with at_its_key():
                check_certificates(value)
        return value

    @field_validator("key_file")
    @classmethod
    def _key_of_certificate(cls, value: Pem | None, info: ValidationInfo) -> Pem | None:
        if "cert_file" not in info.data:
            return value
        certificate = info.data["cert_file"]
        if (certificate is None) != (value is None):
            missing = "key_file" if value is None else "cert_file"
            raise invalid(
                "is missing; a client certificate requires cert_file and key_file", sibling=missing
            )
        if certificate is not None and value is not None:
            with at_its_key():
                load_key_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), certificate, value)
        return value


class _HttpConfigFile(ConfigSection):
    """The whole file."""

    SECTIONS = frozenset({"tls_config"})

    basic_auth: _BasicAuth | None = None
    authorization: _Authorization | None = None
    tls_config: _TlsConfig = Field(default_factory=_TlsConfig)
    proxy_url: Annotated[str, BeforeValidator(_proxy_url)] | None = Field(default=None, repr=False)
    proxy_from_environment: YamlBoolean = False
    follow_redirects: YamlBoolean = True
    enable_http2: Annotated[bool, BeforeValidator(_off)] = False

    @field_validator("authorization")
    @classmethod
    def _one_way(cls, value: _Authorization | None, info: ValidationInfo) -> _Authorization | None:
        if value is not None and info.data.get("basic_auth") is not None:
            raise invalid("cannot be combined with basic_auth; remove one of them")
        return value

    @field_validator("proxy_from_environment")
    @classmethod
    def _one_proxy(cls, value: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 # pydantic's
        if value and info.data.get("proxy_url") is not None:
            raise invalid("cannot be combined with proxy_url; remove one of them")
        return value

    def header(self) -> str:
        """Return the value of the header Authorization, empty for none."""
        if self.basic_auth is not None:
            pair = f"{self.basic_auth.username_file}:{self.basic_auth.password_file or ''}"
            return f"Basic {base64.b64encode(pair.encode()).decode()}"
        if self.authorization is not None:
            return f"{self.authorization.scheme} {self.authorization.credentials_file}"
        return ""
