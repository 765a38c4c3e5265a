"""Run podman on a storage of its own; it must not know what is built or run with it."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.waiting import DEADLINE, eventually

HARDENED = ("--read-only", "--cap-drop=all", "--security-opt=no-new-privileges")
"""How docs/install.md advises to run a container."""

WHERE_LITTLE_IS_ALLOWED = (
    "--ulimit=nofile=1024:1024",  # podman's own are more than a container in CI may ask for
    "--ulimit=nproc=1024:1024",
    "--no-healthcheck",  # needs systemd as the init system; the command of it is run by a test
)

READ = """\
import sys, urllib.request
url, body = sys.argv[1:]
request = urllib.request.Request(url, body.encode() or None)
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
with direct.open(request, timeout=5) as answer:
    print(answer.read().decode(), end="")
"""


@dataclass(frozen=True)
class Podman:
    """podman, with everything that it keeps below one folder."""

    folder: Path
    driver: str

    def run(
        self, *words: str, check: bool = True, within: float = 600
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of podman to its end; unless told otherwise, it has to succeed."""
        empty = self.folder / "containers.conf"
        empty.touch()
        done = subprocess.run(  # noqa: S603 # our own words
            [
                *("podman", f"--root={self.folder / 's'}", f"--runroot={self.folder / 'r'}"),
                *(f"--tmpdir={self.folder / 't'}", f"--storage-driver={self.driver}"),
                *("--runtime=runc", "--cgroup-manager=cgroupfs", "--events-backend=none"),
                *words,
            ],
            env={**os.environ, "CONTAINERS_CONF": str(empty)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=within,
        )
        assert done.returncode == 0 or not check, f"podman {words[0]}:\n{done.stdout}{done.stderr}"
        return done

    def inspect(self, image: str) -> dict[str, Any]:
        """Tell what is known of an image."""
        found: list[dict[str, Any]] = json.loads(self.run("image", "inspect", image).stdout)
        return found[0]


@dataclass
class Container:
    """A container that was started, and is removed in the end."""

    podman: Podman
    id: str

    def logs(self) -> list[str]:
        """Give what it has written so far, to both streams."""
        done = self.podman.run("logs", self.id)
        return [*done.stdout.splitlines(), *done.stderr.splitlines()]

    def wait_for(self, text: str) -> str:
        """Wait for a line of its output that holds the text, and give the line."""
        return eventually(lambda: next((line for line in self.logs() if text in line), ""))

    def execute(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside, whatever comes of it."""
        return self.podman.run("exec", self.id, *command, check=False)

    def read(self, url: str, body: str = "") -> str:
        """Ask for a URL from inside, with POST if there is a body; "" where nobody answers."""
        return self.execute("python", "-c", READ, url, body).stdout

    def total(self, name: str) -> float:
        """Scrape: the sum of one metric over all its series, -1 where there is none."""
        lines = self.read("http://127.0.0.1:10874/metrics").splitlines()
        found = [float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name + "{")]
        return sum(found) if found else -1

    def changed(self) -> set[str]:
        """List the files that differ from the image, but for those that podman itself makes."""
        lines = self.podman.run("diff", self.id).stdout.splitlines()
        own = ("C /etc", "A /etc/passwd", "A /etc/group")
        return {line for line in lines if line not in own}

    def end(self) -> int:
        """Stop it as Docker does, who kills what is there after ten seconds; give the exit code."""
        self.podman.run("stop", "--time=10", self.id)
        return self.code()

    def code(self) -> int:
        """Wait for its end and give the exit code."""
        return int(self.podman.run("wait", self.id, within=DEADLINE).stdout)


@dataclass
class Containers:
    """Starts containers of one image, and removes them all in the end."""

    podman: Podman
    image: str
    started: list[Container] = field(default_factory=list)

    def start(self, *command: str, options: Sequence[str] = HARDENED) -> Container:
        """Start a container, hardened unless told otherwise."""
        words = ("run", "--detach", *WHERE_LITTLE_IS_ALLOWED, *options, self.image, *command)
        container = Container(self.podman, self.podman.run(*words).stdout.strip())
        self.started.append(container)
        return container

    def remove(self) -> None:
        """Remove them, the latest first as it may use the network of an earlier one."""
        for each in reversed(self.started):
            sys.stdout.write("\n".join(["", *each.logs()]))  # pytest shows it where a test fails
            self.podman.run("rm", "--force", "--volumes", "--time=0", each.id)
