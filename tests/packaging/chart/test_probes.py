from collections.abc import Callable
from typing import Any

import pytest

from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import NAMESPACE, Rendering, defaults, least

KINDS = {"startupProbe": "/-/healthy", "livenessProbe": "/-/healthy", "readinessProbe": "/-/ready"}
HTTPS: Json = {"scheme": "HTTPS"}
FILE: Json = {"existingSecret": "web"}


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


def test_a_large_state_has_time_to_open() -> None:
    """The exporter listens only then; the liveness probe takes over as soon as it answers."""
    startup = defaults()["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] == 300


def test_probes_speak_https_where_the_exporter_does(probe: Callable[..., Json], kind: str) -> None:
    """The kubelet does not verify the certificate, so the scheme is all that it needs."""
    expected = defaults()[kind]
    expected["httpGet"]["scheme"] = "HTTPS"
    assert probe(web=HTTPS) == expected


def test_a_scheme_of_the_user_is_kept(render: Callable[..., Rendering]) -> None:
    """Somebody may have something in front."""
    own = {"httpGet": {"path": "/", "port": 80, "scheme": "HTTP"}}
    values = dict.fromkeys(KINDS, own)
    plain = render(least(web=HTTPS, **values)).container
    secured = render(least(web=HTTPS | FILE, **values)).container
    for kind in KINDS:
        assert plain[kind]["httpGet"]["scheme"] == "HTTP"
        assert secured[kind]["exec"]["command"][-1] == "http://127.0.0.1:80/"


@pytest.mark.parametrize(
    ("values", "url"),
    [
        pytest.param({"web": FILE}, "http://127.0.0.1:10874", id="secret"),
        pytest.param({"web": FILE | HTTPS}, "https://127.0.0.1:10874", id="secret-and-scheme"),
        pytest.param(
            {"config": {"web": {"config_file": "/x/web.yml", "listen_address": ":9999"}}},
            "http://127.0.0.1:9999",
            id="file-of-the-user",
        ),
        pytest.param(
            {"extraArgs": ["--web.config.file=/x/web.yml"]}, "http://127.0.0.1:10874", id="argument"
        ),
    ],
)
def test_what_may_ask_for_passwords_is_probed_from_within(
    render: Callable[..., Rendering], values: Json, url: str
) -> None:
    """The kubelet has none, so a program in the image looks whether the exporter answers."""
    made = render(least(**values)).container
    for kind, path in KINDS.items():
        expected = defaults()[kind]
        del expected["httpGet"]
        expected["exec"] = {"command": ["python", "-m", "exporter.probe", f"{url}{path}"]}
        assert made[kind] == expected


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("0.0.0.0:10874", "127.0.0.1"),
        ("[::]:10874", "127.0.0.1"),  # IPv4 too, and IPv6 may be off
        ("[0::0]:10874", "[::1]"),
        ("10.0.0.1:10874", "10.0.0.1"),
        ("[2001:db8::1]:10874", "[2001:db8::1]"),
    ],
)
def test_probes_from_within_follow_the_address(
    render: Callable[..., Rendering], address: str, host: str
) -> None:
    """An exporter that listens to one address answers at no other."""
    made = render(least(web=FILE, config={"web": {"listen_address": address}})).container
    urls = {kind: made[kind]["exec"]["command"][-1] for kind in KINDS}
    assert urls == {kind: f"http://{host}:10874{path}" for kind, path in KINDS.items()}


@pytest.mark.parametrize("web", [{}, HTTPS, FILE], ids=["http", "https", "file"])
@pytest.mark.parametrize(
    "handler",
    [{"tcpSocket": {"port": "http"}}, {"exec": {"command": ["true"]}}, {"grpc": {"port": 9}}],
    ids=["tcpSocket", "exec", "grpc"],
)
def test_another_kind_of_probe_takes_the_place(
    render: Callable[..., Rendering], web: Json, handler: Json
) -> None:
    """Kubernetes refuses two handlers, and only what asks over HTTP has a scheme or a password."""
    own = handler | {"periodSeconds": 7}
    made = render(least(web=web, **dict.fromkeys(KINDS, own))).container
    for kind in KINDS:
        expected = defaults()[kind] | own
        del expected["httpGet"]
        assert made[kind] == expected


def test_a_probe_may_be_left_out(render: Callable[..., Rendering], kind: str) -> None:
    """By null, as values.yaml says."""
    made = render(least(**{kind: None}))
    assert kind not in made.container
    assert KINDS.keys() - made.container.keys() == {kind}


@pytest.mark.parametrize(("web", "scheme"), [({}, "http"), (FILE, "http"), (FILE | HTTPS, "https")])
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
