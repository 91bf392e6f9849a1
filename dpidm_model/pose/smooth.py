"""Filling gaps and smoothing of one person's joints over time, never across a cut.

Not in the paper: offline filters with no lag. F frames, K joints; confidence 0 = missing.
"""

import itertools
import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from ..errors import InputError
from ..handovers import BODY, FILLED, MISSING, PoseTrack

MAX_GAP = 24
NECK = 1


def segments(frames: int, cuts: Iterable[int]) -> list[slice]:
    """The scenes of a clip: slices between cuts (indices of the first frame after a cut)."""
    edges = [0, *sorted({c for c in cuts if 0 < c < frames}), frames]
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


def fill_gaps(track: PoseTrack, cuts: Iterable[int] = (), max_gap: int = MAX_GAP) -> PoseTrack:
    """Missing joints get their linear interpolation in time; before the first and after the last sight they are held.

    Both relative to the neck: an arm that is not seen while the person walks moves along with the body. Gaps longer
    than `max_gap` frames and scenes in which the person never appears stay missing. Frames whose body came wholly from
    filling are marked FILLED. Confidence of a filled joint is half the lower of its two neighbours'.
    """
    keypoints = track.keypoints_FK3.copy()
    for scene in segments(len(track), cuts):
        neck_F3 = keypoints[scene, NECK].copy()
        _fill_joint(neck_F3, len(neck_F3))
        for joint in range(keypoints.shape[1]):
            points_F3 = keypoints[scene, joint]
            filled_F3 = points_F3 - neck_F3 * (1, 1, 0)
            _fill_joint(filled_F3, max_gap)
            new_F = (points_F3[:, 2] <= 0) & (filled_F3[:, 2] > 0)
            points_F3[new_F] = (filled_F3 + neck_F3 * (1, 1, 0))[new_F]
    provenance = track.provenance_F.copy()
    body_F = (keypoints[:, BODY, 2] > 0).any(axis=1)
    provenance[(provenance == MISSING) & body_F] = FILLED
    return replace(track, keypoints_FK3=keypoints, provenance_F=provenance)


def _fill_joint(points_F3: np.ndarray, max_gap: int) -> None:
    """Fill one joint within one scene, in place."""
    seen = np.flatnonzero(points_F3[:, 2] > 0)
    if len(seen) == 0 or len(seen) == len(points_F3):
        return
    frames = np.arange(len(points_F3))
    left = seen[np.clip(np.searchsorted(seen, frames, side="right") - 1, 0, len(seen) - 1)]
    right = seen[np.clip(np.searchsorted(seen, frames), 0, len(seen) - 1)]
    gap_F = np.where(left < frames, np.where(right > frames, right - left - 1, len(points_F3) - 1 - left), right)
    fill_F = (points_F3[:, 2] <= 0) & (gap_F <= max_gap)
    confidence_F = 0.5 * np.minimum(points_F3[left, 2], points_F3[right, 2])
    for axis in (0, 1):
        values = np.interp(frames, seen, points_F3[seen, axis])
        points_F3[fill_F, axis] = values[fill_F]
    points_F3[fill_F, 2] = confidence_F[fill_F]


def drop_outliers(track: PoseTrack, cuts: Iterable[int] = (), reach: int = 3, least: float = 0.03) -> PoseTrack:
    """Body joints that leave their place for a frame or two become missing (to be filled).

    Hampel's rule: farther from the median of the frames around (`reach` each side) than three times the median such
    distance and than `least` body heights. Needs five frames; steady fast motion moves the median along.
    """
    keypoints = track.keypoints_FK3.copy()
    scale = body_scale(track)
    for scene in segments(len(track), cuts):
        body_FK3 = keypoints[scene, BODY]
        if len(body_FK3) < 5:
            continue
        hidden_FK = body_FK3[..., 2] <= 0
        xy_FK2 = np.where(hidden_FK[..., None], np.nan, body_FK3[..., :2])
        padded = np.pad(xy_FK2, ((reach, reach), (0, 0), (0, 0)), constant_values=np.nan)
        around = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0)
        with warnings.catch_warnings():  # joints missing everywhere have no median: stay NaN, compare false
            warnings.simplefilter("ignore", RuntimeWarning)
            middle_FK2 = np.nanmedian(around, axis=-1)
            away_FKW = np.linalg.norm(np.moveaxis(around - middle_FK2[..., None], 2, -1), axis=-1)
            usual_FK = np.nanmedian(away_FKW, axis=-1)
        away_FK = np.linalg.norm(xy_FK2 - middle_FK2, axis=-1)
        body_FK3[away_FK > np.maximum(3 * usual_FK, least * scale)] = 0
    return replace(track, keypoints_FK3=keypoints)


