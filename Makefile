# Everything runs in a virtual environment in .venv; nothing else has to be installed.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: run test check bench docs worlds clean

run: .venv/.run  ## the main example: opening by agreement on world-2022
	$(BIN)/entrepot run examples/opening.yaml --out results/opening

test: .venv/.dev  ## all tests, after the static checks and the documentation build
	$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: .venv/.dev  ## style, types, layers, licences, generated pages, documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python scripts/check_licences.py
	$(MAKE) --no-print-directory docs

bench: .venv/.dev  ## speed, peers included, as a table of ratios
	$(BIN)/python benchmarks/run.py

docs: .venv/.dev  ## the documentation, warnings as errors
	$(BIN)/python scripts/build_reference.py
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html

worlds: .venv/.dev  ## rebuild the embedded worlds from the pinned packages
	$(BIN)/python scripts/build_worlds.py

.venv/.run: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv || { rm -rf .venv; \
	  echo "A virtual environment could not be made: install Python 3.11+ with venv (Debian: python3-venv)."; exit 1; }
	$(PIP) --editable .
	touch $@

.venv/.dev: .venv/.run
	$(PIP) --upgrade pip
	$(PIP) --group dev --group docs
	touch $@

clean:
	rm -rf .venv results docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis dist build
