import pytest

from exporter.errors import ConfigError
from exporter.telnyx.proxy import find_proxy

API = "https://api.telnyx.com/v2"
PROXY = "http://proxy.test:3128"


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({}, None),
        ({"HTTPS_PROXY": PROXY}, "HTTPS_PROXY"),
        ({"https_proxy": PROXY}, "https_proxy"),
        ({"ALL_PROXY": PROXY}, "ALL_PROXY"),
        ({"all_proxy": PROXY}, "all_proxy"),
        ({"HTTP_PROXY": PROXY, "http_proxy": PROXY}, None),
        ({"HTTPS_PROXY": PROXY, "https_proxy": PROXY}, "https_proxy"),
        ({"HTTPS_PROXY": PROXY, "https_proxy": ""}, None),
        ({"HTTPS_PROXY": PROXY, "ALL_PROXY": "socks5://h:1"}, "HTTPS_PROXY"),
        ({"HTTPS_PROXY": "", "ALL_PROXY": PROXY}, "ALL_PROXY"),
    ],
)
def test_the_usual_variables_name_the_proxy(environ: dict[str, str], variable: str | None) -> None:
    """That for https goes before that for all, and lower case before upper case."""
    found = find_proxy(API, environ)
    assert (found.variable if found else None) == variable


@pytest.mark.parametrize(
    "proxy",
    [
        "proxy.test",
        "proxy.test:3128",
        "user:secret@proxy.test:3128",
        "http://proxy.test",
        "http://proxy.test:3128/",
        "https://proxy.test:3128",
        "HTTP://[::1]:3128",
        " http://user:s%2Fcret@10.0.0.1:3128 ",
        "http://jürgen:geheim@proxy_1:3128",
    ],
)
def test_addresses_of_proxies_are_taken(proxy: str) -> None:
    """With or without scheme, port, user and password; the password is in no repr."""
    found = find_proxy(API, {"HTTPS_PROXY": proxy})
    assert found is not None
    assert "cret" not in repr(found)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080/v2",
        "http://api.telnyx.com/v2",
        "https://localhost/v2",
        "https://LOCALHOST.:8443/v2",
        "https://api.localhost/v2",
        "https://127.0.0.1/v2",
        "https://127.255.255.254/v2",
        "https://127.1/v2",
        "https://2130706433/v2",
        "https://0x7f.1/v2",
        "https://[::1]/v2",
        "https://[0:0:0:0:0:0:0:1]/v2",
        "https://[::ffff:127.0.0.1]/v2",
        "https://[::ffff:7f00:1]/v2",
        "https://0.0.0.0/v2",
        "https://[::]/v2",
    ],
)
@pytest.mark.parametrize("proxy", [PROXY, "socks5://h:1", "http://h:abc"])
def test_neither_plain_http_nor_this_machine_is_asked_through_a_proxy(url: str, proxy: str) -> None:
    """Whatever stands in the variables, and however loopback is spelled."""
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
    assert find_proxy(url, {**dict.fromkeys(names, proxy), "NO_PROXY": "a/b"}) is None


@pytest.mark.parametrize(
    ("no_proxy", "exempt"),
    [
        ("*", True),
        ("example.org, *", True),
        ("*, 192.168.*, h:x", True),
        ("http://h *", True),
        ("169.254/16, 10/8", False),
        ("telnyx.com", True),
        (".telnyx.com", True),
        ("*.telnyx.com", True),
        ("api.telnyx.com", True),
        ("API.Telnyx.COM.", True),
        ("api.telnyx.com:443", True),
        ("api.telnyx.com:8443", False),
        (".api.telnyx.com", False),
        ("*.api.telnyx.com", False),
        ("elnyx.com", False),
        ("api.telnyx.co", False),
        (" example.org ,\ttelnyx.com,, x", True),
        ("example.org telnyx.com", True),
        ("", False),
        (" , ", False),
        ("fd00::/108", False),
        ("localhost,[::1]", False),
        ("127.0.0.0/8,::1,10.0.0.0/8", False),
        ("münchen.de,my_host", False),
    ],
)
@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
def test_names_are_exempt(variable: str, no_proxy: str, exempt: bool) -> None:  # noqa: FBT001 # data
    """A name means itself and what is below it, one with a dot before it only the latter."""
    found = find_proxy(API, {"HTTPS_PROXY": PROXY, variable: no_proxy})
    assert (found is None) == exempt


