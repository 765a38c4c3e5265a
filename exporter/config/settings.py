"""The settings as frozen values: names, defaults and the rules between them.

It must not read files or the environment. All durations are seconds.
"""

from collections.abc import Mapping, Sequence
from typing import Self, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_serializer,
    field_validator,
)

from exporter.address import ListenAddress, parse_listen_address
from exporter.config.fields import (
    AccountId,
    AccountName,
    AlertCount,
    AlertLabelName,
    AlertLabelValue,
    ApiKeyValue,
    Boolean,
    Buckets,
    Concurrency,
    Duration,
    ExportedTypes,
    ExportedTypesName,
    LinkName,
    LogFormat,
    LogFormatName,
    LogLevel,
    LogLevelName,
    LookupRequests,
    PageSize,
    Regex,
    RequestRate,
    SnakeCase,
    StatusName,
)
from exporter.config.mistakes import invalid, mistakes_in
from exporter.config.postgresql import has_password, is_postgresql, without_secrets
from exporter.config.urls import (
    AlertmanagerUrl,
    BaseUrl,
    ExternalUrl,
    FilePath,
    LinkUrl,
    ListenAddresses,
    RoutePrefix,
    StateUrl,
    origin_of,
)
from exporter.domain import DURATION_BUCKETS
from exporter.errors import ConfigError

SHORTEST_RESEND, LONGEST_RESEND = 1.0, 3600.0
"""Seconds. Alerts that lose their exporter expire after some intervals."""

_Section = TypeVar("_Section", bound=BaseModel)

_FROZEN = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Account(BaseModel):
    """One Telnyx account; empty ``action_types`` and ``statuses`` stand for all.

    ``managed_account_id`` is that of a managed account for which a manager's key asks.
    """

    model_config = _FROZEN | ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": [key], "properties": {key: {"type": "string"}}}
                for key in ("api_key", "api_key_file")
            ]
        }
    )

    name: AccountName = "default"
    api_key: ApiKeyValue | None = None
    api_key_file: FilePath | None = Field(default=None, validate_default=True)
    managed_account_id: AccountId = None
    base_url: BaseUrl = "https://api.telnyx.com/v2"
    action_types: tuple[SnakeCase, ...] = ()
    statuses: tuple[StatusName, ...] = ()

    @field_validator("api_key_file")
    @classmethod
    def _exactly_one_key(cls, value: str | None, info: ValidationInfo) -> str | None:
        # An invalid key is not among the data.
        if "api_key" in info.data:
            if value is None and info.data["api_key"] is None:
                raise invalid("is missing, and so is api_key; set one of the two")
            if value is not None and info.data["api_key"] is not None:
                raise invalid("cannot be combined with api_key; keep one of the two")
        return value


class Poll(BaseModel):
    """How often and how fast Telnyx is asked; ``rate_limit`` is requests per second."""

    model_config = _FROZEN

    interval: Duration = Field(default="60s", validate_default=True)
    audit_interval: Duration = Field(default="15m", validate_default=True)
    request_timeout: Duration = Field(default="10s", validate_default=True)
    page_size: PageSize = 250
    concurrency: Concurrency = 4
    rate_limit: RequestRate = 10.0
    tls_strict: Boolean = False

    @field_validator("audit_interval")
    @classmethod
    def _audit_at_most_as_often(cls, value: float, info: ValidationInfo) -> float:
        if value < info.data.get("interval", value):
            raise invalid("is shorter than poll.interval; make it at least as long")
        return value


class StuckAfter(BaseModel):
    """How long an action may be in progress; keys besides ``default`` are action types."""

    model_config = _FROZEN | ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Duration] = Field(init=False)

    default: Duration = Field(default="15m", validate_default=True)


class Reason(BaseModel):
    """The class of the reasons in which ``match`` is found; its key in the file is ``class``."""

    model_config = _FROZEN

    reason_class: SnakeCase = Field(alias="class")
    match: Regex


