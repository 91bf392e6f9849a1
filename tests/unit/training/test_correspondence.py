"""The correspondence loss: its targets, its value where it is known by hand, and that training moves attention."""

import json
import math

import cv2
import numpy as np
import pytest
import torch

from dpidm_model.training.correspondence import bilinear, correspondence_loss, tokens
from dpidm_model.training.data.base import flip
from dpidm_model.training.data.synthetic import SyntheticClips
from dpidm_model.training.loop import Trainer

H, W = 8, 6  # cells of a 32x24 picture: 4x3 tokens at the finest level


def origin(clips=2, frames=3, seed=0):
    g = torch.Generator().manual_seed(seed)
    places = torch.rand(clips, frames, 2, H, W, generator=g) * 0.8 + 0.1
    return torch.cat([places, torch.ones(clips, frames, 1, H, W)], 2)


def test_targets_lie_around_the_place():
    place = torch.tensor([[0.5, 0.5], [0.0, 1.0], [0.4, 0.3]])
    weights = bilinear(place, 4, 3)
    torch.testing.assert_close(weights.sum(1), torch.ones(3))
    rows, columns = torch.meshgrid((torch.arange(4) + 0.5) / 4, (torch.arange(3) + 0.5) / 3, indexing="ij")
    centre = torch.stack([weights @ columns.flatten(), weights @ rows.flatten()], 1)
    expected = torch.tensor([[0.5, 0.5], [0.5 / 3, 1 - 0.5 / 4], [0.4, 0.3]])
    torch.testing.assert_close(centre, expected)
    assert (weights > 0).sum(1).tolist() == [2, 1, 4]


def test_places_of_a_token_are_means_over_its_covered_cells():
    map_I3HW = origin(1, 1).flatten(0, 1)
    map_I3HW[:, 2, :2, :2] = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    got = tokens(map_I3HW, 12)
    assert got.shape == (1, 3, 4, 3)
    cells = map_I3HW[0, :, :2, :2].flatten(1)
    torch.testing.assert_close(got[0, :2, 0, 0], (cells[:2] * cells[2]).sum(1) / 2)
    assert got[0, 2, 0, 0] == 0.5
    assert tokens(map_I3HW, 4).shape == (1, 3, 2, 2)  # 4x3 rounds up
    with pytest.raises(ValueError, match="7 tokens"):
        tokens(map_I3HW, 7)


def test_uniform_attention_costs_the_logarithm_of_the_tokens_and_right_attention_the_least():
    place = origin()
    q = torch.zeros(2, 3, 2, 12, 32)
    uniform = correspondence_loss([(q, torch.zeros(2, 3, 2, 24, 32))], place)
    assert uniform.item() == pytest.approx(math.log(12), abs=1e-3)
    target = bilinear(tokens(place.flatten(0, 1), 12).permute(0, 2, 3, 1).reshape(-1, 3)[:, :2], 4, 3)
    scores = torch.log(target + 1e-9).reshape(2, 3, 1, 12, 12).expand(-1, -1, 2, -1, -1)
    q[..., :12], k = scores * 32**0.5, torch.zeros(2, 3, 2, 24, 32)
    k[..., 12:, :12] = torch.eye(12)
    right = correspondence_loss([(q, k)], place)
    entropy = -(target * torch.log(target + 1e-9)).sum(1).mean()
    assert right.item() == pytest.approx(entropy.item(), abs=1e-3)
    looking_at_itself = torch.cat([k[..., 12:, :] * 5, k[..., 12:, :]], 3)  # human keys do not count
    assert correspondence_loss([(q, looking_at_itself)], place).item() == pytest.approx(right.item(), abs=1e-4)
    place[:, :, 2] = 0
    assert correspondence_loss([(q, k)], place) == 0


@pytest.fixture(scope="module")
def clips():
    return SyntheticClips(split="val", clips=4, size=(96, 128), frames=2, garments=2, origin=True)


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_garment_picture_taken_from_its_origins_looks_like_the_worn_garment(clips, mirrored):
    """Every other place of the picture fits worse: the same origins, turned upside down and sideways."""
    right, wrong = [], []
    for i in range(8):
        clip = clips.read(i, [1])
        clip = flip(clip) if mirrored else clip
        assert clip.origin_FHW3 is not None
        place, cover = clip.origin_FHW3[0, ..., :2].astype(np.float32), clip.origin_FHW3[0, ..., 2] > 0.9
        frame = cv2.resize(clip.frames_FHW3[0], (24, 32), interpolation=cv2.INTER_AREA)[cover].astype(float)
        garment = cv2.blur(clip.garment_HW3, (5, 5))
        for sink, at in ((right, place), (wrong, 1 - place)):
            x, y = (at[cover] * (96, 128)).astype(int).clip(0, (95, 127)).T
            difference = garment[y, x] - frame
            sink.append(np.abs(difference - difference.mean(0)).mean())  # but for light
    assert np.mean(right) < 0.6 * np.mean(wrong)
    assert sum(r < w for r, w in zip(right, wrong)) >= 6


def test_training_turns_attention_to_where_the_cloth_comes_from(tmp_path, make_config):
    world = "data.sources=[{kind: synthetic, clips: 4, garments: 2, frames: 4}]"
    options = ["loss.correspondence_weight=1", "run.steps=48", "optim.lr=2e-3", "run.log_every=12"]
    Trainer(make_config(tmp_path, world, *options), say=lambda line: None).run()
    values = [json.loads(line)["correspondence"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert values[-1] < values[0] - 0.2, values


def test_data_that_do_not_know_where_cloth_comes_from_cost_nothing(tmp_path, make_config):
    run = Trainer(make_config(tmp_path, "loss.correspondence_weight=1", "run.steps=2"), say=lambda line: None)
    run.run()
    values = [json.loads(line)["correspondence"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert values == [0, 0]
