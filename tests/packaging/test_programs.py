import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "programs.sh"


@pytest.mark.parametrize(
    ("docker", "code", "asked"),
    [
        pytest.param("docker", 0, "", id="plugin"),
        pytest.param("docker", 1, "docker-compose", id="docker alone"),
        pytest.param("docker-compose", 1, "", id="older program"),
        pytest.param("", 1, "docker-compose", id="neither"),
    ],
)
def test_compose_is_installed_where_docker_has_none(
    tmp_path: Path, docker: str, code: int, asked: str
) -> None:
    """Docker's plugin or the older program will do; where there is neither, apt-get is asked."""
    programs = tmp_path / "bin"
    programs.mkdir()
    shell, dirname = shutil.which("sh"), shutil.which("dirname")
    assert shell is not None
    assert dirname is not None
    (programs / "dirname").symlink_to(dirname)
    if docker:
        _write(programs / docker, f"#!{shell}\nexit {code}\n")
    said = tmp_path / "said"
    _write(tmp_path / "apt-install.sh", f'#!{shell}\necho "$*" >{said}\n')
    shutil.copy(SCRIPT, tmp_path)
    command = (shell, str(tmp_path / SCRIPT.name), "docker-compose")
    subprocess.run(command, env=os.environ | {"PATH": str(programs)}, check=True)  # noqa: S603 # our own words
    assert (said.read_text("utf-8").strip() if said.exists() else "") == asked


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
