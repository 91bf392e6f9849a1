"""The focus tunnel and back: round trips, what stays untouched, odd sizes."""

import tracemalloc

import numpy as np
import pytest
import torch

from dpidm_model.errors import InputError
from dpidm_model.frames.clip import crop_clip, paste_clip
from dpidm_model.frames.crop import crop_frame, plan_crop
from dpidm_model.frames.paste import PasteOptions, feathered, paste_frame
from tests.unit.pose.people import person, track


def natural(frames: int, size: tuple[int, int], seed: int = 0) -> torch.Tensor:
    """Smooth colours with fine detail on top."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(frames, 3, 9, 7, generator=generator)
    big = torch.nn.functional.interpolate(coarse, size[::-1], mode="bicubic").clamp(0, 1)
    noise = 0.05 * torch.randn(big.shape, generator=generator)
    return (big + noise).clamp(0, 1).permute(0, 2, 3, 1).contiguous()


def walk(frames: int, size: tuple[int, int], height: float = 0.7):
    x = np.linspace(0.3, 0.6, frames) * size[0]
    return track([person(v, 0.25 * size[1], height * size[1]) for v in x], size)


@pytest.mark.parametrize("working", [(384, 512), (96, 128), (512, 384), (256, 640)])
@pytest.mark.parametrize("size", [(320, 240), (243, 431), (97, 61)])
def test_unchanged_crop_gives_the_source_back(size, working):
    images, poses = natural(2, size), walk(2, size)
    cropped, _, plan = crop_clip(images, poses, working)
    assert cropped.shape == (2, working[1], working[0], 3)
    back = paste_clip(images, cropped, torch.ones(2, working[1], working[0]), plan)
    assert (back - images).abs().max() <= 1 / 255
    coarse = (cropped * 255).round() / 255
    back = paste_clip(images, coarse, torch.ones(1, working[1], working[0]), plan)
    assert (back - images).abs().max() <= 1 / 255


@pytest.mark.parametrize("match", ["seam", "none"])
@pytest.mark.parametrize("feather", [0, 12])
def test_outside_the_feathered_mask_every_bit_is_the_source(match, feather):
    size, working = (320, 240), (192, 256)
    images, poses = natural(3, size), walk(3, size)
    _, _, plan = crop_clip(images, poses, working)
    result = torch.rand(3, working[1], working[0], 3)
    mask = torch.zeros(3, working[1], working[0])
    mask[:, 80:150, 60:120] = 1
    options = PasteOptions(feather=feather, match=match)
    back = paste_clip(images, result, mask, plan, options)
    for index in range(3):
        box = plan.boxes_F4[index]
        _, weight = paste_frame(images[index].numpy(), result[index].numpy(), mask[index].numpy(), box, options)
        outside = torch.from_numpy(weight == 0)
        assert torch.equal(back[index][outside], images[index][outside])
        assert outside.float().mean() > 0.6
        middle = back[index][int(box[1] + box[3] * 115 / 256), int(box[0] + box[2] * 90 / 192)]
        assert not torch.equal(middle, images[index][0, 0])


def test_inside_the_mask_the_result_arrives():
    size, working = (320, 240), (192, 256)
    images, poses = natural(1, size), walk(1, size)
    _, _, plan = crop_clip(images, poses, working)
    red = torch.zeros(1, working[1], working[0], 3)
    red[..., 0] = 1
    mask = torch.zeros(1, working[1], working[0])
    mask[:, 60:200, 40:150] = 1
    back = paste_clip(images, red, mask, plan, PasteOptions(match="none"))
    x0, y0, w, h = plan.boxes_F4[0]
    inner = back[0, int(y0 + h * 0.35) : int(y0 + h * 0.65), int(x0 + w * 0.3) : int(x0 + w * 0.65)]
    assert (inner - torch.tensor([1.0, 0, 0])).abs().max() < 1e-3


def test_a_colour_shift_is_matched_at_the_seam():
    size, working = (320, 240), (192, 256)
    images, poses = natural(1, size), walk(1, size)
    cropped, _, plan = crop_clip(images, poses, working)
    mask = torch.zeros(1, working[1], working[0])
    mask[:, 60:200, 40:150] = 1
    shifted = (cropped + 6 / 255).clamp(0, 1)
    errors = {}
    for match in ("seam", "none"):
        back = paste_clip(images, shifted, mask, plan, PasteOptions(match=match, feather=20))
        errors[match] = float((back - images).abs().mean())
    assert errors["seam"] < 0.6 * errors["none"]


def test_the_crop_follows_smoothly_at_one_size():
    size = (800, 450)
    rng = np.random.default_rng(0)
    poses = walk(60, size)
    poses.keypoints_FK3[:, :18, :2] += rng.normal(0, 3, (60, 18, 2))
    plan = plan_crop(poses, (384, 512))
    assert (plan.boxes_F4[:, 2:] == plan.boxes_F4[0, 2:]).all()
    second = np.diff(plan.boxes_F4[:, 0], n=2)
    raw = np.diff(poses.keypoints_FK3[:, 1, 0], n=2)
    assert np.abs(second).mean() < 0.15 * np.abs(raw).mean()
    low, high = plan.boxes_F4[:, 0], plan.boxes_F4[:, 0] + plan.boxes_F4[:, 2]
    body = poses.keypoints_FK3[:, :18, 0]
    assert (body.min(axis=1) >= low).all()
    assert (body.max(axis=1) <= high).all()


def test_crop_stays_inside_where_it_can():
    plan = plan_crop(walk(5, (800, 450)), (384, 512))
    assert (plan.boxes_F4[:, :2] >= 0).all()
    assert (plan.boxes_F4[:, :2] + plan.boxes_F4[:, 2:] <= (800.01, 450.01)).all()


def test_the_pose_moves_with_the_crop():
    size = (320, 240)
    images, poses = natural(2, size), walk(2, size)
    _, inside, plan = crop_clip(images, poses, (192, 256))
    x, y = inside.keypoints_FK3[0, 1, :2]
    x0, y0, w, h = plan.boxes_F4[0]
    np.testing.assert_allclose((x * w / 192 + x0, y * h / 256 + y0), poses.keypoints_FK3[0, 1, :2], atol=0.01)
    assert inside.canvas == (192, 256)


def test_resampling_is_aligned():
    """A half-size crop of a ramp lies on the ramp: no half-pixel shift."""
    ramp = np.broadcast_to(np.linspace(0, 1, 64, dtype=np.float32)[None, :, None], (64, 64, 3)).copy()
    for out in (32, 48, 128):
        picture = crop_frame(ramp, np.array([8, 8, 48, 48]), (out, out))
        centres = (np.arange(out) + 0.5) * 48 / out + 8 - 0.5
        np.testing.assert_allclose(picture[out // 2, 4:-4, 0], centres[4:-4] / 63, atol=2e-3)


def test_one_frame_and_tiny_frames():
    for size in ((17, 9), (40, 64)):
        images, poses = natural(1, size), walk(1, size)
        cropped, _, plan = crop_clip(images, poses, (64, 64))
        back = paste_clip(images, torch.rand_like(cropped), torch.ones(1, 64, 64), plan)
        assert back.shape == images.shape


def test_things_that_do_not_belong_together_are_refused():
    size = (320, 240)
    images, poses = natural(3, size), walk(3, size)
    cropped, _, plan = crop_clip(images, poses, (192, 256))
    mask = torch.ones(3, 256, 192)
    with pytest.raises(InputError, match="3 frames but the clip has 2"):
        paste_clip(images[:2], cropped[:2], mask[:2], plan)
    with pytest.raises(InputError, match="result has 2 frames"):
        paste_clip(images, cropped[:2], mask, plan)
    with pytest.raises(InputError, match="mask has 2 frames"):
        paste_clip(images, cropped, mask[:2], plan)
    with pytest.raises(InputError, match="the mask is 100x100"):
        paste_clip(images, cropped, torch.ones(3, 100, 100), plan)
    with pytest.raises(InputError, match="320x240"):
        paste_clip(images[:, :200], cropped, mask, plan)
    with pytest.raises(InputError, match="multiples of 8"):
        plan_crop(poses, (190, 256))
    empty = track([np.zeros((130, 3))])
    with pytest.raises(InputError, match="no frame has a pose"):
        plan_crop(empty, (64, 64))


def test_a_larger_result_is_pasted_too():
    size = (320, 240)
    images, poses = natural(1, size), walk(1, size)
    _, _, plan = crop_clip(images, poses, (96, 128))
    large = torch.rand(1, 512, 384, 3)
    back = paste_clip(images, large, torch.ones(1, 128, 96), plan)
    assert torch.isfinite(back).all()
    assert back.min() >= 0
    assert back.max() <= 1


def test_feather_edge():
    mask = np.zeros((40, 40), np.float32)
    mask[10:30, 10:30] = 1
    soft = feathered(mask, 6)
    assert (soft[10:30, 10:30] == 1).all()
    assert 0 < soft[20, 33] < 1
    assert soft[20, 38] == 0


def test_4k_needs_no_float_copies_of_the_clip():
    """Working memory besides input and output stays below two 4K float frames, however long the clip."""
    size = (3840, 2160)
    images = torch.rand(1, size[1], size[0], 3).expand(2, -1, -1, -1)
    poses = walk(2, size)
    cropped, _, plan = crop_clip(images, poses, (384, 512))
    frame_bytes = size[0] * size[1] * 3 * 4
    tracemalloc.start()
    paste_clip(images, cropped * 0.5, torch.ones(2, 512, 384), plan)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4.5 * frame_bytes
