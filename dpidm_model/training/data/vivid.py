"""ViViD (videos; upper, lower, dresses) as published, with the community's lists where they exist."""

import json
from pathlib import Path

from ...errors import InputError, MissingFileError
from .entries import VIDEO_SUFFIXES, Entry

LAYOUT = """\
ROOT/{upper_body,lower_body,dresses}/videos/1057795_detail.mp4
ROOT/.../images/1057795_in_xl.jpg               its garment
ROOT/.../agnostic_mask/1057795_detail.mp4       optional: else prepared
ROOT/.../{train,test}_pairs.txt                 lines "1057795_detail.mp4 1057795_in_xl.jpg"
ROOT/.../{train,test}_data.jsonl                optional: {"video", "image", "front_seqs": [[35, 89]]}, goes first
Without a list, every video is training data."""
SPLITS = ("train", "test")
VIDEO = True
FOLDERS = {"upper": "upper_body", "lower": "lower_body", "dress": "dresses"}


def entries(root: Path, split: str, prepared: Path | None, categories: tuple[str, ...] = ()) -> list[Entry]:
    """Clips of the chosen categories (empty: all). Front-facing ranges are kept when the list has them."""
    found = []
    for category, folder_name in FOLDERS.items():
        folder = root / folder_name
        if folder.is_dir() and (not categories or category in categories):
            place = prepared / folder_name if prepared else None
            found += [_entry(folder, category, place, *item) for item in _list(folder, split)]
    if not any((root / name).is_dir() for name in FOLDERS.values()):
        raise MissingFileError(f"{root} has none of {', '.join(FOLDERS.values())}; ViViD unpacks to:\n{LAYOUT}")
    return found


def _list(folder: Path, split: str) -> list[tuple[str, str, tuple]]:
    """(video, image, ranges) of one category."""
    lines, pairs = folder / f"{split}_data.jsonl", folder / f"{split}_pairs.txt"
    if lines.is_file():
        try:
            items = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines() if line.strip()]
            return [
                (i["video"], i["image"], tuple((int(a), int(b)) for a, b in i.get("front_seqs", []))) for i in items
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{lines}: not the expected JSON lines ({error!r}); see the layout:\n{LAYOUT}") from error
    if pairs.is_file():
        rows = [line.split() for line in pairs.read_text(encoding="utf-8").splitlines() if line.split()]
        return [(row[0], row[-1], ()) for row in rows]
    if split != "train":
        raise MissingFileError(f"no {pairs} or {lines}: {folder.name} has no {split} list")
    videos = sorted(p.name for p in (folder / "videos").glob("*") if p.suffix.lower() in VIDEO_SUFFIXES)
    return [(video, f"{video.split('_')[0]}_in_xl.jpg", ()) for video in videos]


def _entry(folder: Path, category: str, prepared: Path | None, video: str, image: str, ranges: tuple) -> Entry:
    masks = folder / "agnostic_mask"
    stem = Path(video).stem
    return Entry(
        name=f"{folder.name}/{stem}",
        frames=folder / "videos" / video,
        garment=folder / "images" / image,
        mask=masks / video if masks.is_dir() else None,
        category=category,
        prepared=prepared / stem if prepared else None,
        ranges=ranges,
    )
