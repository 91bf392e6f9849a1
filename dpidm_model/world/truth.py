"""What is known exactly about a clip: the human pose, visible parts, and where every point of the cloth moves.

F frames, K joints, N pixels, V vertices, H W pixel rows/columns.
"""

import numpy as np

from ..handovers import BODY_NAMES, DETECTED, FACE, JOINTS, LEFT_HAND, RIGHT_HAND, PoseTrack
from .body import head_points
from .person import Person
from .render import Camera

# body joints on the head: (angle from the front in radians, positive to the person's left; depth below the crown; out)
HEAD_JOINTS = {
    "nose": (0.0, 0.62, 0.10),
    "r_eye": (-0.40, 0.478, 0.0),
    "l_eye": (0.40, 0.478, 0.0),
    "r_ear": (-1.72, 0.53, 0.0),
    "l_ear": (1.72, 0.53, 0.0),
}


def _face_table() -> np.ndarray:
    """The 70 face points of OpenPose (68 of the usual landmark scheme and two pupils): angle, depth, out: (70, 3)."""
    jaw = [
        (a, np.interp(abs(a), [0, 0.35, 0.8, 1.45], [1.0, 0.985, 0.87, 0.52]), 0) for a in np.linspace(-1.45, 1.45, 17)
    ]
    brow = [(-0.65, 0.42), (-0.54, 0.40), (-0.42, 0.395), (-0.30, 0.40), (-0.18, 0.415)]
    brows = [(a, d, 0) for a, d in brow] + [(-a, d, 0) for a, d in reversed(brow)]
    bridge = [(0, 0.47, 0.0), (0, 0.52, 0.03), (0, 0.57, 0.065), (0, 0.62, 0.10)]
    nostrils = [(a, d, 0.03) for a, d in [(-0.16, 0.66), (-0.08, 0.67), (0, 0.675), (0.08, 0.67), (0.16, 0.66)]]
    eye = [(-0.585, 0.478), (-0.48, 0.458), (-0.34, 0.455), (-0.215, 0.48), (-0.32, 0.497), (-0.48, 0.497)]
    left = [(-eye[i][0], eye[i][1]) for i in (3, 2, 1, 0, 5, 4)]
    eyes = [(a, d, 0) for a, d in eye + left]
    outer = [(-0.30, 0.765), (-0.2, 0.75), (-0.1, 0.741), (0, 0.746), (0.1, 0.741), (0.2, 0.75), (0.30, 0.765)]
    outer += [(0.2, 0.786), (0.1, 0.795), (0, 0.797), (-0.1, 0.795), (-0.2, 0.786)]
    inner = [
        (-0.25, 0.766),
        (-0.1, 0.762),
        (0, 0.764),
        (0.1, 0.762),
        (0.25, 0.766),
        (0.1, 0.769),
        (0, 0.77),
        (-0.1, 0.769),
    ]
    mouth = [(a, d, 0.015) for a, d in outer + inner]
    pupils = [(-0.40, 0.476, 0), (0.40, 0.476, 0)]
    return np.array(jaw + brows + bridge + nostrils + eyes + mouth + pupils, np.float32)


FACE_POINTS = _face_table()


def pose_track(person: Person, camera: Camera) -> PoseTrack:
    """The exact human pose on the camera's canvas.

    Joints outside the picture have confidence 0, and so have face points on the far side of the head; body and hand
    joints hidden behind the body keep confidence 1, as detectors guess them too.
    """
    skeleton, figure = person.skeleton, person.figure
    frames = len(camera.scale_F)
    table = np.concatenate([np.array(list(HEAD_JOINTS.values()), np.float32), FACE_POINTS])
    head_FK3 = head_points(figure, skeleton, table)
    outward_FK3 = head_FK3 - skeleton.joints["head"][:, None]
    reach_K = np.where(np.abs(table[:, 0]) > 1.5, -0.45, 0.0)  # ears are seen from well behind
    facing_FK = outward_FK3[..., 2] / np.linalg.norm(outward_FK3, axis=-1) > reach_K
    world_FK3 = np.zeros((frames, JOINTS, 3), np.float32)
    seen_FK = np.ones((frames, JOINTS), bool)
    for index, name in enumerate(BODY_NAMES):
        if name in HEAD_JOINTS:
            which = list(HEAD_JOINTS).index(name)
            world_FK3[:, index], seen_FK[:, index] = head_FK3[:, which], facing_FK[:, which]
        else:
            world_FK3[:, index] = skeleton.joints[name]
    world_FK3[:, FACE], seen_FK[:, FACE] = head_FK3[:, len(HEAD_JOINTS) :], facing_FK[:, len(HEAD_JOINTS) :]
    world_FK3[:, LEFT_HAND], world_FK3[:, RIGHT_HAND] = person.hands["l"], person.hands["r"]
    keypoints_FK3 = camera.project(world_FK3)
    width, height = camera.size
    x, y = keypoints_FK3[..., 0], keypoints_FK3[..., 1]
    seen_FK &= (x >= 0) & (x < width) & (y >= 0) & (y < height)
    keypoints_FK3[..., 2] = 1
    keypoints_FK3[~seen_FK] = 0
    return PoseTrack(keypoints_FK3, camera.size, np.full(frames, DETECTED, np.uint8))
