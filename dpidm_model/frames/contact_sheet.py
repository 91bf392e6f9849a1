"""One picture that shows a whole run: garment | source | poses | mask | result, for a few frames of the clip.

F frames, H W pixels.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from ..errors import InputError

CELL_HEIGHT = 256
GAP = 6
BAND = 22  # height of a caption


def contact_sheet(
    garment_HW3: np.ndarray, rows: dict[str, Sequence[np.ndarray]], *, columns: int = 6, title: str = ""
) -> np.ndarray:
    """Lay out a run.

    garment_HW3: float in 0..1, shown at the left.  rows: caption -> clip (F, H, W, 3) float in 0..1, or masks
    (F, H, W); all of the same length, read frame by frame.
    columns: how many frames, evenly over the clip.  title: a line above.
    Returns (H, W, 3) uint8.
    """
    lengths = {name: len(clip) for name, clip in rows.items()}
    if len(set(lengths.values())) != 1:
        raise InputError(f"the contact sheet's clips differ in length: {lengths}; connect clips of the same frames")
    frames = pick_frames(next(iter(lengths.values())), columns)
    made = [_row(name, [clip[f] for f in frames], frames) for name, clip in rows.items()]
    picture = _caption(_fit(_to_uint8(garment_HW3), CELL_HEIGHT), "garment")
    body = _stack(made, axis=0)
    left = np.full((body.shape[0], picture.shape[1], 3), 24, np.uint8)
    left[: picture.shape[0]] = picture[: body.shape[0]]
    sheet = _stack([left, body], axis=1)
    return _caption(sheet, title) if title else sheet


def pick_frames(length: int, columns: int) -> list[int]:
    """`columns` frame numbers spread evenly over a clip of `length` frames (fewer if the clip is shorter)."""
    return sorted({round(i) for i in np.linspace(0, length - 1, min(columns, length))})


def _row(name: str, pictures: list[np.ndarray], frames: list[int]) -> np.ndarray:
    cells = [_caption(_fit(_to_uint8(p), CELL_HEIGHT), f"{name} {f}") for p, f in zip(pictures, frames)]
    return _stack(cells, axis=1)


def _to_uint8(picture) -> np.ndarray:
    picture = np.asarray(picture, np.float32)
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, -1)
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def _fit(picture: np.ndarray, height: int) -> np.ndarray:
    width = max(1, round(picture.shape[1] * height / picture.shape[0]))
    shrinks = picture.shape[0] > height
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def _caption(picture: np.ndarray, text: str) -> np.ndarray:
    band = np.full((BAND, picture.shape[1], 3), 24, np.uint8)
    cv2.putText(band, text, (4, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (235, 235, 235), 1, cv2.LINE_AA)
    return np.concatenate([band, picture])


def _stack(parts: list[np.ndarray], axis: int) -> np.ndarray:
    """Pictures one after the other with gaps, padded to the same size across."""
    across = 1 - axis
    longest = max(p.shape[across] for p in parts)
    padded = []
    for part in parts:
        widths = [(0, 0), (0, 0), (0, 0)]
        widths[across] = (0, longest - part.shape[across])
        widths[axis] = (0, GAP)
        padded.append(np.pad(part, widths, constant_values=24))
    return np.concatenate(padded, axis)
