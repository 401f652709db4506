# make demo   a virtual environment, the base model, a real collection, three questions with sources
# make train  the adapter that the package ships, anew (hours)
# make test   lint, types and tests: what CI runs
# make wheel  the wheel in an empty environment, without extras
# make lower  the same with the lowest versions that pyproject.toml admits, and the tests of documents and memory
# make docs   the documentation as a site, in .cache/site
# make bench  what infinidoc aims at as ratios, also with AVX2 alone, 8 minutes; BENCH=quick  ingest beside transformers,
#             llama.cpp and RAG, 20 minutes; BENCH=full  the same up to a million tokens, hours
PYTHON ?= python3.11
BIN := .venv/bin
# The base model and the demo's collection stay in the checkout: nothing is left in the user's home.
export INFINIDOC_HOME ?= $(CURDIR)/.cache/infinidoc

.PHONY: install model demo train bench docs lint test wheel lower clean

install: .venv/installed

# Of 17,000 modules few are ever imported: those are compiled then, and not all of them now, which takes a minute.
PIP = test -d .venv || $(PYTHON) -m venv .venv; \
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt
.venv/installed: pyproject.toml constraints.txt
	$(PIP) -e '.[dev]'
	touch .venv/core $@

# What the demo needs, which is what people get who install the package.
.venv/core: pyproject.toml constraints.txt
	$(PIP) -e .
	touch $@

model: .venv/core
	$(BIN)/infinidoc models pull

demo: model
	$(BIN)/infinidoc ingest --collection demo examples/library
	$(BIN)/infinidoc ask --collection demo "When does the work on the roof begin?"
	$(BIN)/infinidoc ask --collection demo "What is the highest point of Belize?"
	$(BIN)/infinidoc ask --collection demo "When will Imogen Hollis come to service the boiler?"

# The adapter that the package ships, from scratch: its card says what that takes. Interrupted, it goes on.
# DATA: a directory of public questions (infinidoc/training/data/README.md).
RUNS ?= $(CURDIR)/.cache/runs
train: model
	$(BIN)/infinidoc train address-head --out $(RUNS)/head
	$(BIN)/infinidoc train memory --out $(RUNS)/memory
	$(BIN)/infinidoc train reader $(if $(DATA),--data $(DATA)) --out $(RUNS)/reader
	$(BIN)/infinidoc train joined --init $(RUNS)/head --init $(RUNS)/memory --out $(RUNS)/joined
	$(BIN)/infinidoc train finish --init $(RUNS)/joined --out $(RUNS)/finish
	$(BIN)/infinidoc train finish --init $(RUNS)/finish --out $(RUNS)/last
	$(BIN)/infinidoc train settle --init $(RUNS)/last --out $(RUNS)/settled
	cp $(RUNS)/settled/adapter.safetensors $(RUNS)/settled/curves.png infinidoc/adapters/smollm2-135m-instruct/
	cp $(RUNS)/reader/reader.safetensors infinidoc/adapters/smollm2-135m-instruct/

# BENCH=quick and BENCH=full, interrupted, go on.
BENCH ?= aims
bench_aims := aims
bench_quick := ingest --lengths 10k,100k --name quick
bench_full := ingest --lengths 10k,100k,1m --name full
bench: model
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench,rag]'
	$(BIN)/python -m benchmarks.$(bench_$(BENCH))

docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# One process per core, with one thread each; `CORES=0` for one process.
CORES ?= 2
test: lint model
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(CORES) --dist loadfile --no-loadscope-reorder --durations 10

# The wheel alone, in an empty environment, without any extra: does it install, read and answer?
wheel: model
	rm -rf build .cache/wheel && $(PYTHON) -m venv .cache/wheel
	.cache/wheel/bin/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir .cache/wheel/dist .
	.cache/wheel/bin/pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt .cache/wheel/dist/*.whl
	cd .cache/wheel && bin/infinidoc ingest --collection wheel $(CURDIR)/examples/library/reading-room/house-rules.md
	cd .cache/wheel && bin/infinidoc ask --collection wheel "When are the rooms open?" --json | grep -q house-rules
	cd .cache/wheel && bin/infinidoc collections remove wheel --yes
	rm -rf .cache/wheel

# Do the lower bounds hold? torch stays where constraints.txt has it: older ones bring gigabytes of CUDA.
LOWER := import tomllib; \
	print(*(d.replace(">=", "==") for d in tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"]), sep="\n")
lower: model
	rm -rf build .cache/lower && $(PYTHON) -m venv .cache/lower
	( grep ^torch constraints.txt; $(PYTHON) -c '$(LOWER)' | grep -v ^torch ) > .cache/lower/constraints.txt
	.cache/lower/bin/pip install --quiet --disable-pip-version-check --no-compile -c .cache/lower/constraints.txt \
		. pytest hypothesis python-docx python-pptx openpyxl xlwt reportlab
	PYTHONPATH=$(CURDIR) .cache/lower/bin/python -m pytest tests/documents tests/memory tests/model/test_addresses.py -m "not real" -x
	cd .cache/lower && bin/infinidoc ingest --collection lower $(CURDIR)/examples/library/reading-room/house-rules.md
	cd .cache/lower && bin/infinidoc ask --collection lower "When are the rooms open?" --json | grep -q house-rules
	cd .cache/lower && bin/infinidoc collections remove lower --yes
	rm -rf .cache/lower

clean:
	rm -rf .venv .cache build *.egg-info
