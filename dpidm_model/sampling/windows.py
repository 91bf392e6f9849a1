"""Which frames are denoised together: window plans, with the host's names for them.

A plan is a list of windows, a window a list of frame indices in the order the network sees them. Every frame is in at
least one window and no frame is twice in one window. F frames.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..errors import InputError

Plan = list[list[int]]


@dataclass(frozen=True, kw_only=True)
class WindowConfig:
    """How a clip is cut into windows.

    length: frames per window (24 is the length of the training clips, arXiv 2505.16980, sec. 4).
    overlap: frames that neighbouring windows share (not in the paper: 8).
    schedule: one of SCHEDULES.  stride: the uniform schedules also use windows of every 2nd, 4th, ... frame, up to
    2 ** (stride - 1).  closed_loop: the looped schedule closes the ring, so that the last frame leads into the first.
    """

    length: int = 24
    overlap: int = 8
    schedule: str = "standard_static"
    stride: int = 1
    closed_loop: bool = False

    def __post_init__(self):
        if self.length < 1:
            raise InputError(f"context_length={self.length} must be at least 1; use 24 or as many as memory allows")
        if self.overlap < 0:
            raise InputError(f"context_overlap={self.overlap} must not be negative; use 0 for no overlap")
        if self.overlap >= self.length:
            raise InputError(
                f"context_overlap={self.overlap} must be smaller than context_length={self.length}; lower the overlap"
            )
        if self.stride < 1:
            raise InputError(f"context_stride={self.stride} must be at least 1; 1 means neighbouring frames")
        if self.schedule not in SCHEDULES:
            raise InputError(f"context_schedule {self.schedule!r} is unknown; choose one of {', '.join(SCHEDULES)}")

    @property
    def moves(self) -> bool:
        """Whether the windows lie elsewhere at every step."""
        return self.schedule in MOVING


def plan(config: WindowConfig, frames: int, step: int = 0) -> Plan:
    """The windows of one denoising step over a clip of `frames` frames (one window when they all fit)."""
    if frames < 1:
        raise InputError("the clip has no frames; give at least one")
    if frames <= config.length:
        return [list(range(frames))]
    return _without_repeats(SCHEDULES[config.schedule](config, frames, step))


def step_fraction(step: int) -> float:
    """Where in the clip the moving schedules begin at a step: 0, 1/2, 1/4, 3/4, 1/8, ... (van der Corput)."""
    value, weight = 0.0, 0.5
    while step:
        value += weight * (step & 1)
        step >>= 1
        weight /= 2
    return value


def standard_static(config: WindowConfig, frames: int, step: int) -> Plan:
    """The same windows at every step; the last one is moved back so that it is full."""
    starts = range(0, frames - config.length, config.length - config.overlap)
    return [list(range(s, s + config.length)) for s in (*starts, frames - config.length)]


def batched(config: WindowConfig, frames: int, step: int) -> Plan:
    """Windows side by side without overlap; the last one may be shorter."""
    return [list(range(s, min(s + config.length, frames))) for s in range(0, frames, config.length)]


def looped_uniform(config: WindowConfig, frames: int, step: int) -> Plan:
    """Windows on a ring of frames, begun elsewhere at every step; some run over the end into the beginning."""
    return list(_cyclic(config, frames, step, closed=config.closed_loop))


def standard_uniform(config: WindowConfig, frames: int, step: int) -> Plan:
    """As looped_uniform, but a window that would run over the end becomes one at the end and one at the beginning."""
    windows = []
    for window in _cyclic(config, frames, step, closed=False):
        wrap = next((i for i in range(1, len(window)) if window[i] < window[i - 1]), None)
        if wrap is None:
            windows.append(window)
            continue
        spacing = (window[1] - window[0]) % frames
        windows.append([frames - 1 - spacing * i for i in reversed(range(config.length))])
        windows.append(
            [window[wrap] + spacing * i for i in range(config.length) if window[wrap] + spacing * i < frames]
        )
    return windows


SCHEDULES: dict[str, Callable[[WindowConfig, int, int], Plan]] = {
    "standard_static": standard_static,
    "standard_uniform": standard_uniform,
    "looped_uniform": looped_uniform,
    "batched": batched,
}
MOVING = ("standard_uniform", "looped_uniform")


def _cyclic(config: WindowConfig, frames: int, step: int, closed: bool) -> Iterator[list[int]]:
    octaves = min(config.stride, math.ceil(math.log2(frames / config.length)) + 1)
    for spacing in (1 << octave for octave in range(octaves)):
        if spacing * (config.length - 1) >= frames:  # would meet itself
            continue
        offset = round(frames * step_fraction(step))
        first = offset + int(step_fraction(step) * spacing)
        end = frames + offset - (0 if closed else config.overlap)
        for start in range(first, end, config.length * spacing - config.overlap):
            yield [(start + spacing * i) % frames for i in range(config.length)]


def _without_repeats(windows: Plan) -> Plan:
    return [list(w) for w in dict.fromkeys(map(tuple, windows))]