class State(BaseModel):
    """Where the state is kept; finished actions are remembered one by one for ``retention``.

    ``url`` may have a password in it, so that it must not be shown: texts of the settings have it
    without. ``password_file`` is read by `read_password_file` at each new connection.
    """

    model_config = _FROZEN

    url: StateUrl = Field(default="sqlite:///telnyx-sim-exporter.db", repr=False)
    password_file: FilePath | None = None
    retention: Duration = Field(default="30d", validate_default=True)

    @property
    def shared(self) -> bool:
        """Tell whether several processes can share the state: it is in PostgreSQL."""
        return is_postgresql(self.url)

    @field_validator("password_file")
    @classmethod
    def _one_password_of_a_server(cls, value: str | None, info: ValidationInfo) -> str | None:
        url = info.data.get("url")  # an invalid one is not among the data
        if value is not None and url is not None:
            if not is_postgresql(url):
                raise invalid("is for a postgresql URL only; remove it, or change state.url")
            if has_password(url):
                raise invalid("cannot be combined with a password in state.url; keep one of them")
        return value

    @field_serializer("url")
    def _without_secrets(self, url: str) -> str:
        return without_secrets(url)


class SimCards(BaseModel):
    """Whether SIM cards are looked up, and how often: at most ``requests_per_poll`` requests."""

    model_config = _FROZEN

    lookup: Boolean = True
    refresh: Duration = Field(default="24h", validate_default=True)
    requests_per_poll: LookupRequests = 20


class Problems(BaseModel):
    """How long a SIM card counts as broken if nothing more happens to it."""

    model_config = _FROZEN

    forget_after: Duration = Field(default="30d", validate_default=True)


class Metrics(BaseModel):
    """How many series an account has.

    ``histogram_buckets`` are the upper bounds of durations of actions in seconds, ascending.
    """

    model_config = _FROZEN

    action_types: ExportedTypesName = ExportedTypes.ALL
    histogram_buckets: Buckets = DURATION_BUCKETS


class ExternalLink(BaseModel):
    """A link to another site that the page shows."""

    model_config = _FROZEN

    name: LinkName
    url: LinkUrl


class Web(BaseModel):
    """The HTTP side; ``config_file`` holds TLS and basic auth as in exporter-toolkit.

    Without ``details`` only metrics, health checks and the reload are served.
    """

    model_config = _FROZEN

    listen_address: ListenAddresses = (":10874",)
    config_file: FilePath | None = None
    external_url: ExternalUrl | None = None
    route_prefix: RoutePrefix | None = None
    external_links: tuple[ExternalLink, ...] = ()
    details: Boolean = True

    @property
    def prefix(self) -> str:
        """Return what every path begins with, without a trailing slash; empty for nothing."""
        path = urlsplit(self.external_url or "").path if self.route_prefix is None else None
        return (path or self.route_prefix or "").rstrip("/")

    @property
    def addresses(self) -> tuple[ListenAddress, ...]:
        """Return where to listen."""
        return tuple(map(parse_listen_address, self.listen_address))


class Alertmanager(BaseModel):
    """Who is told of each problem of a SIM card; without ``targets`` nobody is.

    ``config_file`` is in the format of Prometheus' http_config. ``labels`` are added to each
    alert. ``max_alerts`` is for each account.
    """

    model_config = _FROZEN

    targets: tuple[AlertmanagerUrl, ...] = ()
    config_file: FilePath | None = None
    labels: dict[AlertLabelName, AlertLabelValue] = Field(default_factory=dict)
    max_alerts: AlertCount = 500
    resend_interval: Duration = Field(default="1m", validate_default=True)

    def __hash__(self) -> int:
        """Hash all but the labels, which as a dictionary have no hash."""
        return hash((self.targets, self.config_file, self.max_alerts, self.resend_interval))

    @field_validator("targets")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        origins = [origin_of(target) for target in value]
        for index, origin in enumerate(origins):
            if (first := origins.index(origin)) < index:
                text = f"is in the list already, as targets[{first}]; remove one"
                raise invalid(text, at=index)
        return value

    @field_validator("resend_interval")
    @classmethod
    def _sensible(cls, value: float) -> float:
        if not SHORTEST_RESEND <= value <= LONGEST_RESEND:
            raise invalid("is out of range; write a duration from 1s to 1h")
        return value


class Log(BaseModel):
    """What is logged, and how."""

    model_config = _FROZEN

    level: LogLevelName = LogLevel.INFO
    format: LogFormatName = LogFormat.AUTO