@pytest.mark.parametrize(
    ("host", "no_proxy", "exempt"),
    [
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "10.9.9.9/8", True),
        ("10.1.2.3", "10/8", True),
        ("10.1.2.3", "10.1/16:443", True),
        ("10.1.2.3", "10.2/16", False),
        ("169.254.7.7", "169.254/16", True),
        ("192.168.3.9", "192.168.3/24", True),
        ("10.1.2.3", "10.0.0.0/255.0.0.0", True),
        ("10.1.2.3", "11.0.0.0/8", False),
        ("10.1.2.3", "10.1.2.3:443", True),
        ("10.1.2.3:8443", "10.1.2.3:443", False),
        ("10.1.2.3:8443", "10.0.0.0/8:8443", True),
        ("10.1.2.3", "::ffff:10.0.0.0/104", True),
        ("10.1.2.3", "::/0", False),
        ("167772161", "10.0.0.0/8", True),
        ("[::ffff:10.1.2.3]", "10.0.0.0/8", True),
        ("[fd00::1]", "fd00::/108", True),
        ("[fd00::1]", "[fd00::]/108", True),
        ("[fd00::1]", "[fd00::/108]", True),
        ("[fd00::1]", "fd00::1", True),
        ("[fd00::1]", "[fd00:0::1]", True),
        ("[fd00::1]", "[fd00::1]:443", True),
        ("[fd00::1]", "[fd00::1]:8443", False),
        ("[fd00::1]", "0.0.0.0/0", False),
    ],
)
def test_addresses_are_exempt(host: str, no_proxy: str, exempt: bool) -> None:  # noqa: FBT001 # data
    """By themselves or by their range, of IPv4 and IPv6, with or without a port."""
    found = find_proxy(f"https://{host}/v2", {"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy})
    assert (found is None) == exempt


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize(
    "proxy",
    [
        "socks5://user:secret@h:1",
        "SOCKS5H://user:secret@h",
        "socks4://h",
        "ftp://user:secret@h",
        "http://user:secret@h:abc",
        "user:secret@h:abc",
        "http://user:secret@h:0",
        "http://user:secret@h:99999",
        "http://user:secret@",
        "http://user:sec/secret@h:1",
        "http://user#secret@h:1",
        "http://user:secret?@h:1",
        "http://user:secret[@h:1",
        "http://h/secret.pac",
        "http://user:secret@a b:1",
        "http://user:secret@a..b:1",
        f"http://user:secret@{'a' * 64}.org",
        "http://::1:3128",
    ],
)
def test_what_is_no_proxy_is_one_line_without_the_password(name: str, proxy: str) -> None:
    """The line begins with the variable, as it is spelled."""
    with pytest.raises(ConfigError) as caught:
        find_proxy(API, {name: proxy})
    (line,) = caught.value.mistakes
    assert line.startswith(f"{name}: ")
    assert "\n" not in line
    assert "secret" not in line
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "entry",
    [
        "10.0.0.0/99",
        "192.168.",
        "192.168.*",
        "a;b",
        "<local>",
        "http://h",
        "a..b",
        "h:x",
        "h:0",
        "h:65536",
        "[::1]:0",
    ],
)
@pytest.mark.parametrize("rest", ["", "telnyx.com,"])
def test_what_exempts_nothing_is_a_mistake(entry: str, rest: str) -> None:
    """The entry is quoted; where no proxy is named, nobody asks for it."""
    with pytest.raises(ConfigError) as caught:
        find_proxy(API, {"HTTPS_PROXY": PROXY, "no_proxy": f"{rest}{entry}"})
    assert caught.value.mistakes == (
        f"no_proxy: {entry!r} is not a host name, an IP address or a range; correct or remove it",
    )
    assert find_proxy(API, {"no_proxy": entry}) is None
