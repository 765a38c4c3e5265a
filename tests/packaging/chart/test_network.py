from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import NAMESPACE, Rendering, least
from tests.packaging.chart.selection import takes

POLICY = "NetworkPolicy"
DNS = {("UDP", 53), ("TCP", 53), ("UDP", 5353), ("TCP", 5353)}


@pytest.fixture
def policy(render: Callable[..., Rendering]) -> Callable[..., Json]:
    """Give what makes the policy's spec with some settings."""

    def make(values: Json | None = None, **section: Any) -> Json:
        spec: Json = render(least(**values or {}, networkPolicy=section)).one(POLICY)["spec"]
        return spec

    return make


def let_in(spec: Json, labels: Json, namespace: str, port: int) -> bool:
    """Tell whether a pod of a namespace reaches a port, as Kubernetes decides it."""
    for rule in spec["ingress"]:
        ports = {each["port"] for each in rule.get("ports", [])} or {port}
        if port in ports and any(_is(peer, labels, namespace) for peer in rule.get("from") or [{}]):
            return True
    return False


def _is(peer: Json, labels: Json, namespace: str) -> bool:
    if not peer:
        return True
    if "ipBlock" in peer:
        return False
    name = {"kubernetes.io/metadata.name": namespace}
    there = peer.get("namespaceSelector")
    at_home = namespace == NAMESPACE if there is None else takes(there, name)
    return at_home and takes(peer.get("podSelector", {}), labels)


def let_out(spec: Json) -> Iterator[tuple[str, int]]:
    """Give protocol and port of all that may be reached anywhere."""
    for rule in spec["egress"]:
        if not rule.get("to"):
            for each in rule["ports"]:
                yield each.get("protocol", "TCP"), each["port"]


def test_it_restricts_both_ways(policy: Callable[..., Json]) -> None:
    """What it does not allow is refused, in and out."""
    assert sorted(policy()["policyTypes"]) == ["Egress", "Ingress"]


def test_everybody_reaches_the_pods_port_and_no_other(policy: Callable[..., Json]) -> None:
    """The port of the pod, not that of the Service: a policy acts on pods."""
    values = {"config": {"web": {"listen_address": ":9999"}}, "service": {"port": 80}}
    spec = policy(values)
    assert let_in(spec, {"any": "pod"}, "elsewhere", 9999)
    assert not let_in(spec, {"any": "pod"}, "elsewhere", 80)
    assert not let_in(spec, {"any": "pod"}, "elsewhere", 10874)
    ports = [port for rule in spec["ingress"] for port in rule["ports"]]
    assert {(port["protocol"], port["port"]) for port in ports} == {("TCP", 9999)}


def test_only_who_is_named_gets_in(
    render: Callable[..., Rendering], policy: Callable[..., Json]
) -> None:
    """Prometheus, say; the pod of the test always, or `helm test` would fail."""
    prometheus = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}},
        "podSelector": {"matchLabels": {"app": "prometheus"}},
    }
    spec = policy(**{"from": [prometheus]})
    test = render().test_pod["metadata"]["labels"]
    other = render(release="other").test_pod["metadata"]["labels"]
    assert let_in(spec, {"app": "prometheus"}, "monitoring", 10874)
    assert not let_in(spec, {"app": "prometheus"}, "elsewhere", 10874)
    assert not let_in(spec, {"app": "other"}, "monitoring", 10874)
    assert let_in(spec, test, NAMESPACE, 10874)
    assert not let_in(spec, test, "elsewhere", 10874)
    assert not let_in(spec, other, NAMESPACE, 10874)


def test_dns_and_the_api_are_reached(policy: Callable[..., Json]) -> None:
    """And nothing else; OpenShift's DNS listens at 5353."""
    spec = policy()
    assert set(let_out(spec)) == DNS | {("TCP", 443)}
    assert [rule for rule in spec["egress"] if not rule.get("ports")] == []


