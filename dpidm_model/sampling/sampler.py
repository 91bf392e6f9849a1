"""The loop: noise to clip, window by window, at any length.

F frames of the clip, B windows at once, C channels, H W latent rows/columns. Latents stay on the CPU in float32; only
the window being denoised is on the device, inside `denoise`. Nothing here knows what the network looks like.
"""

import itertools
import logging
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..config import ScheduleConfig
from ..errors import InputError
from . import schedulers
from .fuse import FUSE, FUSE_AT, add_window, fuse_weights
from .guidance import Guidance
from .memory import Predictor
from .noise import initial_noise
from .resume import StateFile
from .schedulers import SAMPLERS, Track
from .watch import Stopwatch, Watcher
from .windows import Plan, WindowConfig, plan

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SamplerConfig:
    """Everything a user chooses about sampling.

    steps: network evaluations per frame and window (not in the paper: 25).  sampler: one of schedulers.SAMPLERS (the
    paper: ddim).  seed: 0 .. 2**64-1.  denoise: 1 starts from pure noise, less from a noised source latent.
    fuse_method: one of FUSE.  fuse_at: "window" (the paper) or "step".
    """

    steps: int = 25
    seed: int = 0
    sampler: str = "ddim"
    denoise: float = 1.0
    windows: WindowConfig = field(default_factory=WindowConfig)
    fuse_method: str = "pyramid"
    fuse_at: str = "window"
    guidance: Guidance = field(default_factory=Guidance)

    def __post_init__(self):
        if self.steps < 1:
            raise InputError(f"steps={self.steps} must be at least 1; 25 is a good start")
        if not 0 < self.denoise <= 1:
            raise InputError(f"denoise={self.denoise} must be above 0 and at most 1")
        if not 0 <= self.seed < 2**64:
            raise InputError(f"seed={self.seed} must lie within 0 .. 2**64 - 1")
        for name, value, known in (
            ("sampler", self.sampler, tuple(SAMPLERS)),
            ("fuse_method", self.fuse_method, tuple(FUSE)),
            ("fuse_at", self.fuse_at, FUSE_AT),
        ):
            if value not in known:
                raise InputError(f"{name} {value!r} is unknown; choose one of {', '.join(known)}")
        if self.fuse_at == "window" and self.windows.moves:
            raise InputError(
                f"context_schedule {self.windows.schedule!r} moves the windows at every step, so they cannot be "
                'denoised each on its own; choose fuse_at "step", or the schedule standard_static'
            )


def sample(
    predictor: Predictor,
    config: SamplerConfig,
    schedule: ScheduleConfig,
    shape_FCHW: tuple[int, int, int, int],
    *,
    source_FCHW: Tensor | None = None,
    watcher: Watcher | None = None,
    store: StateFile | None = None,
) -> Tensor:
    """Denoise a clip; returns its clean latents (F, C, H, W), float32 on the CPU, in the model's scaling.

    predictor: the network, guided.  shape_FCHW: of the result.  source_FCHW: where to start if config.denoise < 1.
    watcher: progress and interrupt.  store: where to keep the state; an earlier state with the same key is continued.
    Raises InputError if the result is not finite; whatever `watcher.check` raises stops the run within one network call
    (the state is kept).
    """
    if config.denoise < 1 and source_FCHW is None:
        raise InputError(
            f"denoise={config.denoise} needs source latents to start from; connect them or set denoise to 1"
        )
    run = _Run(predictor, config, schedule, shape_FCHW, source_FCHW, watcher or Watcher(), store)
    with torch.no_grad():
        result_FCHW = (run.fused_at_window if config.fuse_at == "window" else run.fused_at_step)()
    if not torch.isfinite(result_FCHW).all():
        raise InputError(
            "the network produced NaN or infinite latents; run the model in float32 or bfloat16 and check its weights"
        )
    if store:
        store.clear()
    return result_FCHW


