import pytest

from exporter.address import ListenAddress, parse_listen_address


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        (":10874", "", 10874),
        ("127.0.0.1:0", "127.0.0.1", 0),
        ("localhost:9000", "localhost", 9000),
        ("[::1]:9000", "::1", 9000),
        ("[fe80::1%eth0]:65535", "fe80::1%eth0", 65535),
    ],
)
def test_address_is_read_and_written_back(text: str, host: str, port: int) -> None:
    """Every form is read, and written as it was read."""
    address = parse_listen_address(text)
    assert address == ListenAddress(host, port)
    assert str(address) == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "use HOST:PORT"),
        ("10874", "use HOST:PORT"),
        ("localhost", "use HOST:PORT"),
        ("::1:9000", r"\[IPv6\]:PORT"),
        ("[localhost]:9000", "use HOST:PORT"),
        ("http://localhost:9000", "use HOST:PORT"),
        ("localhost:", "use HOST:PORT"),
        ("localhost:-1", "use HOST:PORT"),
        ("localhost: 80", "use HOST:PORT"),
        (":65536", "port 65536 .* is out of range"),
    ],
)
def test_wrong_address_is_refused_with_advice(text: str, says: str) -> None:
    """A mistake is named together with the way to write it."""
    with pytest.raises(ValueError, match=says):
        parse_listen_address(text)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (":10874", "http://localhost:10874"),
        ("0.0.0.0:10874", "http://localhost:10874"),
        ("[::]:10874", "http://localhost:10874"),
        ("127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("[::1]:9000", "http://[::1]:9000"),
    ],
)
def test_url_can_be_opened_on_the_same_machine(text: str, url: str) -> None:
    """Listening everywhere is no place to go to, so the URL names the machine itself."""
    assert parse_listen_address(text).url == url


@pytest.mark.parametrize(
    ("one", "other", "covers"),
    [
        ("127.0.0.1:1", "127.0.0.1:1", True),
        ("Localhost:1", "localhost:1", True),
        ("127.0.0.1:1", "127.0.0.1:2", False),
        ("127.0.0.1:1", "127.0.0.2:1", False),
        (":1", "127.0.0.1:1", True),
        ("[::]:1", "[::1]:1", True),
        ("0.0.0.0:1", "127.0.0.1:1", True),
        ("0.0.0.0:1", "[::1]:1", False),
        ("127.0.0.1:1", ":1", False),
        ("127.0.0.1:0", "127.0.0.1:0", False),
    ],
)
def test_an_address_can_be_part_of_another(one: str, other: str, *, covers: bool) -> None:
    """Who listens everywhere listens there too; port 0 is a free one each time."""
    assert parse_listen_address(one).covers(parse_listen_address(other)) is covers
