"""From people in frames to one person over time: choosing, and the whole clean-up in order.

Not in the paper. N people in a frame, F frames, K=130 joints; sizes (width, height).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError
from ..handovers import BODY, PoseTrack
from .detectors.base import CutFinder, Detections, checked_frames
from .linking import STRANGER, as_track, distance, link, track_area, track_boxes
from .looks import difference, looks
from .schema import ParsedPose, check_length
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


def watched(parsed: ParsedPose, frames: Iterable[np.ndarray]) -> Detections:
    """Poses of another pack with what only the frames (RGB uint8, read one by one) show: cuts, and people's looks.

    Raises InputError if there are more or fewer frames than poses.
    """
    cuts, seen = [], []
    is_cut = CutFinder()
    for index, frame in enumerate(checked_frames(frames)):
        if is_cut(frame):
            cuts.append(index)
        factor = np.array([frame.shape[1] / parsed.canvas[0], frame.shape[0] / parsed.canvas[1], 1])
        seen.append(looks(frame, parsed.people[index] * factor) if index < len(parsed) else None)
    check_length(len(parsed), len(seen))
    return Detections(parsed.people, parsed.canvas, tuple(cuts), looks=tuple(seen))


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

    After a cut the person is who looks like before (if the frames were at hand, see Detections.looks). If nobody
    clearly does, the person is chosen again among the people of the new scene, by the same rule; index, point and mask
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
            same = _most_alike(parsed, chosen, others)
            again = others[choose(others, replace(selection, rule=rule)) if same is None else same]
            keypoints[scene] = again.keypoints_FK3[scene]
    return Person(as_track(keypoints, parsed.canvas), cuts, _evidence(parsed, keypoints))


def _most_alike(parsed: ParsedPose, chosen: PoseTrack, others: list[PoseTrack]) -> int | None:
    """Index of the one among `others` who clearly looks like the chosen person; None if that cannot be said."""
    before = _look(parsed, chosen)
    looks_N = [_look(parsed, other) for other in others]
    if before is None or any(look is None for look in looks_N):
        return None
    unlike_N = [difference(before, look) or 0.0 for look in looks_N if look is not None]
    first, *rest = np.argsort(unlike_N).tolist()
    clearly = not rest or unlike_N[rest[0]] - unlike_N[first] > 0.1
    return first if unlike_N[first] < STRANGER and clearly else None


def _look(parsed: ParsedPose, track: PoseTrack) -> np.ndarray | None:
    """(D,) mean look of the person with these unchanged poses; None if it is not known."""
    if not isinstance(parsed, Detections) or not parsed.looks:
        return None
    seen = [
        parsed.looks[frame][n].astype(np.float32)
        for frame, n in _owned(parsed, track.keypoints_FK3)
        if parsed.looks[frame][n].any()
    ]
    return np.mean(seen, axis=0) if seen else None


def _owned(parsed: ParsedPose, keypoints_FK3: np.ndarray) -> Iterator[tuple[int, int]]:
    """Frame and place in the list of people of each of a person's unchanged poses."""
    for frame, people in enumerate(parsed.people):
        for n, person in enumerate(people):
            if (person[:, 2] > 0).any() and np.array_equal(person, keypoints_FK3[frame]):
                yield frame, n


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
    for frame, n in _owned(parsed, keypoints_FK3):
        front_F[frame] = parsed.front[frame][n]
    return front_F
