"""When to stop and to save, agreed on by all processes; signals."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from accelerate import Accelerator


class Control:
    """Watches signals and the clock. Every process must call `agree` at the same points."""

    def __init__(self, accelerator: Accelerator, checkpoint_minutes: float):
        self._accelerator = accelerator
        self._interval = checkpoint_minutes * 60
        self._saved = time.monotonic()
        self.stop_signal = 0

    @contextmanager
    def signals(self) -> Iterator[None]:
        """SIGTERM and the first SIGINT ask for a checkpoint and an orderly end; a second SIGINT interrupts at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, _frame) -> None:
        if number == signal.SIGINT and self.stop_signal:
            raise KeyboardInterrupt
        self.stop_signal = number

    def agree(self, *flags: bool) -> list[bool]:
        """Each flag true if it is true in any process."""
        if self._accelerator.num_processes == 1:
            return list(flags)
        tensor = torch.tensor([float(f) for f in flags], device=self._accelerator.device)
        torch.distributed.all_reduce(tensor, op=torch.distributed.ReduceOp.MAX)
        return [bool(v) for v in tensor.cpu()]

    def after_step(self, bad: bool) -> tuple[bool, bool, bool]:
        """(step was bad anywhere, stop, save now): one exchange between the processes."""
        due = self._accelerator.is_main_process and time.monotonic() - self._saved >= self._interval
        bad, stop, save = self.agree(bad, bool(self.stop_signal), due)
        return bad, stop, save

    def saved(self) -> None:
        """Start the interval to the next checkpoint."""
        self._saved = time.monotonic()


def worker_signals(_worker: int) -> None:
    """In loader processes: end on SIGTERM as usual, leave Ctrl-C to the main process; no threads of OpenCV's own."""
    import cv2

    cv2.setNumThreads(0)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