class _Run:
    """One run's constants and the two ways through it."""

    def __init__(self, predictor, config, schedule, shape_FCHW, source_FCHW, watcher, store):
        self.predictor, self.config, self.store = predictor, config, store
        self.prediction_type = schedule.prediction_type
        self.frames, self.shape_CHW = shape_FCHW[0], tuple(shape_FCHW[1:])
        self.source_FCHW = source_FCHW if config.denoise < 1 else None
        self.template = schedulers.make_scheduler(config.sampler, schedule)
        self.timesteps = schedulers.set_steps(self.template, config.steps, config.denoise)
        self.converts = self.template.config["prediction_type"] != schedule.prediction_type
        plans = [plan(config.windows, self.frames, i if config.windows.moves else 0) for i in range(config.steps)]
        self.stopwatch = Stopwatch(sum(map(len, plans)), watcher)
        self.state: dict[str, Any] = {}
        self.noise_FCHW = initial_noise(config.seed, self.frames, self.shape_CHW)

    def fused_at_window(self) -> Tensor:
        """The paper's way: every window from noise to clean on its own, then the average."""
        windows = plan(self.config.windows, self.frames)
        weights = fuse_weights(self.config.fuse_method, windows, self.frames, self.config.windows.overlap)
        state = self._load({"sum": torch.zeros(self.frames, *self.shape_CHW), "finished": 0})
        self.stopwatch.skip(state["finished"] * self.config.steps + state["step"] * len(state["tracks"]))
        while (done := state["finished"]) < len(windows):
            tracks = state["tracks"] or [self._start(w) for w in _alike(windows[done:], self.predictor.batch)]
            for index in range(state["step"], self.config.steps):
                inputs = [track.network_input(self.timesteps[index]) for track in tracks]
                predictions = self._predict(inputs, [tr.frames for tr in tracks], index, done, len(windows))
                self._step(tracks, predictions, index)
                state.update(step=index + 1, tracks=tracks)
                self._save(state)
            for track, weights_W in zip(tracks, weights[done:]):
                add_window(state["sum"], track.frames, track.x_FCHW, weights_W)
            state.update(finished=done + len(tracks), step=0, tracks=[])
            self._save(state)
        return state["sum"]

    def fused_at_step(self) -> Tensor:
        """All windows share one noisy clip: predictions are averaged at every step, then the clip steps."""
        length = min(self.config.windows.length, self.frames)
        chunks = [list(range(i, min(i + length, self.frames))) for i in range(0, self.frames, length)]
        state = self._load({})
        tracks = state["tracks"] or [self._start(chunk) for chunk in chunks]
        self.noise_FCHW = torch.empty(0)  # not needed any more
        for index in range(self.config.steps):
            windows = plan(self.config.windows, self.frames, index)
            if index < state["step"]:
                self.stopwatch.skip(len(windows))
                continue
            fused_FCHW = self._fused_prediction(tracks, windows, index, length)
            self._step(tracks, [fused_FCHW[track.frames[0] : track.frames[-1] + 1] for track in tracks], index)
            state.update(step=index + 1, tracks=tracks)
            self._save(state)
        return torch.cat([track.x_FCHW for track in tracks])

    def _fused_prediction(self, tracks: list[Track], windows: Plan, index: int, length: int) -> Tensor:
        weights = fuse_weights(self.config.fuse_method, windows, self.frames, self.config.windows.overlap)
        fused_FCHW = torch.zeros(self.frames, *self.shape_CHW)
        done = 0
        while done < len(windows):
            group = _alike(windows[done:], self.predictor.batch)
            inputs = [_gather(tracks, window, self.timesteps[index], length) for window in group]
            predictions = self._predict(inputs, group, index, done, len(windows))
            for window, prediction_FCHW, weights_W in zip(group, predictions, weights[done:]):
                add_window(fused_FCHW, window, prediction_FCHW, weights_W)
            done += len(group)
        for track in tracks:
            track.network_input(self.timesteps[index])  # some schedulers note here where they are
        return fused_FCHW

    def _predict(self, inputs: list[Tensor], group: Plan, index: int, done: int, windows: int) -> list[Tensor]:
        half = self.config.guidance.half(index, self.config.steps)
        try:
            predictions = self.predictor(inputs, self.timesteps[index], group, half)
            clean_CHW = self._clean_frame(predictions[-1], inputs[-1], index)
            self.stopwatch.finished(len(group), index + 1, self.config.steps, done + len(group), windows, clean_CHW)
        except Exception:  # an interrupt, most likely: keep the last finished step
            if self.store and self.state:
                self.store.save_now(self._plain_state())
            raise
        return predictions

    def _clean_frame(self, prediction_FCHW: Tensor, x_FCHW: Tensor, index: int) -> Tensor:
        middle = len(x_FCHW) // 2
        alpha_bar = schedulers.alpha_bar(self.template, self.timesteps[index])
        return schedulers.estimate_clean(prediction_FCHW[middle], x_FCHW[middle], alpha_bar, self.prediction_type)

    def _start(self, frames: list[int]) -> Track:
        source = None if self.source_FCHW is None else self.source_FCHW[frames]
        return Track.start(self.template, self.timesteps[0], frames, self.noise_FCHW[frames], source, self.converts)

    def _step(self, tracks: list[Track], predictions: list[Tensor], index: int) -> None:
        for track, prediction_FCHW in zip(tracks, predictions):
            track.step(prediction_FCHW, self.timesteps[index], self.config.seed, index)

    def _load(self, fresh: dict[str, Any]) -> dict[str, Any]:
        """The state of an earlier run, or a fresh one; step: finished steps of `tracks`."""
        state = self.store.load() if self.store else None
        if state is None:
            return {**fresh, "step": 0, "tracks": []}
        logger.info("DPIDM: going on with an unfinished run")
        state["tracks"] = [Track.restore(self.template, saved, self.converts) for saved in state["tracks"]]
        return state

    def _save(self, state: dict[str, Any]) -> None:
        self.state = state
        if self.store:
            self.store.save(self._plain_state)

    def _plain_state(self) -> dict[str, Any]:
        return {**self.state, "tracks": [track.state(self.template) for track in self.state["tracks"]]}


def _alike(windows: Plan, most: int) -> Plan:
    """The first windows, up to `most`, that are as long as the first."""
    return list(itertools.takewhile(lambda window: len(window) == len(windows[0]), windows[:most]))


def _gather(tracks: list[Track], window: list[int], t: Tensor, length: int) -> Tensor:
    inputs: dict[int, Tensor] = {i: tracks[i].network_input(t) for i in {frame // length for frame in window}}
    return torch.stack([inputs[frame // length][frame % length] for frame in window])
