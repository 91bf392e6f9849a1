"""Wrong input ends in a clear node error, and the server lives on."""

import pickle
import shutil

import pytest

from tests.host.graphs import defaults, fails, message, node_of, odd_image, odd_pose, sampler_graph, swallow
from tools.comfy_server import ROOT, ServerError

TINY = ROOT / "dpidm_model" / "weights" / "dpidm-tiny.safetensors"


def human_pose(server, image: dict) -> dict:
    return {"1": image, "2": defaults(server, "DPIDMHumanPose", images=["1", 0]), "3": swallow("2")}


def test_no_person_in_the_clip(server):
    fails(server, human_pose(server, odd_image("noise", width=320, height=240)), "person")


def test_empty_batch(server):
    fails(server, human_pose(server, odd_image("empty")), "0", "frame")


def test_nan_in_the_image(server):
    fails(server, human_pose(server, odd_image("nan")), "NaN")


def test_seventeen_by_nine_pixels(server):
    fails(server, human_pose(server, odd_image(width=17, height=9)), "17x9")


def test_garment_with_alpha(server):
    graph = {"1": odd_image("alpha", 1), "2": defaults(server, "DPIDMGarmentPose", image=["1", 0]), "3": swallow("2")}
    fails(server, graph, "4", "channel")


def test_garment_that_is_blank(server):
    graph = {"1": odd_image("grey", 1), "2": defaults(server, "DPIDMGarmentPose", image=["1", 0]), "3": swallow("2")}
    fails(server, graph, "garment")


@pytest.mark.parametrize("kind", ["nan", "empty"])
def test_garment_image_that_is_broken(server, kind):
    graph = {"1": odd_image(kind, 1), "2": defaults(server, "DPIDMGarmentPose", image=["1", 0]), "3": swallow("2")}
    fails(server, graph, "NaN" if kind == "nan" else "0")


def test_pose_of_another_length(server):
    crop = defaults(server, "DPIDMCropToPerson", images=["1", 0], pose=["2", 0])
    fails(server, {"1": odd_image(frames=4), "2": odd_pose(frames=3), "3": crop, "4": swallow("3")}, "3 frames", "4")


@pytest.mark.parametrize(("frames", "width"), [(4, 80), (3, 96)])
def test_mask_of_another_size_or_length(server, frames, width):
    """Paste back must not guess what a mask of other frames means; another size is scaled or refused, never a crash."""
    graph = {
        "1": odd_image(frames=4),
        "2": odd_pose(frames=4),
        "3": defaults(server, "DPIDMCropToPerson", images=["1", 0], pose=["2", 0], width=96, height=128),
        "4": odd_image(frames=frames, width=width),
        "5": defaults(server, "DPIDMPasteBack", source=["1", 0], result=["3", 0], crop=["3", 2], mask=["4", 1]),
        "6": swallow("5"),
    }
    fails(server, graph, "mask")


def test_the_small_graph_itself_runs(server):
    run = server.run(sampler_graph(server), timeout=120)
    assert run.status == "success", message(run)


def test_one_frame(server):
    graph = sampler_graph(server, frames=odd_image(frames=1), pose=odd_pose(frames=1))
    run = server.run(graph, timeout=120)
    assert run.status == "success", message(run)


def test_nan_coordinates_in_a_pose_count_as_missing(server):
    run = server.run(sampler_graph(server, pose=odd_pose(frames=3, nan=True)), timeout=120)
    assert run.status == "success", message(run)


def test_nan_reaching_the_sampler(server):
    graph = sampler_graph(server, frames=odd_image("nan", frames=3))
    graph["sampler"]["inputs"]["mask"] = ["garment", 1]
    fails(server, graph, "NaN")


def test_mask_of_another_length_in_the_sampler(server):
    graph = sampler_graph(server, longer=odd_image(frames=2))
    graph["sampler"]["inputs"]["mask"] = ["longer", 1]
    fails(server, graph, "mask")


def test_wrong_vae(server):
    """Latents of a 4-channel VAE given to the 16-channel model."""
    graph = sampler_graph(
        server, four={"class_type": "EmptyLatentImage", "inputs": {"width": 96, "height": 128, "batch_size": 3}}
    )
    graph["sampler"]["inputs"]["agnostic_latents"] = ["four", 0]
    fails(server, graph, "4 channels", "16")


def test_a_model_file_as_vae(server):
    target = server.base / "models" / "vae" / "not-a-vae.safetensors"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(TINY, target)
    fails(
        server,
        {"1": {"class_type": "DPIDMLoadVAE", "inputs": {"vae_name": target.name}}, "2": swallow("1")},
        "not a VAE",
    )


def load_model(name: str) -> dict:
    return {"1": {"class_type": "DPIDMLoadModel", "inputs": {"model_name": name, "dtype": "auto"}}, "2": swallow("1")}


@pytest.fixture
def model_folder(server):
    folder = server.base / "models" / "dpidm"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_truncated_weight_file(server, model_folder):
    (model_folder / "short.safetensors").write_bytes(TINY.read_bytes()[:100_000])
    fails(server, load_model("short.safetensors"), "short.safetensors", "truncated")


def test_missing_weight_file(server, model_folder):
    """A file that is removed after the page has listed it."""
    target = model_folder / "gone.safetensors"
    shutil.copyfile(TINY, target)
    server.get("/object_info/DPIDMLoadModel")
    target.unlink()
    try:
        text = message(server.run(load_model("gone.safetensors")))  # the host's list of files was still the old one
    except ServerError as refusal:
        text = str(refusal)
    assert "gone.safetensors" in text
    assert server.alive()


def test_pickle_renamed_to_safetensors(server, model_folder):
    (model_folder / "pickle.safetensors").write_bytes(pickle.dumps({"weights": [1, 2, 3]}))
    fails(server, load_model("pickle.safetensors"), "pickle")


def test_overlap_not_smaller_than_window(server):
    graph = sampler_graph(server)
    inputs = node_of(graph, "DPIDMVideoSampler")
    inputs["context_overlap"] = inputs["context_length"] = 8
    fails(server, graph, "overlap")
