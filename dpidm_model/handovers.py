"""What one stage hands to the next: frozen dataclasses, checked once when they are made.

F frames, K joints, H W pixel rows/columns. Coordinates are pixels of `canvas` = (width, height), x to the right, y
down; left and right are the person's (the wearer's) own.
"""

from dataclasses import dataclass, replace

import numpy as np

from .errors import InputError

# The K=130 joints of a PoseTrack: OpenPose body, face, hands, in POSE_KEYPOINT's order of arrays.
BODY = slice(0, 18)
FACE = slice(18, 88)
LEFT_HAND = slice(88, 109)
RIGHT_HAND = slice(109, 130)
JOINTS = 130

BODY_NAMES = [
    "nose",
    "neck",
    "r_shoulder",
    "r_elbow",
    "r_wrist",
    "l_shoulder",
    "l_elbow",
    "l_wrist",
    "r_hip",
    "r_knee",
    "r_ankle",
    "l_hip",
    "l_knee",
    "l_ankle",
    "r_eye",
    "l_eye",
    "r_ear",
    "l_ear",
]

# The 13 garment landmarks are the OpenPose body joints 1..13, so both skeletons share indices and colours.
GARMENT_SLOTS = tuple(BODY_NAMES[1:14])
CATEGORIES = ("upper", "lower", "dress")
SLEEVES = ("none", "short", "long")

# provenance of a frame's pose
MISSING, DETECTED, FILLED = 0, 1, 2


@dataclass(frozen=True)
class PoseTrack:
    """One person's pose over a clip.

    keypoints_FK3: (F, 130, 3) float32: x, y in pixels of `canvas`, confidence in 0..1 (0 = joint missing, x = y = 0).
    canvas: (width, height) in pixels.
    provenance_F: (F,) uint8: MISSING, DETECTED or FILLED (interpolated between detections).
    """

    keypoints_FK3: np.ndarray
    canvas: tuple[int, int]
    provenance_F: np.ndarray

    def __post_init__(self):
        k = self.keypoints_FK3
        if k.ndim != 3 or k.shape[1:] != (JOINTS, 3):
            raise InputError(f"pose keypoints have shape {k.shape}; expected (frames, {JOINTS}, 3)")
        if self.provenance_F.shape != (len(k),):
            raise InputError(f"pose has {len(k)} frames but {self.provenance_F.shape} provenance entries")
        if not np.isfinite(k).all():
            raise InputError("pose keypoints contain NaN or infinite numbers; remove those joints (set x, y, c to 0)")
        if min(self.canvas) < 1:
            raise InputError(f"pose canvas is {self.canvas}; expected a positive width and height")

    def __len__(self) -> int:
        return len(self.keypoints_FK3)

    def scaled(self, canvas: tuple[int, int]) -> "PoseTrack":
        """The same pose on a canvas of another size (width, height)."""
        factor = np.array([canvas[0] / self.canvas[0], canvas[1] / self.canvas[1], 1], np.float32)
        return replace(self, keypoints_FK3=self.keypoints_FK3 * factor, canvas=canvas)


@dataclass(frozen=True)
class GarmentLandmarks:
    """Landmarks of one garment picture (slots: GARMENT_SLOTS).

    points_K3: (13, 3) float32: x, y in pixels of `canvas`, confidence in 0..1.
    visibility_K: (13,) uint8: 0 absent, 1 inferred (folded, hidden, cropped), 2 seen.
    category: one of CATEGORIES.  sleeve: one of SLEEVES.
    """

    points_K3: np.ndarray
    visibility_K: np.ndarray
    canvas: tuple[int, int]
    category: str
    sleeve: str = "none"

    def __post_init__(self):
        if self.points_K3.shape != (13, 3) or self.visibility_K.shape != (13,):
            raise InputError(
                f"garment landmarks have shapes {self.points_K3.shape} and {self.visibility_K.shape}; "
                "expected (13, 3) and (13,)"
            )
        if not np.isfinite(self.points_K3).all():
            raise InputError("garment landmarks contain NaN or infinite numbers; set absent points to 0")
        if self.category not in CATEGORIES:
            raise InputError(f"garment category {self.category!r} is not one of {', '.join(CATEGORIES)}")
        if self.sleeve not in SLEEVES:
            raise InputError(f"sleeve {self.sleeve!r} is not one of {', '.join(SLEEVES)}")


@dataclass(frozen=True)
class CropPlan:
    """Where each frame's working picture lies in its source frame.

    boxes_F4: (F, 4) float32: x0, y0, width, height in source pixels (may reach outside; outside is edge-padded).
    size: (width, height) of the working picture.  source_size: (width, height) of the source frames.
    """

    boxes_F4: np.ndarray
    size: tuple[int, int]
    source_size: tuple[int, int]

    def __post_init__(self):
        if self.boxes_F4.ndim != 2 or self.boxes_F4.shape[1] != 4 or not (self.boxes_F4[:, 2:] > 0).all():
            raise InputError(f"crop boxes have shape {self.boxes_F4.shape}; expected (frames, 4) with positive sizes")
