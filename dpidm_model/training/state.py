"""Checkpoints that survive: written beside and renamed, rotated, verified on load, a broken one passed over."""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from ..errors import CheckpointError

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
PREFIX = "step-"


def checkpoints(folder: Path) -> list[Path]:
    """Complete checkpoints (by name) of a run, newest first."""
    if not folder.is_dir():
        return []
    return sorted((p for p in folder.glob(f"{PREFIX}*") if (p / MANIFEST).is_file()), reverse=True)


def step_of(path: Path) -> int:
    """The step a checkpoint was written after."""
    return int(path.name.removeprefix(PREFIX))


def commit(part: Path, target: Path, keep: int) -> None:
    """Turn the finished folder `part` into checkpoint `target` and drop all but the newest `keep`.

    A manifest with size and SHA-256 of every file goes in last; then everything is flushed and renamed at once.
    """
    files = sorted(p for p in part.rglob("*") if p.is_file())
    listed = {str(p.relative_to(part)): {"bytes": p.stat().st_size, "sha256": digest(p)} for p in files}
    (part / MANIFEST).write_text(json.dumps(listed, indent=1), encoding="utf-8")
    for path in (*files, part / MANIFEST):
        with path.open("rb") as file:
            os.fsync(file.fileno())
    if target.exists():
        shutil.rmtree(target)
    os.replace(part, target)
    for old in checkpoints(target.parent)[keep:]:
        shutil.rmtree(old, ignore_errors=True)


def verify(path: Path) -> None:
    """Raise CheckpointError naming the first file that is missing or not as it was written."""
    try:
        listed = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path / MANIFEST} cannot be read ({error})") from error
    for name, expected in listed.items():
        file = path / name
        if not file.is_file():
            raise CheckpointError(f"{file} is missing")
        if file.stat().st_size != expected["bytes"]:
            raise CheckpointError(f"{file} has {file.stat().st_size} bytes, {expected['bytes']} were written")
        if digest(file) != expected["sha256"]:
            raise CheckpointError(f"{file} has changed since it was written")


def load_newest(folder: Path, load: Callable[[Path], None], say: Callable[[str], None]) -> Path | None:
    """Load the newest checkpoint that is whole; broken ones are passed over, said aloud.

    Returns its path, or None if the run has none. Raises CheckpointError if there are some and none is whole.
    """
    found = checkpoints(folder)
    for path in found:
        try:
            verify(path)
            load(path)
        except Exception as error:
            # whatever a damaged file makes torch, json or safetensors raise
            say(f"checkpoint {path.name} is broken ({error}); going back to the one before it")
            continue
        return path
    if found:
        raise CheckpointError(
            f"none of the {len(found)} checkpoints in {folder} can be read; restore one, or start in another folder"
        )
    return None


def discard_parts(folder: Path) -> None:
    """Remove what an interrupted save left."""
    for part in folder.glob(f".{PREFIX}*.part"):
        shutil.rmtree(part, ignore_errors=True)


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    sha = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            sha.update(block)
    return sha.hexdigest()
