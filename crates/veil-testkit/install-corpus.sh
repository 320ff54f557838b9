#!/bin/sh
# Fetches the SQL that PostgreSQL and MariaDB are tested with, for the tests of the analysis: into
# ${IRONVEIL_CORPUS:-target/corpus}/postgres (src/test/regress of the source package) and /mariadb (main/*.test).
# Both come by the mirror that the machine's own sources name, and nothing is installed. What cannot be had is no
# failure: the tests say that they go without.
set -eu
cd -- "$(dirname -- "$0")/../.."
corpus=${IRONVEIL_CORPUS:-target/corpus}
mkdir -p "$corpus"
corpus=$(CDPATH='' cd -- "$corpus" && pwd)
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT

postgres() {
    mkdir -p "$work/lists/partial" "$work/etc"
    sed 's/^Types: deb$/Types: deb-src/' /etc/apt/sources.list.d/debian.sources >"$work/etc/src.sources"
    set -- -o "Dir::Etc::SourceList=/dev/null" -o "Dir::Etc::SourceParts=$work/etc" -o "Dir::State::Lists=$work/lists"
    apt-get "$@" -qq update
    # Not every mirror has the newest.
    for path in $(apt-cache "$@" showsrc postgresql-15 |
        awk '/\.orig\.tar\.bz2$/ { file = $3 } /^Directory:/ { folder = $2 } /^$/ { print folder "/" file }' | sort -u); do
        for mirror in $(sed -n 's/^URIs: //p' "$work/etc/src.sources"); do
            curl -sSf -o "$work/source" "$mirror/$path" 2>/dev/null && break 2
        done
    done
    tar -xjf "$work/source" -C "$work" --wildcards '*/src/test/regress/sql' '*/src/test/regress/data' \
        '*/src/test/regress/expected' '*/src/test/regress/parallel_schedule'
    mv "$work"/*/src/test/regress "$corpus/postgres"
}

mariadb() {
    (cd "$work" && apt-get -qq download mariadb-test-data && dpkg-deb -x mariadb-test-data*.deb files)
    mkdir -p "$work/mariadb"
    cp "$work"/files/usr/share/mysql/mysql-test/main/*.test "$work/mariadb/"
    mv "$work/mariadb" "$corpus/mariadb"
}

for one in postgres mariadb; do
    [ -e "$corpus/$one" ] || $one || echo "no SQL of $one's tests: see above" >&2
done
