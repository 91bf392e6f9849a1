"""Pictures that are not one garment lying free: said clearly, and no point counts as sure."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from dpidm_model.errors import InputError
from dpidm_model.evaluation.garment_pose import load_labelled, trust
from dpidm_model.garment.detect import read_garment
from dpidm_model.garment.detector import shipped_net
from dpidm_model.garment.picture import as_rgb8
from dpidm_model.garment.renderer import render_garment, render_negative
from dpidm_model.garment.trust import LOW_CONFIDENCE, ONE_GARMENT

REAL = Path(__file__).parents[3] / "../shared/data/realset"
UNSEEN = 2_600_000_000  # seeds that neither training nor validation uses


def told(image: np.ndarray, mask: np.ndarray | None = None) -> str:
    """The warning about the picture as a whole; "" for none. Checks that a warned reading looks unsure all over."""
    try:
        reading = read_garment(image, mask=mask)
    except InputError as error:
        return str(error)
    if reading.score >= ONE_GARMENT:
        return ""
    assert reading.landmarks.points_K3[:, 2].max() <= LOW_CONFIDENCE
    return next(line for line in reading.warnings if "one garment" in line)


def photo(seed: int, kind: str) -> np.ndarray:
    return render_garment(UNSEEN + seed, (192, 256), kind=kind, clean=True).image_HW3


def test_single_garments_are_trusted_and_others_not():
    kinds = ["tee", "jeans", "hoodie", "skirt", "longsleeve", "shorts", "tee", "jeans"]
    assert sum(bool(told(photo(i, kind))) for i, kind in enumerate(kinds)) <= 1
    assert sum(bool(told(render_negative(UNSEEN + i, (192, 256)).image_HW3)) for i in range(12)) >= 10


def test_two_garments_side_by_side():
    tee = render_garment(UNSEEN + 3, (192, 256), kind="tee", clean=True)
    cut = np.full((256, 384, 3), 250, np.uint8)
    for x in (0, 192):
        cut[:, x : x + 192][tee.mask_HW > 127] = (40, 60, 150)
    assert "several things" in told(cut)


@pytest.mark.parametrize("shape", ["box", "disc"])
def test_plain_shapes(shape):
    picture = np.full((256, 192, 3), 250, np.uint8)
    if shape == "box":
        cv2.rectangle(picture, (40, 50), (150, 210), (30, 40, 130), -1)
    else:
        cv2.circle(picture, (96, 128), 60, (200, 40, 30), -1)
    assert "box or disc" in told(picture)


@pytest.mark.parametrize("value", [0, 127, 255])
def test_a_blank_picture(value):
    assert "no garment stands out" in told(np.full((256, 192, 3), value, np.uint8))


def test_an_inverted_mask_is_named():
    tee = render_garment(UNSEEN + 4, (192, 256), kind="tee", clean=True)
    assert told(tee.image_HW3, tee.mask_HW) == ""
    assert "Invert Mask" in told(tee.image_HW3, 255 - tee.mask_HW)


@pytest.mark.parametrize("hidden", [0, 255, (0, 255, 0)])
def test_a_transparent_picture_is_read_like_one_on_white(hidden):
    """Whatever colours lie where a PNG is transparent."""
    tee = render_garment(UNSEEN + 5, (192, 256), kind="tee", clean=True)
    alpha = tee.mask_HW[..., None]
    rgb = np.where(alpha > 127, tee.image_HW3, np.uint8(hidden))
    seen = as_rgb8(np.concatenate([rgb, alpha], 2))
    assert (seen[0, 0] == 255).all()
    reading = read_garment(np.concatenate([rgb, alpha], 2))
    assert reading.score >= ONE_GARMENT
    assert reading.landmarks.category == "upper"


def test_tiny_pictures_are_refused():
    with pytest.raises(InputError, match="8x8"):
        read_garment(np.zeros((8, 8, 3), np.uint8))


@pytest.mark.skipif(not REAL.exists(), reason="the real photos are not here")
def test_real_photos_and_people():
    """Measured with the shipped weights: none of 17 and all of 11; one of each may fail with other weights."""
    photos = load_labelled(REAL / "garment", REAL / "garment_keypoints.json")
    table = trust(photos, REAL / "person_image", shipped_net())
    assert table["garments"]["warned"] <= 1
    assert table["others"]["warned"] >= table["others"]["pictures"] - 1
