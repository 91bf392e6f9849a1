"""Bad input is refused before anything is computed, with words that say what to do."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dpidm_model.config import DPIDMConfig
from dpidm_model.errors import InputError
from dpidm_model.sampling.latents import from_network, latent_mask, to_network

from .conftest import SMALL

CONFIG = DPIDMConfig(**SMALL)


def with_nan(x):
    x = x.clone()
    x.flatten()[-1] = float("nan")
    return x


def longer(track, frames):
    index = np.arange(frames) % len(track)
    return replace(track, keypoints_FK3=track.keypoints_FK3[index], provenance_F=track.provenance_F[index])


BAD = {
    "channels": (
        lambda i: {"agnostic_FCHW": torch.zeros(12, 16, 6, 5)},
        "16 channels, this model works on 4.*Load VAE",
    ),
    "garment channels": (lambda i: {"garment_1CHW": torch.zeros(1, 16, 6, 5)}, "garment_latent has 16 channels"),
    "video latents": (lambda i: {"agnostic_FCHW": torch.zeros(1, 4, 20, 6, 5)}, "expected image latents"),
    "no frames": (lambda i: {"agnostic_FCHW": torch.zeros(0, 4, 6, 5)}, "expected image latents"),
    "nan latents": (lambda i: {"agnostic_FCHW": with_nan(i.agnostic_FCHW)}, "frame 11 contains NaN"),
    "nan garment": (lambda i: {"garment_1CHW": with_nan(i.garment_1CHW)}, "garment_latent: frame 0 contains NaN"),
    "nan source": (lambda i: {"source_FCHW": with_nan(i.agnostic_FCHW)}, "source_latents: frame 11"),
    "nan mask": (lambda i: {"mask_FYX": with_nan(i.mask_FYX)}, "mask.*NaN"),
    "mask length": (lambda i: {"mask_FYX": i.mask_FYX[:7]}, "mask has 7 frames, agnostic_latents 12"),
    "pose length": (
        lambda i: {"poses": replace(i.poses, track=longer(i.poses.track, 21))},
        "poses has 21 frames, agnostic_latents 12",
    ),
    "source length": (lambda i: {"source_FCHW": i.agnostic_FCHW[:3]}, "source_latents has 3 frames"),
    "pose size": (
        lambda i: {"poses": replace(i.poses, size=(64, 48))},
        "drawn at 64x48 pixels, agnostic_latents are of 40x48",
    ),
    "garment size": (lambda i: {"garment_1CHW": torch.zeros(1, 4, 8, 8)}, "garment_latent is of 64x64 pixels"),
    "source size": (lambda i: {"source_FCHW": torch.zeros(12, 4, 8, 8)}, "source_latents is of 64x64"),
}


@pytest.mark.parametrize("case", sorted(BAD))
def test_bad_input_is_refused(setup, case):
    change, words = BAD[case]
    with pytest.raises(InputError, match=words):
        replace(setup.inputs, **change(setup.inputs)).check(CONFIG, 8)


def test_window_longer_than_the_temporal_layers(setup):
    long = replace(setup.inputs, poses=replace(setup.inputs.poses, track=longer(setup.inputs.poses.track, 40)))
    long = replace(long, agnostic_FCHW=torch.zeros(40, 4, 6, 5), mask_FYX=torch.zeros(40, 48, 40))
    with pytest.raises(InputError, match=r"context_length=33.*at most 32"):
        long.check(CONFIG, 33)
    long.check(CONFIG, 32)
    long.check(replace(CONFIG, temporal="none"), 40)
    setup.inputs.check(CONFIG, 100)  # the clip has only 12 frames


def test_good_input_passes_with_one_mask_of_any_size(setup):
    replace(setup.inputs, mask_FYX=torch.ones(1, 7, 9)).check(CONFIG, 8)


def test_latent_mask_marks_every_cell_that_is_painted():
    mask_FYX = torch.zeros(2, 48, 40)
    mask_FYX[0, 9, 17] = 1
    cells = latent_mask(mask_FYX, (6, 5))
    assert cells.shape == (2, 1, 6, 5)
    assert cells.nonzero().tolist() == [[0, 0, 1, 2]]
    assert latent_mask(torch.full((1, 3, 2), 2.0), (6, 5)).unique().tolist() == [1]


def test_scaling_there_and_back():
    latents = torch.randn(3, 4, 2, 2)
    torch.testing.assert_close(from_network(to_network(latents, CONFIG), CONFIG), latents)
    assert to_network(torch.full((1,), CONFIG.latent_shift), CONFIG).item() == 0
