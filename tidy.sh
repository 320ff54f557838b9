#!/bin/sh
# What no compiler checks: files stay short, and every source file says what it is for.
set -eu
cd -- "$(dirname -- "$0")"
fail=0
files=$(git ls-files --cached --others --exclude-standard 'crates/*.rs' 'fuzz/*.rs')
for file in $files; do
    [ -f "$file" ] || continue
    case $file in */tests/* | */tests.rs) continue ;; esac
    case $(head -n 1 "$file") in
    '//!'*) ;;
    *) echo "$file: begins without a //! line" && fail=1 ;;
    esac
    # A table.
    case $file in */catalogue.rs) continue ;; esac
    lines=$(awk '/^#\[cfg\(test\)\]/{exit} {n++} END{print n+0}' "$file")
    [ "$lines" -le 500 ] || { echo "$file: $lines lines without tests, more than 500" && fail=1; }
done
exit $fail
