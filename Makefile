# make demo: what scanrun does, on an application full of holes. make test: the tests.
# Both make what they need in .venv, or say what this machine lacks.
SHELL := /usr/bin/env bash
BIN := .venv/bin
SCRIPTS := .ci/run .ci/venv lab/build lab/door lab/engine lab/registry lab/sonar lab/zap-replay lab/dependency-check/launcher.sh lab/sonarqube/scanner.sh lab/sonarqube/server.sh examples/demo.sh

.PHONY: help demo quartet dev test faults lint lint-format lint-style lint-types lint-shell format lab ci clean

help:
	@echo "make demo    scan examples/vulnerable-app"
	@echo "make quartet build the lab, and scan the application as it runs, too"
	@echo "make test    run the tests (TESTS=tests/sarif for some of them)"
	@echo "make faults  run all tests of faults and all slow tests (docs/faults.md)"
	@echo "make lint    format, style, types and shell scripts"
	@echo "make format  put the format right"
	@echo "make lab     build the lab: real scanners' images and a registry (lab/README.md)"
	@echo "make ci      all that CI does"
	@echo "make clean   remove what the above made"

demo:
	@.ci/venv local
	@examples/demo.sh $(BIN)

quartet: lab
	@examples/demo.sh $(BIN) quartet

dev:
	@.ci/venv dev

test: dev
	@$(BIN)/python -m pytest $(TESTS)

faults: dev
	@$(BIN)/python -m pytest -m "fault or slow_fault"

lint: lint-format lint-style lint-types lint-shell

lint-format lint-style lint-types lint-shell: dev
lint-format:
	$(BIN)/ruff format --check .
lint-style:
	$(BIN)/ruff check .
lint-types:
	$(BIN)/mypy
	MYPYPATH=lab:lab/zap:lab/targets $(BIN)/mypy lab/*.py lab/zap/standin lab/targets/*.py
lint-shell:
	$(BIN)/shellcheck $(SCRIPTS)

format: dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lab: dev
	@lab/build

ci:
	@.ci/run

clean:
	-@lab/registry stop 2>/dev/null
	-@lab/sonar stop 2>/dev/null
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache build dist lab/work examples/vulnerable-app/.scanrun
