"""Tell, as JSON, what a process finds inside of the image; it must not judge it."""

import importlib.metadata
import importlib.util
import json
import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

INSTALLERS = ("pip", "pip3", "ensurepip", "setuptools", "wheel", "hatchling", "uv")
COMPILERS = ("cc", "gcc", "g++", "c++", "clang", "ld", "make", "rustc", "go")
PLACES = ("/opt", "/usr", "/etc")


def files() -> Iterator[Path]:
    """List what lies where programs and their settings are; links say nothing of themselves."""
    for place in PLACES:
        for folder, _, names in os.walk(place):
            every = (Path(folder), *(Path(folder, name) for name in names))
            yield from (path for path in every if not path.is_symlink())


def uncompiled() -> list[str]:
    """List the modules of the command line without byte code that is loaded without a check."""
    import exporter.cli.main  # noqa: F401, PLC0415 # to look at what it loads

    sources = {str(getattr(each, "__file__", None)) for each in sys.modules.values()}
    return sorted(each for each in sources - {__file__} if each.endswith(".py") and checked(each))


def checked(source: str) -> bool:
    """Tell whether a source is looked at before it is loaded."""
    code = Path(importlib.util.cache_from_source(source))
    return not code.is_file() or code.read_bytes()[4:8] != b"\1\0\0\0"  # PEP 552


json.dump(
    {
        "user": [os.getuid(), os.getgid(), os.getgroups()],
        "programs": [name for name in (*INSTALLERS, *COMPILERS) if shutil.which(name)],
        "modules": [name for name in INSTALLERS if importlib.util.find_spec(name)],
        "wheels": [str(path) for path in files() if path.suffix == ".whl"],
        "of others": [str(path) for path in files() if path.stat().st_uid != 0],
        "writable": [str(path) for path in files() if os.access(path, os.W_OK)],
        "uncompiled": uncompiled(),
        "standard library": sysconfig.get_path("stdlib"),
        "packages": {each.name: each.version for each in importlib.metadata.distributions()},
        "safe path": sys.flags.safe_path,
    },
    sys.stdout,
)
