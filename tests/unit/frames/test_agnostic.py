"""Agnostic masks: what they cover, what they keep, how steady they are."""

import numpy as np
import pytest
import torch

from dpidm_model.errors import InputError
from dpidm_model.frames.agnostic import MaskOptions, body_units, clip_masks, close_holes, garment_mask, steady_person
from dpidm_model.frames.clip import agnostic_clip
from dpidm_model.handovers import LEFT_HAND
from tests.unit.pose.people import person, track

SIZE = (400, 600)
POSE = person(200, 150, 400)
UNIT = 150.0


def at(mask: np.ndarray, joint: int) -> bool:
    x, y = POSE[joint, :2].astype(int)
    return bool(mask[y, x])


def mask_of(category: str, pose=POSE, **changes) -> np.ndarray:
    return garment_mask(pose, UNIT, SIZE, MaskOptions(category=category, **changes)) > 0


def test_categories_cover_their_joints_and_keep_the_rest():
    upper, lower, dress = (mask_of(c) for c in ("upper", "lower", "dress"))
    for joint in (1, 2, 3, 5, 6):
        assert at(upper, joint)
        assert not at(lower, joint)
    for joint in (9, 12):
        assert at(lower, joint)
        assert not at(upper, joint)
    for joint in (1, 3, 9, 12):
        assert at(dress, joint)
    for mask in (upper, lower, dress):
        assert not at(mask, 0), "the face stays"
        assert not mask[int(POSE[10, 1]) + 12 :].any(), "shoes stay"


def test_sleeves_are_masked_to_the_wrist_whatever_was_worn():
    upper = mask_of("upper")
    for t in np.linspace(0, 1, 8):
        x, y = ((1 - t) * POSE[3, :2] + t * POSE[4, :2]).astype(int)
        assert upper[y, x]


def test_a_skirt_would_fit_between_the_legs():
    x, y = ((POSE[9, :2] + POSE[12, :2]) / 2).astype(int)
    assert mask_of("lower")[y, x]


def test_a_seen_hand_in_front_of_the_body_is_kept():
    pose = POSE.copy()
    pose[LEFT_HAND, :2] = np.random.default_rng(0).uniform((190, 190), (215, 215), (21, 2))
    pose[LEFT_HAND, 2] = 1
    assert not mask_of("upper", pose)[203, 203]
    assert mask_of("upper", pose, keep_hands=False)[203, 203]


def test_head_can_be_given_up():
    pose = POSE.copy()
    pose[0, 1] = pose[14:18, 1] = POSE[1, 1] - 40
    assert mask_of("upper", pose, keep_head=False).sum() > mask_of("upper", pose).sum()


def test_grow_and_feather():
    clip = track([POSE])
    plain, wide, narrow = (next(clip_masks(clip, SIZE, MaskOptions(grow=g))).sum() for g in (0, 8, -8))
    assert narrow < plain < wide
    soft = next(clip_masks(clip, SIZE, MaskOptions(feather=10)))
    assert ((soft > 0.05) & (soft < 0.95)).sum() > 2000
    assert set(np.unique(next(clip_masks(clip, SIZE, MaskOptions())))) == {0.0, 1.0}


def test_masks_move_smoothly_with_the_body():
    clip = track([person(150 + 1.5 * f, 150, 400) for f in range(30)])
    masks = [m > 0.5 for m in clip_masks(clip, SIZE, MaskOptions())]
    moved = [np.roll(a, round(1.5 * (f + 1)) - round(1.5 * f), axis=1) for f, a in enumerate(masks[:-1])]
    scores = [(a & b).sum() / (a | b).sum() for a, b in zip(moved, masks[1:])]
    assert min(scores) > 0.97


def test_turning_does_not_shrink_the_unit():
    clip = track([person(200, 150, 400, np.cos(a)) for a in np.linspace(0, np.pi, 30)])
    units = body_units(clip)
    assert units.max() / units.min() < 1.1


