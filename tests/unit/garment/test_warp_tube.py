"""Sleeves bent along an arm, and what of the person lies before the garment."""

import itertools
import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpidm_model.errors import InputError, MissingFileError
from dpidm_model.evaluation.garment_preview import landmark_error, load_worn
from dpidm_model.garment.preview import GarmentPreview
from dpidm_model.garment.renderer import render_garment
from dpidm_model.garment.warp import Part
from dpidm_model.garment.warp_body import Frame, J, read_body
from dpidm_model.garment.warp_front import in_front
from dpidm_model.garment.warp_parts import CutGarment
from dpidm_model.garment.warp_tube import bend_part, ribs
from dpidm_model.handovers import DETECTED, GARMENT_SLOTS, JOINTS, GarmentLandmarks, PoseTrack

HALF = 12


def stations(*centres, half=HALF):
    """Pairs of edges square to the way that leads to each centre, always the same edge first."""
    centres = np.array(centres, float)
    along = np.diff(centres, axis=0)
    along = np.concatenate([along[:1], along])
    across = np.stack([along[:, 1], -along[:, 0]], 1) / np.linalg.norm(along, axis=1)[:, None] * half
    return np.stack([centres + across, centres - across], 1)


def distance_to_way(shape, *centres) -> np.ndarray:
    """Of every pixel to the broken line through the centres."""
    canvas = np.full(shape, 255, np.uint8)
    cv2.polylines(canvas, [np.round(np.array(centres)).astype(np.int32)], False, 0, 1)
    return cv2.distanceTransform(canvas, cv2.DIST_L2, 5)


def striped_sleeve():
    """A straight sleeve hanging from (40, 20) to (40, 140), blue with a red stripe every 20 pixels."""
    rgba = np.zeros((160, 80, 4), np.uint8)
    rgba[16:144, 40 - HALF : 40 + HALF] = (20, 20, 200, 255)
    for y in range(20, 140, 20):
        rgba[y : y + 6, 40 - HALF : 40 + HALF] = (200, 20, 20, 255)
    source = stations((40, 20), (40, 80), (40, 140))
    return Part(name="r_sleeve", rgba_HW4=rgba, points_N2=source.reshape(-1, 2))


def drawn(centres, size=(320, 320)):
    x0, y0, rgba = bend_part(striped_sleeve(), stations(*centres).reshape(-1, 2), size)
    whole = np.zeros((size[1], size[0], 4), np.uint8)
    whole[y0 : y0 + rgba.shape[0], x0 : x0 + rgba.shape[1]] = rgba
    return whole


def test_a_straight_sleeve_is_only_moved():
    whole = drawn([(140, 120), (140, 180), (140, 240)])
    source = striped_sleeve().rgba_HW4
    assert np.abs(whole[100:260, 100:180].astype(int) - source).mean() < 2


@settings(max_examples=25, deadline=None)
@given(st.floats(-165, 165))
def test_a_bent_sleeve_stays_on_the_arm_and_covers_it(degrees):
    turn = np.deg2rad(90 + degrees)
    joints = [(160, 100), (160, 160), (160 + 60 * np.cos(turn), 160 + 60 * np.sin(turn))]
    alpha = drawn(joints)[..., 3]
    distance = distance_to_way(alpha.shape, *joints)
    assert distance[alpha > 127].max() < 1.5 * HALF, "nothing swings out"
    inner = [
        joints[0] + np.array([0, 8.0]),
        joints[1],
        np.array(joints[2]) - 8 * np.array([np.cos(turn), np.sin(turn)]),
    ]
    assert (alpha[distance_to_way(alpha.shape, *inner) < 0.5 * HALF] > 127).mean() > 0.98, "no holes along the arm"


def test_the_stripes_of_a_bent_sleeve_stay_in_order():
    """Walking down the arm's middle, six stripes come one after the other, as on the straight sleeve."""
    joints = [(160, 100), (160, 160), (212, 130)]
    whole, middle = drawn(joints).astype(int), ribs(stations(*joints)).mean(1)
    way = np.concatenate([a + np.linspace(0, 1, 20)[:, None] * (b - a) for a, b in itertools.pairwise(middle)])
    way = way[whole[way[:, 1].astype(int), way[:, 0].astype(int), 3] > 127]
    colours = whole[way[:, 1].astype(int), way[:, 0].astype(int)]
    red = colours[:, 0] > colours[:, 2]
    assert np.count_nonzero(np.diff(red.astype(int)) == 1) + int(red[0]) == 6


@pytest.mark.parametrize("count", [2, 3])
def test_ribs_of_any_two_tubes_belong_together(count):
    straight, bent = [(0, 0), (0, 50), (0, 90)], [(5, 5), (30, 60), (90, 20)]
    a, b = (ribs(stations(*way[:count])) for way in (straight, bent))
    assert a.shape == b.shape
    assert np.allclose(np.linalg.norm(a[:, 0] - a[:, 1], axis=1), 2 * HALF)
    middle = b.mean(1)
    assert (
        distance_to_way((120, 120), *bent[:count])[middle[:, 1].astype(int).clip(0), middle[:, 0].astype(int)].max()
        < 15
    )


