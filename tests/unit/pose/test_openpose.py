"""The OpenPose backend on controlnet-aux's own networks with random weights."""

import warnings

import numpy as np
import pytest
import torch

from dpidm_model.errors import CheckpointError, MissingFileError
from dpidm_model.handovers import BODY, FACE, LEFT_HAND
from dpidm_model.pose.detectors.openpose import FILES, OpenPose, _whole

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    package = pytest.importorskip("controlnet_aux.open_pose")
    model = pytest.importorskip("controlnet_aux.open_pose.model")
    face = pytest.importorskip("controlnet_aux.open_pose.face")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("openpose")
    torch.manual_seed(0)
    for name, network in (
        ("body_pose_model.pth", model.bodypose_model()),
        ("hand_pose_model.pth", model.handpose_model()),
    ):
        torch.save({k.split(".", 1)[1]: v for k, v in network.state_dict().items()}, folder / name)
    torch.save(face.FaceNet().state_dict(), folder / "facenet.pth")
    return folder


def test_random_networks_give_poses_in_the_common_form(weights):
    frames = [np.random.default_rng(f).integers(0, 256, (64, 48, 3)).astype(np.uint8) for f in range(2)]
    found = OpenPose.from_folders([weights], hands=False, face=False).detect(frames)
    assert len(found) == 2
    assert found.canvas == (48, 64)
    assert all(p.shape[1:] == (130, 3) for p in found.people)


def test_the_packages_results_are_scaled_to_the_frame():
    point = package.Keypoint
    body = package.BodyResult(keypoints=[point(0.5, 0.25)] + [None] * 17, total_score=1.0, total_parts=1)
    hand = [point(0.1, 0.2)] + [point(-1 / 48, -1 / 64)] * 20
    pose = _whole(package.PoseResult(body, hand, None, [point(0.3, 0.3)] * 71), (200, 100))
    assert pose[BODY][0].tolist() == [100, 25, 1]
    assert not pose[BODY][1:].any()
    assert pose[LEFT_HAND, 2].sum() == 1
    assert pose[FACE, 2].sum() == 70


def test_missing_and_broken_weights_are_explained(weights, tmp_path):
    with pytest.raises(MissingFileError, match=r"body_pose_model\.pth.*lllyasviel"):
        OpenPose.from_folders([tmp_path])
    for name in FILES:
        (tmp_path / name).write_bytes(b"broken")
    with pytest.raises(CheckpointError, match="lllyasviel"):
        OpenPose.from_folders([tmp_path])
