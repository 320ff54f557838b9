#!/bin/sh
# Installs what a fresh Debian machine lacks for `make demo` and `make test`; quick when nothing is missing.
# Without the right to install, it says what to install.
set -eu
cd -- "$(dirname -- "$0")"

missing=""
need() { # command or file, package
    if [ -e "$1" ] || command -v "$1" >/dev/null 2>&1; then return; fi
    missing="$missing $2"
}

need cc gcc
need make make
need python3 python3
need psql postgresql-client
need setpriv util-linux
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || need initdb postgresql
ls /usr/lib/llvm-*/lib/libclang*.so* /usr/lib/*/libclang*.so* >/dev/null 2>&1 || missing="$missing libclang-dev"
python3 -c 'import venv, ensurepip' 2>/dev/null || missing="$missing python3-venv"

if [ -n "$missing" ]; then
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "installing:$missing"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    else
        echo "Please install these packages (names of Debian):$missing" >&2
        exit 1
    fi
fi

command -v cargo >/dev/null 2>&1 || { echo "Please install Rust 1.95 or newer: https://rustup.rs" >&2; exit 1; }
cargo nextest --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-nextest

# Python clients for the tests, in an environment of their own.
venv=target/venv
wanted="psycopg[binary]==3.3.9"
if [ "$(cat "$venv/installed" 2>/dev/null)" != "$wanted" ]; then
    rm -rf "$venv"
    mkdir -p target
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "$wanted"
    echo "$wanted" >"$venv/installed"
fi
