#!/bin/sh
# Create a virtual environment with the first suitable Python: venv.sh FOLDER
set -eu

folder=$1

find_python() {
    for candidate in python3.13 python3.12 python3.11 python3; do
        # Some systems have the command and the module venv, but not what fills the environment.
        if "$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' \
            </dev/null >/dev/null 2>&1; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

if ! python=$(find_python); then
    "$(dirname "$0")/apt-install.sh" python3-venv || true
    if ! python=$(find_python); then
        echo "There is no Python 3.11 or newer with venv: install one" \
            "(on Debian and Ubuntu: apt-get install python3-venv)." >&2
        exit 1
    fi
fi

# Half an environment would be taken for a whole one the next time.
trap '[ -n "$made" ] || rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
made=
"$python" -m venv --clear "$folder"
made=yes
