"""The files prepare_dataset.py writes beside a data set, one folder a clip; entries.py reads them.

# F frames, H W pixel rows/columns
"""

import json
from pathlib import Path

import numpy as np

from ...files import atomic_path, atomic_write_text
from ...handovers import GarmentLandmarks, PoseTrack


def write_pose(folder: Path, track: PoseTrack) -> None:
    """pose.npz: the track as it is."""
    with atomic_path(folder / "pose.npz") as temporary:
        np.savez_compressed(
            temporary,
            keypoints=track.keypoints_FK3,
            canvas=np.array(track.canvas),
            provenance=track.provenance_F,
        )


def write_mask(folder: Path, mask_FHW: np.ndarray) -> None:
    """mask.npz: one bit a pixel."""
    with atomic_path(folder / "mask.npz") as temporary:
        np.savez_compressed(temporary, packed=np.packbits(mask_FHW > 127, axis=2), width=mask_FHW.shape[2])


def write_landmarks(folder: Path, marks: GarmentLandmarks, box: tuple[int, int, int, int] | None = None) -> None:
    """garment.json: points, visibility, canvas, category, sleeve; box: x0, y0, x1, y1 of the garment in its picture."""
    data = {
        "points": [[round(float(v), 3) for v in point] for point in marks.points_K3],
        "visibility": [int(v) for v in marks.visibility_K],
        "canvas": [int(v) for v in marks.canvas],
        "category": marks.category,
        "sleeve": marks.sleeve,
        "box": [int(v) for v in box] if box else None,
    }
    atomic_write_text(folder / "garment.json", json.dumps(data))
