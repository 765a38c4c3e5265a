# Plain GNU make; needs Python 3.11 or newer and nothing else.
# What is installed goes into .venv and vanishes with `make clean`, but for the system
# programs that the tests drive: scripts/programs.sh.

.DEFAULT_GOAL := help

VENV := .venv
PYTHON := $(VENV)/bin/python
PIP := $(PYTHON) -m pip --quiet --disable-pip-version-check
LOCKER := uv>=0.9,<1
LOCK = UV_CUSTOM_COMPILE_COMMAND="make lock" $(VENV)/bin/uv pip compile --quiet --no-config \
	--universal --python-version 3.11 --generate-hashes $(LOCK_FLAGS)

.PHONY: help
help: ## Show the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: demo
demo: $(VENV)/.run-time ## Run the exporter against a simulated account; no key needed, Ctrl-C ends it
	@$(VENV)/bin/telnyx-sim-exporter demo

FASTER := 1
.PHONY: demo-stack
demo-stack: $(VENV)/.run-time ## Run the demo with Prometheus and Alertmanager; FASTER=20 hurries the rules
	@scripts/programs.sh prometheus prometheus-alertmanager
	@$(PYTHON) -m demo_stack --faster $(FASTER)

.PHONY: docs
docs: $(VENV)/.run-time ## Write the tables of metrics, alerts and log events in docs
	@$(PYTHON) scripts/docs.py

.PHONY: dashboards
dashboards: $(VENV)/.dev ## Write the Grafana dashboards anew
	@$(PYTHON) -m dashboards

# Whoever is done takes tests from the others: a few take a minute.
PARALLEL := -n auto --dist worksteal

.PHONY: test
test: ## Run the linters and all tests
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target lint programs
	$(PYTHON) -m pytest $(PARALLEL)

# highest or lowest-direct, as uv says.
RESOLUTION := highest
CORE := $(addprefix tests/,app cli config ledger metrics scheduling simulator sinks sync telnyx web)
TOOLS := hypothesis jsonschema packaging pytest pytest-asyncio pytest-timeout pytest-xdist telnyx
.PHONY: test-ranges
test-ranges: dist ## Run the core tests without locks, with RESOLUTION=highest or lowest-direct
	$(PIP) install "$(LOCKER)"
	$(VENV)/bin/uv venv --quiet --clear --python $(PYTHON) build/ranges
	$(VENV)/bin/uv pip install --quiet --no-config --python build/ranges --resolution $(RESOLUTION) \
		--requirements pyproject.toml
	$(VENV)/bin/uv pip install --quiet --no-config --python build/ranges dist/*.whl $(TOOLS)
	env CI= build/ranges/bin/python -m pytest $(PARALLEL) $(CORE)

.PHONY: lint
lint: $(VENV)/.dev ## Check style and types
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m mypy

.PHONY: coverage
coverage: $(VENV)/.dev programs ## Run all tests and show the lines and branches that none reaches
	$(PYTHON) -m pytest $(PARALLEL) --cov --cov-report=term-missing:skip-covered

.PHONY: bench
bench: $(VENV)/.dev ## Run the benchmarks, or some of them: NAMES="requests scrapes"
	@$(PYTHON) -m benchmarks $(NAMES)

BASE := HEAD~1
ROUNDS := 3
.PHONY: bench-compare
bench-compare: $(VENV)/.dev ## Compare the benchmarks of BASE=HEAD~1 and of the files as they are, ROUNDS=3
	@$(PYTHON) -m benchmarks.compare $(BASE) $(NAMES) --rounds $(ROUNDS)

MINUTES := 5
.PHONY: soak
soak: $(VENV)/.dev ## Kill the exporter and break its API for MINUTES=5, and compare what it counted
	@$(PYTHON) -m benchmarks.soak --minutes $(MINUTES)

.PHONY: dist
dist: $(VENV)/.run-time ## Build the wheel and the source distribution into dist
	@rm -rf dist
	@$(PYTHON) -m hatchling build

.PHONY: sbom
sbom: $(VENV)/.run-time ## Write build/sbom.cdx.json: what the exporter is made of, with hashes and licenses
	@mkdir -p build
	@$(PYTHON) scripts/sbom.py requirements.lock >build/sbom.cdx.json.part
	@mv build/sbom.cdx.json.part build/sbom.cdx.json

# --strict: a package that the service does not know would pass otherwise.
.PHONY: audit
audit: $(VENV)/.dev ## Look for known vulnerabilities of what the lock files pin; asks the network
	@$(PYTHON) -m pip_audit --strict --require-hashes --disable-pip --progress-spinner off \
		$(foreach lock,$(wildcard requirements*.lock),--requirement $(lock))

.PHONY: lock
lock: $(PYTHON) ## Pin in requirements*.lock what pyproject.toml asks for, keeping pins that still fit
	$(PIP) install "$(LOCKER)"
	$(LOCK) --output-file requirements.lock pyproject.toml
	$(LOCK) --output-file requirements-build.lock --group build --constraint requirements.lock
	$(LOCK) --output-file requirements-dev.lock --group build --group dev \
		--constraint requirements.lock --constraint requirements-build.lock pyproject.toml

.PHONY: upgrade
upgrade: LOCK_FLAGS := --upgrade
upgrade: lock ## Pin the newest versions that pyproject.toml allows

.PHONY: clean
clean: ## Remove the virtual environment, caches and builds
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: programs
programs:
	@scripts/programs.sh

$(PYTHON):
	@scripts/venv.sh $(VENV)

# The stamps lie in the environment, so that both go together. The package itself is installed
# apart, as pip cannot check the hash of a directory, and with the build backend that is pinned.
$(VENV)/.run-time: pyproject.toml requirements.lock requirements-build.lock | $(PYTHON)
	@echo "Installing what the exporter needs into $(VENV) ..."
	@$(PIP) install --no-deps --require-hashes -r requirements.lock -r requirements-build.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run-time
	@echo "Installing what the tests need into $(VENV) ..."
	@$(PIP) install --no-deps --require-hashes -r requirements-dev.lock
	@touch $@
