"""The checker: what is missing or broken in a data set, by file."""

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TypeVar

from .base import UnreadableError
from .entries import Entry, count_frames, read_frames, read_landmarks, read_mask, read_picture, read_pose

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Problem:
    """clip: the entry's name.  part: frames, garment, mask, pose or landmarks.  what: the file and what is wrong."""

    clip: str
    part: str
    what: str


def check_entry(entry: Entry, deep: bool = False) -> list[Problem]:
    """Problems of one clip. deep: decode every frame and mask (finds truncated videos), else the first frame only."""
    problems: list[Problem] = []

    def attempt(part: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except UnreadableError as error:
            problems.append(Problem(clip=entry.name, part=part, what=str(error)))
            return None

    frames = attempt("frames", lambda: _frame_numbers(entry, deep))
    pictures = attempt("frames", lambda: read_frames(entry.frames, frames)) if frames else None
    attempt("garment", lambda: read_picture(entry.garment))
    if frames and pictures is not None:
        canvas = (pictures.shape[2], pictures.shape[1])
        attempt("mask", lambda: _masks(entry, frames, canvas))
        attempt("pose", lambda: read_pose(entry, frames, canvas))
    attempt("landmarks", lambda: read_landmarks(entry))
    return problems


def _frame_numbers(entry: Entry, deep: bool) -> list[int]:
    count = count_frames(entry.frames)
    if count == 0:
        raise UnreadableError(f"{entry.name}: has no frames")
    return list(range(count)) if deep else [0]


def _masks(entry: Entry, frames: list[int], canvas: tuple[int, int]) -> None:
    mask_FHW = read_mask(entry, frames, canvas)
    empty = [frames[i] for i in range(len(frames)) if not mask_FHW[i].any()]
    if empty:
        raise UnreadableError(f"{entry.name}: the mask is empty in {len(empty)} frames, first {empty[0]}")


def check(entries: Iterable[Entry], *, deep: bool = False, workers: int = 1) -> list[Problem]:
    """Problems of all clips, in their order."""
    entries = list(entries)
    if workers <= 1:
        found = [check_entry(entry, deep) for entry in entries]
    else:
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            found = list(pool.map(check_entry, entries, [deep] * len(entries), chunksize=8))
    return [problem for problems in found for problem in problems]
