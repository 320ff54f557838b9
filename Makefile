# Everything a person or CI runs. `make demo` and `make test` do their own set-up.

PG_ALL := 14 15 16 17 18
NEXTEST := cargo nextest run --locked

.PHONY: help setup demo test test-full lint fuzz clean

help:
	@echo "make demo       sample data on a throw-away PostgreSQL, direct and masked"
	@echo "make test       lints and all tests, against PostgreSQL 15"
	@echo "make test-full  the end-to-end tests against PostgreSQL 14 to 18, and a longer fuzz"
	@echo "make setup      installs what the others need (they call it themselves)"

setup:
	@./setup.sh all

demo:
	@./setup.sh demo
	@cargo run --locked --quiet -p ironveil -- demo

lint: setup
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	./tidy.sh

test: lint
	$(NEXTEST) --workspace

test-full: test
	@./setup.sh full
	sh crates/veil-testkit/install-postgres.sh 14 16 17 18
	for version in $(PG_ALL); do \
	    echo "PostgreSQL $$version"; \
	    IRONVEIL_PG_VERSION=$$version $(NEXTEST) -p ironveil -p veil-testkit || exit 1; \
	done
	$(MAKE) fuzz

# Fuzzes each target for a while, on the stable toolchain.
fuzz:
	./fuzz/run.sh $${FUZZ_SECONDS:-60}

clean:
	cargo clean
