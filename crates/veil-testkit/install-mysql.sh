#!/bin/sh
# Installs MySQL and MariaDB servers for the end-to-end tests that the distribution itself does not have:
#
#     install-mysql.sh mysql-9.7 mariadb-11.8
#
# Each goes to ${IRONVEIL_SERVERS:-target/servers}/KIND, relative to the workspace, where the test kit looks. The
# packages come from a newer Debian, by the mirror that the machine's own sources name; they are unpacked with all
# their libraries and never installed, so the system stays as it is. Quick when the servers are already there.
#
# What cannot be had is no failure: the reason goes to KIND.unavailable beside the folder, where the test kit finds
# it, and the next run tries again.
set -eu
umask 022
[ $# -gt 0 ] || { echo "usage: install-mysql.sh mysql-9.7|mariadb-11.8 ..." >&2; exit 2; }

cd -- "$(dirname -- "$0")/../.."
servers=${IRONVEIL_SERVERS:-target/servers}
mkdir -p "$servers"
servers=$(CDPATH='' cd -- "$servers" && pwd)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

describe() {
    programs="usr/bin/my_print_defaults"
    extra=""
    case $1 in
    mysql-9.7)
        suite=sid packages="mysql-server-core mysql-client-core"
        server=usr/sbin/mysqld client=usr/bin/mysql client_plugins=usr/lib/mysql/plugin
        ;;
    mariadb-11.8)
        suite=trixie packages="mariadb-server-core mariadb-client-core"
        extra=mariadb-server # for its plugins, without all that it depends on
        server=usr/sbin/mariadbd client=usr/bin/mariadb client_plugins="" # in the folder of the libraries
        ;;
    *) echo "install-mysql.sh: no $1, only mysql-9.7 and mariadb-11.8" >&2; return 1 ;;
    esac
    programs="$programs $server $client"
}

# The servers refuse to run as root, so what counts is whether the user of the tests' servers can run them.
as_server_user() {
    if [ "$(id -u)" -ne 0 ]; then
        "$@"
    elif id mysql >/dev/null 2>&1; then
        runuser -u mysql -- "$@"
    else
        runuser -u nobody -- "$@"
    fi
}

# The mirrors of the distribution in the machine's sources, of whatever format, one a line.
mirrors() {
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    apt-get -o APT::Get::IndexTargets::ReleaseInfo=false indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' \
        'Created-By: Packages' | sed -n "s/^$codename main //p" | sort -u
}

# Runs a tool of apt on a view of its own in $work, which leaves the system's alone and takes nothing for installed.
with_view() {
    tool=$1
    shift
    "$tool" -qq -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts="$work/none" \
        -o Dir::Etc::preferences="$work/none/preferences" -o Dir::Etc::preferencesparts="$work/none" \
        -o Dir::State="$work/state" -o Dir::State::status="$work/status" -o Dir::Cache="$work/cache" \
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Retries=2 -o Acquire::http::Timeout=30 -o Acquire::Languages=none \
        "$@"
}

# Gets the lists of a mirror and tells the version there of the first package.
update_from() {
    echo "deb [signed-by=$keyring] $1 $suite main" >"$work/sources.list"
    with_view apt-get update -o APT::Update::Error-Mode=any >&2 || return 1
    with_view apt-cache show --no-all-versions "${packages%% *}" | sed -n 's/^Version: //p' | head -n 1
}

# Puts the packages' files into $home/root; when it fails, the last line of standard error says why.
fetch() {
    command -v apt-get >/dev/null 2>&1 || { echo "there is no apt on this machine" >&2; return 1; }
    [ -r $keyring ] || { echo "$keyring is missing (package debian-archive-keyring)" >&2; return 1; }
    mkdir -p "$work/none" "$work/state/lists/partial" "$work/cache/archives/partial" || return 1
    : >"$work/status"
    for mirror in $(mirrors); do
        version=$(update_from "$mirror") && [ -n "$version" ] && break
    done
    [ -n "${version:-}" ] || { echo "no mirror of the machine's apt sources gives ${packages%% *} of $suite" >&2; return 1; }
    case ${version#*:} in
    "${kind#*-}".*) ;;
    *) echo "$suite has version $version now" >&2; return 1 ;;
    esac
    # shellcheck disable=SC2086 # a list of packages
    with_view apt-get -y --no-install-recommends --download-only install $packages >&2 || return 1
    if [ -n "$extra" ]; then (cd "$work/cache/archives" && with_view apt-get download $extra >&2) || return 1; fi
    unpack || return 1
    echo "$version"
}

unpack() {
    root=$home/root
    mkdir -p "$root/usr/lib" "$root/usr/lib64" "$root/usr/bin" "$root/usr/sbin" || return 1
    for dir in lib lib64 bin sbin; do
        ln -s "usr/$dir" "$root/$dir" || return 1
    done
    for package in "$work"/cache/archives/*.deb; do
        case ${package##*/} in perl* | libperl* | udev_* | *gconv*) continue ;; esac
        dpkg -x "$package" "$root" || return 1
    done
    rm -rf "$root/usr/share/doc" "$root/usr/share/man" "$root/usr/share/locale"
    for program in $programs; do
        wrap "$program" || return 1
    done
}

# Replaces a program by a script that runs it with the libraries it was packaged with.
wrap() {
    [ -f "$root/$1" ] || { echo "the packages have no $1" >&2; return 1; }
    loader=$(cd "$root" && ls usr/lib/*/ld-linux-*.so.* | head -n 1)
    libraries=${loader%/*}
    share=$root/usr/share/${kind%-*}
    options=""
    case $1 in
    "$server") options="--basedir='$root/usr' --plugin-dir='$root/usr/lib/mysql/plugin' --lc-messages-dir='$share'" ;;
    "$client") options="--plugin-dir='$root/${client_plugins:-$libraries/libmariadb3/plugin}'" ;;
    esac
    case $1 in "$server" | "$client") options="$options --character-sets-dir='$share/charsets'" ;; esac
    real=$(readlink -f "$root/$1") || return 1
    mv "$real" "$root/$1.bin" || return 1
    cat >"$root/$1" <<END
#!/bin/sh
exec '$root/$loader' --library-path '$root/$libraries' '$root/$1.bin' "\$@" $options
END
    chmod 755 "$root/$1"
}

install() {
    kind=$1
    describe "$kind"
    home=$servers/$kind
    rm -f "$home.unavailable"
    # The stamp is written last: an interrupted installation is done again.
    if [ ! -s "$home/installed" ]; then
        rm -rf "$home"
        work=$home/work
        mkdir -p "$work"
        if version=$(fetch 2>"$work/errors"); then
            rm -rf "$work"
            echo "$version" >"$home/installed"
        else
            reason=$(sed '/^$/d' "$work/errors" | tail -n 1)
            rm -rf "$home"
            unavailable "${reason:-unpacking failed without a word}"
            return
        fi
    fi
    if ! (cd / && as_server_user "$home/root/$server" --no-defaults --version); then
        unavailable "the server's user cannot run $home/root/$server; set IRONVEIL_SERVERS to a directory that every user can enter (not one under /root)"
    fi
}

unavailable() {
    echo "install-mysql.sh: $kind is not to be had: $1"
    echo "$1" >"$home.unavailable"
}

for kind in "$@"; do
    describe "$kind"
done
for kind in "$@"; do
    install "$kind"
done
