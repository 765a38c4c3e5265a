#!/bin/sh
# Install the system programs that the tests drive, where they are missing and apt-get may:
# programs.sh [PACKAGE...], all of them or those of these Debian packages.
# It never fails: who needs a missing program says so (a test is skipped; where CI is set, it fails).
set -eu

wanted=" $* "
packages=

# need PACKAGE NAME...: its Debian package, and the names that the program goes by
need() {
    package=$1
    shift
    case "$wanted" in
    "  " | *" $package "*) ;;
    *) return 0 ;;
    esac
    for name in "$@"; do
        if command -v "$name" >/dev/null 2>&1; then
            return 0
        fi
    done
    case " $packages " in
    *" $package "*) ;;
    *) packages="${packages:+$packages }$package" ;;
    esac
}

need chromium chromium chromium-browser google-chrome
need curl curl
# Of Docker as it is installed today, Compose is a part.
docker compose version >/dev/null 2>&1 || need docker-compose docker-compose
need git git
need golang-go go
need mmdebstrap mmdebstrap
need nodejs node
need npm npm
need podman podman
need prometheus prometheus
need prometheus promtool
need prometheus-alertmanager prometheus-alertmanager alertmanager
need prometheus-alertmanager amtool
need runc runc
need shellcheck shellcheck
need systemd systemd-analyze

[ -n "$packages" ] || exit 0
# Package names hold no spaces: the list is split on purpose.
# shellcheck disable=SC2086
"$(dirname "$0")/apt-install.sh" $packages ||
    echo "Some system programs are missing; to install them: apt-get install $packages" >&2
