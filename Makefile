# Every verb sets up what it needs by itself: a virtual environment through uv, which it installs if it is missing.
# requirements.lock pins every package with its hashes (a uv.lock would also pin the address it came from).
UV := $(or $(shell command -v uv 2>/dev/null),.tools/bin/uv)
BIN := .venv/bin

.PHONY: demo test lint setup lock clean

demo: setup
	$(BIN)/bascule demo

test: lint
	$(BIN)/pytest -n 2 --dist worksteal

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

setup: .venv/.ready

.venv/.ready: pyproject.toml requirements.lock
	@command -v $(UV) >/dev/null 2>&1 || { echo "Installing uv into .tools"; python3 -m venv .tools && .tools/bin/pip install --quiet uv; }
	@test -x $(BIN)/python || $(UV) venv --quiet --python ">=3.11" .venv
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

lock:
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --group dev pyproject.toml -o requirements.lock

clean:
	rm -rf .venv .tools .pytest_cache .mypy_cache .ruff_cache
