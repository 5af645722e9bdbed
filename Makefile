# All commands; `make help` lists them. Each one first installs its tools: see tools/.
STACK ?= dev
PYTHON ?= python3
# Installs missing tools and sets their environment for the rest of the line. TEST_TOOLS also installs those of the tests.
TOOLS = variables=$$($(PYTHON) -m tools install --exports --stack $(STACK)) && eval "$$variables"
TEST_TOOLS = variables=$$($(PYTHON) -m tools install --exports --tests) && eval "$$variables"
# A missing stack other than dev is created after a question, or with CREATE=1.
CHOSEN = --stack $(STACK) $(if $(CREATE),--create)
# Without the rows of resources: messages, outputs and the summary.
SHORT = $(if $(QUIET),--quiet)
ENVIRONMENT = eval "$$($(PYTHON) -m tools env)"
PYTEST = python -m pytest -q
# What fails in a whole run gets one more try, alone, and is named.
ONCE_MORE = python -m tests.once_more
# As Flatcar builds it.
IGNITION = github.com/coreos/ignition/v2/internal
# Cluster tests mostly wait for fleet, so there are more workers than processors.
WORKERS ?= 3
SHARD ?= 1/1

.PHONY: help up preview rollback down tools venv lock audit lint test test-unit test-local test-covered test-e2e test-ignition bench pictures
.DEFAULT_GOAL := help

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo 'STACK=name chooses another stack than dev, and CREATE=1 creates it without a question.'
	@echo 'QUIET=1 has up and preview print only messages, outputs and the summary.'

up: ## Create or update the cluster and the app on it, and print the endpoints
	@$(TOOLS) && $(PYTHON) -m tools select $(CHOSEN) && $(PYTHON) -m tools up --stack $(STACK) $(SHORT)

preview: ## Show what `make up` would change, unit by unit
	@$(TOOLS) && $(PYTHON) -m tools preview $(CHOSEN) $(SHORT)

rollback: ## Roll the app back to the release before, or to TAG=v1.0; YES=1 does not ask
	@$(TOOLS) && captain rollback $(TAG) --stack $(STACK) $(if $(YES),--yes)

down: ## Remove the stack with its app and cluster
	@$(TOOLS) && if pulumi stack select --stack $(STACK) 2>/dev/null; then \
		pulumi destroy --stack $(STACK) --yes && pulumi stack rm --stack $(STACK) --yes --preserve-config; \
	else echo "The stack $(STACK) does not exist. Nothing was changed."; fi
	@$(PYTHON) -m tools tidy

tools: ## Find, install or build the tools, and start a Docker engine if none answers
	@$(PYTHON) -m tools install --stack $(STACK)

venv: ## Install only the Python packages of the tests
	@$(PYTHON) -m tools install --tests --only-python

lock: ## Write the locks of the Python packages from pyproject.toml; UPGRADE=1 upgrades them
	@$(PYTHON) -m tools lock $(if $(UPGRADE),--upgrade)

audit: ## Check licences and known vulnerabilities of installed packages
	@$(TEST_TOOLS) && $(PYTHON) -m tools audit

lint: ## Check style and types
	@$(TEST_TOOLS) && ruff check . && ruff format --check . && mypy

test-unit: ## Run the tests without tools, network or cluster
	@test -x .venv/bin/coverage || { echo 'The Python packages of the tests are missing. Run `make venv`.' >&2; exit 2; }
	@$(ENVIRONMENT) && $(PYTEST) -n 2 tests/unit tests/contract -m "not e2e"

test-local: ## Run the tests with a local etcd and a fake AWS
	@$(TEST_TOOLS) && $(PYTEST) -n 2 tests/local

test-e2e: ## Run the tests on real clusters; SHARD=2/3 runs a third
	@$(TEST_TOOLS) && $(PYTEST) -n $(WORKERS) -m "e2e or faults" --shard $(SHARD) --durations 20

test: lint ## Check style, types and coverage, and run every test
	@$(ENVIRONMENT) && coverage erase
	@$(MAKE) test-local PYTEST="$(ONCE_MORE) local coverage run -m pytest -q --ignore tests/local/aws"
	@$(MAKE) --jobs=2 --output-sync=line test-covered test-e2e PYTEST="$(ONCE_MORE) e2e $(PYTEST)"
	@$(PYTHON) -m tools tidy

# Beside the tests on clusters, which mostly wait. The life of a stack on AWS takes minutes, all on one processor.
test-covered:
	@nice -n 10 $(MAKE) test-unit PYTEST="$(ONCE_MORE) unit coverage run -m pytest -q tests/local/aws"
	@$(ENVIRONMENT) && coverage combine -q && coverage report && \
		coverage report --include 'components/*' --fail-under 85

# Beside all others: it builds Ignition with C code, which takes minutes, and needs root and libblkid's headers.
test-ignition: ## Run the real Ignition over definitions of machines on AWS
	@$(TEST_TOOLS) && cd tools/go/ignition && CGO_ENABLED=1 go build -o "$(CURDIR)/.tools/bin/ignition" \
		-ldflags "-X $(IGNITION)/distro.selinuxRelabel=false" $(IGNITION) && cd "$(CURDIR)" && $(PYTEST) tests/ignition

bench: ## Run the benchmarks of docs/benchmarks.md (15 minutes)
	@$(TEST_TOOLS) && python -m bench $(PARTS)

pictures: ## Draw the README's pictures again, from real runs
	@$(TEST_TOOLS) && python -m bench.pictures
