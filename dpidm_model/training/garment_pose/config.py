"""Settings of a garment landmark training run."""

from dataclasses import dataclass

from ...errors import InputError


@dataclass(frozen=True, kw_only=True)
class GarmentTrainConfig:
    """out: run folder.  steps, batch: optimiser steps and pictures a step.  lr: peak, after `warmup` steps.

    ema: decay of the averaged weights that are shipped.  seed: of weights and pictures.  workers: rendering processes.
    save_every, validate_every: steps.  validation: number of generated validation pictures.  threads: of torch.
    coco, deepfashion2: labelled photos to mix in (see importers.py).  share: of labelled photos in a batch, if any.
    start: weights to begin from; of several the mean (arXiv 2203.05482);
    with steps 0 that mean is written and measured.  width, height: of the network's input.
    small: share of the steps that come first and are made on pictures of three quarters of that size (faster).
    repeats: how often a generated picture is used, each time shaken otherwise.
    """

    out: str = "runs/garment_pose"
    steps: int = 4200
    batch: int = 32
    lr: float = 1.2e-3
    warmup: int = 150
    weight_decay: float = 0.02
    ema: float = 0.998
    seed: int = 0
    workers: int = 1
    threads: int = 1
    save_every: int = 200
    validate_every: int = 500
    validation: int = 240
    coco: tuple[str, ...] = ()
    deepfashion2: tuple[str, ...] = ()
    share: float = 0.5
    start: tuple[str, ...] = ()
    width: int = 128
    height: int = 160
    small: float = 0.65
    repeats: int = 3

    def __post_init__(self):
        if self.steps < 0 or (self.steps == 0 and not self.start):
            raise InputError(f"steps={self.steps} must be at least 1; 0 writes the mean of the weights in --start")
        for name in ("batch", "save_every", "validate_every", "validation", "threads", "repeats"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)} must be at least 1")
        if (
            not 0 <= self.ema < 1
            or not (0 <= self.share <= 1 and 0 <= self.small <= 1)
            or self.lr <= 0
            or self.workers < 0
        ):
            raise InputError("expected 0 <= ema < 1, share and small in 0..1, lr > 0 and workers >= 0")

    def size_at(self, step: int) -> tuple[int, int]:
        """(width, height) of a step's pictures, multiples of 32."""
        if step >= self.small * self.steps:
            return self.width, self.height
        return max(32, 3 * self.width // 128 * 32), max(32, round(3 * self.height / 128) * 32)

    def size_of_sample(self, number: int) -> tuple[int, int]:
        """size_at of the step that sample `number` of the run belongs to."""
        return self.size_at(number // self.batch)
