"""The table of layouts. A new data set is one file and one line here."""

from pathlib import Path

from ...errors import InputError
from . import folder, vitonhd, vivid, vvt
from .entries import Entry

LAYOUTS = {"vitonhd": vitonhd, "vvt": vvt, "vivid": vivid, "folder": folder}


def list_entries(
    kind: str, root: str | Path, split: str, prepared: str | Path | None = None, categories: tuple[str, ...] = ()
) -> list[Entry]:
    """The clips of a data set on disk.  prepared: default ROOT/prepared/SPLIT.

    Raises MissingFileError (with the expected layout) or InputError.
    """
    if kind not in LAYOUTS:
        raise InputError(f"layout {kind!r} is not one of {', '.join(LAYOUTS)}")
    layout = LAYOUTS[kind]
    if split not in layout.SPLITS:
        raise InputError(f"{kind} has no split {split!r}; it has {', '.join(layout.SPLITS)}")
    return layout.entries(Path(root), split, prepared_folder(root, split, prepared), categories)


def prepared_folder(root: str | Path, split: str, prepared: str | Path | None) -> Path:
    """Where the prepared files of a split are."""
    return Path(prepared) if prepared else Path(root) / "prepared" / split
