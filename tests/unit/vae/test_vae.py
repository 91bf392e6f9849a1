"""The small VAE: its layout, its start, and what the shipped one can do."""

from pathlib import Path

import numpy as np
import pytest
import torch
from einops import rearrange
from safetensors import safe_open

from dpidm_model.errors import CheckpointError
from dpidm_model.training.vae import generate_batch, train
from dpidm_model.training.vae_start import _patches, patch_pca, start_from_pca
from dpidm_model.vae import build_vae, decode, encode, load_vae, save_vae
from dpidm_model.world.clip import TEST_SEEDS, make_clip

SHIPPED = Path(__file__).parents[3] / "dpidm_model" / "weights" / "vae" / "dpidm-tiny-vae.safetensors"


def batches(count: int):
    return [generate_batch(np.random.default_rng(i)) for i in range(count)]


def test_round_trip_in_taesd_layout(tmp_path):
    vae = build_vae(8, seed=1).half().float()
    save_vae(tmp_path / "vae.safetensors", vae, {"name": "x"})
    with safe_open(tmp_path / "vae.safetensors", "pt") as file:
        names = set(file.keys())
    assert {"taesd_encoder.0.weight", "taesd_decoder.1.weight", "vae_scale", "vae_shift"} <= names
    again, metadata = load_vae(tmp_path / "vae.safetensors")
    assert metadata == {"name": "x"}
    images = torch.rand(1, 3, 24, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(encode(again, images), encode(vae, images))
    latents = encode(vae, images)
    assert latents.shape == (1, 8, 3, 2)
    assert torch.equal(decode(again, latents), decode(vae, latents))


def test_the_start_is_exactly_a_whitened_patch_pca():
    pictures = batches(20)
    vae = build_vae(16)
    start_from_pca(vae, iter(pictures))
    mean_C, basis_CK, std_K = patch_pca(iter(pictures), 16)
    images = pictures[0]
    expected = (_patches(images) - mean_C) @ basis_CK / std_K
    with torch.no_grad():
        found = rearrange(encode(vae, images), "b k h w -> (b h w) k")
    assert torch.allclose(found, expected, atol=1e-4)


def test_training_resumes_and_writes_the_file(tmp_path):
    out = tmp_path / "vae.safetensors"
    assert train(str(tmp_path / "run"), str(out), 2, latent_channels=4)["steps"] == 2
    assert train(str(tmp_path / "run"), str(out), 3, latent_channels=4)["steps"] == 3
    assert load_vae(out)[0].encoder.layers[-1].out_channels == 4


def test_the_shipped_vae_on_scenes_it_never_saw():
    vae, metadata = load_vae(SHIPPED)
    assert metadata["trained"] == "true"
    clip = make_clip(TEST_SEEDS.start, frames=4, flow=False)
    images = torch.from_numpy(np.concatenate([clip.frames_FHW3, clip.garment_HW3[None]])).permute(0, 3, 1, 2) / 255
    error = (decode(vae, encode(vae, images)) - images).square().mean((1, 2, 3))
    assert (-10 * error.log10()).min() > 24, "every picture is recognisable"
    assert (-10 * error.log10()).mean() > 27


@pytest.mark.parametrize("content", [b"", b"not a file of weights"])
def test_a_broken_file_is_refused(tmp_path, content):
    (tmp_path / "vae.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_vae(tmp_path / "vae.safetensors")


def test_another_kind_of_model_is_refused():
    with pytest.raises(CheckpointError, match="TAESD"):
        load_vae(SHIPPED.parents[1] / "garment_pose.safetensors")