@pytest.mark.parametrize(
    ("url", "ports"),
    [
        pytest.param("postgresql://u@db/d?sslmode=require", {5432}, id="default-port"),
        pytest.param("postgresql://u@db:6432/d", {6432}, id="own-port"),
        pytest.param("postgresql://u:${PW}@db:6432/d", {6432}, id="beside-a-password"),
        pytest.param("postgres://[2001:db8::1]:6432/d", {6432}, id="ipv6"),
        pytest.param("postgresql://[2001:db8::1]/d", {5432}, id="ipv6-default-port"),
        pytest.param("postgresql://u@/d?host=a,b&port=5432,6432", {5432, 6432}, id="two"),
        pytest.param("postgresql://u@/d?host=a,b", {5432}, id="two-default-ports"),
        pytest.param(None, {5432}, id="url-in-a-secret"),
    ],
)
def test_ports_follow_the_database(
    policy: Callable[..., Json], url: str | None, ports: set[int]
) -> None:
    """That of the URL, as far as the chart sees it."""
    secret = {"database": {"existingSecret": "db", "urlKey": "uri"}}
    opened = list(let_out(policy(secret if url is None else {"config": {"state": {"url": url}}})))
    assert set(opened) == DNS | {("TCP", 443)} | {("TCP", port) for port in ports}
    assert len(opened) == len(set(opened))


@pytest.mark.parametrize(
    ("urls", "ports"),
    [
        pytest.param(["https://api.telnyx.com/v2"], {443}, id="default-port"),
        pytest.param(["https://gateway.example.org:8443/v2"], {8443}, id="own-port"),
        pytest.param(
            ["https://a.example.org:8443", "https://b.example.org"], {443, 8443}, id="two"
        ),
        pytest.param(["https://[2001:db8::1]:8443/v2"], {8443}, id="ipv6"),
        pytest.param(["https://[2001:db8::1]/v2"], {443}, id="ipv6-default-port"),
        pytest.param(["http://localhost/v2"], {80}, id="plain"),
        pytest.param(["HTTP://localhost/v2"], {80}, id="plain-in-capitals"),
        pytest.param(["HTTPS://gateway.example.org:8443"], {8443}, id="own-port-in-capitals"),
    ],
)
def test_ports_follow_the_accounts(
    policy: Callable[..., Json], urls: list[str], ports: set[int]
) -> None:
    """Each account may be asked elsewhere; a port is let out once."""
    accounts = [{"name": f"a{number}", "base_url": url} for number, url in enumerate(urls)]
    keys: Json = {each["name"]: {"existingSecret": "telnyx"} for each in accounts}
    spec = policy({"config": {"accounts": accounts}} | {"keys": keys})
    opened = list(let_out(spec))
    assert set(opened) == DNS | {("TCP", port) for port in ports}
    assert len(opened) == len(set(opened))


def test_alertmanagers_are_reached(policy: Callable[..., Json]) -> None:
    """Alerts must not be lost to the policy."""
    targets = ["http://am.example.org:9093", "https://am.example.org/prefix"]
    config = {"alertmanager": {"targets": targets}}
    assert {("TCP", 9093), ("TCP", 443)} <= set(let_out(policy({"config": config})))
    assert ("TCP", 9093) not in set(let_out(policy()))


def test_a_proxy_may_be_reached(policy: Callable[..., Json]) -> None:
    """By a rule of the user, besides the others; the same goes for what comes in."""
    proxy = {"to": [{"ipBlock": {"cidr": "10.0.0.1/32"}}], "ports": [{"port": 3128}]}
    more = {"from": [{"podSelector": {}}], "ports": [{"port": 1234, "protocol": "TCP"}]}
    spec = policy(extraEgress=[proxy], extraIngress=[more])
    assert proxy in spec["egress"]
    assert more in spec["ingress"]
    assert set(let_out(spec)) == DNS | {("TCP", 443)}
    assert let_in(spec, {}, "elsewhere", 10874)


def test_it_may_be_left_out(render: Callable[..., Rendering]) -> None:
    """For clusters that have policies of their own."""
    assert POLICY not in render(least(networkPolicy={"enabled": False})).kinds()
    assert POLICY in render().kinds()
