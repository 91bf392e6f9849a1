"""Hair and a held bag in painted pictures: kept where colours tell them apart, garment never."""

import cv2
import numpy as np
import pytest
import torch

from dpidm_model.frames.agnostic import MaskOptions, body_units, clip_masks
from dpidm_model.frames.belongings import THINGS, belongings
from dpidm_model.frames.clip import agnostic_clip
from dpidm_model.frames.colours import Colours, colour_kinds
from tests.unit.pose.people import person, track

SIZE = (400, 600)
SKIN, HAIR, TOP, TROUSERS, LEATHER = (224, 172, 140), (70, 42, 24), (235, 235, 230), (40, 60, 120), (140, 60, 30)
FRAMES = 5


def paint(pose, *, hair=HAIR, top=TOP, bag=LEATHER, stripe=TROUSERS, seed=0):
    """A person with long hair and a bag in the right hand, and the masks of both. None leaves a thing away."""
    rng = np.random.default_rng(seed)
    picture = np.full((SIZE[1], SIZE[0], 3), (178, 184, 176), np.float32)
    body = pose[:18, :2].astype(int)
    hair_mask, bag_mask = (np.zeros(SIZE[::-1], np.uint8) for _ in range(2))

    def limb(colour, a, b, width, on=None):
        cv2.line(picture if on is None else on, body[a].tolist(), body[b].tolist(), colour, width)

    for leg in ((8, 9, 10), (11, 12, 13)):
        for a, b in ((leg[0], leg[1]), (leg[1], leg[2])):
            limb(TROUSERS, a, b, 44)
            outer = -14 if leg[0] == 8 else 14
            start, end = body[[a, b]] + (outer, 0)
            cv2.line(picture, start.tolist(), end.tolist(), stripe, 16)
    cv2.fillPoly(picture, [body[[2, 5, 11, 8]] + [(-16, -6), (16, -6), (14, 8), (-14, 8)]], top)
    for arm in ((2, 3, 4), (5, 6, 7)):
        limb(top, arm[0], arm[1], 26)
        limb(SKIN, arm[1], arm[2], 18)
        cv2.circle(picture, (body[arm[2]] + (0, 12)).tolist(), 13, SKIN, -1)
    cv2.line(picture, body[0].tolist(), body[1].tolist(), SKIN, 30)
    if hair is not None:
        centre = body[0]
        cv2.ellipse(hair_mask, (int(centre[0]), int(centre[1]) - 8), (32, 42), 0, 180, 360, 1, -1)
        for side in (-1, 1):  # two strands over the shoulders
            x = int(centre[0]) + side * 24
            cv2.rectangle(hair_mask, (x - 8, int(centre[1]) - 10), (x + 8, int(body[1, 1]) + 45), 1, -1)
        picture[hair_mask > 0] = hair
    cv2.ellipse(picture, body[0].tolist(), (18, 32), 0, 0, 360, SKIN, -1)
    hair_mask[(picture == SKIN).all(axis=2)] = 0
    if bag is not None:
        x, y = body[4] + (6, 60)
        cv2.rectangle(bag_mask, (int(x) - 32, int(y) - 24), (int(x) + 32, int(y) + 30), 1, -1)
        picture[bag_mask > 0] = bag
    picture += rng.normal(0, 3, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8), hair_mask > 0, bag_mask > 0


POSES = [person(180 + 4 * f, 150, 400) for f in range(FRAMES)]


def scene(**how):
    frames, hair, bag = zip(*(paint(pose, seed=f, **how) for f, pose in enumerate(POSES)))
    return frames, hair, bag


def found(frames, names=tuple(THINGS), poses=None):
    return list(belongings(lambda: iter(frames), track(poses or POSES), SIZE, names))


def share(part, whole) -> float:
    return float((part & whole).sum() / max(whole.sum(), 1))


def test_hair_and_bag_are_kept_and_nothing_else():
    frames, hair, bag = scene()
    masks = [m > 0.5 for m in clip_masks(track(POSES), SIZE, MaskOptions(category="dress"))]
    for got, hair_HW, bag_HW, mask in zip(found(frames), hair, bag, masks):
        assert (hair_HW & mask).sum() > 500, "the mask would cover hair"
        assert share(got, hair_HW & mask) > 0.85
        assert share(got, bag_HW & mask) > 0.85
        around = cv2.dilate((hair_HW | bag_HW).astype(np.uint8), np.ones((5, 5))) > 0
        assert (got & ~around).sum() < 0.02 * (hair_HW | bag_HW).sum()


def test_each_can_be_left_to_the_mask():
    frames, hair, bag = scene()
    only_hair, only_bag = found(frames, ["hair"])[2], found(frames, ["bag"])[2]
    assert share(only_hair, hair[2]) > 0.8
    assert not (only_hair & bag[2]).any()
    assert share(only_bag, bag[2]) > 0.8
    assert not (only_bag & hair[2]).any()


@pytest.mark.parametrize(
    "how",
    [
        {"hair": None, "bag": None},
        {"hair": TOP, "bag": TROUSERS},
        {"hair": None, "bag": None, "stripe": (250, 250, 250)},
    ],
    ids=["nothing there", "colours of the garment", "striped trousers"],
)
def test_garment_is_never_kept(how):
    frames, *_ = scene(**how)
    masks = clip_masks(track(POSES), SIZE, MaskOptions(category="dress"))
    for got, mask in zip(found(frames), masks):
        assert (got & (mask > 0.5)).sum() < 0.005 * mask.sum()


def test_a_bag_needs_legs_that_are_seen():
    frames, *_ = scene(hair=None, bag=None)
    cropped = [pose.copy() for pose in POSES]
    for pose in cropped:
        pose[[9, 10, 12, 13]] = 0
    assert not any(m.any() for m in found(frames, ["bag"], cropped))


def test_a_frame_without_pose_and_a_single_small_picture():
    frames, *_ = scene()
    gap = [*POSES[:2], np.zeros_like(POSES[0]), *POSES[3:]]
    assert len(found(frames, poses=gap)) == FRAMES
    for size in ((2, 2), (40, 60), (17, 9)):
        small = cv2.resize(frames[0], size)
        (mask,) = belongings(lambda picture=small: [picture], track(POSES[:1]), size, THINGS)
        assert mask.shape == size[::-1]


def test_the_clip_leaves_kept_pixels_alone_also_when_grown():
    frames, hair, _ = scene()
    images = torch.from_numpy(np.stack(frames)).float() / 255
    options = MaskOptions(grow=12)
    agnostic, with_hair, _ = agnostic_clip(images, track(POSES), options, things=["hair"])
    _, without, _ = agnostic_clip(images, track(POSES), options)
    kept = (without > 0.5) & (with_hair == 0)
    assert share(kept[2].numpy(), hair[2] & (without[2] > 0.5).numpy()) > 0.85
    assert torch.equal(agnostic[kept], images[kept])
    assert not ((with_hair > 0) & (without == 0)).any()


def test_colours_are_densities():
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[:, 2:] = (200, 30, 30)
    kinds = colour_kinds(picture, (4, 4))
    colours = Colours()
    colours.add(kinds, np.ones((4, 4)))
    table = colours.density()
    assert table.sum() <= 1 + 1e-9
    assert table[kinds[0, 0]] > 0 < table[kinds[0, 3]]
    assert table[colour_kinds(np.full((4, 4, 3), (20, 200, 20), np.uint8), (4, 4))[0, 0]] == 0


def test_units_of_the_painted_person_are_those_of_the_pose():
    assert body_units(track(POSES))[0] == pytest.approx(120, rel=0.2)
