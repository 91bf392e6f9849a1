"""Out of memory: recognising it, and getting by with less, once."""

import logging
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from ..errors import DPIDMError
from .guidance import Guidance

logger = logging.getLogger(__name__)

_NO_KERNEL = "could not create a primitive"  # oneDNN, when it gets no memory for a kernel's machine code
_PHRASES = ("out of memory", "can't allocate memory", "not enough memory", "cannot allocate memory", _NO_KERNEL)


class Denoise(Protocol):
    """The network as the sampler sees it.

    x_BFCHW: noisy latents of B windows with F frames each, unit variance, float32 on the CPU.  t: the timestep.
    frames: the frame indices of each window.  half: "cond", "uncond" or "both" (returns a pair, cond first).
    Returns predictions of x's shape, float32 on the CPU.
    """

    def __call__(
        self, x_BFCHW: Tensor, t: Tensor, frames: list[list[int]], half: str
    ) -> Tensor | tuple[Tensor, Tensor]: ...


class OutOfMemoryError(DPIDMError):
    """The run does not fit even at its smallest."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that the device (or the system) had no memory left."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(phrase in str(error).lower() for phrase in _PHRASES)


def do_without_onednn(error: BaseException) -> None:
    """Turn torch's oneDNN layers off, for this process, if `error` says that oneDNN could not make a kernel.

    Once refused memory for a kernel's code, oneDNN's code generator keeps that error for its thread: every kernel
    it has not made yet fails from then on, whatever memory is free. The host runs all graphs in one thread.
    """
    if _NO_KERNEL in str(error) and torch.backends.mkldnn.set_flags(False)[0]:
        logger.warning(
            "DPIDM: oneDNN got no memory for a kernel and fails from now on; using slower layers until restart"
        )


def first_line(error: BaseException) -> str:
    """An exception in one line."""
    return f"{type(error).__name__}: {(str(error) or 'no message').splitlines()[0]}"


def too_much(what: str, reason: str, need: str) -> OutOfMemoryError:
    """The error for a run that does not fit.  need: a clause from estimate.describe, or empty."""
    need = f" {need};" if need else ""
    return OutOfMemoryError(f"{what} ({reason});{need} lower the frames per window or the picture size, or free memory")


class Predictor:
    """Calls the network for windows, as many at once as fit; on out-of-memory goes on with less.

    batch: windows per call.  sequential: one half of the guidance per call.
    First falls back to one window per call, then to one half of the guidance at a time;
    both change nothing but speed. check: called before every network call; may raise to stop the run.
    need: what the error says when nothing helps, for example "a window needs about 5.1 GiB".
    """

    def __init__(
        self,
        denoise: Denoise,
        guidance: Guidance,
        batch: int = 1,
        check: Callable[[], None] = lambda: None,
        release: Callable[[], None] = lambda: None,
        need: str = "",
        sequential: bool = False,
    ):
        self.denoise, self.guidance = denoise, guidance
        self.batch, self.sequential = batch, sequential
        self.check, self.release, self.need = check, release, need

    def __call__(self, x: list[Tensor], t: Tensor, windows: list[list[int]], half: str) -> list[Tensor]:
        """Guided predictions of some windows, each (F, C, H, W); all windows have the same length."""
        done: list[Tensor] = []
        while len(done) < len(x):
            part = slice(len(done), len(done) + self.batch)
            try:
                done += self._predict(torch.stack(x[part]), t, windows[part], half)
                continue
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                do_without_onednn(error)
                reason = first_line(error)
            self._do_with_less(half, reason)  # outside the handler: its traceback holds the activations
        return done

    def _predict(self, x_BFCHW: Tensor, t: Tensor, windows: list[list[int]], half: str) -> list[Tensor]:
        self.check()
        if half != "both":
            prediction = self.denoise(x_BFCHW, t, windows, half)
        elif self.sequential:
            cond = self.denoise(x_BFCHW, t, windows, "cond")
            self.check()
            prediction = self.guidance.combine(cond, self.denoise(x_BFCHW, t, windows, "uncond"))  # type: ignore[arg-type]
        else:
            prediction = self.guidance.combine(*self.denoise(x_BFCHW, t, windows, "both"))
        return list(prediction)  # type: ignore[arg-type]

    def _do_with_less(self, half: str, reason: str) -> None:
        self.release()
        if self.batch > 1:
            logger.warning("DPIDM: out of memory with %d windows at once; going on with one", self.batch)
            self.batch = 1
        elif half == "both" and not self.sequential:
            logger.warning("DPIDM: out of memory; going on with the two halves of the guidance one after the other")
            self.sequential = True
        else:
            raise too_much(
                "out of memory even with one window and one half of the guidance at a time", reason, self.need
            )