def smooth(track: PoseTrack, method: str = "savgol", strength: float = 0.5, cuts: Iterable[int] = ()) -> PoseTrack:
    """Smooth every joint over time. method: one of METHODS. strength: 0 (nothing) .. 1 (strongest).

    Joints missing in a frame stay missing and do not influence their neighbours; scenes are smoothed apart.
    """
    if method not in METHODS:
        raise InputError(f"smoothing {method!r} is not known; choose one of {', '.join(METHODS)}")
    if not 0 <= strength <= 1:
        raise InputError(f"smoothing strength {strength} is outside 0..1; lower it to 1 or raise it to 0")
    keypoints = track.keypoints_FK3.copy()
    scale = body_scale(track)
    if strength > 0:
        for scene in segments(len(track), cuts):
            _smooth_runs(keypoints[scene], METHODS[method], strength, scale)
    return replace(track, keypoints_FK3=keypoints)


def body_scale(track: PoseTrack) -> float:
    """Median height of the body in pixels of the canvas (1 at least): the unit in which motion is judged."""
    body_FK3 = track.keypoints_FK3[:, BODY]
    seen_F = (body_FK3[..., 2] > 0).sum(axis=1) >= 2
    if not seen_F.any():
        return 1.0
    y_FK = np.where(body_FK3[..., 2] > 0, body_FK3[..., 1], np.nan)[seen_F]
    return float(max(1.0, np.median(np.nanmax(y_FK, axis=1) - np.nanmin(y_FK, axis=1))))


Filter = Callable[[np.ndarray, np.ndarray, float, float], np.ndarray]


def _smooth_runs(points_FK3: np.ndarray, filter_: Filter, strength: float, scale: float) -> None:
    """Apply a filter to one scene in place: (F, K, 2) positions weighted by confidence."""
    weights_FK = points_FK3[..., 2].astype(np.float64)
    smoothed = filter_(points_FK3[..., :2].astype(np.float64), weights_FK, strength, scale)
    present_FK = weights_FK > 0
    points_FK3[..., :2][present_FK] = smoothed[present_FK]


def savgol(xy_FK2: np.ndarray, weights_FK: np.ndarray, strength: float, scale: float) -> np.ndarray:
    """Savitzky-Golay with confidences as weights: at each frame the value of a local parabola, window 3..19 frames.

    Centred, so it has no lag; windows shrink to what is there at the ends of the scene.
    """
    del scale
    reach = 1 + round(8 * strength)
    frames, joints = weights_FK.shape
    moments = np.zeros((5, frames, joints))
    values = np.zeros((3, frames, joints, 2))
    for offset in range(-min(reach, frames - 1), min(reach, frames - 1) + 1):
        here = slice(max(0, -offset), frames - max(0, offset))
        there = slice(max(0, offset), frames - max(0, -offset))
        weight = weights_FK[there] * (1 - (abs(offset) / (reach + 1)) ** 2)
        for power in range(5):
            moments[power, here] += weight * offset**power
            if power < 3:
                values[power, here] += (weight * offset**power)[..., None] * xy_FK2[there]
    normal = np.stack([np.stack([moments[a + b] for b in range(3)], axis=-1) for a in range(3)], axis=-2)
    normal[..., [1, 2], [1, 2]] += 1e-6 * (normal[..., :1, 0] + 1e-9)  # one or two frames: fall back to their mean
    normal[..., 0, 0] += 1e-12
    fit = np.linalg.solve(normal, np.moveaxis(values, 0, -2))
    return fit[..., 0, :]


def one_euro(xy_FK2: np.ndarray, weights_FK: np.ndarray, strength: float, scale: float) -> np.ndarray:
    """One-Euro filter (Casiez 2012), run forwards and backwards and averaged, which cancels its lag.

    Speeds are measured in body heights per frame, so that the same strength means the same at any resolution.
    """
    cutoff = 0.25 * (1 - strength) ** 2 + 0.01  # cycles per frame
    slope = 2.0 * (1 - strength) + 0.5
    forwards = _one_euro_pass(xy_FK2 / scale, weights_FK, cutoff, slope)
    backwards = _one_euro_pass(xy_FK2[::-1] / scale, weights_FK[::-1], cutoff, slope)[::-1]
    return (forwards + backwards) / 2 * scale


def _one_euro_pass(xy_FK2: np.ndarray, weights_FK: np.ndarray, cutoff: float, slope: float) -> np.ndarray:
    value_K2, speed_K2 = xy_FK2[0].copy(), np.zeros_like(xy_FK2[0])
    known_K1 = weights_FK[0, :, None] > 0
    out = np.empty_like(xy_FK2)
    for frame, xy_K2 in enumerate(xy_FK2):
        seen_K1 = weights_FK[frame, :, None] > 0
        value_K2 = np.where(known_K1, value_K2, xy_K2)
        speed_K2 = np.where(seen_K1 & known_K1, speed_K2 + 0.3 * (xy_K2 - value_K2 - speed_K2), speed_K2)
        rate = 2 * np.pi * (cutoff + slope * np.linalg.norm(speed_K2, axis=-1, keepdims=True))
        alpha = rate / (rate + 1)
        value_K2 = np.where(seen_K1, value_K2 + alpha * (xy_K2 - value_K2), value_K2)
        known_K1 = known_K1 | seen_K1
        out[frame] = value_K2
    return out


METHODS: dict[str, Filter] = {"savgol": savgol, "one_euro": one_euro}