def test_no_sleeve_outside_of_the_picture():
    far = stations((900, 900), (900, 960), (900, 999)).reshape(-1, 2)
    assert bend_part(striped_sleeve(), far, (320, 320)) is None


# -------------------------------------------------------------------------------------------- body


def person(frames=9) -> PoseTrack:
    places = {
        "nose": (96, 30), "neck": (96, 52), "r_shoulder": (74, 54), "r_elbow": (66, 90), "r_wrist": (62, 122),
        "l_shoulder": (118, 54), "l_elbow": (126, 90), "l_wrist": (130, 122), "r_hip": (82, 118), "r_knee": (80, 168),
        "r_ankle": (79, 216), "l_hip": (110, 118), "l_knee": (112, 168), "l_ankle": (113, 216),
    }  # fmt: skip
    keypoints = np.zeros((frames, JOINTS, 3), np.float32)
    for name, place in places.items():
        keypoints[:, J[name]] = (*place, 1)
    return PoseTrack(keypoints, (192, 256), np.full(frames, DETECTED, np.uint8))


def test_a_fast_hand_is_followed_and_a_trembling_one_is_not():
    track = person(21)
    fast = track.keypoints_FK3.copy()
    fast[10:, J["r_wrist"], 1] -= 90  # from one frame to the next
    body = read_body(PoseTrack(fast, track.canvas, track.provenance_F))
    assert np.abs(body.joints_FJ2[:, J["r_wrist"], 1] - fast[:, J["r_wrist"], 1]).max() < 3
    trembling = track.keypoints_FK3.copy()
    trembling[::2, J["r_wrist"], 1] += 2
    steady = read_body(PoseTrack(trembling, track.canvas, track.provenance_F)).joints_FJ2[3:-3, J["r_wrist"], 1]
    assert np.ptp(steady) < 0.5


def test_trousers_keep_their_length_while_a_leg_is_lifted():
    track = person(9)
    lifted = track.keypoints_FK3.copy()
    lifted[4:, J["r_ankle"], 1] -= 60
    body = read_body(PoseTrack(lifted, track.canvas, track.provenance_F))
    assert body.leg == pytest.approx(read_body(track).leg, rel=0.02)


def test_only_what_has_the_colour_of_the_hand_hides_the_garment():
    picture = np.full((256, 192, 3), 240, np.uint8)
    picture[110:155, 57:65] = (190, 130, 100)  # a narrow hand below the wrist
    nothing = np.zeros((0, 2), np.float32)
    mask = in_front(Frame(read_body(person()), 4), {"r": nothing, "l": nothing}, picture, bare=(), head=False)
    assert mask[128:134, 59:63].min() > 0.8, "the hand"
    assert mask[:, 70:100].max() < 0.05, "not the white beside it"


def test_error_against_worn_clothes(tmp_path):
    r = render_garment(5, (192, 256), kind="jeans", clean=True)
    preview = GarmentPreview(r.image_HW3, r.mask_HW, r.landmarks, person())
    labels = tmp_path / "worn.json"
    frames = {"4": {"r_hip": [2 * 80, 2 * 102], "l_hip": [2 * 112, 2 * 102]}}
    labels.write_text(json.dumps({"clip.mp4": {"size": [384, 512], "frames": frames}}))
    worn = load_worn(labels, "clip.mp4", (192, 256))
    assert np.allclose(worn[4]["r_hip"], (80, 102))
    assert landmark_error(preview, worn) < 0.03
    assert landmark_error(preview) > 0.05, "hip joints are no waistband"
    with pytest.raises(InputError, match="no labels"):
        load_worn(labels, "other.mp4", (192, 256))
    with pytest.raises(MissingFileError):
        load_worn(tmp_path / "none.json", "clip.mp4", (192, 256))


def test_the_gap_between_legs_is_not_drawn_as_cloth():
    """Trousers whose mask also holds the white between their legs."""
    picture, cloth = np.full((256, 192, 3), 245, np.uint8), np.zeros((256, 192), np.uint8)
    cv2.fillPoly(cloth, [np.int32([(60, 40), (132, 40), (140, 220), (104, 220), (96, 110), (88, 220), (52, 220)])], 255)
    picture[cloth > 0] = (40, 60, 120)
    closed = cloth.copy()
    cv2.fillPoly(closed, [np.int32([(96, 105), (104, 221), (88, 221)])], 255)
    places = {"r_hip": (60, 40), "l_hip": (132, 40), "r_knee": (74, 165), "l_knee": (118, 165), "r_ankle": (70, 220),
              "l_ankle": (122, 220)}  # fmt: skip
    points, visibility = np.zeros((13, 3), np.float32), np.zeros(13, np.uint8)
    for name, place in places.items():
        points[GARMENT_SLOTS.index(name)], visibility[GARMENT_SLOTS.index(name)] = (*place, 1), 2
    cut = CutGarment(picture, closed, GarmentLandmarks(points, visibility, (192, 256), "lower"), 72)
    assert cut.mask[200, 96] == 0
    assert cut.mask[60, 96] == 1
    assert set(cut.parts) == {"r_leg", "l_leg"}
