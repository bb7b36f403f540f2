# make demo · make test · make lint · make bench.  Needs make and Python 3.11, 3.12 or 3.13; nothing else.
PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
WEB := plugins/retrain/airflow/ui/web
NODE := export PATH="$(abspath $(BIN)):$$PATH" && cd $(WEB)

.PHONY: help setup demo test test-fast test-slow test-lowest lint format ui test-ui bench audit constraints schema clean

help:           ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

setup: .venv/.ready     ## prepare .venv with everything pinned in constraints.txt

.venv/.ready: pyproject.toml constraints.txt scripts/setup.sh
	PYTHON="$(PYTHON)" sh scripts/setup.sh

demo: setup     ## the whole story on real data: ARGS=--once leaves when it is over
	$(BIN)/retrain demo $(ARGS)

test: setup test-ui     ## every test, the fast ones first
	$(BIN)/python -m pytest -m "not slow and not system" $(ARGS)
	$(BIN)/python -m pytest -m "system and not slow" $(ARGS)

test-fast: setup        ## the tests that start no processes
	$(BIN)/python -m pytest -m "not slow and not system" $(ARGS)

test-slow: setup        ## the long simulations, and 1,000 new examples of every property: most of an hour
	$(BIN)/python -m pytest -m "slow or hypothesis" --hypothesis-profile=long --timeout=3600 $(ARGS)

test-lowest: .venv-lowest/.ready        ## every test with the lowest versions that pyproject.toml allows
	.venv-lowest/bin/python -m pytest -m "not slow and not system" $(ARGS)
	.venv-lowest/bin/python -m pytest -m "system and not slow" $(ARGS)

.venv-lowest/.ready: pyproject.toml constraints-lowest.txt scripts/setup.sh
	VENV=.venv-lowest CONSTRAINTS=constraints-lowest.txt PYTHON="$(PYTHON)" sh scripts/setup.sh

lint: setup     ## ruff, mypy --strict, one-way imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: setup   ## let ruff write
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

ui: setup       ## the operators' page from its source in airflow/ui/web, into airflow/ui/static
	$(NODE) && npm ci --silent && npm run --silent build

test-ui: setup  ## types and tests of the operators' page, and that what is committed is what its source builds
	$(NODE) && npm ci --silent && npm run --silent check && npm test --silent
	$(NODE) && node build.mjs --out build && diff -r build ../static

bench: setup    ## ratios against named peers, measured in the same run
	$(BIN)/python benchmarks/run.py $(ARGS)

audit: setup    ## our claims measured, for hours, into docs/audit.md: ARGS="--runs 20" for a glance
	$(BIN)/retrain audit --out docs/audit.md $(ARGS)

schema: setup   ## docs/pipeline.schema.json, docs/pipeline.md and docs/openapi.json from the code
	$(BIN)/retrain schema --out docs/pipeline.schema.json
	$(BIN)/python scripts/reference.py docs/pipeline.md
	$(BIN)/python scripts/openapi.py docs/openapi.json

COMPILE := $(BIN)/uv pip compile pyproject.toml --group dev --extra demo --extra celery --universal --python-version 3.11 \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links --upgrade

constraints: setup      ## pin the newest releases that go together, and the lowest
	$(COMPILE) -o constraints.txt
	$(COMPILE) --resolution lowest-direct -o constraints-lowest.txt

clean:          ## everything that can be made again
	rm -rf .venv .venv-lowest .retrain .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
