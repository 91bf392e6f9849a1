"""Drawing: equal to the ecosystem's own preprocessors, robust at any size."""

import numpy as np
import pytest

from dpidm_model.errors import InputError
from dpidm_model.handovers import JOINTS, GarmentLandmarks
from dpidm_model.pose.draw import draw_garment, draw_pose, ecosystem_limb_half_width


def random_pose(seed: int, size: tuple[int, int]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    pose = np.ones((JOINTS, 3), np.float64)
    pose[:, 0] = rng.integers(5, size[0] - 5, JOINTS) + 0.5
    pose[:, 1] = rng.integers(5, size[1] - 5, JOINTS) + 0.5
    return pose


def aux_drawing(pose: np.ndarray, size: tuple[int, int], missing: set[int]) -> np.ndarray:
    pytest.importorskip("matplotlib")
    util = pytest.importorskip("controlnet_aux.open_pose.util")
    body = pytest.importorskip("controlnet_aux.open_pose.body")
    points = [
        None if i in missing else body.Keypoint(x / size[0], y / size[1]) for i, (x, y, _) in enumerate(pose.tolist())
    ]
    picture = util.draw_bodypose(np.zeros((size[1], size[0], 3), np.uint8), points[:18])
    util.draw_handpose(picture, points[88:109])
    util.draw_handpose(picture, points[109:130])
    return util.draw_facepose(picture, points[18:88])


@pytest.mark.parametrize("seed", range(5))
def test_equals_controlnet_aux(seed):
    size = (384, 448)
    pose = random_pose(seed, size)
    missing = {3, 16} if seed % 2 else set()
    ours = pose.astype(np.float32)
    ours[list(missing), 2] = 0
    np.testing.assert_array_equal(draw_pose(ours, size, size), aux_drawing(pose, size, missing))


def test_limb_width_follows_the_canvas():
    assert [ecosystem_limb_half_width(s) for s in ((64, 48), (499, 10), (512, 384), (1920, 1080))] == [4, 4, 8, 12]


def test_half_width_parameter_thins_tiny_canvases():
    pose = random_pose(0, (512, 512))
    thin = draw_pose(pose, (512, 512), (64, 64), half_width=1)
    thick = draw_pose(pose, (512, 512), (64, 64))
    assert (thin.any(axis=2)).sum() < 0.6 * thick.any(axis=2).sum()


@pytest.mark.parametrize("size", [(17, 9), (1, 1), (3840, 2160)])
def test_any_size(size):
    picture = draw_pose(random_pose(1, (100, 100)), (100, 100), size)
    assert picture.shape == (size[1], size[0], 3)
    assert picture.any()


def test_absent_and_far_joints_draw_nothing():
    pose = np.zeros((JOINTS, 3), np.float32)
    pose[0] = (1e9, 5, 1)
    pose[1] = (np.nan, 5, 1)
    pose[1, 2] = 0
    assert not draw_pose(pose, (50, 50), (50, 50)).any()


def test_garment_shares_colours_with_the_body():
    points = np.zeros((13, 3), np.float32)
    points[1] = (30, 40, 1)  # r_shoulder, body joint 2
    landmarks = GarmentLandmarks(points, np.array([0, 2] + [0] * 11, np.uint8), (100, 100), "upper")
    picture = draw_garment(landmarks, (100, 100))
    assert tuple(picture[40, 30]) == (255, 170, 0)
    assert not draw_garment(GarmentLandmarks(points, np.zeros(13, np.uint8), (100, 100), "upper"), (100, 100)).any()


def test_other_shapes_are_refused():
    with pytest.raises(InputError, match="expected"):
        draw_pose(np.zeros((17, 3)), (10, 10), (10, 10))
