"""Skeletons: rigid bones, plausible joints, gestures and turning."""

from dataclasses import replace

import numpy as np
import pytest

from dpidm_model.handovers import BODY_NAMES, FACE
from dpidm_model.world.motion import SIDES, make_figure, make_motion, pose_skeleton, rotation
from dpidm_model.world.person import Part, make_person, person_mesh
from dpidm_model.world.render import Camera
from dpidm_model.world.truth import pose_track

T = np.arange(16) / 8


def skeleton_of(seed: int):
    rng = np.random.default_rng(seed)
    figure = make_figure(rng)
    return figure, pose_skeleton(figure, make_motion(rng, T))


@pytest.mark.parametrize("seed", range(6))
def test_bones_keep_their_length(seed):
    figure, skeleton = skeleton_of(seed)
    bones = {("shoulder", "elbow"): figure.upper_arm, ("elbow", "wrist"): figure.forearm}
    bones |= {("hip", "knee"): figure.thigh, ("knee", "ankle"): figure.shin}
    for side in SIDES:
        for (a, b), length in bones.items():
            found = np.linalg.norm(skeleton.joints[f"{side}_{a}"] - skeleton.joints[f"{side}_{b}"], axis=-1)
            np.testing.assert_allclose(found, length, rtol=0.01)


@pytest.mark.parametrize("seed", range(6))
def test_wrists_stay_out_of_the_belly_and_motion_is_smooth(seed):
    figure, skeleton = skeleton_of(seed)
    for side in SIDES:
        wrist = skeleton.joints[f"{side}_wrist"]
        local = np.einsum("fji,fj->fi", skeleton.chest_F33, wrist - skeleton.joints["chest_top"])
        beside = (local[:, 1] > 0.05) & (local[:, 1] < figure.torso)
        assert (np.hypot(local[:, 0] / 0.13, local[:, 2] / 0.09)[beside] > 1).all()
        assert np.linalg.norm(np.diff(wrist, axis=0), axis=-1).max() < 0.45  # metres in an eighth of a second


def test_rotation_is_a_rotation_and_faces_the_viewer_at_zero():
    rng = np.random.default_rng(0)
    matrix = rotation(*rng.normal(size=(3, 20)))
    np.testing.assert_allclose(matrix @ matrix.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (20, 3, 3)), atol=1e-5)
    np.testing.assert_allclose(np.linalg.det(matrix), 1, atol=1e-5)
    np.testing.assert_allclose(rotation(*np.zeros((3, 1)))[0], np.eye(3), atol=1e-7)


def camera(size=(300, 400)) -> Camera:
    return Camera(np.full(16, 190.0, np.float32), np.tile(np.float32([[0, -0.87]]), (16, 1)), size)


def test_pose_of_a_person_facing_us_and_of_one_facing_away():
    rng = np.random.default_rng(4)
    plan = make_motion(rng, T, turning=0.0)
    still = replace(plan, yaw_F=np.zeros(16), twist_F=np.zeros(16), head_F3=np.zeros((16, 3)))
    front = make_person(np.random.default_rng(1), still)
    back = make_person(np.random.default_rng(1), replace(still, yaw_F=np.full(16, np.pi)))
    at = BODY_NAMES.index
    seen = pose_track(front, camera()).keypoints_FK3
    away = pose_track(back, camera()).keypoints_FK3
    assert (seen[:, at("r_shoulder"), 0] < seen[:, at("l_shoulder"), 0]).all()  # the wearer's right is at our left
    assert (away[:, at("r_shoulder"), 0] > away[:, at("l_shoulder"), 0]).all()
    assert (seen[:, [at("nose"), at("l_eye")], 2] == 1).all()
    assert (away[:, [at("nose"), at("l_eye")], 2] == 0).all()
    assert seen[:, FACE, 2].mean() > 0.95
    assert (away[:, FACE, 2] == 0).all()
    np.testing.assert_allclose(
        seen[:, at("neck"), :2], (seen[:, at("r_shoulder"), :2] + seen[:, at("l_shoulder"), :2]) / 2, atol=1.0
    )


def test_meshes_face_outwards_and_lie_around_their_bones():
    rng = np.random.default_rng(2)
    person = make_person(rng, make_motion(rng, T))
    mesh, texture = person_mesh(rng, person, 120.0)
    assert np.isfinite(mesh.vertices_FV3).all()
    assert mesh.uv_V2.min() >= 0
    assert (mesh.uv_V2.max(0) <= np.array(texture.shape[1::-1])).all()
    corners = mesh.vertices_FV3[0][mesh.triangles_T3]
    outward = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    middle = corners.mean(1)
    for part, joint in ((Part.HEAD, "head"), (Part.TRUNK, "chest_top")):
        pick = mesh.part_T == part
        away = middle[pick] - person.skeleton.joints[joint][0] * np.array([1, 0, 1]) - middle[pick] * [0, 1, 0]
        sense = (outward[pick] * away).sum(-1)
        assert (sense > 0)[np.abs(sense) > 1e-8].mean() > 0.9
