"""The training loop of the garment landmark network."""

import copy
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import cast

import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader

from ...cli import progress
from ...errors import DPIDMError
from ...garment.decode import to_tensor
from ...garment.network import GarmentNet, GarmentNetConfig, load_garment_net, save_garment_net
from ..control import Control
from .config import GarmentTrainConfig
from .data import GarmentPictures
from .importers import labelled_photos
from .losses import garment_losses
from .state import load_state, save_state
from .validate import validate

MAX_BAD_STEPS = 20  # non-finite in a row


def schedule(step: int, config: GarmentTrainConfig) -> float:
    """Learning rate factor: linear warm-up, then half a cosine to zero at the last step."""
    if step < config.warmup:
        return (step + 1) / config.warmup
    return 0.5 * (1 + math.cos(math.pi * (step - config.warmup) / max(1, config.steps - config.warmup)))


def _groups(net: nn.Module, decay: float) -> list[dict]:
    """Weights decay; biases and normalisation do not."""
    weights = [p for p in net.parameters() if p.ndim > 1]
    return [
        {"params": weights, "weight_decay": decay},
        {"params": [p for p in net.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]


@torch.no_grad()
def _average_in(ema: nn.Module, net: nn.Module, decay: float) -> None:
    for kept, new in zip(ema.state_dict().values(), net.state_dict().values()):
        if kept.is_floating_point():
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)


def _mean_weights(paths: Sequence[str]) -> dict[str, torch.Tensor]:
    """The state of one weights file, or the mean of several."""
    states = [load_garment_net(path)[0].state_dict() for path in paths]
    return {
        name: torch.stack([s[name] for s in states]).mean(0) if x.is_floating_point() else x
        for name, x in states[0].items()
    }


class GarmentTrainer:
    """One run: `run()` trains to the configured step, from the newest state in the run folder if there is one."""

    def __init__(self, config: GarmentTrainConfig):
        self.config, self.folder = config, Path(config.out)
        self.folder.mkdir(parents=True, exist_ok=True)
        torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        self.accelerator = Accelerator(gradient_accumulation_steps=1)
        net = GarmentNet(GarmentNetConfig(input_size=(config.width, config.height)))
        if config.start:
            net.load_state_dict(_mean_weights(config.start))
        net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = copy.deepcopy(net).eval()
        optimiser = torch.optim.AdamW(_groups(net, config.weight_decay), lr=config.lr)
        self.net, self.optimiser = self.accelerator.prepare(net, optimiser)
        self.ema.to(self.accelerator.device)
        self.step, self.bad = 0, 0
        state = load_state(self.folder, progress)
        if state:
            self._restore(state)

    @property
    def _bare(self) -> nn.Module:
        """The network without what accelerate puts around it."""
        return cast(nn.Module, self.accelerator.unwrap_model(self.net))

    def _restore(self, state: dict) -> None:
        self._bare.load_state_dict(state["net"])
        self.ema.load_state_dict(state["ema"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step = int(state["step"])
        progress(f"resumed at step {self.step}")

    def _save(self) -> None:
        if self.accelerator.is_main_process:
            net = self._bare.state_dict()
            state = {"net": net, "ema": self.ema.state_dict(), "optimiser": self.optimiser.state_dict()}
            save_state(self.folder, self.step, state)

    def _loader(self) -> DataLoader:
        """All samples that are still to come; sample numbers do not depend on where a run was interrupted."""
        c = self.config
        photos = labelled_photos(c.coco, c.deepfashion2)
        pictures = GarmentPictures(
            (c.steps - self.step) * c.batch,
            c.size_of_sample,
            start=self.step * c.batch,
            seed=c.seed,
            repeats=c.repeats,
            photos=photos,
            share=c.share,
        )
        loader = DataLoader(
            pictures,
            batch_size=c.batch,
            num_workers=c.workers,
            prefetch_factor=4 if c.workers else None,
            multiprocessing_context="forkserver" if c.workers else None,  # forks of a threaded process can hang
        )
        return self.accelerator.prepare(loader)

    def _train_step(self, batch: dict) -> dict[str, float]:
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.lr * schedule(self.step, self.config)
        maps = self.net(to_tensor(batch["image"].cpu().numpy()).to(self.accelerator.device))
        losses = garment_losses(maps, batch)
        if not torch.isfinite(losses["loss"]):
            self.bad += 1
            if self.bad >= MAX_BAD_STEPS:
                raise DPIDMError(f"{self.bad} steps in a row gave a loss that is not finite; lower --lr")
            return {}
        self.bad = 0
        self.accelerator.backward(losses["loss"])
        self.accelerator.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimiser.step()
        self.optimiser.zero_grad()
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        _average_in(self.ema, self._bare, decay)
        return {name: float(value.detach()) for name, value in losses.items()}

    def _log(self, entry: dict) -> None:
        if self.accelerator.is_main_process:
            with (self.folder / "log.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": self.step, **entry}) + "\n")

    def _validate(self) -> dict[str, float]:
        scores = validate(self.ema, self.config.validation, self.folder / f"validation_{self.step:07d}.png")
        self._log(scores)
        progress(f"step {self.step} validation " + " ".join(f"{k} {v:.4f}" for k, v in scores.items()))
        return scores

    def _train(self, control: Control) -> None:
        started, c = time.time(), self.config
        self.net.train()
        for batch in self._loader() if self.step < c.steps else ():
            losses = self._train_step(batch)
            self.step += 1
            if self.step % 20 == 0 and losses:
                rate = round(20 * c.batch / (time.time() - started), 1)
                started = time.time()
                self._log({**{k: round(v, 4) for k, v in losses.items()}, "pictures_per_s": rate})
                progress(
                    f"step {self.step}/{c.steps} " + " ".join(f"{k} {v:.3f}" for k, v in losses.items()) + f" {rate}/s"
                )
            if self.step % c.validate_every == 0:
                self._validate()
            if self.step % c.save_every == 0 or self.step == c.steps or control.stop_signal:
                self._save()
            if control.stop_signal:
                progress(f"stopped at step {self.step}; the same command resumes")
                break

    def run(self) -> dict:
        """Train, save, validate; returns the last validation scores, the step reached and the weight file."""
        control = Control(self.accelerator, checkpoint_minutes=float("inf"))  # states are saved by steps here
        with control.signals():
            self._train(control)
        scores = self._validate()
        weights = self.folder / "garment_pose.safetensors"
        recipe = json.dumps(asdict(self.config))
        info = {"recipe": recipe, "steps_done": str(self.step), "validation": json.dumps(scores)}
        if self.accelerator.is_main_process:
            save_garment_net(weights, self.ema, info)
        return {"step": self.step, "weights": str(weights), **scores}
