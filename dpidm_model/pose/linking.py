"""Joining the people of consecutive frames into tracks, by place and by what they look like. Not in the paper.

N people in a frame, F frames, K=130 joints, D numbers of a look.
"""

from dataclasses import dataclass

import numpy as np

from ..handovers import BODY, DETECTED, JOINTS, MISSING, PoseTrack
from .detectors.base import Detections, pose_box
from .looks import difference
from .schema import ParsedPose
from .smooth import segments

LOOK_WEIGHT = 0.5  # body heights that a completely different look counts for
STRANGER = 0.6  # difference in look from which somebody who appears after a long gap is somebody else
ALIKE = 0.3  # difference in look below which somebody who appears after a gap may have gone FARTHER than expected
FARTHER = 2.5
LONG_GAP = 12  # frames; in shorter ones the light may change (a flash, a fade) sooner than the person
LOOK_RATE = 0.1  # how fast a track's look follows what is seen


@dataclass
class _Living:
    """A track that is being continued. look_D: float32, None before anything was seen of it."""

    keypoints_FK3: np.ndarray
    look_D: np.ndarray | None = None

    def take(self, frame: int, pose_K3: np.ndarray, look_D: np.ndarray | None) -> None:
        """Continue with this person. look_D: None if it may show somebody else in front."""
        self.keypoints_FK3[frame] = pose_K3
        if look_D is not None and look_D.any():
            look_D = look_D.astype(np.float32)
            self.look_D = look_D if self.look_D is None else self.look_D + LOOK_RATE * (look_D - self.look_D)


def distance(a_K3: np.ndarray, b_K3: np.ndarray) -> float:
    """How far apart two poses are, in heights of the larger one (body joints both have; 9 if they share none)."""
    shared = np.flatnonzero((a_K3[BODY, 2] > 0) & (b_K3[BODY, 2] > 0))
    box_a, box_b = pose_box(a_K3), pose_box(b_K3)
    if len(shared) < 2 or box_a is None or box_b is None:
        return 9.0
    size = max(*(box_a[2:] - box_a[:2]), *(box_b[2:] - box_b[:2]), 1.0)
    return float(np.median(np.linalg.norm(a_K3[shared, :2] - b_K3[shared, :2], axis=1)) / size)


def link(parsed: ParsedPose, cuts: tuple[int, ...] = (), reach: float = 0.35) -> list[PoseTrack]:
    """Join people of consecutive frames into tracks, largest first.

    Each person goes to the track whose predicted pose (moving on at its recent speed) is nearest and whose look, if
    known, is most alike, best pairs first; nothing farther than `reach` body heights is joined (a little more after a
    gap, more if the look is the same), nor after a long gap a stranger. Tracks end at cuts and are continued behind
    them only by choice (tracks.follow).
    """
    tracks: list[_Living] = []
    looks = parsed.looks if isinstance(parsed, Detections) and parsed.looks else None
    for scene in segments(len(parsed), cuts):
        living: list[_Living] = []
        for frame in range(scene.start, scene.stop):
            people = parsed.people[frame]
            _extend(living, people, looks[frame] if looks else None, frame, scene.start, len(parsed), reach)
        tracks += living
    linked = [as_track(t.keypoints_FK3, parsed.canvas) for t in tracks]
    return sorted(linked, key=lambda t: -track_area(t))


def _extend(
    living: list[_Living],
    people_NK3: np.ndarray,
    looks_ND: np.ndarray | None,
    frame: int,
    start: int,
    frames: int,
    reach: float,
) -> None:
    """Give the people of one frame to living tracks, or start new ones."""
    pairs = []
    for t, track in enumerate(living):
        predicted, gap = _predict(track.keypoints_FK3, frame, start)
        for n, person in enumerate(people_NK3):
            away = distance(predicted, person)
            unlike = None if looks_ND is None or track.look_D is None else difference(track.look_D, looks_ND[n])
            if away < _allowed(reach, gap, unlike):
                pairs.append((away + LOOK_WEIGHT * (unlike or 0.0), t, n))
    clear_N = _clear(people_NK3)
    used_tracks, used_people = set(), set()
    for _, t, n in sorted(pairs):
        if t not in used_tracks and n not in used_people:
            living[t].take(frame, people_NK3[n], looks_ND[n] if looks_ND is not None and clear_N[n] else None)
            used_tracks.add(t)
            used_people.add(n)
    for n, person in enumerate(people_NK3):
        if n not in used_people and (person[BODY, 2] > 0).any():
            track = _Living(np.zeros((frames, JOINTS, 3), np.float32))
            track.take(frame, person, looks_ND[n] if looks_ND is not None and clear_N[n] else None)
            living.append(track)


def _allowed(reach: float, gap: int, unlike: float | None) -> float:
    """How far from the predicted place somebody may be, in body heights. unlike: difference in look if it is known."""
    allowed = reach * (1 + 0.1 * min(gap, 10))
    if unlike is None or gap == 0:
        return allowed
    if unlike < ALIKE:
        return FARTHER * allowed
    return 0.0 if gap > LONG_GAP and unlike > STRANGER else allowed


def _clear(people_NK3: np.ndarray) -> np.ndarray:
    """(N,) bool: whose body is not overlapped by another's, so that their look is their own."""
    boxes = [pose_box(person) for person in people_NK3]
    clear_N = np.ones(len(boxes), bool)
    for n, box in enumerate(boxes):
        for m, other in enumerate(boxes):
            if m != n and box is not None and other is not None:
                inner = np.clip(np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2]), 0, None)
                clear_N[n] &= float(np.prod(inner)) <= 0.1 * float(np.prod(box[2:] - box[:2]))
    return clear_N


def _predict(track_FK3: np.ndarray, frame: int, start: int) -> tuple[np.ndarray, int]:
    """Where the track's person should be now, and for how many frames it was not seen."""
    seen = np.flatnonzero((track_FK3[start:frame, BODY, 2] > 0).any(axis=1)) + start
    last = track_FK3[seen[-1]]
    gap = frame - seen[-1] - 1
    earlier = seen[seen >= seen[-1] - 4][0]
    if earlier == seen[-1]:
        return last, gap
    both = (last[:, 2] > 0) & (track_FK3[earlier, :, 2] > 0)
    speed = np.median((last - track_FK3[earlier])[both, :2], axis=0) / (seen[-1] - earlier) if both.any() else 0.0
    moved = last.copy()
    moved[:, :2] += speed * min(gap + 1, 12)
    return moved, gap


def as_track(keypoints_FK3: np.ndarray, canvas: tuple[int, int]) -> PoseTrack:
    """A track of these poses as they were detected."""
    found_F = (keypoints_FK3[:, BODY, 2] > 0).any(axis=1)
    return PoseTrack(keypoints_FK3, canvas, np.where(found_F, DETECTED, MISSING).astype(np.uint8))


def track_boxes(track: PoseTrack) -> np.ndarray:
    """(F, 4) x0, y0, x1, y1 around the body; NaN where it is missing."""
    boxes = [pose_box(k) for k in track.keypoints_FK3]
    return np.array([np.full(4, np.nan) if box is None else box for box in boxes])


def track_area(track: PoseTrack) -> float:
    """Sum of the body's box areas over the clip: large and long-lived people first."""
    boxes = track_boxes(track)
    return float(np.nansum((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])))
