"""From people in frames to one person over time: linking, choosing, and the whole clean-up in order.

Not in the paper. N people in a frame, F frames, K=130 joints; sizes (width, height).
"""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError
from ..handovers import BODY, DETECTED, JOINTS, MISSING, PoseTrack
from .detectors.base import Detections, pose_box
from .schema import ParsedPose
from .sides import untangle
from .smooth import METHODS, drop_outliers, fill_gaps, segments, smooth

SELECTIONS = ("largest", "leftmost", "rightmost", "topmost", "bottommost", "most central", "index", "point", "mask")


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which person. rule: one of SELECTIONS. index: for "index", 0 = largest, 1 = next...
    point: for "point", (x, y) in 0..1 of the picture. mask_HW: for "mask", any size, > 0.5 where the person is.
    frame: the frame that point and mask speak of.
    """

    rule: str = "largest"
    index: int = 0
    point: tuple[float, float] = (0.5, 0.5)
    mask_HW: np.ndarray | None = None
    frame: int = 0

    def __post_init__(self):
        if self.rule not in SELECTIONS:
            raise InputError(f"person selection {self.rule!r} is not known; choose one of {', '.join(SELECTIONS)}")
        if self.rule == "mask" and self.mask_HW is None:
            raise InputError("person selection 'mask' needs a mask; connect one or choose another selection")


@dataclass(frozen=True, kw_only=True)
class CleanUp:
    """What happens to a track after it is chosen. method, strength: see smooth.smooth. max_gap: see fill_gaps."""

    method: str = "savgol"
    strength: float = 0.5
    max_gap: int = 24
    untangle: bool = True

    def __post_init__(self):
        if self.method not in METHODS or not 0 <= self.strength <= 1 or self.max_gap < 0:
            raise InputError(
                f"smoothing {self.method!r} with strength {self.strength} and gaps up to {self.max_gap} frames; "
                f"expected one of {', '.join(METHODS)}, a strength in 0..1 and a gap of at least 0"
            )


@dataclass(frozen=True)
class Person:
    """One person followed through a clip. cuts: first frames of new scenes. front_F: evidence for facing the camera,
    (F,) in -1..1, 0 where there is none (see Detections.front)."""

    track: PoseTrack
    cuts: tuple[int, ...]
    front_F: np.ndarray


def clean(person: Person, options: CleanUp | None = None) -> PoseTrack:
    """Left/right consistency, outliers dropped, gaps filled, smoothed: in this order, each scene apart."""
    options = options or CleanUp()
    track = person.track
    if options.untangle:
        track, _ = untangle(track, person.cuts, person.front_F)
    if options.strength > 0:
        track = drop_outliers(track, person.cuts)
    track = fill_gaps(track, person.cuts, options.max_gap)
    return smooth(track, options.method, options.strength, person.cuts)


def find_cuts(parsed: ParsedPose) -> tuple[int, ...]:
    """Cuts as far as poses alone show them: all people jump at once. Backends that saw the frames know better."""
    if isinstance(parsed, Detections):
        return parsed.cuts
    cuts = []
    for frame in range(1, len(parsed)):
        before, now = parsed.people[frame - 1], parsed.people[frame]
        costs = [distance(a, b) for a in before for b in now]
        if costs and min(costs) > 0.6:
            cuts.append(frame)
    return tuple(cuts)


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

    Each person goes to the track whose predicted pose (moving on at its recent speed) is nearest, best pairs first;
    nothing farther than `reach` body heights is joined (a little more after a gap). Tracks end at cuts and are
    continued behind them only by choice (see follow).
    """
    tracks: list[np.ndarray] = []
    for scene in segments(len(parsed), cuts):
        living: list[np.ndarray] = []
        for frame in range(scene.start, scene.stop):
            _extend(living, parsed.people[frame], frame, scene.start, len(parsed), reach)
        tracks += living
    linked = [_as_track(t, parsed.canvas) for t in tracks]
    return sorted(linked, key=lambda t: -track_area(t))


def _extend(
    living: list[np.ndarray], people_NK3: np.ndarray, frame: int, start: int, frames: int, reach: float
) -> None:
    """Give the people of one frame to living tracks, or start new ones."""
    pairs = []
    for t, track in enumerate(living):
        predicted, gap = _predict(track, frame, start)
        allowed = reach * (1 + 0.1 * min(gap, 10))
        pairs += [(distance(predicted, p), t, n) for n, p in enumerate(people_NK3) if distance(predicted, p) < allowed]
    used_tracks, used_people = set(), set()
    for _, t, n in sorted(pairs, key=lambda pair: pair[0]):
        if t not in used_tracks and n not in used_people:
            living[t][frame] = people_NK3[n]
            used_tracks.add(t)
            used_people.add(n)
    for n, person in enumerate(people_NK3):
        if n not in used_people and (person[BODY, 2] > 0).any():
            track = np.zeros((frames, JOINTS, 3), np.float32)
            track[frame] = person
            living.append(track)


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


