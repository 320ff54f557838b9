#!/bin/sh
# Fuzzes every target for the given number of seconds, with libFuzzer on the stable toolchain.
set -eu
cd -- "$(dirname -- "$0")"
seconds=${1:-60}
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Cdebug-assertions -Zsanitizer=address"
host=$(rustc -vV | sed -n 's/^host: //p')
cargo build --profile fuzz --locked -p ironveil-fuzz --features fuzzer --bins --target "$host" --target-dir ../target/fuzz
for target in startup command reply engine analyse mask \
    mysql_startup mysql_reply mysql_engine mysql_analyse mysql_mask; do
    mkdir -p "../target/fuzz/found/$target"
    "../target/fuzz/$host/fuzz/$target" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=4096 \
        -artifact_prefix="../target/fuzz/found/$target-" -print_final_stats=1 "../target/fuzz/found/$target" "corpus/$target"
done
