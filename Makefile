# Two commands set everything up: `make demo` and `make test`. PYTHON chooses the interpreter (3.11 to 3.13).
PYTHON ?= python3
VENV ?= .venv
PIP = $(VENV)/bin/python -m pip --disable-pip-version-check install --quiet

.PHONY: demo test check docs bench clean

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml
	@echo "installing what the demo needs into $(VENV) ..."
	@$(PIP) -e ".[all]"
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml
	@echo "installing what the tests need into $(VENV) ..."
	@$(PIP) -e ".[dev]"
	@touch $@

demo: $(VENV)/.demo          ## train on real digits, leave pictures in out/
	$(VENV)/bin/python examples/digits.py

test: $(VENV)/.dev           ## the whole of the tests
	$(VENV)/bin/python -m pytest -n auto

check: $(VENV)/.dev          ## lint, format and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

docs: $(VENV)/.dev           ## what commands write: stubs for type checkers, tables
	$(VENV)/bin/python -m tinygrad_act.ops.stubs
	$(VENV)/bin/python tests/benchmarks/accuracy.py --write
	$(VENV)/bin/python tests/benchmarks/overhead.py --write
	$(VENV)/bin/python -m tinygrad_act gallery --format markdown --out docs/activations

bench: $(VENV)/.dev
	$(VENV)/bin/python tests/benchmarks/speed/run.py

clean:
	rm -rf $(VENV) out .pytest_cache .mypy_cache .ruff_cache .hypothesis