class Settings(BaseModel):
    """All settings; equal settings mean that a reload changes nothing."""

    model_config = _FROZEN

    accounts: tuple[Account, ...]
    poll: Poll = Field(default_factory=Poll)
    stuck_after: StuckAfter = Field(default_factory=StuckAfter)
    reasons: tuple[Reason, ...] = ()
    state: State = Field(default_factory=State, validate_default=True)
    sim_cards: SimCards = Field(default_factory=SimCards)
    bulk_actions: Boolean = True
    problems: Problems = Field(default_factory=Problems, validate_default=True)
    metrics: Metrics = Field(default_factory=Metrics)
    alertmanager: Alertmanager = Field(default_factory=Alertmanager)
    web: Web = Field(default_factory=Web)
    log: Log = Field(default_factory=Log)

    @field_validator("accounts")
    @classmethod
    def _at_least_one(cls, value: tuple[Account, ...]) -> tuple[Account, ...]:
        if not value:
            raise invalid("is empty; add at least one account")
        return value

    @field_validator("state")
    @classmethod
    def _retained_until_audited(cls, value: State, info: ValidationInfo) -> State:
        poll = info.data.get("poll")
        if poll is not None and value.retention < poll.audit_interval:
            text = "is shorter than poll.audit_interval; make it at least as long"
            raise invalid(text, at="retention")
        return value

    @field_validator("problems")
    @classmethod
    def _remembered_until_polled(cls, value: Problems, info: ValidationInfo) -> Problems:
        poll = info.data.get("poll")
        if poll is not None and value.forget_after < poll.interval:
            text = "is shorter than poll.interval; make it at least as long"
            raise invalid(text, at="forget_after")
        return value

    def with_overrides(
        self,
        listen_address: Sequence[str] = (),
        web_config_file: str | None = None,
        external_url: str | None = None,
        route_prefix: str | None = None,
        log_level: str | None = None,
        log_format: str | None = None,
        alertmanager_targets: Sequence[str] = (),
    ) -> Self:
        """Return these settings, overridden by the flags that are neither None nor empty.

        Raises ConfigError with the flag in front of each line: ``--log.level: ...``.
        """
        web = {
            "listen_address": listen_address or None,
            "config_file": web_config_file,
            "external_url": external_url,
            "route_prefix": route_prefix,
        }
        log = {"level": log_level, "format": log_format}
        alertmanager = {"targets": alertmanager_targets or None}
        mistakes: list[str] = []
        update = {
            "web": _overridden(self.web, web, mistakes),
            "log": _overridden(self.log, log, mistakes),
            "alertmanager": _overridden(self.alertmanager, alertmanager, mistakes),
        }
        if mistakes:
            raise ConfigError(mistakes)
        return self.model_copy(update=update)


_FLAGS = {
    "listen_address": "--web.listen-address",
    "config_file": "--web.config.file",
    "external_url": "--web.external-url",
    "route_prefix": "--web.route-prefix",
    "level": "--log.level",
    "format": "--log.format",
    "targets": "--alertmanager.target",
}


def read_listen_addresses(flags: Sequence[str]) -> tuple[ListenAddress, ...]:
    """Return the addresses given by the flags ``--web.listen-address``, at least one.

    Raises ConfigError as `Settings.with_overrides` does.
    """
    mistakes: list[str] = []
    web = _overridden(Web(), {"listen_address": flags}, mistakes)
    if mistakes:
        raise ConfigError(mistakes)
    return web.addresses


def read_state(flag: str, url: str, password_file: str | None) -> State:
    """Return where a state is that ``flag`` names by its URL; a file has no password.

    Raises ConfigError as `Settings.with_overrides` does.
    """
    flags = {"url": flag, "password_file": "--password-file"}
    try:
        state = State.model_validate({"url": url})
        if password_file is not None and state.shared:
            state = State.model_validate({"url": url, "password_file": password_file})
    except ValidationError as exc:
        found = mistakes_in(exc, State)
        raise ConfigError([f"{flags[str(item.path[0])]}: {item.text}" for item in found]) from exc
    return state


def _overridden(section: _Section, flags: Mapping[str, object], mistakes: list[str]) -> _Section:
    """Return ``section`` with the flags that are not None; mistakes are added to ``mistakes``."""
    given = {key: value for key, value in flags.items() if value is not None}
    try:
        checked = type(section).model_validate(given)
    except ValidationError as exc:
        found = mistakes_in(exc, type(section))
        mistakes.extend(f"{_FLAGS[str(item.path[0])]}: {item.text}" for item in found)
        return section
    return section.model_copy(update={key: getattr(checked, key) for key in given})
