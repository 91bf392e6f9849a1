PY := .venv/bin/python
FAST := not host and not browser and not slow
BASE ?= .host/base

.PHONY: setup demo test check fmt bench host

setup: ; @tools/setup.sh
demo: setup ; @$(PY) -m tools.demo $(if $(VIDEO),--video "$(VIDEO)") $(if $(GARMENT),--garment "$(GARMENT)") $(if $(CATEGORY),--category $(CATEGORY)) $(if $(MODEL),--model "$(MODEL)")
test: setup ; @tools/browser.sh && $(PY) -m pytest
check: setup ; @.venv/bin/ruff format --check . && .venv/bin/ruff check . && .venv/bin/pyright && $(PY) -m pytest -m "$(FAST)"
fmt: setup ; @.venv/bin/ruff format . && .venv/bin/ruff check --fix .
bench: setup ; @$(PY) -m bench $(BENCH)
host: setup ; @$(PY) -m tools.host --base $(BASE) $(HOST_ARGS)
