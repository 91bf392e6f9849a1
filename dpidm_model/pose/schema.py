"""POSE_KEYPOINT, the ecosystem's pose type, to and from arrays.

One dict per frame: {"people": [{"pose_keypoints_2d", "face_keypoints_2d", "hand_left_keypoints_2d",
"hand_right_keypoints_2d"}], "canvas_width", "canvas_height"}; arrays are flat x, y, c, or null.
Read: pixels or 0..1 coordinates, float or 0/1 confidences, lists, numpy arrays or tensors, 18 or 25 body points, 68
or 70 face points. Written: pixels, confidence exactly 1.0 or 0.0 (other packs drop points below 1.0), missing point
0, 0, 0.
N people in a frame, F frames, K=130 joints in the order of handovers.PoseTrack.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..handovers import (
    BODY,
    DETECTED,
    FACE,
    GARMENT_SLOTS,
    JOINTS,
    LEFT_HAND,
    MISSING,
    RIGHT_HAND,
    GarmentLandmarks,
    PoseTrack,
)

log = logging.getLogger(__name__)

PARTS = {
    "pose_keypoints_2d": BODY,
    "face_keypoints_2d": FACE,
    "hand_left_keypoints_2d": LEFT_HAND,
    "hand_right_keypoints_2d": RIGHT_HAND,
}
# OpenPose BODY_25 -> 18: the same joints without the hip centre and the feet.
BODY_25 = (0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18)
# Frames whose points all lie below this are taken for 0..1 coordinates (a little outside the picture included).
NORMALISED_BELOW = 2.0
GARMENT_BODY = slice(1, 1 + len(GARMENT_SLOTS))


@dataclass(frozen=True)
class ParsedPose:
    """All people of a clip. people: per frame (N, 130, 3) float32, pixels of `canvas` = (width, height)."""

    people: tuple[np.ndarray, ...]
    canvas: tuple[int, int]

    def __len__(self) -> int:
        return len(self.people)


def parse(pose: Any) -> ParsedPose:
    """Read POSE_KEYPOINT in any dialect.

    Frames with another canvas than the first are scaled to the first one's. Joints with NaN or infinite coordinates
    count as missing (logged). Raises InputError on an empty list or anything that is not POSE_KEYPOINT.
    """
    frames = [pose] if isinstance(pose, dict) else pose
    if not isinstance(frames, Sequence) or isinstance(frames, str) or len(frames) == 0:
        raise InputError(f"POSE_KEYPOINT is {_kind(pose)}; expected a list with one dict per frame, at least one")
    raw = [_frame_people(frame, index) for index, frame in enumerate(frames)]
    canvases = [_canvas(frame, index) for index, frame in enumerate(frames)]
    normalised = _is_normalised(raw)
    known = [canvas for canvas in canvases if canvas is not None]
    if not known:
        raise InputError("POSE_KEYPOINT has no canvas_width and canvas_height; set them to the size of the frames")
    canvas = known[0]
    people = []
    for points_NK3, own in zip(raw, canvases):
        from_size = (1.0, 1.0) if normalised else (own or canvas)
        factor = np.array([canvas[0] / from_size[0], canvas[1] / from_size[1], 1], np.float32)
        people.append(points_NK3 * factor)
    return ParsedPose(tuple(people), canvas)


def to_track(pose: Any, *, person: int = 0, frames: int | None = None) -> PoseTrack:
    """One person of POSE_KEYPOINT as a PoseTrack: entry `person` of each frame's people.

    frames: the length the clip must have, if given. Frames where that person is absent or has no joint are MISSING.
    Raises InputError if the length differs or nobody is found in any frame.
    """
    parsed = parse(pose)
    if frames is not None:
        check_length(len(parsed), frames)
    keypoints_FK3 = np.zeros((len(parsed), JOINTS, 3), np.float32)
    for frame, people_NK3 in enumerate(parsed.people):
        if person < len(people_NK3):
            keypoints_FK3[frame] = people_NK3[person]
    found_F = (keypoints_FK3[:, BODY, 2] > 0).any(axis=1)
    if not found_F.any():
        raise InputError(
            f"no pose of person {person} in any of the {len(parsed)} frames (at most "
            f"{max(map(len, parsed.people))} people in a frame); choose another person or run pose detection again"
        )
    return PoseTrack(keypoints_FK3, parsed.canvas, np.where(found_F, DETECTED, MISSING).astype(np.uint8))


def check_length(found: int, expected: int) -> None:
    """Raise InputError unless a pose clip of `found` frames fits a video of `expected` frames."""
    if found != expected:
        raise InputError(
            f"the poses have {found} frames but the video has {expected}; detect the poses on the same frames"
        )


def from_track(track: PoseTrack) -> list[dict]:
    """A PoseTrack as POSE_KEYPOINT; frames without a pose have no people."""
    return from_tracks([track])


def from_tracks(tracks: Sequence[PoseTrack]) -> list[dict]:
    """Several people as POSE_KEYPOINT. All tracks share length and canvas.

    A person missing in a frame where a later one is present gets a body of zeros, so that positions in the list stay.
    """
    if len({(len(track), track.canvas) for track in tracks}) != 1:
        raise InputError("tracks differ in length or canvas; take them from one clip")
    width, height = tracks[0].canvas
    frames = []
    for index in range(len(tracks[0])):
        people = [_person_dict(track.keypoints_FK3[index]) for track in tracks]
        while people and people[-1] is None:
            people.pop()
        empty = {name: None for name in PARTS} | {"pose_keypoints_2d": [0.0] * 54}
        frames.append(
            {"people": [p or dict(empty) for p in people], "canvas_width": int(width), "canvas_height": int(height)}
        )
    return frames


def from_garment(landmarks: GarmentLandmarks) -> list[dict]:
    """Garment landmarks as one frame of POSE_KEYPOINT: the 13 slots at OpenPose body indices 1..13."""
    keypoints_K3 = np.zeros((JOINTS, 3), np.float32)
    keypoints_K3[GARMENT_BODY] = landmarks.points_K3
    keypoints_K3[GARMENT_BODY][landmarks.visibility_K == 0] = 0
    width, height = landmarks.canvas
    person = _person_dict(keypoints_K3)
    people = [] if person is None else [person]
    return [{"people": people, "canvas_width": int(width), "canvas_height": int(height)}]


def to_garment(pose: Any, category: str, sleeve: str | None = None) -> GarmentLandmarks:
    """The first frame's first person as garment landmarks.

    POSE_KEYPOINT carries neither category nor visibility: present points count as seen. sleeve None: read off the
    points (wrists: long, elbows only: short, else none).
    """
    parsed = parse(pose)
    if len(parsed.people[0]) == 0:
        raise InputError("the garment's POSE_KEYPOINT holds no landmarks; run the garment pose node on the picture")
    points_K3 = parsed.people[0][0, GARMENT_BODY].copy()
    present_K = points_K3[:, 2] > 0
    if sleeve is None:
        elbows, wrists = present_K[[2, 5]].any(), present_K[[3, 6]].any()
        sleeve = "long" if wrists else "short" if elbows else "none"
    visibility_K = np.where(present_K, 2, 0).astype(np.uint8)
    return GarmentLandmarks(points_K3, visibility_K, parsed.canvas, category, sleeve)


# ---------------------------------------------------------------------------------------------- reading, in detail


def _kind(value: Any) -> str:
    return f"{type(value).__name__} of length {len(value)}" if hasattr(value, "__len__") else type(value).__name__


def _canvas(frame: dict, index: int) -> tuple[int, int] | None:
    width, height = frame.get("canvas_width"), frame.get("canvas_height")
    if width is None or height is None:
        return None
    try:
        canvas = int(float(width)), int(float(height))
    except (TypeError, ValueError, OverflowError):
        canvas = (0, 0)
    if min(canvas) < 1:
        raise InputError(f"frame {index}: canvas is {width!r} x {height!r}; expected positive numbers of pixels")
    return canvas


def _frame_people(frame: Any, index: int) -> np.ndarray:
    """(N, 130, 3) of one frame, coordinates as they are written there."""
    if not isinstance(frame, dict) or not isinstance(frame.get("people", ""), (list, tuple, type(None))):
        found = sorted(map(str, frame)) if isinstance(frame, dict) else _kind(frame)
        raise InputError(f"frame {index} of POSE_KEYPOINT is {found}; expected a dict with a list 'people'")
    people = frame.get("people") or []
    points_NK3 = np.zeros((len(people), JOINTS, 3), np.float32)
    for person, points_K3 in zip(people, points_NK3):
        if not isinstance(person, dict):
            raise InputError(f"frame {index}: a person is {_kind(person)}; expected a dict with pose_keypoints_2d")
        for name, part in PARTS.items():
            _read_part(person.get(name), name, points_K3[part], index)
    nowhere_NK = (points_NK3[..., 2] <= 0) | (points_NK3[..., :2] == 0).all(axis=-1)
    points_NK3[nowhere_NK] = 0
    return points_NK3


def _read_part(values: Any, name: str, out_K3: np.ndarray, frame: int) -> None:
    """Fill one part's joints; counts other than the part's own are mapped (25 -> 18, 68 -> 70) or refused."""
    if values is None:
        return
    try:
        flat = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, np.float32).reshape(-1)
    except (TypeError, ValueError) as error:
        raise InputError(f"frame {frame}: {name} does not hold numbers ({error}); expected flat x, y, c") from error
    if flat.size == 0:
        return
    if flat.size % 3:
        raise InputError(f"frame {frame}: {name} has {flat.size} numbers; expected x, y, c for each point")
    points_K3 = flat.reshape(-1, 3)
    if name == "pose_keypoints_2d" and len(points_K3) == 25:
        points_K3 = points_K3[list(BODY_25)]
    fits = len(points_K3) == len(out_K3) or (name == "face_keypoints_2d" and len(points_K3) == 68)
    if not fits:
        raise InputError(f"frame {frame}: {name} has {len(points_K3)} points; expected {len(out_K3)}")
    broken_K = np.unique(np.nonzero(~np.isfinite(points_K3))[0])
    if len(broken_K):
        log.warning("frame %d: %d points of %s are NaN or infinite: taken as missing", frame, len(broken_K), name)
    out_K3[: len(points_K3)] = points_K3
    out_K3[broken_K] = 0
    out_K3[:, 2] = np.clip(out_K3[:, 2], 0, 1)


def _is_normalised(people: list[np.ndarray]) -> bool:
    """Whether the whole clip's coordinates are fractions of the canvas instead of pixels."""
    present = [points_NK3[points_NK3[..., 2] > 0] for points_NK3 in people]
    points_P3 = np.concatenate(present) if present else np.zeros((0, 3))
    return len(points_P3) > 0 and bool((np.abs(points_P3[:, :2]) < NORMALISED_BELOW).all())


def _person_dict(keypoints_K3: np.ndarray) -> dict | None:
    """One person's dict; None when no joint is present. Parts without any point are null."""
    present_K = keypoints_K3[:, 2] > 0
    if not present_K.any():
        return None
    flat_K3 = np.where(present_K[:, None], keypoints_K3, 0).astype(np.float64)
    flat_K3[:, 2] = present_K
    person = {}
    for name, part in PARTS.items():
        wanted = part == BODY or present_K[part].any()
        person[name] = [round(float(v), 4) for v in flat_K3[part].reshape(-1)] if wanted else None
    return person
