"""The import node in a real server: pickles in models/dpidm_import become a model that Load Model takes."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.host.graphs import fails, message, swallow

VECTORS = Path(__file__).parents[2] / "../shared/vectors/swifttry_A"


def import_node(name, **chosen):
    files = dict.fromkeys(("main", "garment", "guider", "motion"), "none") | chosen
    return {"class_type": "DPIDMImportModel", "inputs": {"source": "swifttry", "dtype": "fp32", "name": name, **files}}


def test_nothing_chosen_is_explained(server):
    fails(server, {"1": import_node("x")}, "swifttry needs a file for main, garment, guider", "models/dpidm_import")


def test_names_that_leave_the_folder_are_refused(server):
    folder = server.base / "models" / "dpidm_import"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "some.pth").write_bytes(b"none")
    chosen = dict.fromkeys(("main", "garment", "guider"), "dpidm_import/some.pth")
    fails(server, {"1": import_node("../x", **chosen)}, "plain file name")
    fails(server, {"1": import_node("x", **chosen)}, "some.pth")


@pytest.mark.skipif(not VECTORS.exists(), reason="no recorded vectors beside the repository")
def test_swifttry_pickles_become_a_loadable_model(server):
    folder = server.base / "models" / "dpidm_import"
    folder.mkdir(parents=True, exist_ok=True)
    chosen = {"main": "denoiser", "garment": "reference", "guider": "pose_guider"}
    for name in chosen.values():
        torch.save(load_file(VECTORS / f"{name}.safetensors"), folder / f"{name}.pth")
    listed = {key: f"dpidm_import/{name}.pth" for key, name in chosen.items()}
    run = server.run({"1": import_node("imported-swifttry", **listed)}, timeout=120)
    assert run.status == "success", message(run)
    written = server.base / "models" / "dpidm" / "imported-swifttry.safetensors"
    assert written.is_file()
    load = {"class_type": "DPIDMLoadModel", "inputs": {"model_name": written.name, "dtype": "fp32"}}
    run = server.run({"1": load, "2": swallow("1")}, timeout=120)
    assert run.status == "success", message(run)
    fails(server, {"1": import_node("imported-swifttry", **listed)}, "exists; choose another name")
