"""One real ComfyUI server for all tests of this folder, with the pack linked under an awkward folder name."""

import json
import shutil
from pathlib import Path

import pytest

from tools.comfy_server import ROOT, ComfyServer


def pytest_collection_modifyitems(items):
    """Everything in this folder needs the server."""
    for item in items:
        if "tests/host" in str(item.path):
            item.add_marker(pytest.mark.host)


@pytest.fixture(scope="session")
def server(tmp_path_factory, pose_models):
    base = tmp_path_factory.mktemp("host") / "base"
    (base / "input").mkdir(parents=True)
    shutil.copytree(Path(__file__).parent / "odd_inputs", base / "custom_nodes" / "odd_inputs")
    shutil.copytree(pose_models, base / "models" / "dpidm" / "blazepose")
    server = ComfyServer(base=base, pack_name="ComfyUI-DPIDM.v1")
    with server:
        yield server


@pytest.fixture
def quickstart() -> dict:
    """The shipped quick start in API format."""
    return json.loads((ROOT / "workflows" / "api" / "tryon_quickstart.json").read_text())
