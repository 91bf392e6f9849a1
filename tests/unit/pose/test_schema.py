"""POSE_KEYPOINT in the dialects of the ecosystem."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dpidm_model.errors import InputError
from dpidm_model.handovers import DETECTED, JOINTS, MISSING, GarmentLandmarks, PoseTrack
from dpidm_model.pose.schema import from_garment, from_track, from_tracks, parse, to_garment, to_track


def track(seed=0, frames=3, canvas=(640, 480)) -> PoseTrack:
    rng = np.random.default_rng(seed)
    keypoints = np.ones((frames, JOINTS, 3), np.float32)
    keypoints[..., :2] = rng.uniform(5, 400, (frames, JOINTS, 2)).round(2)
    return PoseTrack(keypoints, canvas, np.full(frames, DETECTED, np.uint8))


def test_round_trip_through_json():
    original = track()
    original.keypoints_FK3[1, 4] = 0
    back = to_track(json.loads(json.dumps(from_track(original))))
    np.testing.assert_allclose(back.keypoints_FK3, original.keypoints_FK3, atol=1e-3)
    assert back.canvas == original.canvas


def test_written_confidences_are_exactly_one_or_zero():
    original = track()
    original.keypoints_FK3[..., 2] = 0.37
    original.keypoints_FK3[0, 5] = 0
    values = np.array(from_track(original)[0]["people"][0]["pose_keypoints_2d"]).reshape(-1, 3)
    assert set(values[:, 2]) == {0.0, 1.0}
    assert values[5].tolist() == [0, 0, 0]


def test_missing_parts_are_null_and_missing_frames_have_no_people():
    original = track()
    original.keypoints_FK3[:, 18:] = 0
    original.keypoints_FK3[1] = 0
    frames = from_track(original)
    assert frames[1]["people"] == []
    assert frames[0]["people"][0]["hand_left_keypoints_2d"] is None
    back = to_track(frames)
    assert back.provenance_F.tolist() == [DETECTED, MISSING, DETECTED]


@pytest.mark.parametrize("wrap", [np.array, torch.tensor, list, lambda v: np.array(v).reshape(-1, 3).tolist()])
def test_containers(wrap):
    frames = from_track(track())
    expected = to_track(frames).keypoints_FK3
    for frame in frames:
        for person in frame["people"]:
            for name, values in person.items():
                person[name] = wrap(values)
    np.testing.assert_allclose(to_track(frames).keypoints_FK3, expected, atol=1e-4)


def test_normalised_coordinates_and_float_confidence():
    original = track()
    frames = from_track(original)
    for frame in frames:
        for person in frame["people"]:
            for name, values in person.items():
                points = np.array(values).reshape(-1, 3) * (1 / 640, 1 / 480, 0.5)
                person[name] = points.reshape(-1).tolist()
    back = to_track(frames)
    np.testing.assert_allclose(back.keypoints_FK3[..., :2], original.keypoints_FK3[..., :2], atol=0.1)
    assert back.keypoints_FK3[0, 0, 2] == pytest.approx(0.5)


def test_body_25_and_face_68():
    body = np.arange(75, dtype=float) + 1
    face = np.arange(204, dtype=float) + 1
    frame = {
        "people": [{"pose_keypoints_2d": body, "face_keypoints_2d": face}],
        "canvas_width": 99,
        "canvas_height": 99,
    }
    people = parse([frame]).people[0]
    np.testing.assert_array_equal(people[0, 8, :2], body.reshape(-1, 3)[9, :2])
    assert people[0, 18 + 67, 2] == 1
    assert people[0, 18 + 68, 2] == 0


def test_canvas_changes_are_scaled_to_the_first():
    frames = from_track(track())
    frames[1]["canvas_width"], frames[1]["canvas_height"] = 1280, 960
    back = to_track(frames)
    assert back.canvas == (640, 480)
    np.testing.assert_allclose(back.keypoints_FK3[1, :, :2] * 2, track().keypoints_FK3[1, :, :2], rtol=1e-4)


def test_nan_joint_is_missing(caplog):
    frames = from_track(track())
    frames[0]["people"][0]["pose_keypoints_2d"][0] = float("nan")
    back = to_track(frames)
    assert back.keypoints_FK3[0, 0].tolist() == [0, 0, 0]
    assert "NaN" in caplog.text


@pytest.mark.parametrize(
    ("pose", "message"),
    [
        ([], "expected a list"),
        (None, "expected a list"),
        ("x", "expected a list"),
        ([3], "dict with a list 'people'"),
        ([{"people": "x"}], "dict with a list 'people'"),
        ([{"people": [4], "canvas_width": 4, "canvas_height": 4}], "expected a dict"),
        ([{"people": []}], "no canvas_width"),
        ([{"people": [], "canvas_width": 0, "canvas_height": 4}], "canvas is"),
        ([{"people": [], "canvas_width": "a", "canvas_height": 4}], "canvas is"),
        ([{"people": [{"pose_keypoints_2d": [1, 2]}], "canvas_width": 4, "canvas_height": 4}], "x, y, c"),
        ([{"people": [{"pose_keypoints_2d": ["a"] * 54}], "canvas_width": 4, "canvas_height": 4}], "numbers"),
        ([{"people": [{"pose_keypoints_2d": [1.0] * 51}], "canvas_width": 4, "canvas_height": 4}], "17 points"),
        ([{"people": [], "canvas_width": 4, "canvas_height": 4}], "no pose of person 0"),
    ],
)
def test_bad_input_is_explained(pose, message):
    with pytest.raises(InputError, match=message):
        to_track(pose)


def test_another_length_is_explained():
    with pytest.raises(InputError, match="3 frames but the video has 5"):
        to_track(from_track(track()), frames=5)


def test_positions_of_several_people_stay():
    first, second = track(0), track(1)
    first.keypoints_FK3[1] = 0
    frames = from_tracks([first, second])
    assert len(frames[1]["people"]) == 2
    np.testing.assert_allclose(to_track(frames, person=1).keypoints_FK3, second.keypoints_FK3, atol=1e-3)


def test_garment_slots_are_body_joints_1_to_13():
    points = np.zeros((13, 3), np.float32)
    points[0], points[1], points[2] = (50, 20, 1), (30, 25, 1), (10, 60, 1)
    visibility = np.array([2, 1, 2] + [0] * 10, np.uint8)
    frames = from_garment(GarmentLandmarks(points, visibility, (100, 120), "upper", "short"))
    body = np.array(frames[0]["people"][0]["pose_keypoints_2d"]).reshape(-1, 3)
    assert body[1].tolist() == [50, 20, 1]
    assert body[3].tolist() == [10, 60, 1]
    back = to_garment(frames, "upper")
    assert back.sleeve == "short"
    np.testing.assert_allclose(back.points_K3, points)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(width=32), min_size=54, max_size=54), st.integers(1, 5000), st.integers(1, 5000))
def test_any_numbers_give_finite_poses(values, width, height):
    parsed = parse([{"people": [{"pose_keypoints_2d": values}], "canvas_width": width, "canvas_height": height}])
    assert np.isfinite(parsed.people[0]).all()
