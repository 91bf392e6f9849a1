"""What every data set gives: Clips, read by frame numbers.

# F frames, H W pixel rows/columns, K joints
"""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from ...errors import InputError
from ...handovers import FACE, LEFT_HAND, RIGHT_HAND, GarmentLandmarks, PoseTrack


class UnreadableError(InputError):
    """A sample's file is missing, broken or does not fit the others; the message names the file."""


@dataclass(frozen=True, kw_only=True)
class ClipLatents:
    """Cached unscaled VAE latents, float16.  O: orientation, 0 as the clip is, 1 mirrored."""

    x0_OFCHW: np.ndarray
    agnostic_OFCHW: np.ndarray
    garment_OCHW: np.ndarray

    def mirrored(self) -> "ClipLatents":
        """Orientations exchanged."""
        return ClipLatents(
            x0_OFCHW=self.x0_OFCHW[::-1],
            agnostic_OFCHW=self.agnostic_OFCHW[::-1],
            garment_OCHW=self.garment_OCHW[::-1],
        )


@dataclass(frozen=True, kw_only=True)
class Clip:
    """Frames of one person in one garment, with all that conditions the network.

    frames_FHW3: uint8.  mask_FHW: uint8, 255 where the network may paint.  garment_HW3: uint8 product picture.
    pose: F frames.  landmarks: of the garment picture.  Pictures share H and W, the pose's and the landmarks' canvas.
    latents: cached ones; frames are then black and not to be used.
    origin_FHW3: float16, of cells of CELL pixels (training/correspondence.py): x, y in 0..1 of the garment picture
    where this cloth lies, and cover; None where nobody knows.
    """

    name: str
    frames_FHW3: np.ndarray
    mask_FHW: np.ndarray
    garment_HW3: np.ndarray
    pose: PoseTrack
    landmarks: GarmentLandmarks
    latents: ClipLatents | None = None
    origin_FHW3: np.ndarray | None = None

    def __post_init__(self):
        F, H, W, _ = self.frames_FHW3.shape
        if self.mask_FHW.shape != (F, H, W) or self.garment_HW3.shape != (H, W, 3) or len(self.pose) != F:
            raise UnreadableError(
                f"{self.name}: frames {self.frames_FHW3.shape}, mask {self.mask_FHW.shape}, garment "
                f"{self.garment_HW3.shape} and a pose of {len(self.pose)} frames do not fit together"
            )


class ClipSet(Protocol):
    """A data set. Images are clips of one frame.  video: whether any clip has more."""

    name: str
    video: bool

    def __len__(self) -> int:
        """Number of clips."""
        ...

    def frames_of(self, index: int) -> int:
        """Number of frames of clip `index` (read cheaply: files may still turn out broken)."""
        ...

    def read(self, index: int, frames: list[int]) -> Clip:
        """The clip's given frames at the set's size. Raises UnreadableError."""
        ...

    def read_random(self, index: int, count: int, rng: np.random.Generator) -> tuple[Clip, tuple[int, ...]]:
        """`count` random frames and their numbers, for phase (i). Raises UnreadableError."""
        ...


# Index of the mirrored joint: OpenPose body, and the 70 face points of the iBUG order (68 and two pupils).
_BODY_MIRROR = [0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16]
_FACE_MIRROR = [
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1), *range(45, 41, -1), 47, 46,
    *range(39, 35, -1), 41, 40, *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1), 69, 68,
]  # fmt: skip
_MIRROR = np.array(
    _BODY_MIRROR
    + [FACE.start + i for i in _FACE_MIRROR]
    + list(range(RIGHT_HAND.start, RIGHT_HAND.stop))
    + list(range(LEFT_HAND.start, LEFT_HAND.stop))
)
_GARMENT_MIRROR = np.array(_BODY_MIRROR[1:14]) - 1


def flip(clip: Clip) -> Clip:
    """Mirror all pictures; left and right joints and landmarks change places (they are the wearer's own)."""
    keypoints = mirror_points(clip.pose.keypoints_FK3, clip.pose.canvas[0])[:, _MIRROR]
    points = mirror_points(clip.landmarks.points_K3, clip.landmarks.canvas[0])[_GARMENT_MIRROR]
    return replace(
        clip,
        frames_FHW3=clip.frames_FHW3[:, :, ::-1],
        mask_FHW=clip.mask_FHW[:, :, ::-1],
        garment_HW3=clip.garment_HW3[:, ::-1],
        pose=replace(clip.pose, keypoints_FK3=keypoints),
        landmarks=replace(clip.landmarks, points_K3=points, visibility_K=clip.landmarks.visibility_K[_GARMENT_MIRROR]),
        latents=clip.latents.mirrored() if clip.latents else None,
        origin_FHW3=None if clip.origin_FHW3 is None else _mirror_origin(clip.origin_FHW3),
    )


def _mirror_origin(origin_FHW3: np.ndarray) -> np.ndarray:
    mirrored = origin_FHW3[:, :, ::-1].copy()
    mirrored[..., 0] = 1 - mirrored[..., 0]
    return mirrored


def mirror_points(points: np.ndarray, width: int) -> np.ndarray:
    """x -> width - x of present points (pixel areas, so that a picture's edge maps to its edge); (..., 3)."""
    mirrored = points.copy()
    mirrored[..., 0] = np.where(points[..., 2] > 0, width - points[..., 0], points[..., 0])
    return mirrored


def drop_joints(keypoints: np.ndarray, chance: float, rng: np.random.Generator) -> np.ndarray:
    """Each joint of each frame missing with probability `chance` (arXiv 2505.16980, sec. 4.1: 0.05); (..., K, 3)."""
    kept = rng.random(keypoints.shape[:-1]) >= chance
    return keypoints * kept[..., None].astype(keypoints.dtype)
