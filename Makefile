# Every verb sets up what it needs by itself: a virtual environment through uv, which it installs if it is missing.
# uv comes by pip alone, since many systems keep Python's own venv in a package of its own; else by a venv, for those that
# have no pip outside of one.
# requirements.lock pins the product's packages with their hashes, requirements-dev.lock those and the tools,
# requirements-build.lock what makes the wheel of the container's image
# (a uv.lock would also pin the address they came from).
UV := $(or $(shell command -v uv 2>/dev/null),.tools/bin/uv)
BIN := .venv/bin
PINNED := --quiet --universal --python-version 3.11 --generate-hashes --no-header

.PHONY: demo install test quick attack soak bench pictures lint setup chromium pgbouncer proxies generator clients lock clean

demo: setup
	$(BIN)/bascule demo

# The command on the PATH: a link to this checkout's own, with the packages that the lock file names.
PREFIX ?= $(HOME)/.local

install: setup
	@mkdir -p "$(PREFIX)/bin"
	@ln -sfn "$(CURDIR)/$(BIN)/bascule" "$(PREFIX)/bin/bascule"
	@echo "$(PREFIX)/bin/bascule is the command bascule of this checkout."
	@case ":$$PATH:" in *":$(PREFIX)/bin:"*) ;; *) echo "Your PATH lacks $(PREFIX)/bin; add it: export PATH=\"$(PREFIX)/bin:\$$PATH\"" ;; esac

# Everything; or what lies in tests/inbox and names that room: make test ROOM=inbox
test: lint chromium pgbouncer proxies generator clients
	$(BIN)/pytest -n 2 --dist worksteal $(if $(ROOM),--room $(ROOM))

# What is asked again and again while one works. It leaves out what takes a browser, what kills processes, what starts
# the hub or its command in processes of their own, and what is heavy; `make test` has all of it.
QUICK := not browser and not kills and not processes and not heavy
quick: lint
	$(BIN)/pytest -n 2 --dist worksteal -m "$(QUICK)" $(if $(ROOM),--room $(ROOM))

# What was tried against a hub, and what of it got through: the table of docs/security.md.
attack: setup generator
	$(BIN)/python tests/attack.py $(if $(WRITE),--write)

# The test of both sides for longer, from a number that it prints: make soak STEPS=50000 SEED=7
soak: setup
	BASCULE_SOAK_STEPS=$(or $(STEPS),20000) BASCULE_SOAK_SEED=$(or $(SEED),$(shell $(BIN)/python -c "import random; print(random.randrange(10**6))")) \
		$(BIN)/pytest -s -p no:xdist tests/sync/test_stateful.py

# Says so where there is none and none can be had; the browser tests are skipped then.
chromium:
	@sh tests/browser/get_chromium.sh

# Likewise, for the tests of what stands between a hub and its database.
pgbouncer:
	@sh tests/get_pgbouncer.sh

# And for the examples of what stands before it.
proxies: tests/security/.tools/.ready
	@sh tests/get_proxies.sh

tests/security/.tools/.ready: tests/security/traefik.txt | setup
	$(UV) venv --quiet --clear --python ">=3.11" tests/security/.tools
	$(UV) pip install --quiet --python tests/security/.tools/bin/python --require-hashes -r tests/security/traefik.txt
	@touch $@

# What makes a Python client of the OpenAPI, for a test; it wants another Typer than ours.
generator: tests/openapi/.tools/.ready

tests/openapi/.tools/.ready: tests/openapi/generator.txt | setup
	$(UV) venv --quiet --clear --python ">=3.11" tests/openapi/.tools
	$(UV) pip install --quiet --python tests/openapi/.tools/bin/python --require-hashes -r tests/openapi/generator.txt
	@touch $@

# Clients of ERPNext that are not ours, and that the sandbox serves: each in an environment of its own.
CLIENTS := frappe-client frappectl erpnext-mcp

clients: $(CLIENTS:%=tests/clients/.tools/%/.ready)

tests/clients/.tools/%/.ready: tests/clients/%.txt | setup
	$(UV) venv --quiet --clear --python ">=3.11" tests/clients/.tools/$*
	$(UV) pip install --quiet --python tests/clients/.tools/$*/bin/python --require-hashes -r tests/clients/$*.txt
	@touch $@

# Other tools come into environments of their own, in bench/.tools.
bench: setup
	$(BIN)/python -m bench

# The README's, made anew; a test says when they show what is no more.
pictures: setup chromium
	$(BIN)/python docs/pictures.py

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

setup: .venv/.ready

.venv/.ready: pyproject.toml requirements-dev.lock
	@command -v $(UV) >/dev/null 2>&1 || { echo "Installing uv into .tools"; python3 -m pip install --quiet --target .tools uv || { python3 -m venv .tools && .tools/bin/pip install --quiet uv; }; }
	@test -x $(BIN)/python || $(UV) venv --quiet --python ">=3.11" .venv
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

lock:
	$(UV) pip compile $(PINNED) pyproject.toml -o requirements.lock
	$(UV) pip compile $(PINNED) --constraint requirements.lock --group dev pyproject.toml -o requirements-dev.lock
	echo hatchling | $(UV) pip compile $(PINNED) - -o requirements-build.lock
	$(UV) pip compile $(PINNED) bench/tap-erpnext.in -o bench/tap-erpnext.txt
	$(UV) pip compile $(PINNED) bench/dlt.in -o bench/dlt.txt
	$(UV) pip compile $(PINNED) tests/openapi/generator.in -o tests/openapi/generator.txt
	$(UV) pip compile $(PINNED) tests/security/traefik.in -o tests/security/traefik.txt
	for client in $(CLIENTS); do $(UV) pip compile $(PINNED) tests/clients/$$client.in -o tests/clients/$$client.txt || exit 1; done

clean:
	rm -rf .venv .tools bench/.tools tests/openapi/.tools tests/security/.tools tests/clients/.tools .pytest_cache .mypy_cache .ruff_cache
