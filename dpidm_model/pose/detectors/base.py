"""What every pose backend gives back, and the helpers they share.

N people in a frame, F frames, K=130 joints (handovers.PoseTrack order), sizes (width, height).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from ...errors import InputError
from ...handovers import BODY, JOINTS
from ..schema import ParsedPose


@dataclass(frozen=True)
class Detections(ParsedPose):
    """All people of a clip as a backend saw them, not yet linked over time.

    people: per frame (N, 130, 3) float32, x, y in pixels of `canvas`, confidence in 0..1 (0 = missing, x = y = 0).
    cuts: indices of frames that start a new scene (never 0).
    front: per frame (N,) float in -1..1, how much speaks for the person facing the camera (+) or turned away (-),
    apart from the names of left and right in `people`; empty if the backend has no such evidence.
    looks: per frame (N, D) what people look like (see pose.looks); empty if the frames were not at hand.
    """

    cuts: tuple[int, ...] = ()
    front: tuple[np.ndarray, ...] = ()
    looks: tuple[np.ndarray, ...] = ()


class Detector(Protocol):
    """A pose backend: reads frames one by one (never the whole clip), returns everybody it saw."""

    def detect(self, frames: Iterable[np.ndarray], on_frame: Callable[[int], None] | None = None) -> Detections:
        """frames: RGB uint8 (H, W, 3) of one size.  on_frame: called with the number of frames done."""
        ...


def checked_frames(frames: Iterable[np.ndarray]) -> Iterable[np.ndarray]:
    """Pass frames on, refusing empty clips, other dtypes and sizes that change within the clip."""
    size = None
    for index, frame in enumerate(frames):
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or min(frame.shape[:2]) < 1:
            raise InputError(f"frame {index} is {frame.dtype} {frame.shape}; expected uint8 (height, width, 3)")
        if size is not None and frame.shape != size:
            raise InputError(f"frame {index} has size {frame.shape}, the first one {size}; resize them alike")
        size = frame.shape
        yield frame
    if size is None:
        raise InputError("the clip has no frames; expected at least one")


def pose_box(keypoints_K3: np.ndarray) -> np.ndarray | None:
    """(x0, y0, x1, y1) around the present body joints; None if there is none."""
    present = keypoints_K3[BODY][keypoints_K3[BODY, 2] > 0]
    if len(present) == 0:
        return None
    return np.concatenate([present[:, :2].min(axis=0), present[:, :2].max(axis=0)])


def stack_people(people: list[np.ndarray]) -> np.ndarray:
    """(N, 130, 3) from a list of (130, 3), also when it is empty; missing joints are all zero."""
    stacked = np.stack(people).astype(np.float32) if people else np.zeros((0, JOINTS, 3), np.float32)
    stacked[stacked[..., 2] <= 0] = 0
    return stacked


SAMPLED = 256  # rows or columns of a frame that CutFinder looks at, or up to twice as many


class CutFinder:
    """Says for each frame whether it starts a new scene: its small colour picture differs much from the last one's.

    Not in the paper: a cut is a mean absolute difference above `threshold` of 255 on a 32x32 picture AND four times
    the recent motion, so that fast motion of the whole picture does not count.
    """

    def __init__(self, threshold: float = 28.0):
        self._threshold = threshold
        self._last: np.ndarray | None = None
        self._motion = 0.0

    def __call__(self, frame: np.ndarray) -> bool:
        step = max(1, min(frame.shape[:2]) // SAMPLED)
        sampled = np.ascontiguousarray(frame[::step, ::step])
        small = cv2.resize(sampled, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
        last, self._last = self._last, small
        if last is None:
            return False
        difference = float(np.abs(small - last).mean())
        cut = difference > max(self._threshold, 4 * self._motion)
        self._motion = 0.0 if cut else 0.7 * self._motion + 0.3 * difference
        return cut
