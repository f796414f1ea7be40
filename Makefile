# Set-up and the commands of everyday work. Needs Python 3.11-3.13 (with venv and headers), a C
# compiler, make and git; everything else comes from PyPI, pinned by uv.lock.
#
#   PYTHON=...        the interpreter, by default the first suitable one in PATH
#   PYTEST_ARGS=...   more arguments for pytest (make test, make sanitize)
#   BENCH_ARGS=...    arguments for the benchmarks
#   FUZZ_SECONDS=...  how long each fuzzer runs
#   FUZZ_ARGS=...     arguments for make fuzz-format: --seed, --first, --cases

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo ethereum javascript test test-long bench bench-api bench-host bench-page bench-rows bench-large bench-cluster bench-peers bench-base profile web docs lint lint-javascript format sanitize fuzz fuzz-format vectors clean

ifndef PYTHON
PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11; do "$$p" -c 'import \
	ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14) or \
	print(sys.executable))' 2>/dev/null && break; done)
endif

export UV_PYTHON_DOWNLOADS := never
# What commands load is compiled once, by setup. They write no bytecode themselves: where a disk is
# full, as in some tests, Python would keep half a file.
export UV_COMPILE_BYTECODE := 1
export PYTHONDONTWRITEBYTECODE := 1
UV_VERSION := 0.13.9
UV_STAMP := .tools/uv-$(UV_VERSION)
# The core is built with what the tests alone call; a wheel is not.
SYNC := .tools/bin/uv sync --quiet --locked --all-extras --python "$(PYTHON)" \
	--config-setting cmake.define.ASSAY_TESTING=ON
BIN := .venv/bin
FUZZ_SECONDS ?= 15
SANITIZED := tests/native tests/adversarial tests/vectors tests/unit/verifier/nodes/test_bitcoin_snapshot.py \
	-m "not unsanitized and not long"
PAGES = $(shell git ls-files '*.md')
C_FILES = $(shell git ls-files 'native/*.c' 'native/*.h' 'tests/*.c' 'tests/*.h')

help:
	@echo "make demo         the main job on a generated exchange, the audit, one customer's check"
	@echo "make test         the whole test suite"
	@echo "make test-long    what it draws a part of, as a whole; more killed runs"
	@echo "make bench        the figures of speed and size"
	@echo "make bench-api    what the service answers, idle and beside a proof"
	@echo "make bench-host   what the auditing host's pages take, of 300 exchanges"
	@echo "make bench-page   a customer's check in the browser, beside an earlier page; needs Chromium"
	@echo "make bench-rows   a million rows of evidence, proved and audited"
	@echo "make bench-large  whole commands at up to ten million leaves"
	@echo "make profile      where the time of a proof goes; needs Linux's perf"
	@echo "make bench-cluster  workers of a cluster beside threads"
	@echo "make bench-base   Assay beside its earlier format of pages, on the same leaves"
	@echo "make bench-peers  Assay beside what one would pick instead; needs cargo"
	@echo "make web          the customer's page, into build/web, and its digest"
	@echo "make docs         the documents as a site, into build/docs"
	@echo "make lint         ruff, mypy, import-linter, clang-format"
	@echo "make format       rewrite the sources as the formatters want them"
	@echo "make sanitize     the tests that touch C, under AddressSanitizer and UBSan"
	@echo "make fuzz         every fuzzer for FUZZ_SECONDS, and how the time of every parser grows"
	@echo "make fuzz-format  10^5 mutated bundles and packages through verifier and page; needs Node"
	@echo "make vectors      write spec/vectors anew"
	@echo "make clean        remove all that was built or installed here"

$(UV_STAMP):
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11-3.13 with venv found; set PYTHON" >&2; exit 1; }
	@"$(PYTHON)" -m venv .tools
	@.tools/bin/pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"
	@touch $@

setup: $(UV_STAMP)
	@$(SYNC)
	@$(BIN)/python -m compileall -q native verifier prover api spec

demo: setup
	@$(BIN)/python -m prover.sample.demo

# The Ethereum node that some tests run; without npm they skip.
ethereum:
	@if command -v npm >/dev/null; then tests/ethereum/install || echo "make: no Ethereum node" >&2; fi

# Where a kernel for this machine runs the tests, the portable one runs those of kernels again.
IS_PORTABLE = -c 'import native, sys; sys.exit(native.kernel_name() != "portable")'

# What checks pages in the browser; without npm these tests skip.
javascript:
	@if command -v npm >/dev/null; then tests/javascript/install || echo "make: no axe-core" >&2; fi

# A module's tests stay on one process, which makes what they share once. Many tests wait, so there
# are three processes on two processors.
TEST = $(BIN)/python -m pytest -n 3 --dist loadfile

