from collections.abc import Callable
from typing import Any

import pytest

from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import NAMESPACE, Rendering, defaults, least

KINDS = {"startupProbe": "/-/healthy", "livenessProbe": "/-/healthy", "readinessProbe": "/-/ready"}
HTTPS: Json = {"existingSecret": "web", "scheme": "HTTPS"}
CERTIFICATES = {**HTTPS, "protected": True}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Give each kind of probe."""
    return str(request.param)


@pytest.fixture
def probe(render: Callable[..., Rendering], kind: str) -> Callable[..., Json]:
    """Give what makes the probe of the kind."""

    def make(**values: Any) -> Json:
        made: Json = render(least(**values)).container[kind]
        return made

    return make


def test_probes_are_those_of_the_values(probe: Callable[..., Json], kind: str) -> None:
    """As they stand, over plain HTTP."""
    made = probe()
    assert made["httpGet"].pop("scheme", "HTTP") == "HTTP"
    assert made == defaults()[kind]
    assert made["httpGet"]["path"] == KINDS[kind]


def test_probes_speak_https_where_the_exporter_does(probe: Callable[..., Json], kind: str) -> None:
    """The kubelet does not verify the certificate, so the scheme is all that it needs."""
    expected = defaults()[kind]
    expected["httpGet"]["scheme"] = "HTTPS"
    assert probe(web=HTTPS) == expected


def test_a_scheme_of_the_user_is_kept(probe: Callable[..., Json], kind: str) -> None:
    """Somebody may have something in front."""
    own = {"httpGet": {"path": "/", "port": 80, "scheme": "HTTP"}}
    assert probe(web=HTTPS, **{kind: own})["httpGet"]["scheme"] == "HTTP"


@pytest.mark.parametrize(
    ("web", "scheme"), [(CERTIFICATES, "https"), (CERTIFICATES | {"scheme": "HTTP"}, "http")]
)
def test_who_asks_for_passwords_is_probed_from_within(
    probe: Callable[..., Json], kind: str, web: Json, scheme: str
) -> None:
    """The kubelet has none, so a program in the image looks whether the exporter answers."""
    made = probe(web=web, config={"web": {"listen_address": ":9999"}})
    url = f"{scheme}://127.0.0.1:9999{KINDS[kind]}"
    assert made.pop("exec") == {"command": ["python", "-m", "exporter.probe", url]}
    expected = defaults()[kind]
    del expected["httpGet"]
    assert made == expected


@pytest.mark.parametrize("web", [{}, HTTPS, CERTIFICATES], ids=["http", "https", "protected"])
def test_another_kind_of_probe_is_left_alone(
    probe: Callable[..., Json], kind: str, web: Json
) -> None:
    """Only what asks over HTTP has a scheme or needs a password."""
    own = {"tcpSocket": {"port": "http"}, "periodSeconds": 7, "httpGet": None}
    expected = {key: value for key, value in (defaults()[kind] | own).items() if value is not None}
    assert probe(web=web, **{kind: own}) == expected


def test_a_probe_may_be_left_out(render: Callable[..., Rendering], kind: str) -> None:
    """By null, as values.yaml says."""
    made = render(least(**{kind: None}))
    assert kind not in made.container
    assert KINDS.keys() - made.container.keys() == {kind}


@pytest.mark.parametrize(
    ("web", "scheme"), [({}, "http"), (HTTPS, "https"), (CERTIFICATES, "https")]
)
def test_helm_test_asks_the_service(
    render: Callable[..., Rendering], web: Json, scheme: str
) -> None:
    """By the exporter's own image, at the Service's port, for what Prometheus reads."""
    made = render(least(web=web, service={"port": 8080}, image={"tag": "9.9.9"}))
    pod = made.test_pod
    (box,) = pod["spec"]["containers"]
    address = f"{made.one('Service')['metadata']['name']}"
    (*command, url) = box["command"]
    assert command == ["python", "-m", "exporter.probe"]
    host = url.removeprefix(f"{scheme}://").removesuffix(":8080/metrics")
    assert host in {address, f"{address}.{NAMESPACE}", f"{address}.{NAMESPACE}.svc"}
    assert box["image"] == made.container["image"]
    assert box.get("args") is None
    assert pod["spec"]["restartPolicy"] == "Never"


def test_helm_test_is_a_hook(render: Callable[..., Rendering]) -> None:
    """It is made for a test alone, and goes when it has succeeded."""
    notes = render().test_pod["metadata"]["annotations"]
    assert notes["helm.sh/hook"] == "test"
    assert set(notes["helm.sh/hook-delete-policy"].split(",")) == {
        "before-hook-creation",
        "hook-succeeded",
    }
    assert "Pod" not in render(least(tests={"enabled": False})).kinds()
