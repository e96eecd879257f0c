# Needs Python 3.11 or newer and make; everything else is fetched once into .venv, each file checked against its hash.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input install
INSTALL := $(PIP) --require-hashes
# The client comes from this checkout, built by a backend that the requirements hold: nothing more is fetched.
INSTALL_CLIENT := $(PIP) --quiet --no-index --no-deps --no-build-isolation --editable client
CODE := config orchestrator executions workflows tenants contract client examples tests bench manage.py

.DELETE_ON_ERROR:
.PHONY: help up demo test lint chaos bench lock

help:
	@echo "make up     run the whole stack here until Ctrl-C; HOST and PORT say where (127.0.0.1 and 8000)"
	@echo "make demo   the stack, and 1,000 real loan applications through it"
	@echo "make test   the checks and every test"
	@echo "make lint   the checks alone"
	@echo "make chaos  a real stack under load and faults, then an audit; MINUTES (10), SEED, JSON=file"
	@echo "make bench  this product, the floors and its peers side by side; QUICK=1 or FULL=1, ONLY=names, JSON=file"
	@echo "make lock   write requirements*.txt anew from pyproject.toml"

up: $(VENV)/installed
	@exec $(BIN)/python manage.py up

demo: $(VENV)/installed
	@exec $(BIN)/python -m examples.credit.demo

test: lint
	@$(BIN)/python -m pytest -n 2 --dist loadfile --ignore tests/acceptance --ignore tests/chaos
	@$(BIN)/python -m pytest -n 2 --dist loadfile tests/acceptance tests/chaos

lint: $(VENV)/installed-dev
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check $(CODE)
	@echo "checking types" && $(BIN)/mypy $(CODE)
	@$(BIN)/lint-imports --no-logo

MINUTES ?= 10

chaos: $(VENV)/installed
	@$(BIN)/python -m tests.chaos --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(if $(JSON),--json $(JSON))

BENCH_VENV := .venv-bench
BENCH_SIZE := $(if $(QUICK),--quick,$(if $(FULL),--full))
# A part of the workloads, or a tenth of their size, does not belong on the page.
BENCH_DOCS := $(if $(QUICK)$(ONLY),,--write-docs)
BENCH_PIP := $(BENCH_VENV)/bin/python -m pip --disable-pip-version-check --no-input install --quiet --require-hashes

bench: $(VENV)/installed
	@$(MAKE) --no-print-directory $(BENCH_VENV)/installed || echo "without the peers: they could not be installed" >&2
	@$(BIN)/python -m bench $(BENCH_SIZE) $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json $(JSON)) $(BENCH_DOCS)

$(BENCH_VENV)/installed: bench/peers/requirements.txt
	@echo "installing the peers that are measured beside the product, once" >&2
	@test -x $(BENCH_VENV)/bin/python || $(PYTHON) -m venv $(BENCH_VENV)
	@$(BENCH_PIP) --requirement $< >&2
	@touch $@

lock: $(VENV)/installed-dev
	$(BIN)/uv pip compile --quiet pyproject.toml $(LOCKING) --output-file requirements.txt
	$(BIN)/uv pip compile --quiet pyproject.toml --group dev --constraint requirements.txt $(LOCKING) --output-file requirements-dev.txt
	$(BIN)/uv pip compile --quiet bench/peers/requirements.in $(LOCKING) --output-file bench/peers/requirements.txt

LOCKING := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "traceway needs Python 3.11 or newer; say which with PYTHON=")'
	@echo "making $(VENV)" >&2
	@$(PYTHON) -m venv $(VENV)

# Standard output stays free for what the commands themselves say.
$(VENV)/installed: requirements.txt client/pyproject.toml | $(BIN)/python
	@echo "installing what the product needs, once" >&2
	@$(INSTALL) --requirement requirements.txt >&2
	@$(INSTALL_CLIENT) >&2
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt client/pyproject.toml | $(BIN)/python
	@echo "installing what the tests need, once" >&2
	@$(INSTALL) --requirement requirements-dev.txt >&2
	@$(INSTALL_CLIENT) >&2
	@touch $@ $(VENV)/installed
