"""DW-Pose: whole-body poses from the two public ONNX files, run by onnxruntime.

The person detector looks at every k-th frame; in between boxes are interpolated, and poses are run in batches. A frame
whose interpolated boxes do not hold up is looked at again. Numbers agree with `rtmlib`, frame by frame.
N people, K=133 COCO-WholeBody or 130 OpenPose joints; sizes (width, height).
"""

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...errors import CheckpointError, InputError, MissingFileError
from ...handovers import BODY, FACE, JOINTS, LEFT_HAND, RIGHT_HAND
from ..looks import looks
from .base import CutFinder, Detections, checked_frames, stack_people
from .download import RemoteFile, fetch
from .onnx_session import Session
from .yolox import YoloX

log = logging.getLogger(__name__)

REPO = "yzd-v/DWPose"
DETECTOR = RemoteFile(
    REPO, "yolox_l.onnx", "7860ae79de6c89a3c1eb72ae9a2756c0ccfbe04b7791bb5880afabd97855a411", 216_746_733
)
POSE = RemoteFile(
    REPO, "dw-ll_ucoco_384.onnx", "724f4ff2439ed61afb86fb8a1951ec39c6220682803b4a8bd4f598cd913b1843", 134_399_116
)
SIZE = (288, 384)
MEAN, STD = np.array((123.675, 116.28, 103.53)), np.array((58.395, 57.12, 57.375))
# (1, 256, 3): what each channel's values become; a table, because the division would be half of the preparation's time
NORMAL = ((np.arange(256)[:, None] - MEAN) / STD).astype(np.float32)[None]
PADDING = 1.25
MIN_SCORE = 0.3
# OpenPose body joint <- COCO joint (-1: neck, the middle of the shoulders 5 and 6)
BODY_FROM_COCO = (0, -1, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
COCO_FACE, COCO_LEFT_HAND, COCO_RIGHT_HAND = slice(23, 91), slice(91, 112), slice(112, 133)


@dataclass(frozen=True, kw_only=True)
class DWPoseConfig:
    """detect_every: frames between looks of the person detector (1: every frame, as rtmlib does).
    batch: poses run at once.  max_people: per frame, best scores first.  threads: CPU threads, 0 = onnxruntime's.
    """

    detect_every: int = 6
    batch: int = 8
    max_people: int = 10
    threads: int = 0

    def __post_init__(self):
        if self.detect_every < 1 or self.batch < 1 or self.max_people < 1:
            raise InputError("detect_every, batch and max_people must be at least 1")


def present(folders: list[Path]) -> bool:
    """Whether both files can be found."""
    return all(find(file.name, folders) for file in (DETECTOR, POSE))


def find(name: str, folders: list[Path]) -> Path | None:
    """The first folder's file of that name, or None."""
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def locate(file: RemoteFile, folders: list[Path], on_bytes: Callable[[int, int], None] | None = None) -> Path:
    """The file where it is, or downloaded into the first folder. Raises MissingFileError with names and places."""
    path = find(file.name, folders)
    if path is None and folders:
        try:
            return fetch(file, folders[0], on_bytes)
        except MissingFileError as error:
            reason = str(error)
    elif path is None:
        reason = "no model folder is known"
    else:
        return path
    searched = ", ".join(str(folder) for folder in folders)
    raise MissingFileError(
        f"{file.name} of DW-Pose was not found and not downloaded: {reason}. Download {DETECTOR.name} and {POSE.name} "
        f"from https://huggingface.co/{REPO} and put them into one of: {searched}; or choose the blazepose backend"
    )


class DWPose:
    """The backend."""

    def __init__(self, detector: Path, pose: Path, config: DWPoseConfig | None = None):
        self.config = config or DWPoseConfig()
        self._boxes = YoloX(detector, self.config.threads, MIN_SCORE)
        self._pose = Session(pose, SIZE, self.config.threads)

    @classmethod
    def from_folders(
        cls,
        folders: list[Path],
        config: DWPoseConfig | None = None,
        on_bytes: Callable[[int, int], None] | None = None,
    ) -> "DWPose":
        """With the files from the first folder that has them, or downloaded."""
        return cls(locate(DETECTOR, folders, on_bytes), locate(POSE, folders, on_bytes), config)

    def detect(self, frames: Iterable[np.ndarray], on_frame: Callable[[int], None] | None = None) -> Detections:
        """Everybody in every frame (detectors.base.Detector)."""
        people: list[np.ndarray] = []
        seen: list[np.ndarray] = []
        cuts: list[int] = []
        canvas = (1, 1)
        before: np.ndarray | None = None  # boxes in the frame just before the shot, if that is of the same scene
        for shot in self._shots(checked_frames(frames), cuts):
            canvas = shot[0].shape[1], shot[0].shape[0]
            if len(people) in cuts:
                before = None
            found, before = self._shot(shot, before)
            for frame, poses in zip(shot, found):
                people.append(poses)
                seen.append(looks(frame, poses, bgr=True))
                if on_frame:
                    on_frame(len(people))
        return Detections(tuple(people), canvas, tuple(cuts), looks=tuple(seen))

    def detect_in_boxes(self, frame: np.ndarray, boxes_N4: np.ndarray) -> np.ndarray:
        """One pose per given box (x0, y0, x1, y1) of an RGB frame: (N, 130, 3)."""
        coco = self._poses([frame[..., ::-1]] * len(boxes_N4), list(boxes_N4))
        return stack_people([openpose_from_coco(c) for c in coco])

    # ------------------------------------------------------------------------------------------ a few frames at once

    def _shots(self, frames: Iterable[np.ndarray], cuts: list[int]) -> Iterator[list[np.ndarray]]:
        """Runs of at most detect_every BGR frames that hold no cut; cut positions are noted."""
        is_cut = CutFinder()
        shot: list[np.ndarray] = []
        for index, frame in enumerate(frames):
            cut = is_cut(frame)
            if cut:
                cuts.append(index)
            if shot and (cut or len(shot) >= self.config.detect_every):
                yield shot
                shot = []
            shot.append(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        yield shot

    def _shot(self, shot: list[np.ndarray], before_N4: np.ndarray | None) -> tuple[list[np.ndarray], np.ndarray]:
        """Per frame the poses (N, 130, 3), and the boxes of the last frame.

        before_N4: boxes in the frame before, or None. The detector looks at the last frame only, as long as its boxes
        agree with those before and the poses in between hold up.
        """
        last = self._look([shot[-1]])[0]
        boxes = interpolate(before_N4, last, len(shot) + 1)[1:] if before_N4 is not None else []
        if not boxes:
            first = self._look([shot[0]])[0] if len(shot) > 1 else last
            boxes = interpolate(first, last, len(shot)) or [first, *self._look(shot[1:-1]), last]
        poses = self._whole(shot, boxes)
        usual = holds_up(poses[-1], last)  # where poses do not fill even detected boxes, the test says nothing
        again = [i for i, found in enumerate(poses[:-1]) if usual and not holds_up(found, boxes[i])]
        if again:
            frames = [shot[i] for i in again]
            for index, found in zip(again, self._whole(frames, self._look(frames))):
                poses[index] = found
        return poses, last

    def _look(self, frames: list[np.ndarray]) -> list[np.ndarray]:
        """People's boxes in frames, a batch at a time."""
        found = []
        for start in range(0, len(frames), self.config.batch):
            part = frames[start : start + self.config.batch]
            found += [boxes[: self.config.max_people] for boxes, _ in self._boxes(part)]
        return found

    def _whole(self, frames: list[np.ndarray], boxes: list[np.ndarray]) -> list[np.ndarray]:
        """Poses of all boxes of all frames, in batches; per frame (N, 130, 3)."""
        owners = [index for index, b in enumerate(boxes) for _ in b]
        coco = self._poses([frames[i] for i in owners], [box for b in boxes for box in b])
        grouped: list[list[np.ndarray]] = [[] for _ in frames]
        for owner, points in zip(owners, coco):
            grouped[owner].append(openpose_from_coco(points))
        return [stack_people(group) for group in grouped]

    def _poses(self, frames: list[np.ndarray], boxes: list[np.ndarray]) -> list[np.ndarray]:
        """COCO-WholeBody (133, 3) of each pair of BGR frame and box."""
        poses: list[np.ndarray] = []
        for pairs in _batched(zip(frames, boxes), self.config.batch):
            cuts = [cut_out(frame, box) for frame, box in pairs]
            outputs = self._pose(cv2.dnn.blobFromImages([picture for picture, _, _ in cuts]))
            simcc_x, simcc_y = self._checked(outputs)
            poses += [decode(x, y, centre, scale) for x, y, (_, centre, scale) in zip(simcc_x, simcc_y, cuts)]
        return poses

    def _checked(self, outputs: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        shapes = [output.shape[1:] for output in outputs]
        expected = [(133, 2 * SIZE[0]), (133, 2 * SIZE[1])]
        if shapes != expected:
            raise CheckpointError(
                f"{self._pose.path} gives outputs {shapes}, expected {expected}; use {POSE.name} of {REPO}"
            )
        return outputs[0], outputs[1]


def _batched(items: Iterable, count: int) -> Iterator[list]:
    iterator = iter(items)
    while part := list(itertools.islice(iterator, count)):
        yield part


def cut_out(frame: np.ndarray, box_4: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The network's input (384, 288, 3) float32 for one box, with the centre and size (width, height) it covers.

    Channel order is the frame's; the published pipelines hand BGR to means listed in RGB order, and so does this.
    """
    box = np.asarray(box_4, np.float64)
    centre, scale = (box[:2] + box[2:]) * 0.5, (box[2:] - box[:2]) * PADDING
    aspect = SIZE[0] / SIZE[1]
    scale = np.array([scale[0], scale[0] / aspect] if scale[0] > scale[1] * aspect else [scale[1] * aspect, scale[1]])
    half, middle = scale[0] * 0.5, np.array(SIZE) * 0.5
    reach = SIZE[0] * 0.5
    source = np.array([centre, centre - (0, half), centre - (half, half)], np.float32)
    target = np.array([middle, middle - (0, reach), middle - (reach, reach)], np.float32)
    picture = cv2.warpAffine(frame, cv2.getAffineTransform(source, target), SIZE, flags=cv2.INTER_LINEAR)
    return cv2.LUT(picture, NORMAL), centre, scale


def decode(simcc_x_KW: np.ndarray, simcc_y_KH: np.ndarray, centre_2: np.ndarray, scale_2: np.ndarray) -> np.ndarray:
    """(K, 3): x, y in frame pixels and score (mean of the two maxima) from two one-dimensional heat maps per joint."""
    places = np.stack([simcc_x_KW.argmax(axis=1), simcc_y_KH.argmax(axis=1)], axis=-1).astype(np.float32)
    scores = 0.5 * (simcc_x_KW.max(axis=1) + simcc_y_KH.max(axis=1))
    places[scores <= 0] = -1
    points = places / 2.0 / np.array(SIZE) * scale_2 + centre_2 - scale_2 / 2
    return np.concatenate([points, scores[:, None]], axis=1)


def openpose_from_coco(coco_K3: np.ndarray, min_score: float = MIN_SCORE) -> np.ndarray:
    """(133, 3) COCO-WholeBody -> (130, 3) OpenPose body, face (with the eyes as pupils), hands; below min_score: 0."""
    pose = np.zeros((JOINTS, 3))
    body = coco_K3[list(BODY_FROM_COCO)].copy()
    shoulders = coco_K3[[5, 6]]
    body[1] = [*shoulders[:, :2].mean(axis=0), shoulders[:, 2].min()]
    pose[BODY] = body
    pose[FACE] = np.concatenate([coco_K3[COCO_FACE], body[[14, 15]]])
    pose[LEFT_HAND], pose[RIGHT_HAND] = coco_K3[COCO_LEFT_HAND], coco_K3[COCO_RIGHT_HAND]
    pose[~(pose[:, 2] >= min_score)] = 0
    pose[:, 2] = np.clip(pose[:, 2], 0, 1)
    return pose


# ---------------------------------------------------------------------------------------------- between two looks


def interpolate(first_N4: np.ndarray, last_N4: np.ndarray, count: int) -> list[np.ndarray]:
    """Boxes of `count` frames from those of the first and last; [] where people came, left or cannot be matched."""
    if count == 1:
        return [first_N4]
    if len(first_N4) != len(last_N4):
        return []
    partner = []
    for box in first_N4:
        overlaps = [_iou(box, other) for other in last_N4]
        best = int(np.argmax(overlaps))
        if overlaps[best] < 0.4 or best in partner:
            return []
        partner.append(best)
    other_N4 = last_N4[partner] if partner else last_N4
    steps = np.linspace(0, 1, count)
    return [first_N4, *((1 - t) * first_N4 + t * other_N4 for t in steps[1:-1]), last_N4]


def holds_up(poses_N: np.ndarray, boxes_N4: np.ndarray) -> bool:
    """Whether poses found in interpolated boxes fill them as a detected person would."""
    for pose, box in zip(poses_N, boxes_N4):
        seen = pose[BODY][pose[BODY, 2] > 0, :2]
        if len(seen) < 5:
            return False
        extent, size = seen.max(axis=0) - seen.min(axis=0), box[2:] - box[:2]
        low, high = box[:2] - 0.1 * size, box[2:] + 0.1 * size
        outside = ((seen < low) | (seen > high)).any(axis=1).mean()
        if outside > 0.2 or (extent / np.maximum(size, 1)).max() < 0.4:
            return False
    return True


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    inner = np.prod(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None))
    return float(inner / max(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - inner, 1e-9))
