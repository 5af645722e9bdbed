# All commands; `make help` lists them. Each one first has what it needs installed: see tools/.
STACK ?= dev
PYTHON ?= python3
# Installs what is missing, and gives the rest of the line its environment. TEST_TOOLS also installs what the tests need.
TOOLS = variables=$$($(PYTHON) -m tools install --exports --stack $(STACK)) && eval "$$variables"
TEST_TOOLS = variables=$$($(PYTHON) -m tools install --exports --tests) && eval "$$variables"
SELECT = $(TOOLS) && pulumi stack select --create --stack $(STACK)
UNIT = -m "not e2e and not faults"

.PHONY: help up preview down tools lint test test-fast bench
.DEFAULT_GOAL := help

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo 'STACK=name chooses another stack than dev.'

up: ## Create or update the cluster and the app on it, and print the endpoints
	@$(SELECT) && pulumi up --stack $(STACK) --yes

preview: ## Show what `make up` would change, unit by unit
	@$(SELECT) && pulumi preview --stack $(STACK) --diff

down: ## Remove the app, the cluster and all that belongs to the stack
	@$(TOOLS) && if pulumi stack select --stack $(STACK) 2>/dev/null; then \
		pulumi destroy --stack $(STACK) --yes && pulumi stack rm --stack $(STACK) --yes --preserve-config; \
	else echo "there is no stack $(STACK)"; fi
	@$(PYTHON) -m tools tidy

tools: ## Find, install or build the tools, and start a Docker engine if none answers
	@$(PYTHON) -m tools install --stack $(STACK)

lint: ## Check style and types
	@$(TEST_TOOLS) && ruff check . && ruff format --check . && mypy

test-fast: ## Run the tests that need no cluster
	@$(TEST_TOOLS) && pytest -q $(UNIT)

test: lint ## Check style and types, and run every test, on real clusters too
	@$(TEST_TOOLS) && pytest
	@$(PYTHON) -m tools tidy

bench: ## Measure what docs/benchmarks.md shows; takes a quarter of an hour
	@$(TEST_TOOLS) && python -m bench $(PARTS)
