"""How overlapping windows become one clip: weights of each window's frames, with the host's names for them.

F frames of the clip, W frames of a window. Two choices: the weights (FUSE), and when they are applied (FUSE_AT):
"window" denoises every window wholly on its own and averages the results, as the paper does (arXiv 2505.16980, sec. 4);
"step" averages the predictions at every step, so all windows share one noisy clip (not in the paper).
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ..errors import InputError
from .windows import Plan

FUSE_AT = ("window", "step")


def flat(window: list[int], frames: int, overlap: int) -> Tensor:
    """Every window counts the same."""
    return torch.ones(len(window), dtype=torch.float64)


def pyramid(window: list[int], frames: int, overlap: int) -> Tensor:
    """1, 2, ... up to the middle of the window and down again."""
    up = torch.arange(1, len(window) + 1, dtype=torch.float64)
    return torch.minimum(up, up.flip(0))


def relative(window: list[int], frames: int, overlap: int) -> Tensor:
    """Falls linearly with the distance from the window's middle, from 1 to 0.01 at its ends."""
    place = torch.arange(len(window), dtype=torch.float64)
    middle = (len(window) - 1) / 2
    return (1 - (place - middle).abs() / (middle + 0.005)).clamp(min=0.01)


def overlap_linear(window: list[int], frames: int, overlap: int) -> Tensor:
    """1 inside, ramps over the overlap; no ramp at the ends of the clip."""
    weights_W = torch.ones(len(window), dtype=torch.float64)
    overlap = min(overlap, len(window))
    ramp = torch.arange(1, overlap + 1, dtype=torch.float64) / (overlap + 1)
    if overlap and window[0] != 0:
        weights_W[:overlap] *= ramp
    if overlap and window[-1] != frames - 1:
        weights_W[-overlap:] *= ramp.flip(0)
    return weights_W


FUSE: dict[str, Callable[[list[int], int, int], Tensor]] = {
    "flat": flat,
    "pyramid": pyramid,
    "relative": relative,
    "overlap-linear": overlap_linear,
}


def fuse_weights(method: str, windows: Plan, frames: int, overlap: int) -> list[Tensor]:
    """The share of each window in each of its frames: for every frame of the clip the shares sum to one.

    Returns one (W,) float32 tensor per window.  Raises InputError for an unknown method.
    """
    if method not in FUSE:
        raise InputError(f"fuse_method {method!r} is unknown; choose one of {', '.join(FUSE)}")
    raw = [FUSE[method](window, frames, overlap) for window in windows]
    total_F = torch.zeros(frames, dtype=torch.float64)
    for window, weights_W in zip(windows, raw):
        total_F[window] += weights_W
    return [(weights_W / total_F[window]).float() for window, weights_W in zip(windows, raw)]


def add_window(sum_FCHW: Tensor, window: list[int], part_WCHW: Tensor, weights_W: Tensor) -> None:
    """Add a window's weighted frames to the clip's running sum, in place."""
    sum_FCHW[window] += part_WCHW * weights_W[:, None, None, None]
