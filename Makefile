# Set-up and the commands of everyday work. Needs Python 3.11-3.13 (venv, headers), a C compiler,
# make and git; everything else comes from PyPI, pinned by uv.lock.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

ifndef PYTHON
PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14) or print(sys.executable))' \
	2>/dev/null && break; done)
endif

export UV_PYTHON_DOWNLOADS := never
UV_VERSION := 0.13.9
UV := .tools/bin/uv
SYNC := $(UV) sync --quiet --locked --all-extras --python "$(PYTHON)"
BIN := .venv/bin

.PHONY: help setup demo test

help:
	@echo "make demo       the main job on a generated exchange, the audit, one customer's check"
	@echo "make test       the whole test suite"

$(UV): Makefile
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11-3.13 with venv found; set PYTHON=" >&2; exit 1; }
	@"$(PYTHON)" -m venv --clear .tools
	@.tools/bin/pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"
	@touch $(UV)

setup: $(UV)
	@$(SYNC)

demo: setup
	$(BIN)/python -m prover.demo

test: setup
	$(BIN)/python -m pytest -n 2 $(PYTEST_ARGS)
