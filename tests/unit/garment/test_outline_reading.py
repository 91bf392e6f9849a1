"""Pictures of every sort, the outline heuristic, overrides and reading batches."""

import json

import numpy as np
import pytest
import torch

from dpidm_model.errors import InputError
from dpidm_model.garment.batch import read_batch
from dpidm_model.garment.detect import apply_overrides
from dpidm_model.garment.picture import as_mask8, as_rgb8
from dpidm_model.garment.renderer import render_garment
from dpidm_model.garment.silhouette import foreground_mask, silhouette_landmarks
from dpidm_model.handovers import GARMENT_SLOTS


def test_floats_bytes_and_alpha_become_rgb():
    grey = np.full((40, 50, 1), 0.5, np.float32)
    assert as_rgb8(grey).shape == (40, 50, 3)
    assert (as_rgb8(grey) == 128).all()
    clear = np.zeros((40, 50, 4), np.float32)
    assert (as_rgb8(clear) == 255).all(), "what is transparent lies on white"
    half = np.zeros((40, 50, 4), np.uint8)
    half[..., 3] = 128
    assert abs(int(as_rgb8(half)[0, 0, 0]) - 127) <= 1


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (np.zeros((8, 8, 3), np.float32), "8x8 pixels; expected at least 32x32"),
        (np.full((64, 64, 3), np.nan, np.float32), "NaN"),
        (np.zeros((64, 64), np.float32), "shape"),
        (np.zeros((64, 64, 2), np.float32), "channels"),
    ],
)
def test_unusable_pictures_are_refused(picture, expected):
    with pytest.raises(InputError, match=expected):
        as_rgb8(picture)


def test_masks_must_fit_and_not_be_empty():
    with pytest.raises(InputError, match="shape"):
        as_mask8(np.ones((5, 5)), (6, 5))
    with pytest.raises(InputError, match="empty"):
        as_mask8(np.zeros((5, 6), np.float32), (6, 5))
    assert as_mask8(np.ones((5, 6), np.float32), (6, 5)).max() == 255


def test_foreground_of_clean_pictures_is_the_garment():
    scores = []
    for seed in range(12):
        r = render_garment(seed, (192, 256), clean=True)
        found, true = foreground_mask(r.image_HW3) > 0, r.mask_HW > 127
        scores.append((found & true).sum() / (found | true).sum())
    assert np.median(scores) > 0.95


def test_a_soft_shadow_is_not_garment():
    picture = np.full((200, 200, 3), 250, np.uint8)
    picture[55:165, 54:135] = 205  # shadow
    picture[50:160, 50:130] = (30, 60, 160)
    mask = foreground_mask(picture) > 0
    assert mask[100, 90]
    assert not mask[100, 133]
    assert not mask[163, 100]


def test_outline_finds_the_waistband_of_trousers():
    r = render_garment(11, (192, 256), kind="jeans", clean=True)
    landmarks, _ = silhouette_landmarks(r.image_HW3)
    assert landmarks.category == "lower"
    for name in ("r_hip", "l_hip"):
        k = GARMENT_SLOTS.index(name)
        assert np.linalg.norm(landmarks.points_K3[k, :2] - r.landmarks.points_K3[k, :2]) < 0.06 * 256


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_plain_pictures_are_refused(value):
    with pytest.raises(InputError, match="no garment stands out"):
        read_batch(torch.full((1, 128, 96, 3), value), category="auto")


def test_overrides_place_and_remove_points():
    landmarks = render_garment(2, (96, 128), kind="longsleeve", clean=True).landmarks
    changed = apply_overrides(landmarks, json.dumps({"r_wrist": [3, 4.5], "l_wrist": None}))
    right, left = GARMENT_SLOTS.index("r_wrist"), GARMENT_SLOTS.index("l_wrist")
    assert changed.points_K3[right].tolist() == [3, 4.5, 1]
    assert changed.visibility_K[right] == 2
    assert changed.visibility_K[left] == 0
    assert apply_overrides(landmarks, "") is landmarks


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "not JSON"),
        ("[1]", "JSON object"),
        ('{"nose": [1, 2]}', "known points"),
        ('{"neck": [1]}', r"\[x, y\]"),
        ('{"neck": [1, true]}', r"\[x, y\]"),
        ('{"neck": [1, Infinity]}', r"\[x, y\]"),
    ],
)
def test_wrong_overrides_are_explained(text, expected):
    landmarks = render_garment(2, (96, 128), clean=True).landmarks
    with pytest.raises(InputError, match=expected):
        apply_overrides(landmarks, text)


def test_a_batch_gives_one_pose_a_picture():
    pictures = [render_garment(seed, (96, 128), clean=True).image_HW3 for seed in (1, 6)]
    images = torch.from_numpy(np.stack(pictures)).float() / 255
    result = read_batch(images, category="auto")
    assert len(result.pose) == 2
    assert result.preview_BHW3.shape == images.shape
    assert result.mask_BHW.shape == images.shape[:3]
    assert result.pose[0]["canvas_width"] == 96
    body = np.array(result.pose[0]["people"][0]["pose_keypoints_2d"]).reshape(18, 3)
    assert (body[[0, 14, 15, 16, 17]] == 0).all(), "only the 13 slots are filled"
    assert "picture 2" in result.report


def test_masks_of_another_count_are_refused():
    images = torch.rand(2, 64, 64, 3)
    with pytest.raises(InputError, match="expected 1 or 2 masks"):
        read_batch(images, category="auto", masks=torch.ones(3, 64, 64))
    with pytest.raises(InputError, match="pictures have shape"):
        read_batch(torch.zeros(0, 64, 64, 3), category="auto")