def _as_track(keypoints_FK3: np.ndarray, canvas: tuple[int, int]) -> PoseTrack:
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


def choose(tracks: list[PoseTrack], selection: Selection) -> int:
    """Index of the chosen person among `tracks` (largest first). Raises InputError when nobody fits."""
    if not tracks:
        raise InputError("no person was found in any frame; check the video, or draw or load a pose instead")
    rule = selection.rule
    if rule == "index":
        if not 0 <= selection.index < len(tracks):
            raise InputError(f"person {selection.index} was asked for but {len(tracks)} were found (0 = largest)")
        return selection.index
    if rule in ("point", "mask"):
        return _choose_by_place(tracks, selection)
    largest = track_area(tracks[0])
    width, height = tracks[0].canvas
    keys = {
        "largest": lambda x, y, t: -track_area(t),
        "leftmost": lambda x, y, t: x,
        "rightmost": lambda x, y, t: -x,
        "topmost": lambda x, y, t: y,
        "bottommost": lambda x, y, t: -y,
        "most central": lambda x, y, t: np.hypot(x - width / 2, y - height / 2),
    }
    # bystanders of a few frames or a tenth of the size do not compete for a side of the picture
    candidates = [i for i, t in enumerate(tracks) if track_area(t) >= 0.1 * largest]
    centres = {i: np.nanmean(track_boxes(tracks[i]), axis=0) for i in candidates}
    return min(
        candidates,
        key=lambda i: keys[rule]((centres[i][0] + centres[i][2]) / 2, (centres[i][1] + centres[i][3]) / 2, tracks[i]),
    )


def _choose_by_place(tracks: list[PoseTrack], selection: Selection) -> int:
    """The person under a point or a mask in the selection's frame."""
    width, height = tracks[0].canvas
    frame = min(max(selection.frame, 0), len(tracks[0]) - 1)
    scores = []
    for track in tracks:
        body = track.keypoints_FK3[frame, BODY]
        body = body[body[:, 2] > 0]
        if len(body) == 0:
            scores.append(-np.inf)
        elif selection.rule == "mask" and selection.mask_HW is not None:
            mask = selection.mask_HW
            xs = np.clip(body[:, 0] / width * mask.shape[1], 0, mask.shape[1] - 1).astype(int)
            ys = np.clip(body[:, 1] / height * mask.shape[0], 0, mask.shape[0] - 1).astype(int)
            inside = float((mask[ys, xs] > 0.5).mean())
            scores.append(inside if inside > 0.2 else -np.inf)
        else:
            point = np.array([selection.point[0] * width, selection.point[1] * height])
            scores.append(-float(np.linalg.norm(body[:, :2] - point, axis=1).min()))
    best = int(np.argmax(scores))
    if not np.isfinite(scores[best]):
        raise InputError(f"nobody is at that {selection.rule} in frame {frame}; choose another frame or place")
    return best


def follow(parsed: ParsedPose, selection: Selection | None = None) -> Person:
    """The chosen person over the whole clip.

    After a cut the person is chosen again among the people of the new scene, by the same rule; index, point and mask
    speak of one scene only, elsewhere the largest person is taken.
    """
    selection = selection or Selection()
    cuts = find_cuts(parsed)
    tracks = link(parsed, cuts)
    chosen = tracks[choose(tracks, selection)]
    keypoints = chosen.keypoints_FK3.copy()
    rule = "largest" if selection.rule in ("point", "mask", "index") else selection.rule
    for scene in segments(len(parsed), cuts):
        if (keypoints[scene, BODY, 2] > 0).any():
            continue
        others = [t for t in tracks if (t.keypoints_FK3[scene, BODY, 2] > 0).any()]
        if others:
            again = others[choose(others, replace(selection, rule=rule))]
            keypoints[scene] = again.keypoints_FK3[scene]
    return Person(_as_track(keypoints, parsed.canvas), cuts, _evidence(parsed, keypoints))


def follow_all(parsed: ParsedPose) -> list[Person]:
    """Everybody who stays for at least a tenth of the largest person's share of the clip, largest first."""
    cuts = find_cuts(parsed)
    tracks = link(parsed, cuts)
    least = 0.1 * track_area(tracks[0]) if tracks else 0.0
    kept = [t for t in tracks if track_area(t) >= least]
    return [Person(t, cuts, _evidence(parsed, t.keypoints_FK3)) for t in kept]


def _evidence(parsed: ParsedPose, keypoints_FK3: np.ndarray) -> np.ndarray:
    """(F,) evidence for facing the camera of the person whose unchanged poses these are."""
    front_F = np.zeros(len(parsed))
    if not isinstance(parsed, Detections) or not parsed.front:
        return front_F
    for frame, people in enumerate(parsed.people):
        for person, evidence in zip(people, parsed.front[frame]):
            if (keypoints_FK3[frame, :, 2] > 0).any() and np.array_equal(person, keypoints_FK3[frame]):
                front_F[frame] = evidence
    return front_F
