from collections.abc import Callable

import pytest

from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import Rendering, least


@pytest.fixture
def service(render: Callable[..., Rendering]) -> Callable[..., Json]:
    """Give what makes the Service's spec with some settings."""

    def make(**section: object) -> Json:
        spec: Json = render(least(service=section)).one("Service")["spec"]
        return spec

    return make


def test_the_cluster_chooses_what_is_left_out(service: Callable[..., Json]) -> None:
    """No family and no port of the nodes is asked for."""
    spec = service()
    assert not {"ipFamilyPolicy", "ipFamilies"} & spec.keys()
    assert [each.keys() & {"nodePort"} for each in spec["ports"]] == [set()]


@pytest.mark.parametrize("kind", ["NodePort", "LoadBalancer"])
def test_a_port_of_the_nodes_is_taken_over(service: Callable[..., Json], kind: str) -> None:
    """As a number, for each type that has one."""
    spec = service(type=kind, nodePort=30874)
    assert (spec["type"], spec["ports"][0]["nodePort"]) == (kind, 30874)


@pytest.mark.parametrize("policy", ["SingleStack", "PreferDualStack", "RequireDualStack"])
def test_families_are_taken_over_in_their_order(service: Callable[..., Json], policy: str) -> None:
    """The first one is that of the Service's own address."""
    families = ["IPv6"] if policy == "SingleStack" else ["IPv6", "IPv4"]
    spec = service(ipFamilyPolicy=policy, ipFamilies=families)
    assert (spec["ipFamilyPolicy"], spec["ipFamilies"]) == (policy, families)


def test_two_families_need_no_policy(service: Callable[..., Json]) -> None:
    """Kubernetes takes RequireDualStack then."""
    spec = service(ipFamilies=["IPv4", "IPv6"])
    assert spec["ipFamilies"] == ["IPv4", "IPv6"]
    assert "ipFamilyPolicy" not in spec
