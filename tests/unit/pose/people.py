"""Made-up people with known motion, for tests."""

import numpy as np

from dpidm_model.handovers import DETECTED, JOINTS, PoseTrack

# body joints of a standing person of height 1 around (0, 0) at the neck; right is at negative x (facing us)
STANDING = np.array(
    [
        (0, -0.15), (0, 0), (-0.1, 0), (-0.13, 0.16), (-0.14, 0.3), (0.1, 0), (0.13, 0.16), (0.14, 0.3), (-0.07, 0.3),
        (-0.07, 0.52), (-0.07, 0.75), (0.07, 0.3), (0.07, 0.52), (0.07, 0.75), (-0.02, -0.17), (0.02, -0.17),
        (-0.05, -0.16), (0.05, -0.16),
    ]
)  # fmt: skip


def person(x: float, y: float, height: float, turn: float = 1.0) -> np.ndarray:
    """(130, 3): body only. turn: cosine of the turn, 1 facing us, 0 from the side, -1 from behind."""
    pose = np.zeros((JOINTS, 3), np.float32)
    pose[:18, :2] = STANDING * (height * turn, height) + (x, y)
    pose[:18, 2] = 1
    return pose


def track(poses, canvas: tuple[int, int] = (400, 600)) -> PoseTrack:
    poses = np.stack(poses).astype(np.float32)
    return PoseTrack(poses, canvas, np.full(len(poses), DETECTED, np.uint8))
