"""Between a host's image batches and single frames: one frame at a time, never a second copy of the clip.

B frames, H W pixels. IMAGE: (B, H, W, 3) float32 0..1. MASK: (B, H, W) float32 0..1.
"""

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
import torch
from torch import Tensor

from ..errors import InputError


def float_frames(images_BHW3: Tensor) -> Iterator[np.ndarray]:
    """Each frame as (H, W, 3) float32 0..1, a view where possible: copy before changing it."""
    for frame in images_BHW3:
        yield frame.detach().cpu().float().numpy()


def uint8_frames(images_BHW3: Tensor) -> Iterator[np.ndarray]:
    """Each frame as (H, W, 3) uint8 RGB."""
    for frame in float_frames(images_BHW3):
        yield np.clip(frame * 255 + 0.5, 0, 255).astype(np.uint8)


def masks_for(mask: Tensor, frames: int, size: tuple[int, int], name: str = "mask") -> Iterator[np.ndarray]:
    """A MASK as one float32 (H, W) per frame; a single mask serves all frames.

    size: (width, height) it must have. Raises InputError on another size, length, rank or on NaN.
    """
    if mask.ndim == 2:
        mask = mask[None]
    if mask.ndim != 3:
        raise InputError(f"{name} has shape {tuple(mask.shape)}; expected (frames, height, width)")
    if mask.shape[0] not in (1, frames):
        raise InputError(f"{name} has {mask.shape[0]} frames but the video has {frames}; give one mask or {frames}")
    if tuple(mask.shape[1:]) != (size[1], size[0]):
        raise InputError(
            f"{name} is {mask.shape[2]}x{mask.shape[1]} pixels but the frames are {size[0]}x{size[1]}; "
            "make it on these frames, or resize it to them"
        )
    for index in range(mask.shape[0]):
        if not bool(torch.isfinite(mask[index]).all()):
            raise InputError(f"{name} contains NaN or infinite values in frame {index}; make it again")
    return (mask[min(i, len(mask) - 1)].detach().cpu().float().numpy() for i in range(frames))


def collect(frames: Iterable[np.ndarray], count: int) -> Tensor:
    """Frames (float32, or uint8 turned into 0..1) as one batch of known length, filled as they come."""
    batch: Tensor | None = None
    for index, frame in enumerate(frames):
        if batch is None:
            batch = torch.empty((count, *frame.shape), dtype=torch.float32)
        tensor = torch.from_numpy(np.ascontiguousarray(frame))
        batch[index] = tensor.float() / 255 if frame.dtype == np.uint8 else tensor
    if batch is None:
        raise InputError("there are no frames; expected at least one")
    return batch


def resized(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture or mask at (width, height)."""
    if frame.shape[1::-1] == tuple(size):
        return frame
    shrink = size[0] < frame.shape[1]
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR)
