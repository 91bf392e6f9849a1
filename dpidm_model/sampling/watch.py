"""What a run tells the outside, and how the outside stops it: one object, no knowledge of any host."""

import logging
import time
from dataclasses import dataclass

from torch import Tensor

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """Where a run is.

    done, total: windows times steps.  step, steps, window, windows: counted from 1, the last ones finished.
    seconds_left: estimate.  clean_CHW: the current estimate of one frame's clean latent, in the model's scaling.
    """

    done: int
    total: int
    step: int
    steps: int
    window: int
    windows: int
    seconds_left: float
    clean_CHW: Tensor | None = None

    def __str__(self) -> str:
        left = round(self.seconds_left)
        return (
            f"window {self.window}/{self.windows}, step {self.step}/{self.steps}, "
            f"{left // 60}:{left % 60:02} left ({100 * self.done // self.total} %)"
        )


class Watcher:
    """The hooks of a run. Subclass it; this one does nothing but log."""

    def check(self) -> None:
        """Called before every network call; raise to stop the run."""

    def report(self, progress: Progress) -> None:
        """Called after every network call."""
        logger.info("DPIDM: %s", progress)

    def release(self) -> None:
        """Called after an out-of-memory error, before going on with less: give cached memory back."""


class Stopwatch:
    """Counts finished windows and estimates the time left."""

    def __init__(self, total: int, watcher: Watcher):
        self.total, self.watcher = total, watcher
        self.done = self._skipped = 0
        self._start = time.monotonic()

    def skip(self, count: int) -> None:
        """Count work that an earlier run has done."""
        self.done += count
        self._skipped += count

    def finished(self, count: int, step: int, steps: int, window: int, windows: int, clean_CHW: Tensor | None) -> None:
        """Report `count` windows more."""
        self.done += count
        each = (time.monotonic() - self._start) / max(1, self.done - self._skipped)
        left = each * (self.total - self.done)
        self.watcher.report(Progress(self.done, self.total, step, steps, window, windows, left, clean_CHW))
