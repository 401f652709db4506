# make demo   a virtual environment, the base model, a real collection, three questions
# make test   lint, types and tests; what CI runs
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# The base model is kept inside the checkout, so that a test or a demo leaves nothing in the user's home.
export INFINIDOC_HOME ?= $(CURDIR)/.cache/infinidoc

.PHONY: install model demo test lint clean

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

model: install
	$(BIN)/infinidoc models pull

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint model
	$(BIN)/pytest

clean:
	rm -rf $(VENV) .cache build *.egg-info