def test_a_person_mask_keeps_the_mask_near_the_body():
    body = np.zeros((SIZE[1], SIZE[0]), bool)
    body[140:470, 160:240] = True
    free = mask_of("upper")
    near = garment_mask(POSE, UNIT, SIZE, MaskOptions(), body) > 0
    assert near.sum() < free.sum()
    assert not (near & ~free).any()


def test_person_masks_are_steadied_and_holes_closed():
    full = np.zeros((100, 80), bool)
    full[20:80, 20:60] = True
    holed = full.copy()
    holed[40:46, 35:41] = False
    assert (close_holes(holed) == full).all()
    flicker = [full, full, np.zeros_like(full), full]
    assert all((m == full).all() for m in steady_person(iter(flicker)))


def test_missing_frames_have_empty_masks():
    clip = track([POSE, np.zeros_like(POSE), POSE])
    assert [bool(m.any()) for m in clip_masks(clip, SIZE, MaskOptions())] == [True, False, True]


@pytest.mark.parametrize("size", [(17, 9), (33, 401), (2, 2)])
@pytest.mark.parametrize("category", ["upper", "lower", "dress"])
def test_any_size(size, category):
    mask = next(clip_masks(track([POSE]), size, MaskOptions(category=category)))
    assert mask.shape == size[::-1]


@pytest.mark.parametrize("joints", [(1,), (2, 3), (8, 9), (3,), (11, 13), tuple(range(14, 18))])
def test_parts_of_a_body_never_crash(joints):
    pose = np.zeros_like(POSE)
    pose[list(joints)] = POSE[list(joints)]
    for category in ("upper", "lower", "dress"):
        mask_of(category, pose)


def test_clip_outputs_and_wrong_inputs():
    images = torch.rand(3, 60, 40, 3)
    clip = track([POSE] * 3)
    agnostic, masks, preview = agnostic_clip(images, clip, MaskOptions())
    covered = masks > 0.5
    assert (agnostic[covered] == 0.5).all()
    assert torch.equal(agnostic[~covered], images[~covered])
    assert preview.shape == images.shape
    with pytest.raises(InputError, match="3 frames but the video has 2"):
        agnostic_clip(images[:2], clip, MaskOptions())
    with pytest.raises(InputError, match="segmentation is 40x50"):
        agnostic_clip(images, clip, MaskOptions(), torch.ones(3, 50, 40))
    with pytest.raises(InputError, match="segmentation has 2 frames"):
        agnostic_clip(images, clip, MaskOptions(), torch.ones(2, 60, 40))
    with pytest.raises(InputError, match="NaN"):
        agnostic_clip(images, clip, MaskOptions(), torch.full((1, 60, 40), torch.nan))
    with pytest.raises(InputError, match="trousers"):
        MaskOptions(category="trousers")


def test_images_are_not_changed_in_place():
    images = torch.rand(2, 60, 40, 3)
    before = images.clone()
    agnostic_clip(images, track([POSE] * 2), MaskOptions(feather=4), torch.ones(1, 60, 40))
    assert torch.equal(images, before)


def test_what_must_be_kept_is_kept():
    images = torch.rand(2, 60, 40, 3)
    keep = torch.zeros(1, 60, 40)
    keep[:, 20:30] = 1
    free = agnostic_clip(images, track([POSE] * 2), MaskOptions())[1]
    _, masks, _ = agnostic_clip(images, track([POSE] * 2), MaskOptions(), keep=keep)
    assert free[:, 20:30].any()
    assert not masks[:, 20:30].any()
    assert torch.equal(masks[:, 30:], free[:, 30:])


def test_an_arm_beside_bottoms_is_kept():
    pose = POSE.copy()
    pose[4, :2] = POSE[8, :2] + (0, 60)
    x, y = (0.3 * pose[3, :2] + 0.7 * pose[4, :2]).astype(int)
    assert not mask_of("lower", pose)[y, x]
