"""What became of a track, frame by frame, and its figures. F frames, K joints."""

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
    points_FK3 = track.keypoints_FK3[:, list(joints)].astype(np.float64)
    if len(points_FK3) < 3:
        return 0.0
    bend = points_FK3[2:, :, :2] - 2 * points_FK3[1:-1, :, :2] + points_FK3[:-2, :, :2]
    seen = (points_FK3[2:, :, 2] > 0) & (points_FK3[1:-1, :, 2] > 0) & (points_FK3[:-2, :, 2] > 0)
    for cut in cuts:
        seen[max(0, cut - 2) : cut] = False
    if not seen.any():
        return 0.0
    return float(np.linalg.norm(bend, axis=-1)[seen].mean() * height / track.canvas[1])


def report(track: PoseTrack, raw: PoseTrack | None = None, cuts: tuple[int, ...] = ()) -> dict:
    """Figures of a track: counts, jitter (of `raw` too, if given), cuts, and per frame provenance and facing."""
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
    figures["per_frame"] = [{"frame": i, "pose": name, "facing": turned[i]} for i, name in enumerate(names)]
    return figures


def as_text(figures: dict) -> str:
    """The report as a few lines: figures, then runs of frames that share provenance and facing."""
    lines = [f"{key}: {value}" for key, value in figures.items() if key != "per_frame"]
    runs: list[list] = []
    for entry in figures["per_frame"]:
        label = f"{entry['pose']}, {entry['facing']}"
        if runs and runs[-1][2] == label:
            runs[-1][1] = entry["frame"]
        else:
            runs.append([entry["frame"], entry["frame"], label])
    lines += [f"frames {a}-{b}: {label}" for a, b, label in runs]
    return "\n".join(lines)
