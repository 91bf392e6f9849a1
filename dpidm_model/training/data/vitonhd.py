"""VITON-HD (image pairs, upper garments) as published."""

from pathlib import Path

from ...errors import MissingFileError
from .entries import Entry

LAYOUT = """\
ROOT/train_pairs.txt, test_pairs.txt            lines "00000_00.jpg 00000_00.jpg" (person, garment)
ROOT/{train,test}/image/00000_00.jpg            person
ROOT/{train,test}/cloth/00000_00.jpg            garment
ROOT/{train,test}/agnostic-mask/00000_00_mask.png           optional: else prepared
ROOT/{train,test}/openpose_json/00000_00_keypoints.json     optional: else prepared"""
SPLITS = ("train", "test")
VIDEO = False


def entries(root: Path, split: str, prepared: Path | None, categories: tuple[str, ...] = ()) -> list[Entry]:
    """Each person with the garment they wear (paired: training and the paired protocol)."""
    pairs = root / f"{split}_pairs.txt"
    folder = root / split
    if not folder.is_dir():
        raise MissingFileError(f"no folder {folder}; VITON-HD unpacks to:\n{LAYOUT}")
    if pairs.is_file():
        names = sorted({line.split()[0] for line in pairs.read_text(encoding="utf-8").splitlines() if line.split()})
    else:
        names = sorted(p.name for p in (folder / "image").glob("*.jpg"))
    return [_entry(folder, Path(name), prepared) for name in names]


def _entry(folder: Path, name: Path, prepared: Path | None) -> Entry:
    masks, poses = folder / "agnostic-mask", folder / "openpose_json"
    return Entry(
        name=name.stem,
        frames=(folder / "image" / name,),
        garment=folder / "cloth" / name,
        mask=(masks / f"{name.stem}_mask.png",) if masks.is_dir() else None,
        pose=(poses / f"{name.stem}_keypoints.json",) if poses.is_dir() else (),
        prepared=prepared / name.stem if prepared else None,
    )
