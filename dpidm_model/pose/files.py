"""POSE_KEYPOINT as JSON on disk."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, MissingFileError
from ..files import atomic_write_text
from .schema import parse


def save_pose(path: Path, pose: Any) -> None:
    """Write poses as JSON, as they are (arrays become lists). Raises InputError if they are not POSE_KEYPOINT."""
    parse(pose)
    frames = [pose] if isinstance(pose, dict) else pose
    atomic_write_text(path, json.dumps(frames, default=_plain))


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "tolist"):
        return value.tolist()
    raise InputError(f"pose holds a {type(value).__name__}, which cannot be written as JSON; use numbers and lists")


def find_file(source: str, folders: list[Path]) -> Path | None:
    """The file that `source` names, as it stands or within one of the folders; None if it is not a file name."""
    if not source or len(source) > 1000 or source.lstrip().startswith(("[", "{")):
        return None
    for path in (Path(source), *(folder / source for folder in folders)):
        if path.is_file():
            return path
    return None


def fingerprint(source: str, folders: list[Path]) -> str:
    """Changes when the file that `source` names does."""
    path = find_file(source.strip(), folders)
    return source if path is None else f"{path} {path.stat().st_mtime_ns} {path.stat().st_size}"


def load_pose(source: str, folders: list[Path]) -> list[dict]:
    """POSE_KEYPOINT from a file name or JSON text. Checked; raises InputError or MissingFileError."""
    source = source.strip()
    if not source:
        raise InputError("no pose source is given; enter a JSON file's name, or paste the JSON itself")
    path = find_file(source, folders)
    if path is None and not source.startswith(("[", "{")):
        searched = ", ".join(map(str, folders))
        raise MissingFileError(f"pose file {source!r} was not found; put it into one of: {searched}")
    text = source if path is None else path.read_text(encoding="utf-8")
    try:
        pose = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{path or 'the pasted text'} is not JSON ({error}); expected POSE_KEYPOINT") from error
    parse(pose)
    return [pose] if isinstance(pose, dict) else pose
