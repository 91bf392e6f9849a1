"""Poses as the network sees them: drawn pictures, the same way in training and in use.

F frames, H W pixels.
"""

import numpy as np
import torch
from torch import Tensor

from ..handovers import GarmentLandmarks, PoseTrack
from .draw import draw_garment, draw_pose, small_half_width

SMALL = 512  # below this longest side, lines are drawn thinner than the ecosystem's 4 px, in proportion


def _half_width(size: tuple[int, int]) -> float | None:
    return small_half_width(size) if max(size) < SMALL else None


def pose_pictures(track: PoseTrack, size: tuple[int, int]) -> Tensor:
    """Every frame's pose, drawn at `size` = (width, height). Returns (F, 3, H, W) float32 in 0..1."""
    drawn = [draw_pose(k, track.canvas, size, half_width=_half_width(size)) for k in track.keypoints_FK3]
    return _to_tensor(np.stack(drawn))


def garment_picture(landmarks: GarmentLandmarks, size: tuple[int, int]) -> Tensor:
    """The garment's landmarks drawn at `size` = (width, height). Returns (1, 3, H, W) float32 in 0..1."""
    return _to_tensor(draw_garment(landmarks, size, half_width=_half_width(size))[None])


def _to_tensor(pictures_FHWC: np.ndarray) -> Tensor:
    return torch.from_numpy(pictures_FHWC).permute(0, 3, 1, 2).float() / 255
