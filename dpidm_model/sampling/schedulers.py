"""Diffusers' own schedulers under the host's names, configured from a checkpoint's noise schedule.

The networks predict noise ("epsilon"), v or the clean latent ("sample"); a checkpoint's schedule says which, and how
timesteps are spaced. Latents here are (F, C, H, W): frames in the batch axis.
"""

import copy
import dataclasses
import inspect
from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    TCDScheduler,
    UniPCMultistepScheduler,
)
from torch import Tensor

from ..config import ScheduleConfig
from ..errors import InputError
from .noise import step_generators

SAMPLERS: dict[str, type] = {
    "ddim": DDIMScheduler,  # the paper's
    "dpmpp_2m": DPMSolverMultistepScheduler,
    "uni_pc": UniPCMultistepScheduler,
    "euler": EulerDiscreteScheduler,
    "euler_ancestral": EulerAncestralDiscreteScheduler,
    "lcm": LCMScheduler,
    "tcd": TCDScheduler,
}
NO_SAMPLE_PREDICTION = ("euler_ancestral",)  # diffusers' class has no "sample"; fed with v instead


def make_scheduler(name: str, schedule: ScheduleConfig):
    """A diffusers scheduler, as the checkpoint wants it.

    name: one of SAMPLERS.  schedule: its fields are diffusers' words; what a scheduler does not know, it does not get.
    Raises InputError for an unknown name.
    """
    if name not in SAMPLERS:
        raise InputError(f"sampler {name!r} is unknown; choose one of {', '.join(SAMPLERS)}")
    words = dataclasses.asdict(schedule)
    if name in NO_SAMPLE_PREDICTION and words.get("prediction_type") == "sample":
        words["prediction_type"] = "v_prediction"
    known = inspect.signature(SAMPLERS[name].__init__).parameters
    return SAMPLERS[name](**{k: v for k, v in words.items() if k in known})


def set_steps(scheduler, steps: int, denoise: float) -> list[Tensor]:
    """Give a scheduler its timesteps; returns those to run, highest first.

    denoise: 1 for all; below, the last `steps` of int(steps / denoise), as the host's KSampler counts.
    """
    total = steps if denoise >= 1 else int(steps / denoise)
    train = scheduler.config["num_train_timesteps"]
    if total > train:
        raise InputError(
            f"steps={steps} with denoise={denoise} needs {total} timesteps but the checkpoint has {train}; "
            "use fewer steps or a higher denoise"
        )
    if isinstance(scheduler, LCMScheduler):  # takes its steps from a coarse training schedule
        coarse = max(total, scheduler.config["original_inference_steps"])
        scheduler.set_timesteps(total, original_inference_steps=coarse)
    else:
        scheduler.set_timesteps(total)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(total - steps)
    return list(scheduler.timesteps[total - steps :])


@dataclasses.dataclass
class Track:
    """Frames that step together: their noisy latents and their own scheduler with its history.

    frames: indices in the clip.  x_FCHW: latents in the scheduler's own scaling, float32 on the CPU.
    converts: the network predicts the clean latent but the scheduler wants v.
    """

    frames: list[int]
    x_FCHW: Tensor
    scheduler: Any
    converts: bool = False

    @classmethod
    def start(
        cls, template, t: Tensor, frames: list[int], noise_FCHW: Tensor, source_FCHW: Tensor | None, converts: bool
    ):
        """Pure noise, or a noised source latent, at the first timestep."""
        scheduler = copy.deepcopy(template)
        if source_FCHW is None:
            return cls(frames, noise_FCHW * scheduler.init_noise_sigma, scheduler, converts)
        return cls(frames, scheduler.add_noise(source_FCHW, noise_FCHW, t.expand(len(frames))), scheduler, converts)

    def network_input(self, t: Tensor) -> Tensor:
        """x as the network wants it: unit variance at every timestep."""
        return self.scheduler.scale_model_input(self.x_FCHW, t)

    def step(self, prediction_FCHW: Tensor, t: Tensor, seed: int, index: int) -> None:
        """One scheduler step; noise, where the scheduler adds some, is drawn per frame."""
        if self.converts:
            prediction_FCHW = clean_to_v(prediction_FCHW, self.network_input(t), alpha_bar(self.scheduler, t))
        extra: dict = {}
        if "generator" in inspect.signature(self.scheduler.step).parameters:
            extra["generator"] = step_generators(seed, index, self.frames)
        self.x_FCHW = self.scheduler.step(prediction_FCHW, t, self.x_FCHW, return_dict=False, **extra)[0]

    def state(self, template) -> dict[str, Any]:
        """A tree of plain values and tensors from which `restore` makes this track again."""
        return {"frames": self.frames, "x": self.x_FCHW, "scheduler": scheduler_state(self.scheduler, template)}

    @classmethod
    def restore(cls, template, state: dict[str, Any], converts: bool):
        """The track that `state` was taken from."""
        scheduler = copy.deepcopy(template)
        vars(scheduler).update(state["scheduler"])
        return cls(state["frames"], state["x"], scheduler, converts)


def alpha_bar(scheduler, t: Tensor) -> Tensor:
    """Cumulative alpha at a timestep (at the nearest whole one)."""
    return scheduler.alphas_cumprod[round(float(t))]


def training_sigmas(schedule: ScheduleConfig) -> Tensor:
    """Noise levels sqrt((1 - alpha_bar) / alpha_bar) of the training steps, rising, as the Euler scheduler has them."""
    alpha_bar_T = make_scheduler("euler", schedule).alphas_cumprod
    return ((1 - alpha_bar_T) / alpha_bar_T).sqrt()


def clean_to_v(clean_FCHW: Tensor, x_FCHW: Tensor, alpha_bar: Tensor) -> Tensor:
    """The v prediction that means the same clean latent; x has unit variance (arXiv 2202.00512, appendix D)."""
    return (alpha_bar.sqrt() * x_FCHW - clean_FCHW) / (1 - alpha_bar).sqrt()


def estimate_clean(prediction: Tensor, x: Tensor, alpha_bar: Tensor, prediction_type: str) -> Tensor:
    """The clean latent a prediction means; x has unit variance. For previews."""
    if prediction_type == "sample":
        return prediction
    a, s = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    return a * x - s * prediction if prediction_type == "v_prediction" else (x - s * prediction) / a.clamp(min=1e-3)


def scheduler_state(scheduler, template) -> dict[str, Any]:
    """What has changed in a scheduler since it was copied from `template`: numbers, tensors, lists of them."""
    fresh = vars(template)
    return {k: v for k, v in vars(scheduler).items() if _is_plain(v) and not _same(v, fresh.get(k))}


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (bool, int, float, str, Tensor))


def _same(value: Any, other: Any) -> bool:
    if isinstance(value, Tensor) and isinstance(other, Tensor):
        return torch.equal(value, other)
    if isinstance(value, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(value) == len(other) and all(map(_same, value, other))
    return type(value) is type(other) and not isinstance(value, Tensor) and value == other
