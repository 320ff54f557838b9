# Everything a person or CI runs. `make demo` and `make test` do their own set-up.

PG_ALL := 14 15 16 17 18
NEXTEST := cargo nextest run --locked

MYSQL_ALL := mariadb-11.8 mysql-9.7

bench_corpus := target/tmp/detect

.PHONY: help setup demo demo-mysql test test-full bench bench-detect lint fuzz leak-fuzz leak-mutants clean

help:
	@echo "make demo       sample data on a throw-away PostgreSQL, direct and masked"
	@echo "make demo-mysql the same on a throw-away MariaDB"
	@echo "make test       lints and all tests, against PostgreSQL 15, MariaDB 10.11 and some against MySQL 9.7"
	@echo "make test-full  the end-to-end tests against PostgreSQL 14 to 18, MariaDB 11.8, MySQL 9.7; the servers' own SQL; a longer fuzz"
	@echo "make bench      what the proxy costs beside HAProxy and PgBouncer"
	@echo "make bench-detect  how well personal data is told, on a labelled corpus"
	@echo "make leak-fuzz  200,000 random statements per kind of server: does anything of what is masked come through?"
	@echo "make setup      installs what the others need (they call it themselves)"

setup:
	@./setup.sh all

demo:
	@./setup.sh demo
	@cargo run --locked --quiet -p ironveil -- demo

demo-mysql:
	@./setup.sh demo-mysql
	@cargo run --locked --quiet -p ironveil -- demo --mysql

lint: setup
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked -p ironveil --features ner -- -D warnings
	./tidy.sh

test: lint
	$(NEXTEST) --workspace

test-full: test
	@./setup.sh full
	sh crates/veil-testkit/install-postgres.sh 14 16 17 18
	sh crates/veil-testkit/install-corpus.sh
	cargo test --locked -p ironveil --test corpus -- --nocapture
	for version in $(PG_ALL); do \
	    echo "PostgreSQL $$version"; \
	    IRONVEIL_PG_VERSION=$$version $(NEXTEST) -p ironveil -p veil-testkit -E 'not (binary(mysql) | binary(corpus))' || exit 1; \
	done
	for server in $(MYSQL_ALL); do \
	    echo "$$server"; \
	    IRONVEIL_MYSQL=$$server $(NEXTEST) -p ironveil -E 'binary(mysql) | test(mariadb_tells)' || exit 1; \
	done
	IRONVEIL_CRASHES=50 IRONVEIL_API_EXAMPLES=200 $(NEXTEST) -p ironveil -E 'test(stores::) | test(api::random)' --no-capture
	IRONVEIL_SESSIONS=10000 $(NEXTEST) -p ironveil -E 'test(many::)' --no-capture
	$(MAKE) fuzz

# What the proxy costs beside HAProxy and PgBouncer, in turns. BENCH_ROUNDS and BENCH_SECONDS say how long.
bench:
	@./setup.sh bench
	cargo bench --locked -p ironveil --bench wire

# How well and how fast personal data is told, on a corpus that is made for it.
bench-detect:
	@mkdir -p $(bench_corpus)
	python3 bench/detect/generate.py $(bench_corpus)
	cargo bench --locked -p veil-detect --bench corpus -- $(abspath $(bench_corpus))

# Fuzzes each target for a while, on the stable toolchain.
fuzz:
	./fuzz/run.sh $${FUZZ_SECONDS:-60}

# Random statements on databases that differ in their secrets only, through the proxy: the answers must not differ.
leak-fuzz: setup
	IRONVEIL_LEAK_STATEMENTS=$${LEAK_STATEMENTS:-200000} \
	    cargo test --locked -p ironveil --test leaks -- --nocapture --test-threads 2

# Whether the leak fuzzer finds bugs that are planted in the lineage code.
leak-mutants: setup
	./fuzz/mutants.sh

clean:
	cargo clean
