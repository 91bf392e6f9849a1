"""One's own clips: a folder a clip."""

import json
from pathlib import Path

from ...errors import InputError, MissingFileError
from ...handovers import CATEGORIES
from .entries import IMAGE_SUFFIXES, VIDEO_SUFFIXES, Entry, picture_files

LAYOUT = """\
ROOT/CLIP/video.mp4  or  ROOT/CLIP/frames/*.png   a person (one picture: an image)
ROOT/CLIP/garment.jpg                             the garment they wear, alone
ROOT/CLIP/mask.mp4   or  ROOT/CLIP/masks/*.png    optional, white where it may paint: else prepared
ROOT/CLIP/clip.json                               optional: {"category": "upper" | "lower" | "dress"}
With splits: ROOT/train/CLIP/..., ROOT/test/CLIP/..."""
SPLITS = ("train", "val", "test")
VIDEO = True


def entries(root: Path, split: str, prepared: Path | None, categories: tuple[str, ...] = ()) -> list[Entry]:
    """All clips of the split's folder, or of ROOT itself for train when there are no split folders."""
    folder = root / split
    if not folder.is_dir():
        if split != "train" or not root.is_dir():
            raise MissingFileError(f"no folder {folder if root.is_dir() else root}; expected:\n{LAYOUT}")
        folder = root
    skipped = {"prepared", *SPLITS}
    clips = [p for p in sorted(folder.iterdir()) if p.is_dir() and p.name not in skipped]
    found = [_entry(clip, prepared) for clip in clips]
    return [entry for entry in found if not categories or entry.category in categories]


def _entry(clip: Path, prepared: Path | None) -> Entry:
    return Entry(
        name=clip.name,
        frames=_one(clip, "video", VIDEO_SUFFIXES) or picture_files(clip / "frames") or clip / "video.mp4",
        garment=_one(clip, "garment", IMAGE_SUFFIXES) or clip / "garment.jpg",
        mask=_one(clip, "mask", VIDEO_SUFFIXES) or picture_files(clip / "masks") or None,
        category=_category(clip / "clip.json"),
        prepared=prepared / clip.name if prepared else None,
    )


def _one(folder: Path, stem: str, suffixes: tuple[str, ...]) -> Path | None:
    return next((folder / f"{stem}{s}" for s in suffixes if (folder / f"{stem}{s}").is_file()), None)


def _category(path: Path) -> str:
    if not path.is_file():
        return "upper"
    try:
        category = json.loads(path.read_text(encoding="utf-8")).get("category", "upper")
    except (ValueError, AttributeError) as error:
        raise InputError(f"{path}: not a JSON object ({error}); expected {{'category': 'upper'}}") from error
    if category not in CATEGORIES:
        raise InputError(f"{path}: category {category!r} is not one of {', '.join(CATEGORIES)}")
    return category
