import base64
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bcrypt
import httpx

KEY = "KEY0123456789abcdef_SECRET"
RIGHT, WRONG = "right-pa55word", "wrong-pa55word"


def encoded(password: str) -> str:
    """Return a user's password as it is sent."""
    return base64.b64encode(f"ann:{password}".encode()).decode()


def test_passwords_are_shown_nowhere(
    simulate: Callable[..., Any],
    export: Callable[..., Any],
    until: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """Whoever is let in or not, no password, hash or key is in any log, page or process list."""
    hashed = bcrypt.hashpw(RIGHT.encode(), bcrypt.gensalt(4)).decode()
    file = tmp_path / "web.yml"
    file.write_text(f"basic_auth_users:\n  ann: {hashed}\n")
    simulator = simulate("--key", KEY)
    words = ("--web.config.file", str(file), "--log.level", "debug")
    # Started by another program, its command line is its own.
    exporter = export(simulator.url, *words, key=KEY, before=("env",))
    url = exporter.url

    def ask(path: str, password: str) -> httpx.Response:
        answer: httpx.Response = exporter.http.get(f"{url}{path}", auth=("ann", password))
        return answer

    until(lambda: ask("/-/ready", RIGHT).status_code == 200)
    pages = [ask(path, RIGHT) for path in ("/", "/metrics", "/-/healthy", "/nowhere")]
    pages += [ask(path, WRONG) for path in ("/", "/metrics")]
    pages.append(exporter.http.post(f"{url}/-/reload", auth=("ann", RIGHT)))
    assert [each.status_code for each in pages] == [200, 200, 200, 404, 401, 401, 200]
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as raw:
        raw.sendall(f"GET / HTTP/9\r\nAuthorization: Basic {encoded(RIGHT)}\r\n {RIGHT}".encode())
        raw.shutdown(socket.SHUT_WR)
        answer = raw.recv(65_536).decode()

    # A hash that is none may be a password that somebody forgot to hash.
    file.write_text(f"basic_auth_users:\n  ann: {RIGHT}\n  {WRONG}: [{hashed}\n")
    assert ask("/", RIGHT).status_code == 200
    until(lambda: exporter.events("web_configuration_refused"))
    file.write_text(f"basic_auth_users:\n  ann: {RIGHT}\n")
    assert ask("/", RIGHT).status_code == 200
    until(lambda: len(exporter.events("web_configuration_refused")) > 1)
    processes = Path(f"/proc/{exporter.process.pid}/cmdline").read_text(encoding="utf-8")
    assert exporter.end() == 0

    shown = [answer, processes, *exporter.out, *exporter.err]
    shown += [f"{each.headers} {each.text}" for each in pages]
    secrets = (KEY, RIGHT, WRONG, hashed, encoded(RIGHT), encoded(WRONG))
    assert not [text for text in shown if any(secret in text for secret in secrets)]
    assert exporter.events("configuration_reloaded")
