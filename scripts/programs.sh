#!/bin/sh
# Install the system programs that the tests drive, where they are missing and apt-get may.
# It never fails: a test whose program is missing says so (it is skipped; where CI is set, it fails).
set -eu

packages=

# need PACKAGE NAME...: its Debian package, and the names that the program goes by
need() {
    package=$1
    shift
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
need git git
need prometheus prometheus
need prometheus promtool
need prometheus-alertmanager prometheus-alertmanager alertmanager
need prometheus-alertmanager amtool

[ -n "$packages" ] || exit 0
# Package names hold no spaces: the list is split on purpose.
# shellcheck disable=SC2086
"$(dirname "$0")/apt-install.sh" $packages ||
    echo "Some tests need system programs that are missing; to install them: apt-get install $packages" >&2
