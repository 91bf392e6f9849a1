"""The instant preview: thin-plate warps, parts, and what it shows on a made-up person."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dpidm_model.errors import InputError
from dpidm_model.garment.preview import GarmentPreview, PreviewOptions
from dpidm_model.garment.preview_clip import guess_category_of, preview_clip
from dpidm_model.garment.renderer import render_garment
from dpidm_model.garment.warp import Part, apply_thin_plate, fit_thin_plate, warp_part
from dpidm_model.garment.warp_body import J, fade, read_body, smooth_in_time
from dpidm_model.handovers import DETECTED, GARMENT_SLOTS, JOINTS, MISSING, PoseTrack
from dpidm_model.pose.schema import from_garment, from_track

STANDING = {
    "nose": (96, 40), "neck": (96, 62), "r_shoulder": (74, 64), "r_elbow": (66, 100), "r_wrist": (62, 132),
    "l_shoulder": (118, 64), "l_elbow": (126, 100), "l_wrist": (130, 132), "r_hip": (82, 128), "r_knee": (80, 178),
    "r_ankle": (79, 226), "l_hip": (110, 128), "l_knee": (112, 178), "l_ankle": (113, 226),
}  # fmt: skip


def person(frames: int = 6, mirrored: bool = False, **moved) -> PoseTrack:
    """A standing frontal person on a 192x256 canvas; mirrored: seen from behind."""
    keypoints = np.zeros((frames, JOINTS, 3), np.float32)
    for name, (x, y) in (STANDING | moved).items():
        if mirrored and name[1] == "_":
            name = ("l" if name[0] == "r" else "r") + name[1:]
        keypoints[:, J[name]] = (x, y, 1)
    return PoseTrack(keypoints, (192, 256), np.full(frames, DETECTED, np.uint8))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_thin_plate_meets_its_control_points(seed):
    rng = np.random.default_rng(seed)
    source, target = rng.uniform(0, 100, (7, 2)), rng.uniform(0, 100, (7, 2))
    spline = fit_thin_plate(source, target, stiffness=0.0)
    assert np.allclose(apply_thin_plate(spline, source, source), target, atol=1e-3)


def test_thin_plate_of_an_affine_map_is_that_map():
    rng = np.random.default_rng(0)
    source = rng.uniform(0, 100, (6, 2))
    matrix, shift = np.array([[0.8, 0.3], [-0.2, 1.1]]), np.array([5.0, -7.0])
    spline = fit_thin_plate(source, source @ matrix.T + shift)
    points = rng.uniform(0, 100, (20, 2))
    assert np.allclose(apply_thin_plate(spline, source, points), points @ matrix.T + shift, atol=1e-6)


def test_a_warped_part_lies_where_its_control_points_went():
    rgba = np.zeros((40, 40, 4), np.uint8)
    rgba[10:30, 10:30] = (200, 0, 0, 255)
    corners = np.array([(10, 10), (29, 10), (29, 29), (10, 29)], float)
    x0, y0, picture = warp_part(Part(name="p", rgba_HW4=rgba, points_N2=corners), corners * 2 + [30, 50], (150, 150))
    whole = np.zeros((150, 150), np.uint8)
    whole[y0 : y0 + picture.shape[0], x0 : x0 + picture.shape[1]] = picture[..., 3]
    ys, xs = np.where(whole > 127)
    assert abs(xs.min() - 50) <= 2
    assert abs(xs.max() - 88) <= 2
    assert abs(ys.min() - 70) <= 2
    assert abs(ys.max() - 108) <= 2


def test_a_collapsed_part_is_left_out():
    part = Part(
        name="p", rgba_HW4=np.full((9, 9, 4), 255, np.uint8), points_N2=np.array([(0, 0), (8, 0), (8, 8), (0, 8.0)])
    )
    assert warp_part(part, np.full((4, 2), 20.0), (50, 50)) is None


def test_smoothing_keeps_constants_and_removes_jitter():
    constant = np.full((9, 2), 3.5)
    assert np.allclose(smooth_in_time(constant, 1.2), constant)
    noise = np.random.default_rng(0).normal(0, 1, (200, 1))
    assert smooth_in_time(noise, 1.2).std() < 0.6 * noise.std()


def test_shown_to_the_front_hidden_from_behind():
    assert fade(read_body(person()), "upper").min() > 0.99
    assert fade(read_body(person(mirrored=True)), "upper").max() < 0.01


def test_nothing_is_shown_where_the_person_was_not_found():
    track = person(frames=12)
    lost = track.provenance_F.copy()
    lost[9:] = MISSING
    track.keypoints_FK3[9:] = 0
    weights = fade(read_body(replace(track, provenance_F=lost)), "upper")
    assert weights[:7].min() > 0.9  # fading before the loss
    assert (weights[9:] == 0).all()


def test_legs_named_the_wrong_way_round_are_put_right():
    track = person()
    swapped = track.keypoints_FK3.copy()
    legs = [J[f"{s}_{n}"] for s in "rl" for n in ("hip", "knee", "ankle")]
    swapped[:, legs] = swapped[:, legs[3:] + legs[:3]]
    body = read_body(PoseTrack(swapped, track.canvas, track.provenance_F))
    assert np.allclose(body.joints_FJ2, read_body(track).joints_FJ2)


@pytest.fixture(scope="module")
def red_tee():
    """A plain red rendered T-shirt: picture, mask, landmarks."""
    r = render_garment(3, (192, 256), kind="tee", clean=True)
    image = r.image_HW3.copy()
    image[r.mask_HW > 127] = (210, 20, 30)
    return image, r.mask_HW, r.landmarks


def test_the_garment_sits_on_shoulders_and_torso(red_tee):
    grey = np.full((256, 192, 3), 120, np.uint8)
    preview = GarmentPreview(*red_tee, person(), PreviewOptions(shading=0))
    dressed, mask = preview.frame(2, grey)
    assert dressed[100, 96, 0] > 180, "red on the chest"
    assert dressed[100, 96, 1] < 60
    assert (dressed[230:] == grey[230:]).all(), "a T-shirt does not reach the feet"
    ys, xs = np.where(mask > 127)
    assert 52 < ys.min() < 72, "it starts at the shoulders"
    assert abs(float(xs.mean()) - 96) < 4, "and is centred on the body"
    outside = mask == 0
    assert (dressed[outside] == grey[outside]).all(), "what the garment does not touch stays bit for bit"


def test_from_behind_nothing_changes(red_tee):
    picture = np.random.default_rng(0).integers(0, 255, (256, 192, 3), np.uint8)
    dressed, mask = GarmentPreview(*red_tee, person(mirrored=True)).frame(2, picture)
    assert np.array_equal(dressed, picture)
    assert not mask.any()


def test_protected_pixels_and_hands_stay(red_tee):
    grey = np.full((256, 192, 3), 120, np.uint8)
    protect = np.zeros((256, 192), np.float32)
    protect[80:110, 86:106] = 1
    preview = GarmentPreview(*red_tee, person(r_elbow=(70, 110), r_wrist=(96, 112)), PreviewOptions(shading=0))
    dressed, _ = preview.frame(2, grey, protect)
    assert (dressed[85:105, 90:102] == 120).all()
    assert (dressed[112, 104] == 120).all(), "the hand before the torso"


def test_the_garment_moves_with_the_person(red_tee):
    """Shift the person by 14 px: the garment shifts by 14 px."""
    grey = np.full((256, 192, 3), 120, np.uint8)
    moved = {name: (x + 14, y) for name, (x, y) in STANDING.items()}
    still, shifted = (
        GarmentPreview(*red_tee, t, PreviewOptions(shading=0)).frame(2, grey)[1] for t in (person(), person(**moved))
    )
    centre = [np.where(m > 127)[1].mean() for m in (still, shifted)]
    assert abs(centre[1] - centre[0] - 14) < 1


@pytest.mark.parametrize("kind", ["jeans", "shorts", "skirt", "hoodie", "camisole", "longsleeve"])
def test_every_kind_can_be_previewed(kind):
    r = render_garment(5, (192, 256), kind=kind, clean=True)
    dressed, mask = GarmentPreview(r.image_HW3, r.mask_HW, r.landmarks, person()).frame(
        1, np.full((256, 192, 3), 90, np.uint8)
    )
    assert 0.02 < (mask > 127).mean() < 0.5
    assert np.isfinite(dressed).all()


def test_the_clip_function_takes_and_gives_what_nodes_exchange(red_tee):
    image, mask, landmarks = red_tee
    frames = torch.full((6, 256, 192, 3), 0.4)
    pose, garment_pose = from_track(person()), from_garment(landmarks)
    picture = torch.from_numpy(image).float()[None] / 255
    done = []
    out, where, report = preview_clip(
        frames,
        pose,
        picture,
        garment_pose,
        garment_mask=torch.from_numpy(mask)[None].float() / 255,
        on_frame=done.append,
    )
    assert out.shape == frames.shape
    assert where.shape == frames.shape[:3]
    assert done == [1, 2, 3, 4, 5, 6]
    assert "6 frames with the garment" in report
    assert guess_category_of(garment_pose) == "upper"


def test_wrong_inputs_are_explained(red_tee):
    image, _, landmarks = red_tee
    picture, garment_pose = torch.from_numpy(image).float()[None] / 255, from_garment(landmarks)
    with pytest.raises(InputError, match="frames"):
        preview_clip(torch.zeros(5, 256, 192, 3), from_track(person()), picture, garment_pose)
    with pytest.raises(InputError, match="same picture"):
        preview_clip(torch.zeros(6, 256, 192, 3), from_track(person()), picture[:, :200], garment_pose)
    with pytest.raises(InputError, match="out of range"):
        PreviewOptions(shading=2)
    without = from_garment(landmarks)
    k = 3 * (1 + GARMENT_SLOTS.index("neck"))
    without[0]["people"][0]["pose_keypoints_2d"][k : k + 3] = [0, 0, 0]
    with pytest.raises(InputError, match="missing"):
        preview_clip(torch.zeros(6, 256, 192, 3), from_track(person()), picture, without)