test: setup ethereum javascript
	$(TEST) $(PYTEST_ARGS)
	@$(BIN)/python $(IS_PORTABLE) || \
	ASSAY_KERNEL=portable $(TEST) tests/native tests/vectors $(PYTEST_ARGS)

test-long: setup ethereum javascript
	$(TEST) -m long $(PYTEST_ARGS)
	KILL_RUNS=25 $(TEST) -k killed tests/e2e/test_kill_resume.py tests/service/test_jobs.py

bench: setup
	$(BIN)/python -m benches $(BENCH_ARGS)

bench-peers: $(UV_STAMP)
	@$(SYNC) --group peers
	$(BIN)/python -m benches.peers

bench-base: setup
	$(BIN)/python -m benches.base $(BENCH_ARGS)

bench-host: setup
	$(BIN)/python -m benches.host $(BENCH_ARGS)

bench-api: setup
	$(BIN)/python -m benches.api $(BENCH_ARGS)

bench-page: setup
	$(BIN)/python -m benches.page $(BENCH_ARGS)

bench-rows: setup
	$(BIN)/python -m benches.many $(BENCH_ARGS)

bench-large: setup
	$(BIN)/python -m benches.large $(BENCH_ARGS)

bench-cluster: setup
	$(BIN)/python -m benches.cluster $(BENCH_ARGS)

profile: setup
	$(BIN)/python -m benches.profile $(BENCH_ARGS)

web: setup
	@mkdir -p build/web
	$(BIN)/python -m verifier.web.build build/web/check.html
	@cd build/web && sha256sum check.html > ../../verifier/web/page.sha256

docs: $(UV_STAMP)
	@$(SYNC) --group docs
	$(BIN)/sphinx-build --quiet --fresh-env --fail-on-warning --keep-going --conf-dir docs . build/docs

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/mdformat --check $(PAGES)
	$(BIN)/python -m verifier.units.make --check
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory lint-javascript; \
	else echo "make lint: without npm the page's JavaScript is not checked" >&2; fi
	@echo "clang-format --dry-run -Werror"
	@$(BIN)/clang-format --dry-run -Werror $(C_FILES)

# The page's JavaScript: rules, and types as far as they can be told.
JAVASCRIPT = tests/javascript
lint-javascript:
	@$(JAVASCRIPT)/install
	$(JAVASCRIPT)/node_modules/.bin/eslint --config $(JAVASCRIPT)/eslint.config.js verifier/web/src tests/browser tests/fuzz
	$(JAVASCRIPT)/node_modules/.bin/tsc --project $(JAVASCRIPT)

format: setup
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format
	$(BIN)/mdformat $(PAGES)
	$(BIN)/clang-format -i $(C_FILES)

# An environment of its own, so that the everyday one keeps its fast core. Python's own allocator
# would hide an overrun of a buffer from the sanitizer; what the interpreter itself leaks at its
# end is not ours. libstdc++ is loaded early for the exceptions of C++ libraries; pycryptodome is kept
# from binding its own way past the sanitizer. With --capture=sys the report of a crash is seen.
SANITIZE_ENVIRONMENT = ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 PYTHONMALLOC=malloc \
	PYCRYPTODOME_DISABLE_DEEPBIND=1 \
	LD_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libstdc++.so.6)"
sanitize: export UV_PROJECT_ENVIRONMENT := .venv-sanitize
sanitize: $(UV_STAMP)
	@$(SYNC) --config-setting build-dir=build/sanitize --config-setting cmake.define.ASSAY_SANITIZE=ON
	@readelf -d .venv-sanitize/lib/python3*/site-packages/native/_core.abi3.so | grep -q libasan
	$(SANITIZE_ENVIRONMENT) .venv-sanitize/bin/python -m pytest -n 2 --capture=sys $(SANITIZED) $(PYTEST_ARGS)
	@$(SANITIZE_ENVIRONMENT) .venv-sanitize/bin/python $(IS_PORTABLE) || \
	ASSAY_KERNEL=portable $(SANITIZE_ENVIRONMENT) \
	.venv-sanitize/bin/python -m pytest -n 2 --capture=sys tests/native $(PYTEST_ARGS)

fuzz: setup
	@mkdir -p build/fuzz
	@printf '%s\n' tests/fuzz/fuzz_*.py | xargs -P 2 -I SCRIPT sh -c \
		'echo "SCRIPT for $(FUZZ_SECONDS) s"; \
		$(BIN)/python SCRIPT -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=build/fuzz/'
	$(BIN)/python tests/fuzz/growth.py

fuzz-format: setup
	$(BIN)/python -m tests.fuzz.page_format $(FUZZ_ARGS)

vectors: setup
	$(BIN)/python -m tests.vectors.generate

clean:
	rm -rf .tools .venv .venv-sanitize build dist .hypothesis .mypy_cache .pytest_cache \
		.ruff_cache .import_linter_cache tests/ethereum/node_modules tests/javascript/node_modules
