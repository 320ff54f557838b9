#!/bin/sh
# Plants bugs in the lineage code, one at a time, and says which of them the leak fuzzer finds. All must be found.
set -eu
cd -- "$(dirname -- "$0")/.."
tree=target/mutants/tree
rm -rf "$tree"
mkdir -p "$tree"
tar -c --exclude=./target --exclude=./.git . | tar -x -C "$tree" -m
export IRONVEIL_LEAK_STATEMENTS="${1:-20000}"
export IRONVEIL_SERVERS="${IRONVEIL_SERVERS:-$PWD/target/servers}"
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
        # Of a server that is not installed the test says so.
        echo "MISSED: $2: $4 $(grep -m 1 'not tested' target/mutants/log)"
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

pg veil-policy/src/lineage.rs '{ Self::Clean } else { Self::Closed }' '{ Self::Clean } else { Self::Clean }'
pg veil-policy/src/lineage.rs '(Self::Clean, other) | (other, Self::Clean) => other,' '(Self::Clean, _) | (_, Self::Clean) => Self::Clean,'
pg veil-policy/src/lineage.rs 'if known && clean {' 'if known {'
pg veil-policy/src/lineage.rs 'self.named.get(name).cloned();' 'self.named.get(name).cloned().filter(|_| false);'
pg veil-policy/src/lineage.rs '.or(self.made_up.clone())' ''
pg veil-policy/src/lineage.rs 'Expr::Windows => self.windows.clone()' 'Expr::Windows => Flow::Clean'
pg veil-policy/src/lineage.rs 'match all(by) {' 'match Flow::Clean {'
pg veil-policy/src/lineage.rs 'return value(arm.get(at));' 'return value(arm.get(at.saturating_sub(1)));'
pg veil-sql/src/analyse/lineage.rs 'places.into_iter().map(one_of)' 'places.into_iter().map(|place| one_of(place.into_iter().take(1).collect()))'
pg veil-sql/src/analyse/lineage.rs 'match arm.get(at) {' 'match arm.get(at + 1) {'
pg veil-sql/src/analyse/lineage.rs '== SubLinkType::EXISTS_SUBLINK {' '!= SubLinkType::ANY_SUBLINK {'
pg veil-sql/src/analyse/lineage.rs 'name.name == "count" &&' 'name.name != "max" &&'
pg veil-policy/src/labels.rs 'Ok(at) => columns.flow(at,' 'Ok(at) => columns.flow(at + 1,'
my veil-policy/src/mysql/lineage/flow.rs 'if self.is_clean() { Self::Clean } else { Self::Closed }' 'Self::Clean'
my veil-policy/src/mysql/lineage/flow.rs '(Self::Clean, other) | (other, Self::Clean) => other,' '(Self::Clean, _) | (_, Self::Clean) => Self::Clean,'
my veil-policy/src/mysql/lineage.rs 'Expr::Chosen { by, .. } if !by.iter()' 'Expr::Chosen { by, .. } if !by.iter().take(0)'
my veil-policy/src/mysql/lineage.rs 'let arms = arms.iter().map(|arm| self.body' 'let arms = arms.iter().take(1).map(|arm| self.body'
my veil-policy/src/mysql/lineage.rs 'while let Some(known) = expressions {' 'while let Some(known) = expressions.filter(|_| false) {'
mysql veil-policy/src/mysql/lineage.rs 'let scope = if *lateral { Some(before) } else { around.scope };' 'let _ = (before, lateral); let scope = around.scope;'
my veil-policy/src/mysql/lineage/output.rs 'placed(columns).into_iter().zip(names)' 'placed(columns).into_iter().rev().zip(names)'
my veil-policy/src/mysql/lineage/scope.rs 'Known::Harmless | Known::Nothing => Err(()),' 'Known::Harmless | Known::Nothing => Ok(Some(Output::of(Flow::Clean, None))),'
my veil-policy/src/mysql/labels.rs 'at.and_then(|at| flows?.get(at))' 'at.and_then(|at| flows?.get(at + 1))'
my veil-sql/src/mysql/lower.rs 'Some(call(function))' 'Some(Expr::Free)'
my veil-sql/src/mysql/lower.rs 'query(tree).map_or(Expr::Unknown, |query| Expr::From(vec![Expr::Query(Box::new(query))])),' 'query(tree).map_or(Expr::Unknown, |_| Expr::Free),'

mutant postgres_answers veil-sql/src/analyse/lineage/asked.rs 'asked.extend([select.where_clause(), select.having_clause()]' 'asked.extend([select.having_clause()]'
mutant postgres_answers veil-sql/src/analyse/lineage/asked.rs 'asked.extend(conditions(join.quals()));' ''
mutant mariadb_answers veil-sql/src/mysql/asked.rs 'self.condition(select.selection.as_ref());' ''
mutant mariadb_answers veil-sql/src/mysql/asked.rs 'Some(JoinConstraint::On(condition)) => self.condition(Some(condition)),' 'Some(JoinConstraint::On(_)) => {}'

echo "$missed missed"
[ "$missed" = 0 ]
