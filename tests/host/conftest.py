"""One real ComfyUI server for all tests of this folder, with the pack linked under an awkward folder name."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.comfy_server import ROOT, ComfyServer


def pytest_collection_modifyitems(items):
    """Everything in this folder needs the server."""
    for item in items:
        if "tests/host" in str(item.path):
            item.add_marker(pytest.mark.host)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    base = tmp_path_factory.mktemp("host") / "base"
    (base / "input").mkdir(parents=True)
    shutil.copytree(Path(__file__).parent / "odd_inputs", base / "custom_nodes" / "odd_inputs")
    link_pose_models(base)
    server = ComfyServer(base=base, pack_name="ComfyUI-DPIDM.v1")
    with server:
        yield server


def link_pose_models(base) -> None:
    """The offline pose models, fetched once into .host and shared by all test servers."""
    fetched = ROOT / ".host" / "base" / "models" / "dpidm" / "blazepose"
    subprocess.run(
        [sys.executable, ROOT / "tools" / "fetch_blazepose.py", fetched], check=True, stdout=subprocess.DEVNULL
    )
    target = base / "models" / "dpidm" / "blazepose"
    shutil.copytree(fetched, target, dirs_exist_ok=True)


@pytest.fixture
def quickstart() -> dict:
    """The shipped quick start in API format."""
    return json.loads((ROOT / "workflows" / "api" / "tryon_quickstart.json").read_text())
