"""OpenPose by the controlnet-aux package, for those who have its weights. N people, K=130 joints."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import CheckpointError, MissingFileError, require
from ...handovers import BODY, FACE, JOINTS, LEFT_HAND, RIGHT_HAND
from ..looks import looks
from .base import CutFinder, Detections, checked_frames, stack_people

FILES = ("body_pose_model.pth", "hand_pose_model.pth", "facenet.pth")
PIXELS = 512


class OpenPose:
    """The backend. folder: where FILES are."""

    def __init__(self, folder: Path, *, hands: bool = True, face: bool = True, device: str = "cpu"):
        module = require("controlnet_aux.open_pose", pip="controlnet-aux", needed_for="the OpenPose backend")
        try:
            self._detector = module.OpenposeDetector.from_pretrained(str(folder)).to(device)
        except Exception as error:  # unpickling and key errors of any kind: the file is not what it should be
            raise CheckpointError(
                f"the OpenPose weights in {folder} cannot be loaded ({type(error).__name__}: {error}); "
                f"fetch {', '.join(FILES)} from lllyasviel/Annotators again"
            ) from error
        self._parts = {"include_hand": hands, "include_face": face}

    @classmethod
    def from_folders(cls, folders: list[Path], *, hands: bool = True, face: bool = True) -> "OpenPose":
        """With the weights from the first folder that has them. Raises MissingFileError with names and places."""
        for folder in folders:
            if all((folder / name).is_file() for name in FILES):
                return cls(folder, hands=hands, face=face)
        raise MissingFileError(
            f"the OpenPose weights ({', '.join(FILES)}) were not found; download them from "
            f"https://huggingface.co/lllyasviel/Annotators into one of: {', '.join(map(str, folders))}"
        )

    def detect(self, frames: Iterable[np.ndarray], on_frame: Callable[[int], None] | None = None) -> Detections:
        """Everybody in every frame (detectors.base.Detector)."""
        people, seen, cuts = [], [], []
        is_cut = CutFinder()
        canvas = (1, 1)
        for index, frame in enumerate(checked_frames(frames)):
            canvas = frame.shape[1], frame.shape[0]
            if is_cut(frame):
                cuts.append(index)
            found = self._detector.detect_poses(self._sized(frame), **self._parts)
            people.append(stack_people([_whole(person, canvas) for person in found]))
            seen.append(looks(frame, people[-1]))
            if on_frame:
                on_frame(index + 1)
        return Detections(tuple(people), canvas, tuple(cuts), looks=tuple(seen))

    @staticmethod
    def _sized(frame: np.ndarray) -> np.ndarray:
        """The frame at the size the package runs at: short side 512, sides multiples of 64."""
        util = require("controlnet_aux.util", pip="controlnet-aux", needed_for="the OpenPose backend")
        return util.resize_image(frame, PIXELS)


def _whole(person: Any, canvas: tuple[int, int]) -> np.ndarray:
    """(130, 3) in pixels from the package's result in 0..1."""
    pose = np.zeros((JOINTS, 3))
    parts = ((BODY, person.body.keypoints), (LEFT_HAND, person.left_hand), (RIGHT_HAND, person.right_hand))
    for part, points in (*parts, (FACE, person.face)):
        for index, point in enumerate(points or []):
            if point is not None and point.x >= 0 and point.y >= 0 and part.start + index < part.stop:
                pose[part.start + index] = (point.x * canvas[0], point.y * canvas[1], 1)
    return pose
