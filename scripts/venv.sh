#!/bin/sh
# Create a virtual environment with the first suitable Python: venv.sh FOLDER
set -eu

folder=$1

find_python() {
    for candidate in python3.13 python3.12 python3.11 python3; do
        # Some systems have python3 and venv, but not ensurepip.
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
        echo "No Python 3.11 or later with venv was found: install one" \
            "(on Debian and Ubuntu: apt-get install python3-venv)." >&2
        exit 1
    fi
fi

# An incomplete environment would be considered complete by the next run.
trap '[ -n "$made" ] || rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
made=
"$python" -m venv --clear "$folder"
made=yes
