#!/usr/bin/env python3
"""Contact sheet of generated try-on clips: one clip a row - garment A, its frames (every other one clothing-agnostic),
garment B, the same frames in B."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np

from dpidm_model.cli import finish, make_parser
from dpidm_model.files import atomic_path
from dpidm_model.handovers import CATEGORIES
from dpidm_model.world.clip import SPLITS, make_clip

EXAMPLES = "  python tools/world_sheet.py --out sheet.png\n  python tools/world_sheet.py --category dress --out d.png"


def row(seed: int, size: tuple[int, int], frames: int, category: str) -> np.ndarray:
    """One clip as a strip of pictures: (H, W, 3) uint8."""
    clip = make_clip(seed, frames, size, category=category, unpaired=True)
    assert clip.garment_b_HW3 is not None
    assert clip.frames_b_FHW3 is not None
    grey = np.where(clip.agnostic_FHW[..., None], np.uint8(127), clip.frames_FHW3)
    worn = [(grey if i % 2 else clip.frames_FHW3)[i] for i in range(frames)]
    return np.concatenate([clip.garment_HW3, *worn, clip.garment_b_HW3, *clip.frames_b_FHW3], 1)


def run(args) -> dict:
    """Write the sheet; returns its path, the seeds and the picture's size."""
    seeds = [SPLITS[args.split].start + args.first + i for i in range(args.clips)]
    sheet = np.concatenate([row(seed, (args.width, args.height), args.frames, args.category) for seed in seeds])
    with atomic_path(args.out) as temporary:
        cv2.imwrite(str(temporary), sheet[..., ::-1])
    return {"sheet": str(args.out), "seeds": seeds, "size": [sheet.shape[1], sheet.shape[0]]}


def main() -> int:
    parser = make_parser(__doc__, EXAMPLES)
    parser.add_argument("--out", type=Path, required=True, help="picture to write (.png or .jpg)")
    parser.add_argument("--clips", type=int, default=8, help="rows (default 8)")
    parser.add_argument("--first", type=int, default=0, help="first clip of the split (default 0)")
    parser.add_argument("--frames", type=int, default=5, help="frames a clip (default 5)")
    parser.add_argument("--width", type=int, default=96, help="pixels (default 96)")
    parser.add_argument("--height", type=int, default=128, help="pixels (default 128)")
    parser.add_argument("--category", choices=CATEGORIES, default="upper", help="kind of garment (default upper)")
    parser.add_argument("--split", choices=list(SPLITS), default="train", help="range of seeds (default train)")
    args = parser.parse_args()
    return finish(lambda: run(args), getattr(args, "json", False))


if __name__ == "__main__":
    sys.exit(main())
