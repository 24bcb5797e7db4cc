# make demo   the console on a live private pipeline
# make test   every test
# make lint   formatting, lints, documentation, licences
# make bench  the budgets, measured
# make layout the functions that a console runs, anew: build.rs puts them side by side
# make soak   the long runs
# make recordings  the recordings in recordings/, anew
# make pictures    the picture in the README and the demo cast, from them
# make interop  foreign tools read what we write; the tests on newer nats-servers

CARGO ?= cargo

.PHONY: demo test lint bench layout soak interop recordings pictures servers deny clean

demo: servers
	$(CARGO) run --release --locked --quiet -- demo

# Tests open a thousand connections at once; some systems begin with a limit of 256 or 1,024 files.
test: servers
	ulimit -n 8192 2>/dev/null || ulimit -n $$(ulimit -Hn); $(CARGO) test --locked

lint: deny
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps
	$(CARGO) deny --locked check bans licenses sources

bench: servers
	$(CARGO) bench --locked

# Needs valgrind. With names, because they are what is written down.
layout: servers
	CARGO_PROFILE_BENCH_STRIP=none $(CARGO) bench --locked --bench console -- --layout

soak: servers
	HOOKWATCH_SOAK=1 $(CARGO) test --locked --release --test it -- soak:: replay::crash truth::rates faults:: --nocapture

interop: servers
	$(CARGO) build --locked
	@.ci/interop
	@.ci/nats-versions

servers:
	@.ci/install-servers

deny:
	@command -v cargo-deny >/dev/null 2>&1 || $(CARGO) install cargo-deny --locked

clean:
	$(CARGO) clean

# The recordings that the tests and the README's pictures are made of, anew.
recordings: servers
	$(CARGO) build --release --locked --quiet
	for scenario in steady demo database-outage poison provider-outage; do \
	    rm -f recordings/$$scenario.mcap; \
	    target/release/hookwatch demo --scenario $$scenario --headless 80s --record recordings/$$scenario.mcap >/dev/null || exit 1; \
	done

# The README's picture, and the demo to play with asciinema.
pictures:
	$(CARGO) build --release --locked --quiet
	target/release/hookwatch export recordings/demo.mcap --as svg --at 28s --size 140x42 --force --out tests/data/overview.svg
	target/release/hookwatch export recordings/demo.mcap --as cast --size 120x36 --speed 2 --force --out recordings/demo.cast
