# Bellwether's commands. `make demo` shows it, `make test` proves it at a tenth of the size, `make
# proof` in full.

export CARGO_TERM_PROGRESS_WHEN ?= never
bin := target/debug/bellwether
# What the page is made of; its tests are not.
page := $(shell git ls-files web | grep -v '^web/e2e/')
proofs := $(sort $(wildcard conformance/*.test.mjs))
node_test := node --test --test-concurrency=1 --test-reporter=spec

.PHONY: demo test proof lint prepare flagd-rust suites clean-suites

## Builds everything and opens the product on http://127.0.0.1:8080. More is said to it by ARGS, such as
## `make demo ARGS='--listen 127.0.0.1:8081'`; what is kept in target/demo starts at once.
demo: web/dist/index.html
	cargo build -p bellwether-cli
	exec $(bin) demo --data target/demo $(ARGS)

## Installs what the tests need and passes them all.
test: clean-suites suites
	@.ci/summary

## The same in full, written down in docs/proof.md.
proof: export PROOF := full
proof: clean-suites suites
	@node conformance/proof.mjs
	@.ci/summary

## Form and lints, without tests.
lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	@if command -v cargo-deny >/dev/null; then cargo deny check; else echo "cargo-deny is not installed: licences and advisories are not checked"; fi

clean-suites:
	@rm -rf target/suites target/proof

prepare:
	@.ci/prepare

## The official flagd provider for Rust, for its proof; a workspace of its own.
flagd-rust:
	cargo build --manifest-path conformance/flagd-rust/Cargo.toml --target-dir target/flagd-rust --locked

# The first suite builds the binary with the features that the tests need too, so that nothing is
# compiled twice.
suites: prepare web/dist/index.html
	@.ci/suite build cargo build --workspace --all-targets
	@.ci/suite flagd-rust $(MAKE) --no-print-directory flagd-rust
	@.ci/suite rust cargo test --workspace --no-fail-fast
	@.ci/suite web-unit npm run --prefix web --silent test -- --dir src
	@.ci/suite web-e2e npm run --prefix web --silent e2e
	@.ci/suite sdk-node $(node_test) $(proofs)
	@.ci/suite sdk-python conformance/.venv/bin/python -W ignore -m unittest discover -v -s conformance -p '*_test.py'
	@.ci/suite sdk-mixpanel env MIXPANEL=5 PYTHONPATH=conformance/.venv/mixpanel conformance/.venv/bin/python -W ignore -m unittest discover -v -s conformance -p peers_test.py -k Mixpanel

web/node_modules/.package-lock.json: web/package-lock.json
	npm ci --prefix web --no-audit --no-fund --loglevel=error
	@touch $@

web/dist/index.html: web/node_modules/.package-lock.json $(page)
	npm run --prefix web --silent build
	@touch $@
