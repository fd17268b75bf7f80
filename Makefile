# Two commands: `make demo` shows fabd at work, `make test` runs every test. Each sets up what it needs in .venv.

VENV := .venv
BIN := $(VENV)/bin
CATALOGUES := $(wildcard fabd/locale/*/LC_MESSAGES/*.po)
INSTALLED_FROM := pyproject.toml hatch_build.py constraints.txt $(CATALOGUES)
# The build's own requirements are held by the constraints too, where pip is new enough to know this variable.
PIP := PIP_BUILD_CONSTRAINT=constraints.txt $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo test bench check lint translations constraints venv clean

demo: $(VENV)/.demo-installed
	$(BIN)/fabd demo

test: $(VENV)/.dev-installed
	@tools/install-components
	@tools/install-octoprint .octoprint
	$(BIN)/pytest $(PYTEST_ARGS)

# The figures, on this machine, each beside its limit or a peer; longer than a test may take, and not part of `make test`.
bench: $(VENV)/.dev-installed
	@tools/install-octoprint .octoprint
	$(BIN)/python benchmarks/resident_memory.py
	$(BIN)/python benchmarks/octoprint_figures.py

check: lint
	$(BIN)/mypy
	$(BIN)/lint-imports

lint: $(VENV)/.dev-installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check

translations: $(VENV)/.dev-installed
	@mkdir -p build
	$(BIN)/pybabel -q extract --no-location --sort-output --output=build/fabd.pot fabd
	$(BIN)/pybabel -q update --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date \
		--domain=fabd --input-file=build/fabd.pot --output-dir=fabd/locale
	$(BIN)/pybabel -q compile --domain=fabd --directory=fabd/locale

venv: $(VENV)/.dev-installed

# New versions for everybody: what a fresh environment resolves to, by name and version alone.
constraints:
	tools/make-venv $(VENV)-fresh
	$(VENV)-fresh/bin/python -m pip install --quiet -e '.[broker,dev]' editables
	$(VENV)-fresh/bin/python -m pip freeze --exclude-editable >constraints.txt
	rm -rf $(VENV)-fresh

clean:
	rm -rf $(VENV) .octoprint build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find fabd tests -name __pycache__ -prune -exec rm -rf {} +
	find fabd/locale -name '*.mo' -delete

$(BIN)/python:
	@tools/make-venv $(VENV)

$(VENV)/.demo-installed: $(INSTALLED_FROM) | $(BIN)/python
	@echo "Installing fabd and what it needs into $(VENV): half a minute, some minutes on a Pi ..."
	@$(PIP) install --quiet -c constraints.txt -e '.[broker]'
	@touch $@

$(VENV)/.dev-installed: $(INSTALLED_FROM) | $(BIN)/python
	@echo "Installing fabd, what it needs and the tools of its developers into $(VENV): a minute, some on a Pi ..."
	@$(PIP) install --quiet -c constraints.txt -e '.[broker,dev]'
	@touch $@ $(VENV)/.demo-installed
