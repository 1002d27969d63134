# Two commands matter: `make run` and `make test`. `make help` lists the rest.
# All that is needed is make and Python 3.11 or newer; everything else lands in .venv.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install run test browser bench plans statements lint format types imports migrations openapi lock upgrade settings pictures ci clean reset

VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/runtime
TOOLS := $(VENV)/tools
COMPILE = $(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-annotate --custom-compile-command "make lock" $(LOCK_FLAGS) pyproject.toml

# Tests wait a lot, for PostgreSQL, for programs that start and for time: three workers keep two cores busy. One file, or
# one test in it, needs no second worker: servers of its own would take longer than the tests. A database that is given
# (TEST_DATABASE_URL) serves one test at a time.
NAMED_FILES = $(foreach word,$(filter-out -%,$(ARGS)),$(findstring .py,$(word)))
# A browser is not everywhere, and slow: its tests are run when they are named.
UNNAMED = $(if $(findstring tests/web,$(ARGS)),,--ignore=tests/web)
WORKERS = $(if $(TEST_DATABASE_URL)$(filter 1,$(words $(NAMED_FILES))),0,3)

help: ## list these commands
	@echo "Usher. First: make run"
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "Settings come from the environment (see .env.example): PORT=9000 make run, WEB_CONCURRENCY=2 make run"

install: $(RUNTIME) ## create .venv with what Usher needs; the others do so by themselves

run: $(RUNTIME) ## start Usher, with its own PostgreSQL and Valkey; Ctrl-C stops it
	@exec $(BIN)/python -m app serve

test: $(TOOLS) ## run the tests on real servers; ARGS="tests/domain -x" selects some
	@# What Python compiles is kept, whatever the environment says: workers and the programs that tests start read it again.
	@exec env PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(UNNAMED) $(ARGS)

browser: $(TOOLS) ## run the tests of the pages in Chromium (Debian: apt-get install chromium); ARGS selects some
	@$(MAKE) --no-print-directory test ARGS="$(if $(findstring tests/web,$(ARGS)),,tests/web) $(ARGS)"

bench: $(RUNTIME) ## measure throughput and latency; CASES=hold,replay ROUNDS=3 SECONDS=4 for less, AGAINST=../before in pairs (needs wrk)
	@exec $(BIN)/python -m benchmarks $(if $(CASES),--cases $(CASES)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
		$(if $(SECONDS),--seconds $(SECONDS)) $(if $(AGAINST),--against $(AGAINST))

plans: $(RUNTIME) ## show PostgreSQL's query plans of the hot statements; BOOKINGS=100000 SCREENINGS=100 for less, ABOUT=holds
	@exec $(BIN)/python -m benchmarks.plans $(if $(BOOKINGS),--bookings $(BOOKINGS)) \
		$(if $(SCREENINGS),--screenings $(SCREENINGS)) $(if $(ABOUT),--about "$(ABOUT)")

statements: $(RUNTIME) ## write app/db/box_office/statements.sql: what the box office says to PostgreSQL, batch by batch
	@exec $(BIN)/python -m benchmarks.writing.statements

lint: $(TOOLS) ## check ruff's rules and format
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

format: $(TOOLS) ## format the code, and fix what ruff can fix
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

types: $(TOOLS) ## check types: mypy, strict
	$(BIN)/python -m mypy

imports: $(TOOLS) ## check which layer imports which
	$(BIN)/lint-imports

migrations: $(TOOLS) ## check the migrations: upgrade, compare the schema, downgrade, upgrade again
	$(BIN)/python -m migrations.check

openapi: $(RUNTIME) ## write build/openapi.json
	@mkdir -p build
	$(BIN)/python -m app openapi > build/openapi.json.part
	@mv build/openapi.json.part build/openapi.json

lock: $(TOOLS) ## update the lock files after a change of pyproject.toml
	@mkdir -p build
	@cp requirements*.lock build/
	$(COMPILE) --extra embedded --extra stripe --extra traces --extra xlsx --group dev --output-file build/requirements-dev.lock
	$(COMPILE) --extra embedded --extra xlsx --constraint build/requirements-dev.lock --output-file build/requirements.lock
	$(COMPILE) --extra stripe --extra traces --extra xlsx --constraint build/requirements-dev.lock --output-file build/requirements-server.lock
	@for lock in requirements*.lock; do cmp -s "build/$$lock" "$$lock" || cp "build/$$lock" "$$lock"; done

upgrade: ## update the lock files to the newest versions
	$(MAKE) lock LOCK_FLAGS=--upgrade

settings: $(TOOLS) ## write the lists of all settings, in README.md and .env.example, from app/settings/fields.py
	@exec $(BIN)/python -m benchmarks.writing.settings

pictures: $(TOOLS) ## make the pictures of the pages in docs/ (needs Debian's Chromium)
	@exec $(BIN)/python -m benchmarks.writing.pictures

ci: ## run everything that continuous integration runs
	bash .ci/run

clean: ## delete the virtual environment and caches; the data is kept
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .ci/node_modules
	find app migrations tests -name __pycache__ -type d -prune -exec rm -rf {} +

reset: $(RUNTIME) ## delete the data, after asking: PostgreSQL's, Valkey's and the JWT secret; ARGS=--yes does not ask
	@exec $(BIN)/python -m app reset $(ARGS)

# The stamps are written last: an install that was killed half-way starts over, from nothing.
$(RUNTIME): requirements.lock
	@sh .ci/venv "$(VENV)" requirements.lock runtime

$(TOOLS): requirements-dev.lock requirements.lock
	@sh .ci/venv "$(VENV)" requirements-dev.lock runtime tools
