import re
from typing import Any, NamedTuple

import pytest

from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import LEAST, TEMPLATES, Helm, least

ON_PODS: Json = {"persistence": {"enabled": False}}
ALERTS = "prometheusRule"


class Guard(NamedTuple):
    """Values that cannot work, and the words that tell what is wrong and how to mend it."""

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
    Guard(
        "two-pods-with-a-volume",
        least(replicas=2),
        ("replicas", "persistence.enabled"),
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
            f"nobody-reaches-{host}",
            config(web={"listen_address": f"{host}:10874"}),
            ("config.web.listen_address", host),
        )
        for host in ("127.0.0.1", "127.1.2.3", "localhost", "[::1]")
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
        for number, address in enumerate((":${PORT}", ":0", ":http"))
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
        "no-such-alert",
        least(prometheusRule={"alerts": {"TelnyxSimActionFailled": {"disabled": True}}}),
        ("TelnyxSimActionFailled", "TelnyxSimActionFailed", "TelnyxSimKeyRefused"),
    ),
    Guard(
        "alert-of-an-objective-that-is-off",
        least(prometheusRule={"alerts": {"TelnyxSimErrorBudgetBurnFast": {"disabled": True}}}),
        ("TelnyxSimErrorBudgetBurnFast", "prometheusRule.objective"),
    ),
]


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_values_that_cannot_work_are_refused(helm: Helm, guard: Guard) -> None:
    """Helm says which value is wrong and what to do, before anything reaches a cluster."""
    complaint = helm.complaint(guard.values)
    assert "execution error" in complaint, complaint
    assert [word for word in guard.words if word not in complaint] == []
    assert "KEY0" not in complaint


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(least(replicas=0), id="no-pod"),
        pytest.param(least(replicas=2) | ON_PODS, id="two-pods-without-a-volume"),
        pytest.param(state("sqlite://", **ON_PODS), id="in-memory-without-a-volume"),
        pytest.param(accounts({"name": "default", "api_key": "${KEY}"}, keys={}), id="variable"),
        pytest.param(
            accounts({"name": "eu", "api_key_file": "/x/key"}, keys={"default": {}}), id="own-file"
        ),
        pytest.param(accounts({}), id="account-without-a-name"),
        pytest.param(config(web={"listen_address": "0.0.0.0:10874"}), id="every-address"),
        pytest.param(config(web={"listen_address": "[::]:10874"}), id="every-address-of-both"),
        pytest.param(least(strategy={"type": "Recreate"}), id="recreate-with-a-volume"),
        pytest.param(
            least(strategy={"type": "RollingUpdate"}) | ON_PODS, id="rolling-without-a-volume"
        ),
        pytest.param(
            least(
                prometheusRule={
                    "objective": True,
                    "alerts": {"TelnyxSimErrorBudgetBurnFast": {"disabled": True}},
                }
            ),
            id="alert-of-an-objective",
        ),
    ],
)
def test_values_that_work_are_not_refused(helm: Helm, values: Json) -> None:
    """The guards stand close to what cannot work, and let pass what can."""
    assert "Deployment" in helm.render(values).kinds()


FAIL = re.compile(r"\bfail\b\s*(\(\s*printf\s*)?(?P<text>\"(?:[^\"\\]|\\.)*\"|`[^`]*`)?")


def messages() -> list[tuple[str, re.Pattern[str]]]:
    """Give each message with which a template fails, as a pattern of what it says at last."""
    found = []
    for path in TEMPLATES:
        code = "\n".join(re.findall(r"{{(.*?)}}", path.read_text("utf-8"), re.DOTALL))
        code = re.sub(r"/\*.*?\*/", "", code, flags=re.DOTALL)
        for call in FAIL.finditer(code):
            assert call["text"], f"{path.name}: the words of a guard stand beside its fail"
            text = call["text"][1:-1].replace('\\"', '"')
            parts = re.split(r"%[sqdv]", text)
            found.append((text, re.compile(".*".join(map(re.escape, parts)), re.DOTALL)))
    return found


def test_each_guard_is_tested(helm: Helm) -> None:
    """No template fails in a way that the cases above do not show."""
    said = [helm.complaint(guard.values) for guard in GUARDS]
    known = messages()
    assert known
    assert [text for text, pattern in known if not any(map(pattern.search, said))] == []
