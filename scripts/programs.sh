#!/bin/sh
# Install missing system programs that the tests run, if apt-get can be used:
# programs.sh [PACKAGE...], all of them or only those of these Debian packages.
# It never fails: tests that need a missing program are skipped, or fail if CI is set.
set -eu

wanted=" $* "
packages=

# need PACKAGE NAME...: the Debian package, and the possible names of the program
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
# Current Docker installations include Compose.
docker compose version >/dev/null 2>&1 || need docker-compose docker-compose
need faketime faketime
need git git
need golang-go go
need iproute2 ip /usr/sbin/ip
need iptables iptables /usr/sbin/iptables
need mmdebstrap mmdebstrap
need nodejs node
need npm npm
need pgbouncer pgbouncer
need podman podman
need postgresql postgres /usr/lib/postgresql/*/bin/postgres
need prometheus prometheus
need prometheus promtool
need prometheus-alertmanager prometheus-alertmanager alertmanager
need prometheus-alertmanager amtool
need runc runc
need shellcheck shellcheck
need systemd systemd-analyze

[ -n "$packages" ] || exit 0
# Package names contain no spaces: word splitting is intended.
# shellcheck disable=SC2086
"$(dirname "$0")/apt-install.sh" $packages ||
    echo "Some system programs are missing; install them with: apt-get install $packages" >&2
