"""Values that the chart has to refuse, and what it has to say; it must not render them."""

from typing import Any, NamedTuple

from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import DATABASE, LEAST, least

ON_PODS: Json = {"persistence": {"enabled": False}}


class Guard(NamedTuple):
    """Values that cannot work, and the words that tell what is wrong and how to fix it."""

    name: str
    values: Json
    words: tuple[str, ...]


def config(**sections: Any) -> Json:
    """Give the least values with some of the configuration."""
    return least(config=sections)


def state(url: str, **sections: Any) -> Json:
    """Give the least values with another place for the state."""
    return config(state={"url": url}) | sections


def accounts(*given: Json, keys: Json | None = None) -> Json:
    """Give values with these accounts, and keys for some."""
    return {"config": {"accounts": list(given)}, "keys": LEAST["keys"] if keys is None else keys}


GUARDS = [
    Guard("no-key", {}, ("default", "keys.default.existingSecret", "kubectl create secret")),
    Guard(
        "no-key-for-one",
        accounts({"name": "default"}, {"name": "eu"}),
        ("eu", "keys.eu.existingSecret", "kubectl create secret"),
    ),
    Guard(
        "two-sources-of-a-key",
        {"keys": {"default": {"existingSecret": "telnyx", "value": "KEY0"}}},
        ("keys.default", "existingSecret", "value"),
    ),
    Guard(
        "key-in-the-configuration",
        accounts({"name": "default", "api_key": "KEY0-plain"}),
        ("api_key", "default", "keys"),
    ),
    *(
        Guard(
            f"key-in-the-configuration-beside-a-variable-{number}",
            accounts({"name": "default", "api_key": key}),
            ("api_key", "default", "keys"),
        )
        for number, key in enumerate(("KEY0${X}", "${X}KEY0", "${KEY0-plain}"))
    ),
    Guard(
        "key-of-no-account",
        least(keys=LEAST["keys"] | {"us": {"existingSecret": "telnyx"}}),
        ("keys.us", "account"),
    ),
    Guard(
        "key-for-an-account-that-brings-its-own",
        accounts({"name": "default", "api_key": "${KEY}"}),
        ("keys.default", "account", "config.accounts"),
    ),
    Guard("no-account", accounts(), ("config.accounts",)),
    Guard("two-of-a-name", accounts({"name": "default"}, {"name": "default"}), ("default", "name")),
    Guard("two-of-no-name", accounts({}, {}), ("default", "name")),
    Guard(
        "two-web-files",
        config(web={"config_file": "/x/web.yml"}) | {"web": {"existingSecret": "telnyx-web"}},
        ("config.web.config_file", "web.existingSecret"),
    ),
    *(
        Guard(
            f"several-pods-without-a-database-{number}",
            state(url, replicas=2, **sections),
            ("replicas", "replicas=1", "config.state.url=postgresql://", "database.existingSecret"),
        )
        for number, (url, sections) in enumerate(
            (
                ("sqlite:////var/lib/telnyx-sim-exporter/state.db", {}),
                ("sqlite:////var/lib/telnyx-sim-exporter/state.db", ON_PODS),
                ("sqlite://", ON_PODS),
                ("sqlite:////data/state.db", ON_PODS | {"strategy": {"type": "Recreate"}}),
            )
        )
    ),
    Guard(
        "url-in-no-secret",
        least(database={"urlKey": "uri"}),
        ("database.urlKey", "database.existingSecret"),
    ),
    Guard(
        "password-of-no-database",
        least(database={"existingSecret": "telnyx-database"}),
        ("database.existingSecret", "config.state.url=postgresql://", "database.urlKey"),
    ),
    Guard(
        "two-urls",
        state(DATABASE, database={"existingSecret": "telnyx-database", "urlKey": "uri"}),
        ("database.urlKey", "config.state.url"),
    ),
    Guard(
        "two-passwords",
        config(state={"url": DATABASE, "password_file": "/x/password"})
        | {"database": {"existingSecret": "telnyx-database"}},
        ("config.state.password_file", "database.existingSecret"),
    ),
    *(
        Guard(
            f"password-in-the-configuration-{number}",
            state(f"postgresql://exporter:{password}@db/telnyx"),
            ("config.state.url", "database.existingSecret"),
        )
        for number, password in enumerate(
            ("KEY0", "KEY0${X}", "${X}KEY0", "${KEY0-plain}", "$KEY0")
        )
    ),
    Guard(
        "url-of-a-variable",
        state("${STATE_URL}", **ON_PODS),
        ("config.state.url", "database.urlKey"),
    ),
    Guard(
        "rolling-with-a-volume",
        least(strategy={"type": "RollingUpdate"}),
        ("strategy", "RollingUpdate", "persistence.enabled"),
    ),
    Guard(
        "rolling-with-a-claim",
        least(strategy={"type": "RollingUpdate"}, persistence={"existingClaim": "mine"}),
        ("strategy", "RollingUpdate"),
    ),
    Guard(
        "state-beside-the-volume",
        state("sqlite:////data/state.db"),
        ("config.state.url", "/var/lib/telnyx-sim-exporter"),
    ),
    Guard(
        "state-in-a-folder-named-alike",
        state("sqlite:////var/lib/telnyx-sim-exporter-2/state.db"),
        ("config.state.url", "/var/lib/telnyx-sim-exporter"),
    ),
    Guard(
        "state-in-a-folder-of-the-volume",  # which nobody makes
        state("sqlite:////var/lib/telnyx-sim-exporter/fleet/state.db"),
        ("config.state.url", "/var/lib/telnyx-sim-exporter"),
    ),
    Guard(
        "state-in-memory-with-a-volume",
        state("sqlite://"),
        ("config.state.url", "persistence.enabled"),
    ),
    *(
        Guard(
            f"state-that-pods-share-{number}",
            state(url, **ON_PODS, strategy=strategy),
            ("config.state.url", url, "persistence.existingClaim"),
        )
        for number, (url, strategy) in enumerate(
            (
                ("sqlite:////data/state.db", None),
                ("sqlite:////data/state.db", {"type": "RollingUpdate"}),
                ("sqlite:////var/lib/telnyx-sim-exporter/shared/state.db", None),
            )
        )
    ),
    *(
        Guard(
            f"nobody-reaches-{host}",
            config(web={"listen_address": f"{host}:10874"}),
            ("config.web.listen_address", host),
        )
        for host in (
            "127.0.0.1",
            "127.1.2.3",
            "localhost",
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]",
        )
    ),
    *(
        Guard(
            f"port-by-an-argument-{number}",
            least(extraArgs=args),
            ("--web.listen-address", "config.web.listen_address"),
        )
        for number, args in enumerate(
            (["--web.listen-address=:9999"], ["--web.listen-address", ":9999"])
        )
    ),
    *(
        Guard(
            f"no-number-of-a-port-{number}",
            config(web={"listen_address": address}),
            ("config.web.listen_address", address),
        )
        for number, address in enumerate((":${PORT}", ":0", ":http", ":65536"))
    ),
    *(
        Guard(
            f"host-that-probes-cannot-know-by-{section}",
            config(web={"listen_address": "${HOST}:10874"}) | {section: given},
            ("config.web.listen_address", "${HOST}:10874", "probes"),
        )
        for section, given in (
            ("web", {"existingSecret": "telnyx-web"}),
            ("extraArgs", ["--web.config.file", "/x/web.yml"]),
        )
    ),
    *(
        Guard(
            f"path-by-an-argument-{flag}",
            least(extraArgs=[f"--web.{flag}=x"]),
            (f"--web.{flag}", "config.web.external_url"),
        )
        for flag in ("external-url", "route-prefix")
    ),
    *(
        Guard(
            f"path-by-a-variable-{key}",
            config(web={key: value}),
            ("config.web.route_prefix", "write it out"),
        )
        for key, value in (
            ("route_prefix", "/${PATH}"),
            ("external_url", "https://example.org/${PATH}"),
        )
    ),
    Guard(
        "web-file-by-an-argument-too",
        least(web={"existingSecret": "telnyx-web"}, extraArgs=["--web.config.file=/x/web.yml"]),
        ("--web.config.file", "web.existingSecret"),
    ),
    Guard(
        "another-file-by-an-argument",
        least(extraArgs=["--config.file=/x"]),
        ("--config.file", "config"),
    ),
    Guard(
        "claim-without-persistence",
        least(persistence={"enabled": False, "existingClaim": "mine"}),
        ("persistence.existingClaim", "persistence.enabled"),
    ),
    Guard(
        "port-of-nodes-without-one",
        least(service={"nodePort": 30874}),
        ("service.nodePort", "ClusterIP", "service.type=NodePort"),
    ),
    Guard(
        "two-families-in-one-stack",
        least(service={"ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "SingleStack"}),
        ("service.ipFamilies", "service.ipFamilyPolicy=PreferDualStack"),
    ),
    Guard(
        "no-such-alert",
        least(prometheusRule={"alerts": {"TelnyxSimCardProblem": {"disabled": True}}}),
        ("TelnyxSimCardProblem", "TelnyxSimCardProblems", "TelnyxSimKeyRefused"),
    ),
    Guard(
        "alert-of-an-objective-that-is-off",
        least(prometheusRule={"alerts": {"TelnyxSimErrorBudgetBurnFast": {"disabled": True}}}),
        ("TelnyxSimErrorBudgetBurnFast", "prometheusRule.objective"),
    ),
    Guard(
        "no-such-threshold",
        least(prometheusRule={"thresholds": {"objectiv": 0.9}}),
        ("prometheusRule.thresholds.objectiv", "Available: ", "objective=true also: objective"),
    ),
    Guard(
        "threshold-of-an-objective-that-is-off",
        least(prometheusRule={"thresholds": {"objective": 0.9}}),
        ("prometheusRule.thresholds.objective", "prometheusRule.objective=true"),
    ),
    *(
        Guard(
            f"threshold-out-of-its-range-{value}",
            least(prometheusRule={"objective": True, "thresholds": {"objective": value}}),
            ("prometheusRule.thresholds.objective", said),
        )
        for value, said in ((1, "between 0 and 1"), ("99", "between 0 and 1"), ("0", "above 0"))
    ),
    *(
        Guard(
            f"label-of-the-rules-{name}",
            least(prometheusRule={"commonLabels": {name: "x"}}),
            (f"prometheusRule.commonLabels.{name}", "choose another name"),
        )
        for name in ("account", "alertname", "severity")
    ),
]
