from collections.abc import Callable

import pytest
from click.testing import Result

Invoke = Callable[..., Result]

NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
API = "https://api.telnyx.test/v2"


@pytest.mark.parametrize("command", ["run", "once", "check-config"])
@pytest.mark.parametrize(
    ("environ", "begins"),
    [
        ({"ALL_PROXY": "socks5://user:secret@h:1"}, "ALL_PROXY: is a SOCKS proxy"),
        ({"all_proxy": "socks4://h"}, "all_proxy: is a SOCKS proxy"),
        ({"HTTPS_PROXY": "http://user:secret@h:abc"}, "HTTPS_PROXY: is not a valid proxy URL"),
        ({"https_proxy": "secret://h"}, "https_proxy: is not a valid proxy URL"),
        ({"HTTPS_PROXY": "h", "NO_PROXY": "a/b"}, "NO_PROXY: 'a/b' is not a host name"),
        ({"SSL_CERT_FILE": "/no/file"}, "SSL_CERT_FILE: /no/file: cannot be read"),
        ({"SSL_CERT_DIR": "/no/folder"}, "SSL_CERT_DIR: /no/folder: cannot be read"),
        ({"SSLKEYLOGFILE": "/no/log"}, "SSLKEYLOGFILE: /no/log: cannot be written"),
    ],
)
def test_what_cannot_be_used_is_1_and_a_line(
    command: str, environ: dict[str, str], begins: str, invoke: Invoke, write: Callable[..., str]
) -> None:
    """Every command that would need the variable names it, in a line without a password."""
    words = [write(API)] if command == "check-config" else ["--config.file", write(API)]
    result = invoke(command, *words, **environ)
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(begins)
    assert "user" not in line.removeprefix(begins)
    assert "secret" not in line


def test_check_config_tells_all_of_it(invoke: Invoke, write: Callable[..., str]) -> None:
    """The web configuration, proxies and certificates are judged together."""
    file = write(API, web={"config_file": "web.yml"})
    environ = {"HTTPS_PROXY": "h:x", "SSL_CERT_FILE": "/nowhere"}
    result = invoke("check-config", file, **environ)
    assert result.exit_code == 1
    begins = [line.partition(":")[0] for line in result.stderr.splitlines()]
    assert begins == ["web.yml", "HTTPS_PROXY", "SSL_CERT_FILE"]


@pytest.mark.parametrize("no_proxy", ["fd00::/108", "localhost,[::1]", "127.0.0.0/8, *.example"])
def test_entries_of_container_runtimes_are_understood(
    no_proxy: str, invoke: Invoke, write: Callable[..., str]
) -> None:
    """Ranges and addresses in brackets are nothing to stumble over."""
    environ = {"HTTPS_PROXY": "http://proxy.test:3128", "NO_PROXY": no_proxy}
    result = invoke("check-config", write(API), **environ)
    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:1", "socks5://127.0.0.1:1", "http://h:abc"])
def test_this_machine_needs_none_of_it(
    proxy: str, invoke: Invoke, write: Callable[..., str], api: str
) -> None:
    """An API on loopback is polled whatever stands in the environment."""
    environ = {**dict.fromkeys(NAMES, proxy), "NO_PROXY": "a/b", "SSL_CERT_FILE": "/nowhere"}
    result = invoke("once", "--config.file", write(api), **environ, SSLKEYLOGFILE="/no/log")
    assert result.exit_code == 0, result.stderr
    assert 'telnyx_up{account="account-0"} 1.0' in result.stdout


@pytest.mark.parametrize("workers", ["", "many", "4"])
def test_what_is_meant_for_other_web_servers_is_not_read(
    workers: str, invoke: Invoke, write: Callable[..., str], api: str
) -> None:
    """The variable of uvicorn for its number of processes neither counts nor ends in a trace."""
    result = invoke("once", "--config.file", write(api), WEB_CONCURRENCY=workers)
    assert result.exit_code == 0, result.stderr
