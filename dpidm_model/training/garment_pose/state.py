"""A run's state on disk: everything that makes a resumed run continue as if it had not stopped."""

from pathlib import Path

import torch

from ...errors import CheckpointError
from ...files import atomic_path

KEEP = 2


def save_state(folder: Path, step: int, state: dict) -> None:
    """Write state_<step>.pt atomically and delete all but the newest KEEP."""
    with atomic_path(folder / f"state_{step:07d}.pt") as temporary:
        torch.save({"step": step, **state}, temporary)
    for old in sorted(folder.glob("state_*.pt"))[:-KEEP]:
        old.unlink()


def load_state(folder: Path, log) -> dict | None:
    """The newest readable state, None if there is none at all. Raises CheckpointError if all are broken."""
    files = sorted(folder.glob("state_*.pt"), reverse=True)
    for path in files:
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # a torn file raises anything from EOFError to UnpicklingError
            log(f"{path.name} is unreadable ({type(error).__name__}); trying the one before it")
    if files:
        raise CheckpointError(f"none of the {len(files)} states in {folder} can be read; delete them to start anew")
    return None
