"""BlazePose: whole-body poses without any download hub, from MediaPipe's networks run by ai-edge-litert.

A person detector looks at the whole frame now and then; in between each person's region follows from the last frame's
landmarks (position, size and rotation). Hands and face are cut out around the body's own landmarks and refined.
K=130 joints, N people.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from ...handovers import BODY, FACE, JOINTS, LEFT_HAND, RIGHT_HAND
from ..looks import looks
from . import tflite
from .base import CutFinder, Detections, checked_frames, stack_people
from .rois import Roi, roi_around_axis, roi_around_points, shifted, upright_angle

# OpenPose body joint -> BlazePose landmark; the neck (index 1) is the middle of the shoulders.
BODY_FROM_BLAZE = (0, -1, 12, 14, 16, 11, 13, 15, 24, 26, 28, 23, 25, 27, 5, 2, 8, 7)
WRIST_PINKY_INDEX = {"left": (15, 17, 19), "right": (16, 18, 20)}
HAND_PARTS = {"left": LEFT_HAND, "right": RIGHT_HAND}
# 68 face points (jaw, brows, nose, eyes, mouth) among the 468 of the face mesh.
FACE_68 = (
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,
    71, 63, 105, 66, 107, 336, 296, 334, 293, 301, 168, 197, 5, 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip
AXIS = slice(33, 35)  # landmarks that say where the next region lies: hip centre, end of the body's axis
FIRM = (*range(11, 17), *range(23, 29))  # shoulders to wrists, hips to ankles
HAND_SIZE = (0.08, 0.7)  # plausible extent of a hand in torso lengths
PALM = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)


@dataclass(frozen=True, kw_only=True)
class BlazePoseConfig:
    """max_people: people followed at once.  detect_every: frames between looks for new people.  hands, face: whether
    to run those networks.  min_presence: below it nobody is there; min_kept: the same for somebody already followed.
    min_joint: below it a joint is missing.  max_doubt: how far the two opinions on a person may differ, in heights of
    the body; beyond it the pose is a guess and counts as missing.  patience: frames for which somebody in doubt is
    still followed.  look_back: frames to search backwards from where a person first appears.
    threads: CPU threads.
    """

    max_people: int = 4
    detect_every: int = 12
    hands: bool = True
    face: bool = True
    min_presence: float = 0.5
    min_kept: float = 0.3
    min_joint: float = 0.3
    max_doubt: float = 0.13
    patience: int = 4
    look_back: int = 24
    threads: int = 2


@dataclass
class _Followed:
    """One person between two frames: where to look for the body and the hands."""

    roi: Roi
    hands: dict[str, Roi] = field(default_factory=dict)
    doubted: int = 0


@dataclass(frozen=True)
class _Body:
    """What the network says about one region. landmarks: (39, 3) in pixels of the frame.  presence: 0..1.
    roi: where to look next.  front: evidence for facing the camera.  doubt: see BlazePoseConfig.max_doubt.
    """

    landmarks: np.ndarray
    presence: float
    roi: Roi
    front: float = 0.0
    doubt: float = 0.0


@dataclass(frozen=True)
class _Found:
    """One person in one frame: (130, 3) pose, the evidence for facing the camera, (D,) look."""

    pose: np.ndarray
    front: float
    look: np.ndarray


class BlazePose:
    """The backend. folder: where the .tflite files are (see tools/fetch_blazepose.py)."""

    def __init__(self, folder: Path, config: BlazePoseConfig | None = None):
        self.config = config or BlazePoseConfig()
        threads = self.config.threads
        self._detection = tflite.PoseDetection(folder, threads)
        self._body = tflite.PoseLandmarks(folder, threads)
        self._hand = tflite.HandLandmarks(folder, threads) if self.config.hands else None
        self._face = tflite.FaceLandmarks(folder, threads) if self.config.face else None

    def detect(self, frames: Iterable[np.ndarray], on_frame: Callable[[int], None] | None = None) -> Detections:
        """Everybody in every frame (detectors.base.Detector)."""
        found: list[list[_Found]] = []
        cuts, followed = [], []
        unseen: deque[np.ndarray] = deque(maxlen=self.config.look_back)  # frames just before, in which nobody was found
        is_cut = CutFinder()
        canvas = (1, 1)
        for index, frame in enumerate(checked_frames(frames)):
            canvas = frame.shape[1], frame.shape[0]
            if is_cut(frame):
                cuts.append(index)
                followed = []
                unseen.clear()
            here, followed = self._frame(frame, followed, look=index % self.config.detect_every == 0)
            if here:
                self._backwards(unseen, followed, found)
            else:
                unseen.append(frame)
            found.append(here)
            if on_frame:
                on_frame(index + 1)
        people = tuple(stack_people([f.pose for f in here]) for here in found)
        front = tuple(np.array([f.front for f in here]) for here in found)
        seen = tuple(np.array([f.look for f in here]) for here in found)
        return Detections(people, canvas, tuple(cuts), front, seen)

    def detect_in_boxes(self, frame: np.ndarray, boxes_N4: np.ndarray) -> np.ndarray:
        """One pose per given box (x0, y0, x1, y1): (N, 130, 3).

        The network settles on whoever is most upright in its region, so several regions are tried and the pose that
        fills the given box best is taken.
        """
        poses = []
        for box in np.asarray(boxes_N4, np.float64):
            middle, side = (box[:2] + box[2:]) / 2, float((box[2:] - box[:2]).max())
            starts = [Roi(float(middle[0]), float(middle[1]), scale * side) for scale in (1.0, 1.25, 1.5)]
            tried = [t for roi in starts for t in self._settle(frame, roi, rounds=3)]
            body, roi = max(tried, key=lambda t: box_agreement(t[0], box))
            fused = self._acquire(frame, roi, rounds=1, least=0.0, wider=1.0).landmarks
            best = max((body, fused), key=lambda landmarks: box_agreement(landmarks, box))
            poses.append(self._whole(frame, best, _Followed(roi)))
        return stack_people(poses)

    def _settle(self, frame: np.ndarray, roi: Roi, rounds: int) -> list[tuple[np.ndarray, Roi]]:
        """Landmarks and region of each of a few rounds, every round in the region that the last one asked for."""
        tried = []
        outside = _surroundings(frame)
        for _ in range(rounds):
            landmarks, _ = self._body(roi.cut(frame, self._body.pixels, outside))
            landmarks[:, :2] = roi.to_frame(landmarks[:, :2])
            tried.append((landmarks, roi))
            roi = roi_around_axis(*landmarks[AXIS, :2], scale=1.25)
        return tried

    # ------------------------------------------------------------------------------------------ one frame

    def _frame(self, frame: np.ndarray, followed: list[_Followed], look: bool):
        """People of one frame, and where to look for them in the next one."""
        found: list[_Found] = []
        kept: list[_Followed] = []
        for person in followed:
            self._try(frame, person, found, kept, rounds=1)
        if look or len(kept) < len(followed) or not kept:
            for roi in self._look(frame):
                if len(kept) < self.config.max_people and all(roi.overlap(other.roi) < 0.4 for other in kept):
                    self._try(frame, _Followed(roi), found, kept, rounds=2)
        if not kept:  # a headless person, or a close-up: the detector sees nobody or takes a bag for somebody
            height, width = frame.shape[:2]
            self._try(frame, _Followed(Roi(width / 2, height / 2, float(max(width, height)))), found, kept, rounds=2)
        return found, kept

    def _backwards(self, unseen: deque[np.ndarray], followed: list[_Followed], found: list[list[_Found]]) -> None:
        """Somebody appeared: follow them back into the frames just before, where the detector saw nobody."""
        people = [_Followed(p.roi) for p in followed]
        for back, frame in enumerate(reversed(unseen), start=1):
            here: list[_Found] = []
            kept: list[_Followed] = []
            for person in people:
                self._try(frame, person, here, kept, rounds=1)
            if not here:
                break
            found[-back] = here
            people = kept
        unseen.clear()

    def _try(self, frame: np.ndarray, person: _Followed, found: list, kept: list[_Followed], rounds: int) -> None:
        """Append the person's pose and next region, unless nobody is there or it is somebody already found."""
        least = self.config.min_kept if rounds == 1 else self.config.min_presence
        body = self._acquire(frame, person.roi, rounds, least)
        if body.presence < least or any(body.roi.overlap(other.roi) > 0.6 for other in kept):
            return
        if body.doubt > self.config.max_doubt:
            person.doubted += 1
            if rounds == 1 and person.doubted <= self.config.patience:
                kept.append(person)
            return
        person.roi, person.doubted = body.roi, 0
        pose = self._whole(frame, body.landmarks, person)
        found.append(_Found(pose, body.front, looks(frame, pose[None])[0]))
        kept.append(person)

    def _look(self, frame: np.ndarray) -> list[Roi]:
        """Regions of people in the whole frame, best first."""
        picture, side, left, top = tflite.letterbox(frame, self._detection.pixels)
        axes, _ = self._detection(picture)
        points = axes.reshape(-1, 2, 2) * side + (left, top)
        return [roi_around_axis(start, end, 1.25) for start, end in points]

    def _acquire(self, frame: np.ndarray, roi: Roi, rounds: int, least: float, wider: float = 1.2) -> _Body:
        """The body in a region.

        Repeated `rounds` times to settle on a new person's region; the last round asks the mirrored picture too, in a
        region `wider` times as large: the network's doubts differ there, two opinions instead of one twice.
        """
        outside = _surroundings(frame)
        landmarks, presence, following = np.zeros((39, 3)), 0.0, roi
        for _ in range(rounds):
            roi = following
            landmarks, presence = self._body(roi.cut(frame, self._body.pixels, outside))
            landmarks[:, :2] = roi.to_frame(landmarks[:, :2])
            following = roi_around_axis(*landmarks[AXIS, :2], scale=1.25)
        if presence < least:
            return _Body(landmarks, presence, following)
        wide = roi.scaled(wider)
        mirrored = self._body.mirrored(wide.cut(frame, self._body.pixels, outside))
        mirrored[:, :2] = wide.to_frame(mirrored[:, :2])
        fused, front, doubt = fuse(landmarks, mirrored)
        return _Body(fused, presence, roi_around_axis(*fused[AXIS, :2], scale=1.25), front, doubt)

    def _whole(self, frame: np.ndarray, body: np.ndarray, person: _Followed) -> np.ndarray:
        """The (130, 3) pose of one person whose body landmarks are known."""
        pose = np.zeros((JOINTS, 3))
        pose[BODY] = body_from_blaze(body, self.config.min_joint)
        for side in HAND_PARTS if self._hand else ():
            self._find_hand(frame, body, side, person, pose)
        if self._face:
            self._find_face(frame, body, pose)
        height, width = frame.shape[:2]
        margin = 0.02 * max(width, height)  # joints outside the frame are guesses
        low, high = -margin, np.array([width, height]) + margin
        pose[((pose[:, :2] < low) | (pose[:, :2] > high)).any(axis=1)] = 0
        return pose

    def _find_hand(self, frame: np.ndarray, body: np.ndarray, side: str, person: _Followed, pose: np.ndarray) -> None:
        """Fill one hand of `pose` if it is seen, and keep its region for the next frame."""
        wrist, roi = body[WRIST_PINKY_INDEX[side][0]], hand_roi(body, side)
        last = person.hands.pop(side, None)
        if wrist[2] < 0.5 or not _inside(wrist, frame):
            return
        if last is not None and math.hypot(last.x - roi.x, last.y - roi.y) < 0.5 * roi.side:
            roi = last
        points, presence = self._hand(roi.cut(frame, self._hand.pixels))  # type: ignore[misc, union-attr]
        points = roi.to_frame(points)
        near_wrist = np.linalg.norm(points[0] - wrist[:2]) < 0.6 * roi.side
        size = np.ptp(points, axis=0).max() / max(
            np.linalg.norm(body[[11, 12], :2] - body[[23, 24], :2], axis=1).max(), 1
        )
        if presence < self.config.min_presence or not near_wrist or not HAND_SIZE[0] < size < HAND_SIZE[1]:
            return
        pose[HAND_PARTS[side]] = np.concatenate([points, np.full((21, 1), presence)], axis=1)
        knuckles = points[[6, 10, 14]].mean(axis=0)
        person.hands[side] = shifted(
            roi_around_points(points[list(PALM)], upright_angle(points[0], knuckles), 2.0), 0.1
        )

    def _find_face(self, frame: np.ndarray, body: np.ndarray, pose: np.ndarray) -> None:
        """Fill the face of `pose` if it is seen: 68 points of the mesh and the two eyes' centres."""
        if body[[2, 5], 2].min() < 0.5 or not _inside(body[0], frame):
            return
        roi = face_roi(body)
        points, presence = self._face(roi.cut(frame, self._face.pixels))  # type: ignore[misc]
        if presence < self.config.min_presence:
            return
        points = roi.to_frame(points)[list(FACE_68)]
        pupils = np.stack([points[36:42].mean(axis=0), points[42:48].mean(axis=0)])
        face = np.concatenate([points, pupils])
        pose[FACE] = np.concatenate([face, np.full((70, 1), presence)], axis=1)


