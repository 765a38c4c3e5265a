import pytest

from exporter.web.client_network import client_network


@pytest.mark.parametrize(
    ("client", "other", "same"),
    [
        pytest.param("192.0.2.1", "192.0.2.1", True, id="IPv4"),
        pytest.param("192.0.2.1", "192.0.2.2", False, id="neighbours in IPv4"),
        pytest.param("2001:db8::1", "2001:db8::ffff:1", True, id="one network"),
        pytest.param("2001:db8::1", "2001:db8:0:1::1", False, id="another network"),
        pytest.param("::ffff:192.0.2.1", "192.0.2.1", True, id="IPv4 on a socket of IPv6"),
        pytest.param("::ffff:192.0.2.1", "::ffff:192.0.2.2", False, id="neighbours on one"),
        pytest.param("fe80::1%eth0", "fe80::2%eth0", True, id="with an interface"),
        pytest.param("", "", True, id="unknown"),
    ],
)
def test_address_is_what_a_customer_has(client: str, other: str, *, same: bool) -> None:
    """Of IPv4 it is one, of IPv6 a network of 64 bits."""
    assert (client_network(client) == client_network(other)) is same
