"""What a try-on network is tested on: clips to dress, and what is known about the right result.

# F frames, H W pixel rows/columns
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..world import clip as world

if TYPE_CHECKING:
    from ..training.data.base import Clip

SYNTHETIC = {"synthetic-test": world.TEST_SEEDS, "synthetic-val": world.VALIDATION_SEEDS}
FILES = ("vitonhd", "vvt", "vivid", "folder")
FPS = 8.0
WARDROBE = 8  # garments that identification chooses from


@dataclass(frozen=True, kw_only=True)
class Task:
    """One clip to dress.

    clip: the source's frames, pose and mask, with the garment to put on.  truth_FHW3: the right result, uint8, or None
    where nobody knows it.  The rest is known in the generated world only: candidates: the true videos in every garment
    of the wardrobe, `right` the index of the right one; worn_FHW: bool, where the right garment is visible;
    flow_FHW2: its true motion, pixels.
    """

    clip: "Clip"
    category: str = "upper"
    truth_FHW3: np.ndarray | None = None
    candidates: tuple[np.ndarray, ...] = ()
    right: int = 0
    worn_FHW: np.ndarray | None = None
    flow_FHW2: np.ndarray | None = None


def synthetic_tasks(name: str, count: int, frames: int, size: tuple[int, int], paired: bool) -> Iterator[Task]:
    """Motion i of the split, wearing its own garment, to be dressed in garment i + 1 (paired: in its own again).

    The mask hides the garment worn and the one to be put on; the wardrobe is garments i to i + 7.
    """
    from ..training.data.base import Clip

    seeds = SYNTHETIC[name]
    for i in range(count):
        wardrobe = [seeds[(i + k) % len(seeds)] for k in range(WARDROBE)]
        worn = world.dress_motion(seeds[i], wardrobe, frames, size, fps=FPS, hidden=2, flow=True)
        right = 0 if paired else 1
        source, target = worn[0], worn[right]
        yield Task(
            clip=Clip(
                name=f"{name}-{i:03d}",
                frames_FHW3=source.frames_FHW3,
                mask_FHW=source.agnostic_FHW.astype(np.uint8) * np.uint8(255),
                garment_HW3=target.garment_HW3,
                pose=source.pose,
                landmarks=target.landmarks,
            ),
            truth_FHW3=_outside(target.frames_FHW3, source),
            candidates=tuple(_outside(w.frames_FHW3, source) for w in worn),
            right=right,
            worn_FHW=target.worn_FHW,
            flow_FHW2=target.flow_FHW2,
        )


def _outside(frames_FHW3: np.ndarray, source) -> np.ndarray:
    """The frames inside the mask, the source outside it, as every result is."""
    return np.where(source.agnostic_FHW[..., None], frames_FHW3, source.frames_FHW3)


def file_tasks(
    kind: str, root: str, prepared: str | None, count: int, frames: int, size: tuple[int, int], protocol: str
) -> Iterator[Task]:
    """Test clips of a data set as published (see docs/training.md). Unpaired: each in the next clip's garment.

    A plain folder that is not split into train and test is taken whole.
    """
    paired = protocol == "paired"
    split = "train" if kind == "folder" and not (Path(root) / "test").is_dir() else "test"
    from ..training.build import clip_set
    from ..training.config import DataSection, Source

    source = Source(kind=kind, root=root, prepared=prepared, split=split)
    clips = clip_set(source, DataSection(sources=(source,), width=size[0], height=size[1]))
    if not len(clips):
        raise InputError(
            f"{kind} at {root} has no test clips; prepare_dataset.py check {kind} {root} says what is there"
        )
    count = min(count, len(clips)) if count else len(clips)
    for i in range(count):
        clip = clips.read(i, list(range(min(frames, clips.frames_of(i)))))
        truth = clip.frames_FHW3
        if protocol == "unpaired":
            other = clips.read((i + 1) % len(clips), [0])
            clip = replace(clip, garment_HW3=other.garment_HW3, landmarks=other.landmarks)
        yield Task(clip=clip, category=clip.landmarks.category, truth_FHW3=truth if paired else None)
