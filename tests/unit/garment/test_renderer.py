"""The garment renderer: determinism, labels that fit the picture, layers."""

import cv2
import numpy as np
import pytest

from dpidm_model.errors import InputError
from dpidm_model.garment.renderer import LAYER_NAMES, render_garment, render_negative
from dpidm_model.garment.renderer.bottoms import BOTTOMS
from dpidm_model.garment.renderer.top_spec import TOPS
from dpidm_model.handovers import GARMENT_SLOTS

ALWAYS = {
    "upper": {"neck", "r_shoulder", "l_shoulder", "r_hip", "l_hip"},
    "lower": {"r_hip", "l_hip", "r_knee", "l_knee"},
    "dress": {"neck", "r_shoulder", "l_shoulder", *(f"{s}_{j}" for s in "rl" for j in ("hip", "knee", "ankle"))},
}


def _present(landmarks) -> set[str]:
    return {name for name, v in zip(GARMENT_SLOTS, landmarks.visibility_K) if v}


@pytest.mark.parametrize("seed", [0, 7, 12345])
def test_equal_seeds_equal_pictures_and_others_differ(seed):
    first, again, other = (render_garment(s, (96, 128)) for s in (seed, seed, seed + 1))
    assert np.array_equal(first.image_HW3, again.image_HW3)
    assert np.array_equal(first.landmarks.points_K3, again.landmarks.points_K3)
    assert not np.array_equal(first.image_HW3, other.image_HW3)


@pytest.mark.parametrize("category", ["upper", "lower", "dress"])
def test_labels_name_the_slots_of_the_category(category):
    for seed in range(25):
        landmarks = render_garment(seed, (96, 128), category=category).landmarks
        present = _present(landmarks)
        assert present >= ALWAYS[category]
        assert landmarks.category == category
        if category == "lower":
            assert not present & {"neck", "r_shoulder", "r_elbow", "r_wrist"}
        if category == "upper":
            assert not present & {"r_knee", "l_ankle"}
        assert (landmarks.sleeve == "long") == ("r_wrist" in present)
        assert (landmarks.sleeve == "none") == ("r_elbow" not in present)


def test_seen_points_lie_on_the_garment():
    """A seen landmark is on the mask or within 4 % of the picture of it (necklines and corners are on its edge)."""
    for seed in range(60):
        r = render_garment(seed, (192, 256))
        distance = cv2.distanceTransform((r.mask_HW < 128).astype(np.uint8), cv2.DIST_L2, 3)
        for name, (x, y, _), v in zip(GARMENT_SLOTS, r.landmarks.points_K3, r.landmarks.visibility_K):
            if v == 2:
                assert distance[int(y), int(x)] < 0.04 * 256, (seed, r.kind, name)


def test_right_is_the_wearers_right():
    for seed in range(12):
        landmarks = render_garment(seed, (96, 128), clean=True).landmarks
        by_name = dict(zip(GARMENT_SLOTS, landmarks.points_K3))
        assert by_name["r_hip"][0] < by_name["l_hip"][0], "the wearer's right is at the picture's left"


@pytest.mark.parametrize("kind", [*TOPS, *BOTTOMS])
def test_every_kind_renders_and_stands_out(kind):
    r = render_garment(3, (96, 128), kind=kind, clean=True)
    assert r.kind == kind
    assert 0.1 < (r.mask_HW > 127).mean() < 0.95
    assert r.image_HW3.std() > 3


@pytest.mark.parametrize("size", [(33, 47), (256, 192), (64, 200)])
def test_any_size(size):
    r = render_garment(5, size)
    assert r.image_HW3.shape == (size[1], size[0], 3)
    assert r.mask_HW.shape == (size[1], size[0])
    assert r.landmarks.canvas == size
    assert (r.landmarks.points_K3[:, :2] < np.array(size)).all()


def test_layers_make_up_the_garment():
    """The rest-pose pieces, laid over each other, cover what the clean picture shows."""
    for seed in range(6):
        r = render_garment(seed, (144, 192), clean=True, layers=True)
        cover = np.max([layer.rgba_HW4[..., 3] for layer in r.layers], axis=0) > 127
        mask = r.mask_HW > 127
        assert {layer.name for layer in r.layers} <= set(LAYER_NAMES)
        assert (cover & ~mask).sum() < 0.02 * mask.sum()
        assert (mask & ~cover).sum() < 0.3 * mask.sum(), "only the inside of the back and hoods are left out"
        for layer in r.layers:
            assert len(layer.anchors) >= 2
            assert min(layer.halfwidth) > 0


def test_layers_do_not_change_the_picture():
    plain, layered = render_garment(4, (96, 128)), render_garment(4, (96, 128), layers=True)
    assert np.array_equal(plain.image_HW3, layered.image_HW3)


def test_negatives_have_no_landmarks():
    for seed in range(10):
        r = render_negative(seed, (96, 128))
        assert r.kind == "none"
        assert not r.landmarks.visibility_K.any()
        assert not r.mask_HW.any()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [({"category": "hat"}, "upper, lower, dress"), ({"kind": "cape"}, "tee"), ({"size": (8, 8)}, "at least 32")],
)
def test_wrong_arguments_are_named(arguments, expected):
    with pytest.raises(InputError, match=expected):
        render_garment(0, **arguments)
