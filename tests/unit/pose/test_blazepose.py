"""The BlazePose backend: its geometry everywhere, the networks where they have been fetched."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from dpidm_model.errors import CheckpointError, InputError, MissingFileError
from dpidm_model.evaluation.human_pose import BODY_OF_COCO
from dpidm_model.handovers import BODY, MISSING
from dpidm_model.pose.detectors.blazepose import BlazePose, BlazePoseConfig, fuse
from dpidm_model.pose.detectors.rois import Roi, roi_around_axis, roi_around_points
from dpidm_model.pose.detectors.tflite import FILES, MIRROR, find_folder, refine_from_heatmap
from dpidm_model.pose.human import Places, human_pose, make_detector
from dpidm_model.pose.report import jitter
from dpidm_model.pose.sides import BACK, FRONT, SIDE, facing
from dpidm_model.pose.tracks import CleanUp, Selection, clean, follow

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / ".host" / "base" / "models" / "dpidm" / "blazepose"
REAL = ROOT / "../shared/data/realset"
fetched = pytest.mark.usefixtures("pose_models")
real = pytest.mark.skipif(not REAL.exists(), reason="the real clips are not here")
BODY_ONLY = BlazePoseConfig(threads=1, hands=False, face=False)


# ---------------------------------------------------------------------------------------------- geometry


@pytest.mark.parametrize("angle", [0.0, 0.7, -2.0])
@pytest.mark.parametrize("side", [40.0, 700.0])
def test_a_point_is_found_again_through_a_region(angle, side):
    frame = np.zeros((900, 900, 3), np.uint8)
    cv2.circle(frame, (430, 470), 12, (255, 255, 255), -1)
    roi = Roi(440, 450, side * 2, angle)
    picture = roi.cut(frame, 256)[..., 0].astype(float)
    ys, xs = np.mgrid[0:256, 0:256]
    centre = np.array([[(picture * (xs + 0.5)).sum(), (picture * (ys + 0.5)).sum()]]) / picture.sum() / 256
    np.testing.assert_allclose(roi.to_frame(centre)[0], (430.5, 470.5), atol=1.0 + side * 2 / 256)


def test_regions_turn_with_the_body():
    roi = roi_around_axis(np.array([100.0, 100]), np.array([150.0, 100]), 1.25)
    assert roi.side == pytest.approx(125)
    np.testing.assert_allclose(roi.to_frame(np.array([[0.5, 0.0]])), [[162.5, 100]], atol=1e-6)
    around = roi_around_points(np.array([[0.0, 0], [10, 10]]), np.pi / 4, 1.0)
    assert (around.x, around.y) == pytest.approx((5, 5))


def test_mirror_is_its_own_inverse():
    assert [MIRROR[m] for m in MIRROR] == list(range(39))


def test_heat_map_moves_points_to_its_peak_only_when_sure():
    heat = np.zeros((64, 64, 1))
    heat[31, 33] = 0.9
    point = np.array([[32 / 64, 30 / 64]])
    np.testing.assert_allclose(refine_from_heatmap(point, heat), [[33 / 64, 31 / 64]])
    np.testing.assert_array_equal(refine_from_heatmap(point, heat * 0.4), point)


def test_two_opinions_with_exchanged_sides_agree_after_renaming():
    rng = np.random.default_rng(0)
    first = np.concatenate([rng.uniform(100, 300, (39, 2)), np.ones((39, 1))], axis=1)
    fused, front, doubt = fuse(first, first[list(MIRROR)])
    np.testing.assert_allclose(fused[11:33], first[11:33])
    assert abs(front) < 1e-6
    assert doubt == 0
    _, _, doubt = fuse(first, np.concatenate([rng.uniform(100, 300, (39, 2)), np.ones((39, 1))], axis=1))
    assert doubt > 0.13


# ---------------------------------------------------------------------------------------------- what can be wrong


def test_missing_networks_name_files_and_command(tmp_path):
    with pytest.raises(MissingFileError, match=r"pose_detection\.tflite.*fetch_blazepose.*mediapipe"):
        find_folder([tmp_path])
    with pytest.raises(InputError, match="blazepose"):
        make_detector("yolo", Places())


def test_a_broken_network_is_explained(tmp_path):
    pytest.importorskip("ai_edge_litert")
    for name in FILES:
        (tmp_path / name).write_bytes(b"broken")
    with pytest.raises(CheckpointError, match="fetch_blazepose"):
        BlazePose(tmp_path)


@fetched
@pytest.mark.parametrize("kind", ["black", "noise", "tiny"])
def test_nobody_is_there(kind):
    rng = np.random.default_rng(0)
    size = (17, 9) if kind == "tiny" else (240, 320)
    frames = [rng.integers(0, 256 if kind == "noise" else 1, (*size, 3)).astype(np.uint8) for _ in range(3)]
    found = BlazePose(FOLDER, BODY_ONLY).detect(frames)
    assert [len(p) for p in found.people] == [0, 0, 0]
    with pytest.raises(InputError, match="no person"):
        human_pose(frames, BlazePose(FOLDER, BODY_ONLY), Selection(), CleanUp())


@fetched
def test_empty_clips_and_changing_sizes_are_refused():
    detector = BlazePose(FOLDER, BODY_ONLY)
    with pytest.raises(InputError, match="no frames"):
        detector.detect([])
    with pytest.raises(InputError, match="resize"):
        detector.detect([np.zeros((50, 50, 3), np.uint8), np.zeros((50, 60, 3), np.uint8)])
    with pytest.raises(InputError, match="uint8"):
        detector.detect([np.zeros((50, 50, 3), np.float32)])


# ---------------------------------------------------------------------------------------------- real pictures


def read(name: str, step: slice = slice(None)) -> list[np.ndarray]:
    from dpidm_model.frames.video import read_frames

    return list(read_frames(REAL / "person_video" / name))[step]


@fetched
@real
def test_one_picture_with_hands_and_face():
    frame = cv2.imread(str(REAL / "pose_gt" / "000000000785.jpg"))[..., ::-1]
    found = BlazePose(FOLDER, BlazePoseConfig(threads=1)).detect([np.ascontiguousarray(frame)])
    labels = json.loads((REAL / "pose_gt" / "test_coco_wholebody.json").read_text())
    person = next(p for p in labels["annotations"] if p["image_id"] == 785)
    truth = np.array(person["keypoints"]).reshape(-1, 3)
    guess = found.people[0][0][BODY][list(BODY_OF_COCO)]
    near = np.linalg.norm(guess[:, :2] - truth[:, :2], axis=1) < 0.05 * max(person["bbox"][2:])
    assert near.mean() >= 0.8


@fetched
@real
def test_a_still_person_is_found_in_every_frame_and_steadied():
    frames = read("vivid_lower1.mp4", slice(0, 12))
    person = follow(BlazePose(FOLDER, BODY_ONLY).detect(frames))
    track = clean(person)
    assert (track.provenance_F != MISSING).all()
    assert jitter(track) < jitter(person.track) / 3


@fetched
@real
def test_a_headless_walker_seen_from_the_side_is_found():
    found = BlazePose(FOLDER, BODY_ONLY).detect(read("vivid_upper1.mp4", slice(0, 6)))
    assert [len(people) for people in found.people] == [1] * 6
    for people in found.people:
        neck, hip, ankle = people[0, 1], people[0, 8], people[0, 10]
        assert 100 < neck[0] < 260 > hip[0] > 100
        assert neck[1] < 90 < 220 < hip[1] < 340 < 600 < ankle[1]


@fetched
@real
@pytest.mark.slow
def test_a_turning_person_without_a_head_keeps_left_and_right():
    """Front, then side, then back, once each; never an exchange in between."""
    person = follow(BlazePose(FOLDER, BODY_ONLY).detect(read("magictryon_upper_1219222.mp4")))
    track = clean(person)
    turned = facing(track.keypoints_FK3)
    order = [name for i, name in enumerate(turned) if i == 0 or turned[i - 1] != name]
    assert order == [FRONT, SIDE, BACK]
    shoulders, hips = (track.keypoints_FK3[:, a, 0] - track.keypoints_FK3[:, b, 0] for a, b in ((5, 2), (11, 8)))
    wide = np.array([name != SIDE for name in turned])
    assert (np.sign(shoulders[wide]) == np.sign(hips[wide])).mean() > 0.97
    assert jitter(track) < jitter(person.track) / 3
    assert (track.provenance_F != MISSING).all()
