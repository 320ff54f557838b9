#!/bin/sh
# Plants bugs in the lineage code, one at a time, and says which of them the leak fuzzer finds. All must be found.
set -eu
cd -- "$(dirname -- "$0")/.."
tree=target/mutants/tree
rm -rf "$tree"
mkdir -p "$tree"
tar -c --exclude=./target --exclude=./.git . | tar -x -C "$tree" -m
export IRONVEIL_LEAK_STATEMENTS="${1:-6000}"
missed=0

# Of a test, a file, what stands in it, and what is to stand there instead.
mutant() {
    file="$tree/crates/$2"
    cp "$file" target/mutants/original
    OLD=$3 NEW=$4 perl -0pi -e 'BEGIN { $n = 0 } $n += s/\Q$ENV{OLD}\E/$ENV{NEW}/; END { exit($n ? 0 : 1) }' "$file" || {
        echo "NOT PLANTED in $2: $3"
        missed=$((missed + 1))
        return
    }
    try "$@"
    cp target/mutants/original "$file"
}

try() {
    if ! (cd "$tree" && cargo test --locked -q -p ironveil --test leaks --no-run --target-dir ../target) >target/mutants/log 2>&1; then
        echo "DOES NOT BUILD: $2: $4"
        missed=$((missed + 1))
    elif (cd "$tree" && cargo test --locked -q -p ironveil --test leaks --target-dir ../target -- --nocapture "$1") >target/mutants/log 2>&1; then
        echo "MISSED: $2: $4"
        missed=$((missed + 1))
    elif ! grep -q 'show what they must not' target/mutants/log; then
        echo "FAILED OTHERWISE: $2: $4"
        missed=$((missed + 1))
    else
        echo "$(sed -n 's/ statements show what they must not.*/ found it/p' target/mutants/log): $2: $4"
    fi
}

pg() {
    mutant postgres_tells "$@"
}
my() {
    mutant mariadb_tells "$@"
}
mysql() {
    mutant mysql_itself "$@"
}

pg veil-policy/src/lineage.rs '.or(self.made_up.clone())' ''
pg veil-policy/src/lineage.rs 'Expr::Windows => self.windows.clone()' 'Expr::Windows => Flow::Clean'
pg veil-policy/src/lineage.rs 'match all(by) {' 'match Flow::Clean {'
mysql veil-policy/src/mysql/lineage.rs 'let scope = if *lateral { Some(before) } else { around.scope };' 'let _ = (before, lateral); let scope = around.scope;'


echo "$missed missed"
[ "$missed" = 0 ]
