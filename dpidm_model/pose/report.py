"""What became of a track, frame by frame, and its figures. F frames, K joints."""

import itertools

import numpy as np

from ..handovers import DETECTED, FILLED, MISSING, PoseTrack
from .sides import facing

PROVENANCE = {MISSING: "missing", DETECTED: "found", FILLED: "filled"}
STEADY_JOINTS = (2, 3, 5, 6, 8, 11)  # shoulders, elbows, hips


def jitter(
    track: PoseTrack, joints: tuple[int, ...] = STEADY_JOINTS, height: float = 512.0, cuts: tuple[int, ...] = ()
) -> float:
    """Mean length of the second difference of joint positions, in pixels of a picture `height` high.

    Only joints present in three frames in a row of one scene count; 0 if there are none.
    """
    lengths_FK = _bends(track, joints, height, cuts)
    return float(np.nanmean(lengths_FK)) if np.isfinite(lengths_FK).any() else 0.0


def jitter_of_frames(
    track: PoseTrack, joints: tuple[int, ...] = STEADY_JOINTS, height: float = 512.0, cuts: tuple[int, ...] = ()
) -> np.ndarray:
    """(F,) the same of each frame and its two neighbours; 0 where it is not known."""
    lengths_FK = _bends(track, joints, height, cuts)
    known_FK = np.isfinite(lengths_FK)
    return np.where(known_FK, lengths_FK, 0).sum(axis=1) / np.maximum(known_FK.sum(axis=1), 1)


def _bends(track: PoseTrack, joints: tuple[int, ...], height: float, cuts: tuple[int, ...]) -> np.ndarray:
    """(F, K) length of the second difference around each frame; NaN where a joint or a neighbour in time is missing."""
    points_FK3 = track.keypoints_FK3[:, list(joints)].astype(np.float64)
    lengths_FK = np.full(points_FK3.shape[:2], np.nan)
    if len(points_FK3) < 3:
        return lengths_FK
    before, now, after = points_FK3[:-2], points_FK3[1:-1], points_FK3[2:]
    seen_FK = (before[..., 2] > 0) & (now[..., 2] > 0) & (after[..., 2] > 0)
    for cut in cuts:
        seen_FK[max(0, cut - 2) : cut] = False
    bends_FK = np.linalg.norm((after - 2 * now + before)[..., :2], axis=-1) * height / track.canvas[1]
    lengths_FK[1:-1] = np.where(seen_FK, bends_FK, np.nan)
    return lengths_FK


def report(track: PoseTrack, raw: PoseTrack | None = None, cuts: tuple[int, ...] = ()) -> dict:
    """Figures of a track: counts, jitter (of `raw` too, if given), cuts; per frame provenance, facing and jitter."""
    names = [PROVENANCE[int(p)] for p in track.provenance_F]
    turned = facing(track.keypoints_FK3)
    figures: dict = {
        "frames": len(track),
        "found": names.count("found"),
        "filled": names.count("filled"),
        "missing": names.count("missing"),
        "jitter_px_at_512": round(jitter(track, cuts=cuts), 3),
    }
    if raw is not None:
        figures["raw_jitter_px_at_512"] = round(jitter(raw, cuts=cuts), 3)
    figures["cuts"] = list(cuts)
    figures["facing"] = {name: turned.count(name) for name in sorted(set(turned))}
    shake = jitter_of_frames(track, cuts=cuts)
    figures["per_frame"] = [
        {"frame": i, "pose": name, "facing": turned[i], "jitter_px_at_512": round(float(shake[i]), 3)}
        for i, name in enumerate(names)
    ]
    return figures


def as_text(figures: dict) -> str:
    """The report as a few lines: figures, then runs of frames that share provenance and facing, with their jitter."""
    lines = [f"{key}: {value}" for key, value in figures.items() if key != "per_frame"]
    for label, run in itertools.groupby(figures["per_frame"], key=lambda entry: f"{entry['pose']}, {entry['facing']}"):
        entries = list(run)
        shake = sum(entry["jitter_px_at_512"] for entry in entries) / len(entries)
        lines.append(f"frames {entries[0]['frame']}-{entries[-1]['frame']}: {label}, jitter {shake:.2f}")
    return "\n".join(lines)
