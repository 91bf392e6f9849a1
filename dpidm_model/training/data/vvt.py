"""VVT (videos as pictures, upper garments) as published with FW-GAN."""

from pathlib import Path

from ...errors import MissingFileError
from .entries import Entry, picture_files

LAYOUT = """\
ROOT/lip_{train,test}_frames/ID/*.png                       frames of clip ID
ROOT/lip_clothes_person/ID/*cloth*.jpg                      its garment
ROOT/lip_{train,test}_frames_keypoint/ID/*_keypoints.json   optional: else prepared
ROOT/lip_{train,test}_frames_mask/ID/*.png                  optional agnostic masks: else prepared
The prefix "lip_" of the frame folders may be missing."""
SPLITS = ("train", "test")
VIDEO = True


def entries(root: Path, split: str, prepared: Path | None, categories: tuple[str, ...] = ()) -> list[Entry]:
    """Each clip with the garment it wears."""
    prefix = "lip_" if (root / f"lip_{split}_frames").is_dir() else ""
    folder = root / f"{prefix}{split}_frames"
    if not folder.is_dir():
        raise MissingFileError(f"no folder {root / f'lip_{split}_frames'}; VVT unpacks to:\n{LAYOUT}")
    return [_entry(root, folder, clip.name, prepared) for clip in sorted(folder.iterdir()) if clip.is_dir()]


def _entry(root: Path, folder: Path, name: str, prepared: Path | None) -> Entry:
    poses, masks = (folder.with_name(f"{folder.name}_{what}") for what in ("keypoint", "mask"))
    worn = root / "lip_clothes_person" / name
    cloths = [p for p in picture_files(worn) if "cloth" in p.name]
    return Entry(
        name=name,
        frames=picture_files(folder / name),
        garment=cloths[0] if cloths else worn / f"{name}_cloth_front.jpg",
        mask=picture_files(masks / name) if masks.is_dir() else None,
        pose=tuple(sorted((poses / name).glob("*.json"))) if poses.is_dir() else (),
        prepared=prepared / name if prepared else None,
    )
