"""What the log says: losses by phase and noise level, speed, memory, time left."""

import resource
import time
from collections import defaultdict

import torch
from torch import Tensor

LEVELS = 4  # noise levels: quarters of the timesteps, 0 = least noise


class Meter:
    """Collects between two log lines."""

    def __init__(self, timesteps: int, device: torch.device, processes: int = 1):
        self._timesteps, self._device, self._processes = timesteps, device, processes
        self._values: dict[str, list[float]] = defaultdict(list)
        self._frames, self._steps, self._start = 0, 0, time.monotonic()

    def add(self, phase: str, losses_B: Tensor, t_B: Tensor, others: dict[str, Tensor], frames: int) -> None:
        """One micro-batch; others: losses that are not the denoising loss, by name.  frames: of this process."""
        for loss, t in zip(losses_B.tolist(), t_B.tolist()):
            self._values[phase].append(loss)
            self._values[f"{phase}/level{int(t) * LEVELS // self._timesteps}"].append(loss)
        for name, value in others.items():
            self._values[name].append(float(value))
        self._frames += frames * self._processes

    def step(self, grad_norm: float) -> None:
        """One optimiser step is done."""
        self._values["grad_norm"].append(grad_norm)
        self._steps += 1

    def read(self, steps_left: int) -> dict[str, float]:
        """Means since the last read, and start over.  Keys: image, video, image/level0.., tra, correspondence,
        grad_norm, seconds_per_step, frames_per_second, memory_gib, eta_seconds."""
        seconds = time.monotonic() - self._start
        figures = {name: sum(v) / len(v) for name, v in sorted(self._values.items())}
        figures["seconds_per_step"] = seconds / max(1, self._steps)
        figures["frames_per_second"] = self._frames / max(seconds, 1e-9)
        figures["memory_gib"] = memory_gib(self._device)
        figures["eta_seconds"] = figures["seconds_per_step"] * steps_left
        self.restart()
        return figures

    def restart(self) -> None:
        """Forget everything, for example after a pause for validation."""
        self._values.clear()
        self._frames, self._steps, self._start = 0, 0, time.monotonic()


def memory_gib(device: torch.device) -> float:
    """Peak so far: of the device for CUDA, of the process otherwise."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def log_line(step: int, steps: int, figures: dict[str, float], lr: float, skipped: int) -> str:
    """One line for people."""
    losses = " ".join(
        f"{name} {figures[name]:.4f}" for name in ("image", "video", "tra", "correspondence") if name in figures
    )
    eta = int(figures["eta_seconds"])
    return (
        f"step {step}/{steps} {losses} lr {lr:.1e} {figures['seconds_per_step']:.2f} s/step "
        f"{figures['frames_per_second']:.1f} frames/s {figures['memory_gib']:.2f} GiB "
        f"eta {eta // 3600}:{eta // 60 % 60:02d}:{eta % 60:02d}" + (f" skipped {skipped}" if skipped else "")
    )