def _surroundings(frame: np.ndarray) -> tuple[float, ...]:
    """The frame's mean colour: what a region is filled with outside it (black makes the network see backs)."""
    return cv2.mean(cv2.resize(frame, (16, 16), interpolation=cv2.INTER_AREA))[:3]


def box_agreement(landmarks: np.ndarray, box_4: np.ndarray) -> float:
    """0..1: how well a person's box agrees with their landmarks (39, 3), by intersection over union."""
    body = body_from_blaze(landmarks, 0.3)
    seen = body[body[:, 2] > 0, :2]
    if len(seen) < 3:
        return 0.0
    low, high = seen.min(axis=0), seen.max(axis=0)
    reach = 0.08 * (high - low).max()  # skin and clothes around the joints
    low, high = low - reach, high + reach
    inner = np.prod(np.clip(np.minimum(high, box_4[2:]) - np.maximum(low, box_4[:2]), 0, None))
    return float(inner / max(np.prod(high - low) + np.prod(box_4[2:] - box_4[:2]) - inner, 1e-9))


def _inside(point: np.ndarray, frame: np.ndarray) -> bool:
    return bool(0 <= point[0] < frame.shape[1] and 0 <= point[1] < frame.shape[0])


def fuse(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Two opinions on one person as one; evidence for facing the camera in -1..1; how far they differ, in body heights.

    first, second: (39, 3). Without a visible face the network cannot always tell front from back: then the opinions
    have left and right exchanged, or the shoulders collapse into one place. Arms and legs of the second are renamed
    where that brings them nearer to the first, and each counts by the squared width of its shoulders and hips.
    """
    widths = [opinion[[11, 23], 0] - opinion[[12, 24], 0] for opinion in (first, second)]
    spread = [float(np.abs(w).sum()) + 1e-3 for w in widths]
    front = float((widths[0] + widths[1]).sum() / sum(spread))
    second = second.copy()
    for start, stop in ((11, 23), (23, 33)):
        group = list(range(start, stop))
        renamed = second[[tflite.MIRROR[i] for i in group]]
        if np.linalg.norm(renamed - first[group]) < np.linalg.norm(second[group] - first[group]):
            second[group] = renamed
    apart = np.linalg.norm(first[list(FIRM), :2] - second[list(FIRM), :2], axis=1)
    doubt = float(np.median(apart) / (np.ptp(first[list(FIRM), 1]) + 1))
    weight = spread[0] ** 2 / (spread[0] ** 2 + spread[1] ** 2)
    return weight * first + (1 - weight) * second, front, doubt


def body_from_blaze(body: np.ndarray, min_joint: float) -> np.ndarray:
    """(18, 3) OpenPose body from (39, 3) landmarks; joints below `min_joint` are missing."""
    pose = body[list(BODY_FROM_BLAZE)].copy()
    pose[1, :2] = (pose[2, :2] + pose[5, :2]) / 2
    pose[1, 2] = min(pose[2, 2], pose[5, 2])
    pose[pose[:, 2] < min_joint] = 0
    return pose


def hand_roi(body: np.ndarray, side: str) -> Roi:
    """Where a hand is, from the body's wrist, pinky and index knuckles (MediaPipe holistic's rule)."""
    wrist, pinky, index = (body[i, :2] for i in WRIST_PINKY_INDEX[side])
    middle = (2 * index + pinky) / 3
    axis = roi_around_axis(middle, wrist, 2.7)
    return shifted(Roi(axis.x, axis.y, axis.side, upright_angle(wrist, middle)), 0.1)


def face_roi(body: np.ndarray) -> Roi:
    """Where the face is, from eyes, mouth and ears of the body's landmarks."""
    eyes, mouth = body[[2, 5], :2], body[[9, 10], :2].mean(axis=0)
    middle = eyes.mean(axis=0)
    centre = (middle + mouth) / 2
    reach = max(np.linalg.norm(body[7, :2] - body[8, :2]), 2.2 * np.linalg.norm(mouth - middle))
    return Roi(float(centre[0]), float(centre[1]), max(float(reach) * 1.6, 8.0), upright_angle(mouth, middle))
