"""Clips: determinism, truth of masks, pose and flow, sizes and categories."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from dpidm_model.errors import InputError
from dpidm_model.handovers import BODY_NAMES, CATEGORIES, FACE, JOINTS
from dpidm_model.world import clip as world
from dpidm_model.world.clip import TEST_SEEDS, TRAIN_SEEDS, VALIDATION_SEEDS, dress_motion, make_clip


@pytest.fixture(scope="module")
def clips():
    return {c: make_clip(11, 5, (96, 128), unpaired=True, flow=True, category=c) for c in CATEGORIES}


def test_seeds_of_the_splits_are_disjoint():
    ranges = sorted([TRAIN_SEEDS, VALIDATION_SEEDS, TEST_SEEDS], key=lambda r: r.start)
    assert all(a.stop <= b.start for a, b in pairwise(ranges))
    assert min(len(r) for r in ranges) >= 100_000


def test_equal_seeds_give_equal_clips_and_b_changes_nothing():
    one, two = make_clip(5, 3), make_clip(5, 3, unpaired=True, flow=True)
    np.testing.assert_array_equal(one.frames_FHW3, two.frames_FHW3)
    np.testing.assert_array_equal(one.garment_HW3, two.garment_HW3)
    np.testing.assert_array_equal(one.pose.keypoints_FK3, two.pose.keypoints_FK3)
    assert one.frames_b_FHW3 is None
    assert one.flow_FHW2 is None
    assert (make_clip(6, 3).frames_FHW3 != one.frames_FHW3).mean() > 0.5


@pytest.mark.parametrize("category", CATEGORIES)
def test_everything_has_its_shape(clips, category):
    clip = clips[category]
    assert clip.frames_FHW3.shape == clip.frames_b_FHW3.shape == (5, 128, 96, 3)
    assert clip.frames_FHW3.dtype == clip.garment_HW3.dtype == np.uint8
    assert clip.garment_HW3.shape == clip.garment_b_HW3.shape == (128, 96, 3)
    assert clip.landmarks.category == clip.landmarks_b.category == category
    assert clip.landmarks.canvas == (96, 128)
    assert clip.pose.keypoints_FK3.shape == (5, JOINTS, 3)
    assert clip.pose.canvas == (96, 128)
    for mask in (clip.agnostic_FHW, clip.worn_FHW, clip.worn_b_FHW):
        assert mask.shape == (5, 128, 96)
        assert mask.dtype == bool
        assert 0.01 < mask.mean() < 0.75


@pytest.mark.parametrize("category", CATEGORIES)
def test_both_garments_lie_under_the_mask_and_the_rest_is_the_same(clips, category):
    clip = clips[category]
    assert not (clip.worn_FHW & ~clip.agnostic_FHW).any()
    assert not (clip.worn_b_FHW & ~clip.agnostic_FHW).any()
    apart = np.abs(clip.frames_FHW3.astype(int) - clip.frames_b_FHW3)
    assert apart[~clip.agnostic_FHW].mean() < 0.1  # soft shadows of the garment only
    assert apart[clip.worn_FHW & clip.worn_b_FHW].mean() > 8


def test_face_and_hands_are_kept():
    seen = kept = 0
    for seed in range(8):
        clip = make_clip(seed, 2, options={"turning": 0.3})
        for frame, mask, worn in zip(clip.pose.keypoints_FK3, clip.agnostic_FHW, clip.worn_FHW, strict=True):
            points = frame[[FACE.start + 30, BODY_NAMES.index("l_eye"), BODY_NAMES.index("r_eye")]]
            for x, y, confidence in points:
                if confidence and not worn[int(y), int(x)]:
                    seen, kept = seen + 1, kept + (not mask[int(y), int(x)])
    assert seen > 20
    assert kept / seen > 0.95


@pytest.mark.parametrize("category", CATEGORIES)
def test_flow_leads_to_the_same_cloth(clips, category):
    clip = clips[category]
    rows, columns = np.mgrid[:128, :96].astype(np.float32)
    warped, still = [], []
    for f in range(4):
        x, y = columns + clip.flow_FHW2[f, ..., 0], rows + clip.flow_FHW2[f, ..., 1]
        there = cv2.remap(clip.worn_FHW[f + 1].astype(np.float32), x, y, cv2.INTER_LINEAR) > 0.95
        pick = clip.worn_FHW[f] & there
        following = cv2.remap(clip.frames_FHW3[f + 1], x, y, cv2.INTER_LINEAR)
        here = clip.frames_FHW3[f].astype(int)
        warped.append(np.abs(following - here)[pick].mean())
        still.append(np.abs(clip.frames_FHW3[f + 1] - here)[pick].mean())
    assert np.mean(warped) < 0.85 * np.mean(still)
    assert not clip.flow_FHW2[-1].any()
    assert not clip.flow_FHW2[~clip.worn_FHW].any()


def test_flow_of_a_shifted_camera_is_the_shift():
    """A garment point's way in the picture equals its projected way: checked on the wearer's own neck and hips."""
    clip = make_clip(2, 3, (192, 256), flow=True, options={"turning": 0.2, "view": "hips"})
    neck = clip.pose.keypoints_FK3[:, 1, :2]
    near = np.hypot(*(np.stack(np.nonzero(clip.worn_FHW[0])[::-1], 1) - neck[0]).T) < 25
    flow = clip.flow_FHW2[0][clip.worn_FHW[0]][near]
    assert len(flow) > 30
    assert np.linalg.norm(np.median(flow, 0) - (neck[1] - neck[0])) < 4


@pytest.mark.parametrize("size", [(48, 64), (51, 67), (128, 96), (384, 512)])
def test_any_size(size):
    clip = make_clip(3, 2, size)
    assert clip.frames_FHW3.shape == (2, size[1], size[0], 3)
    assert clip.frames_FHW3.std() > 10
    assert clip.worn_FHW.any()


def test_the_same_clip_at_two_sizes_shows_the_same():
    small, large = make_clip(9, 1, (96, 128)), make_clip(9, 1, (192, 256))
    down = cv2.resize(large.worn_FHW[0].astype(np.float32), (96, 128), interpolation=cv2.INTER_AREA) > 0.5
    overlap = (down & small.worn_FHW[0]).sum() / (down | small.worn_FHW[0]).sum()
    assert overlap > 0.8
    np.testing.assert_allclose(
        small.pose.scaled((192, 256)).keypoints_FK3[0, :18], large.pose.keypoints_FK3[0, :18], atol=3
    )


def test_one_motion_in_many_garments_shares_pose_and_mask():
    first, second = dress_motion(3, [3, 4], 3)
    np.testing.assert_array_equal(first.agnostic_FHW, second.agnostic_FHW)
    np.testing.assert_array_equal(first.pose.keypoints_FK3, second.pose.keypoints_FK3)
    assert (first.garment_HW3 != second.garment_HW3).mean() > 0.1
    np.testing.assert_array_equal(first.garment_HW3, make_clip(3, 1).garment_HW3)


def test_options_are_obeyed():
    looks = {"hair_style": "long", "skin": np.float32([10, 200, 10])}
    clip = make_clip(1, 1, (192, 256), options={"view": "hips", "looks": looks, "turning": 0.0, "scene": "studio"})
    x, y = clip.pose.keypoints_FK3[0, FACE.start + 30, :2].astype(int)
    face = clip.frames_FHW3[0, y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3).astype(float).mean(0)
    assert face[1] > 2 * face[0]
    assert set(world.VIEWS) >= {"full", "hips"}


@pytest.mark.parametrize("wrong", [{"frames": 0}, {"size": (8, 8)}, {"category": "hat"}])
def test_impossible_wishes_are_refused(wrong):
    with pytest.raises(InputError, match="expected at least 1 frame"):
        make_clip(0, **{"frames": 2, **wrong})
