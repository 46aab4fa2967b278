# Everything a newcomer, an editor's machine and CI need. Nothing outside this folder is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test test-all coverage check bench bench-full kill fmt serve preview workbook lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name it: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (once; about a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY)  ## the whole story on this machine, in var/demo
	@$(BIN)/newsletter demo

test: $(READY)  ## the tests, without the slowest few; says what it skipped and why
	@$(BIN)/python -m pytest -n 4 --dist worksteal -q -m "not slow" $(ARGS)

test-all: $(READY)  ## all of them: what CI runs
	@$(BIN)/python -m pytest -n 4 --dist worksteal -q $(ARGS)

coverage: $(READY)  ## all of them, and which lines and branches they reach (a third slower)
	@$(BIN)/python -m pytest -n 4 --dist worksteal -q --cov --cov-report=term:skip-covered --cov-report=xml:var/coverage.xml

docs: $(READY)  ## the documentation as a site, in var/docs; every link is followed
	@$(BIN)/python docs/reference/make.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --clean

check: $(READY)  ## every gate: format, lint, types, layers
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/newsletter check --offline

bench: $(READY)  ## the budgets, measured here
	@$(BIN)/python -m benchmarks

bench-full: $(READY)  ## the same at full size
	@$(BIN)/python -m benchmarks --full

kill: $(READY)  ## kill senders in the middle of a campaign: nobody twice, nobody missed
	@$(BIN)/python -m benchmarks.kill

fmt: $(READY)  ## format and mend what can be mended by itself
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

serve: $(READY)  ## the web side on http://localhost:8000
	@$(BIN)/newsletter serve

preview: $(READY)  ## the letters in your browser while you write
	@$(BIN)/newsletter preview

workbook: $(READY)  ## make the workbook, the cards and the sheet from their sources again
	@$(BIN)/python magnets/make.py

lock: $(READY)  ## resolve the lock files anew
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header --extra otel --extra postgres --extra ses pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header --extra otel --extra postgres --extra ses --group dev pyproject.toml -o requirements-dev.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header .github/release.in -o .github/release.lock

clean:  ## take away what was made here, the environment too
	@rm -rf $(VENV) var/demo var/bench.json var/coverage.xml out dist build .pytest_cache .mypy_cache \
	  .ruff_cache .import_linter_cache .hypothesis .coverage
