"""The training run: wires the parts, alternates the phases, survives what happens to long runs."""

import json
import logging
import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import islice
from pathlib import Path

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.utils import DistributedType, broadcast_object_list
from safetensors import SafetensorError
from torch import Tensor
from torch.distributed.fsdp import FSDPModule
from torch.utils.data import DataLoader

from ..checkpoint.file import build_model, save_model
from ..cli import progress
from ..errors import CheckpointError, DPIDMError, InputError
from ..files import atomic_write_text
from ..network.model import DPIDM
from . import build, deepspeed, state
from .batch import Encoder
from .config import OptimSection, TrainConfig, load_config, save_config
from .control import Control, worker_signals
from .data.samples import Keys, Sample, Samples
from .ema import Ema
from .meter import Meter, log_line
from .optimizer import enter_phase, make_optimizer
from .phases import Trainable, phase_of
from .sharded import whole
from .step import TrainStep
from .typed import to_plain
from .validate import Validation

log = logging.getLogger(__name__)


class DivergedError(DPIDMError):
    """Too many steps in a row were not finite."""


class Progress:
    """Counters of a run; part of every checkpoint."""

    def __init__(self):
        self.step, self.skipped, self.skipped_in_a_row, self.unreadable = 0, 0, 0, 0

    def state_dict(self) -> dict:
        return dict(vars(self))

    def load_state_dict(self, values: dict) -> None:
        vars(self).update(values)


def learning_rate(step: int, optim: OptimSection, steps: int) -> float:
    """Learning rate of step 0, 1, ..: warm-up, then constant or cosine to lr_end."""
    ramp = min(1.0, (step + 1) / optim.warmup) if optim.warmup else 1.0
    if optim.schedule == "constant":
        return optim.lr * ramp
    cosine = 0.5 + 0.5 * math.cos(math.pi * min(1.0, step / max(1, steps)))
    return (optim.lr_end + (optim.lr - optim.lr_end) * cosine) * ramp


class Trainer:
    """One run. Constructing it loads everything and resumes if the output folder holds checkpoints.

    say: where lines for people go (main process only).
    """

    def __init__(self, config: TrainConfig, say: Callable[[str], None] = progress):
        self.config, self.folder = config, Path(config.output)
        self.accelerator = Accelerator(
            mixed_precision="no" if deepspeed.in_use() else config.run.precision,
            log_with=list(config.run.trackers) or None,
            project_dir=str(self.folder),
            kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
        )
        self._say = say
        self.progress = Progress()
        self.model, self.info = build.network(config.model, config.run.seed)
        if config.run.gradient_checkpointing:
            self.model.enable_gradient_checkpointing()
        self.trainable = Trainable.of(self.model, config.phases)
        self._prepare()
        self.ema = Ema(self.trainable.image | self.trainable.video, config.optim.ema)
        self.accelerator.register_for_checkpointing(self.ema, self.progress)
        self._load_data()
        self.control = Control(self.accelerator, config.run.checkpoint_minutes)
        self._resume()

    # ------------------------------------------------------------------------------------------------- setting up

    def say(self, line: str) -> None:
        if self.accelerator.is_main_process:
            self._say(line)

    @property
    def _sharded(self) -> bool:
        """Each process keeps a part of every parameter."""
        return self.accelerator.distributed_type == DistributedType.FSDP

    @property
    def _deepspeed(self) -> bool:
        """Its backward pass also moves the weights, and it clips by itself."""
        return self.accelerator.distributed_type == DistributedType.DEEPSPEED

    @property
    def _states_are_shared(self) -> bool:
        """No process holds all of the optimiser's state: gradients and checkpoints take all processes together."""
        return self._sharded or self._deepspeed

    def _prepare(self) -> None:
        if self._sharded and not self.accelerator.is_fsdp2:
            raise InputError("FSDP version 1 found, 2 expected; set fsdp_version: 2 (accelerate config)")
        if self._deepspeed:
            deepspeed.configure(self.accelerator, self.config)
        optimizer = make_optimizer(self.trainable, self.config.optim)
        loss = self.config.loss
        forward = TrainStep(self.model, self.info.schedule, loss, every_gradient=self._states_are_shared)
        self.forward, self.optimizer = self.accelerator.prepare(forward, optimizer)
        if sum(isinstance(m, FSDPModule) for m in self.forward.modules()) > 1:
            raise InputError(
                "FSDP is set to wrap layers; processes whose clips keep or lose the garment run different layers and "
                "would wait for each other: set fsdp_auto_wrap_policy: NO_WRAP (accelerate config)"
            )
        if self.accelerator.mixed_precision == "fp16" and self.accelerator.scaler is None:
            self.say(
                f"fp16 needs a GPU; on {self.accelerator.device.type} this run computes in float32 (or choose bf16)"
            )
        self.trainable = self.trainable.bound_to(self.model)  # FSDP replaces parameters
        counts = self.trainable.report(self.model)
        self.say(
            f"{self.info.name}: {counts['all']:,} parameters; phase (i) trains {counts['image']:,}, "
            f"phase (ii) {counts['video']:,}"
        )

    def _load_data(self) -> None:
        config, device = self.config, self.accelerator.device
        data = config.data
        sets = [build.clip_set(s, data, config.loss.correspondence_weight > 0) for s in data.sources]
        if config.phases.video_steps and not any(s.video for s in sets):
            raise InputError("phase (ii) needs videos and the data are images only; set phases.video_steps=0")
        with self.accelerator.main_process_first():
            encode, self.decode = build.vae(data.vae, self.model.config, device, sets[0], self.folder)
        embed = build.clip_embedding(data.clip_vision, device) if data.clip_vision else None
        self.encoder = Encoder(
            self.model.config,
            self.info.schedule,
            encode,
            device=device,
            chunk=data.encode_batch,
            timestep_bias=config.loss.timestep_bias,
            embed=embed,
            cached=data.cached,
        )
        self.samples = Samples(sets, [s.weight for s in data.sources], data, config.loss, config.run.seed)
        self.validation = None
        if data.validation and config.run.validate_every:
            clips = build.clip_set(data.validation, data)
            self.validation = Validation(config, clips, self.encoder, self.decode, self.info.schedule, self.folder)

    def _loader(self) -> Iterator[list[Sample]]:
        run, workers = self.config.run, self.config.data.workers
        keys = Keys(
            self.config.phases,
            self.config.optim.accumulate,
            self.progress.step,
            run.steps,
            self.accelerator.process_index,
        )
        return iter(
            DataLoader(
                self.samples,
                batch_sampler=keys,  # type: ignore[arg-type]
                num_workers=workers,
                collate_fn=list,
                worker_init_fn=worker_signals if workers else None,
                multiprocessing_context="forkserver" if workers else None,  # forks of a threaded process can hang
            )
        )

    # ----------------------------------------------------------------------------------------------------- running

    def run(self) -> dict:
        """Train to the last step (or a signal); returns what finish() prints."""
        run = self.config.run
        if self.accelerator.is_main_process:
            save_config(self.config, self.folder / "config.yaml")
        self._start_trackers()
        meter = Meter(self.info.schedule.num_train_timesteps, self.accelerator.device, self.accelerator.num_processes)
        stopped = False
        with self.control.signals():
            loader = self._loader()
            while self.progress.step < run.steps and not stopped:
                bad = self._one_step(list(islice(loader, self.config.optim.accumulate)), meter)
                bad, stopped, save = self.control.after_step(bad)
                self._count(bad)
                done = self.progress.step
                if done % run.log_every == 0 or done == run.steps:
                    self._log(meter)
                if self.validation and (done % run.validate_every == 0 or done == run.steps):
                    self._validate()
                    meter.restart()
                if save or stopped or done == run.steps:
                    self.save()
            del loader
        return self._end(stopped)

    def _one_step(self, micro: list[list[Sample]], meter: Meter) -> bool:
        """Forward, backward and update; returns whether this process met a non-finite number (nothing moved then).

        The backward pass runs even then: the processes of DDP must stay in step.
        """
        phase = phase_of(self.progress.step, self.config.phases)
        active = self.trainable.enter(phase)
        enter_phase(self.optimizer, phase, learning_rate(self.progress.step, self.config.optim, self.config.run.steps))
        finite = True
        for number, samples in enumerate(micro):
            self.progress.unreadable += sum(s.unreadable for s in samples)
            batch = self.encoder.batch(samples)
            last = number == len(micro) - 1
            with nullcontext() if last else self.accelerator.no_sync(self.forward):
                loss, losses_B, extra = self.forward(batch, phase)
                self._backward(loss / len(micro), last)
            finite = finite and bool(torch.isfinite(loss))
            meter.add(phase, losses_B, batch.t_B, extra, batch.x0_BFCHW.shape[:2].numel())
        norm = self.accelerator.clip_grad_norm_(active, self.config.optim.clip or math.inf)
        size = float(norm) if norm is not None else 0.0
        meter.step(size)
        return self._update(finite and math.isfinite(size))

    def _backward(self, loss: Tensor, last: bool) -> None:
        """DeepSpeed moves the weights at the last micro-batch of a step, so a broken one must not reach it."""
        if self._deepspeed:
            self.accelerator.sync_gradients = last
            if self.control.agree(not bool(torch.isfinite(loss)))[0]:
                return
        self.accelerator.backward(loss)

    def _update(self, finite: bool) -> bool:
        """Move the weights if all processes are finite; returns whether the step was skipped."""
        (bad,) = self.control.agree(not finite)
        scaler = self.accelerator.scaler
        if scaler is not None:  # fp16: the scaler skips by itself and lowers its scale
            scale = scaler.get_scale()
            self.optimizer.step()
            bad = scaler.get_scale() < scale  # accelerate does not notice it with a fused optimiser
        elif not bad:
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if not bad:
            self.ema.update()
        return bad

    def _count(self, bad: bool) -> None:
        p = self.progress
        p.step += 1
        p.skipped += bad
        p.skipped_in_a_row = p.skipped_in_a_row + 1 if bad else 0
        if bad:
            self.say(f"step {p.step}: loss or gradient is not finite; step skipped ({p.skipped} so far)")
        if p.skipped_in_a_row >= self.config.run.max_skipped:
            raise DivergedError(
                f"{p.skipped_in_a_row} steps in a row were not finite, last step {p.step}; the run has diverged: lower "
                "optim.lr, or use bf16 instead of fp16, and resume from the last checkpoint"
            )

    # -------------------------------------------------------------------------------------------- logs and results

    def _start_trackers(self) -> None:
        if self.config.run.trackers:
            flat = {"config": json.dumps(self.config.to_dict())}
            self.accelerator.init_trackers("logs", config=flat)

    def _log(self, meter: Meter) -> None:
        run, p = self.config.run, self.progress
        figures = meter.read(run.steps - p.step)
        rate = learning_rate(p.step - 1, self.config.optim, run.steps)
        self.say(log_line(p.step, run.steps, figures, rate, p.skipped))
        self._record({**figures, "lr": rate, "skipped": p.skipped, "unreadable": p.unreadable})

    def _record(self, figures: dict) -> None:
        self.accelerator.log({k: v for k, v in figures.items() if isinstance(v, int | float)}, step=self.progress.step)
        if self.accelerator.is_main_process:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                with (self.folder / "log.jsonl").open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"step": self.progress.step, **figures}) + "\n")
            except OSError as error:
                self.say(f"log.jsonl not written ({error}); going on")

    def _validate(self) -> None:
        assert self.validation is not None
        with self._averaged() as model:
            found = self.validation.run(model, self.progress.step) if model is not None else None
        if found is not None:
            figures, images = found
            self.say("validation: " + " ".join(f"{k} {v:.4f}" for k, v in figures.items()))
            self._record({f"validation/{k}": v for k, v in figures.items()})
            for tracker in self.accelerator.trackers:
                if hasattr(tracker, "log_images"):
                    layout = {"dataformats": "NHWC"} if tracker.name == "tensorboard" else {}
                    tracker.log_images({"validation": images}, step=self.progress.step, **layout)
        self.accelerator.wait_for_everyone()

    def _end(self, stopped: bool) -> dict:
        p = self.progress
        result = {"step": p.step, "skipped": p.skipped, "unreadable": p.unreadable, "output": str(self.folder)}
        if stopped:
            self.say(f"stopped by signal {self.control.stop_signal or 'in another process'}; run again to resume")
        else:
            result["model"] = str(self.export())
        self.accelerator.end_training()
        return result

    def export(self, path: Path | None = None, dtype: torch.dtype | None = None) -> Path:
        """Write the averaged weights as a model file that nodes and tools load."""
        path = path or self.folder / "model.safetensors"
        info = build.trained_info(self.info, self.config, self.progress.step)
        with self._averaged() as model:
            if model is not None:
                try:
                    save_model(path, model, info, dtype)
                except (OSError, SafetensorError) as error:
                    raise CheckpointError(
                        f"{path} could not be written ({error}); free some space, then run train.py --export {path}"
                    ) from error
        self.accelerator.wait_for_everyone()
        return path

    @contextmanager
    def _averaged(self) -> Iterator[DPIDM | None]:
        """The network with averaged weights, for the main process only; under FSDP a copy made of all parts."""
        with self.ema.applied():
            if not self._sharded:
                yield self.model if self.accelerator.is_main_process else None
                return
            weights = {name: whole(x) for name, x in self.model.state_dict().items()}
        if not self.accelerator.is_main_process:
            yield None
            return
        copy = build_model(self.model.config, seed=None)
        copy.load_state_dict(weights, assign=True)
        yield copy

    # -------------------------------------------------------------------------------------------------- checkpoints

    def save(self) -> bool:
        """Write a checkpoint; a full disk is said aloud and the run goes on. Returns whether it was written."""
        target = self.folder / f"{state.PREFIX}{self.progress.step:08d}"
        part = self.folder / f".{target.name}.part"
        error = ""
        try:
            if self.accelerator.is_main_process:
                state.discard_parts(self.folder)
                part.mkdir(parents=True)
            self.accelerator.wait_for_everyone()
            self.accelerator.save_state(str(part))
            if self.accelerator.is_main_process:
                save_config(self.config, part / "config.yaml")
        except (OSError, SafetensorError, RuntimeError) as found:  # torch's writer turns I/O errors into RuntimeError
            error = f"{type(found).__name__}: {found}"
        (failed,) = self.control.agree(bool(error))
        if self.accelerator.is_main_process and not failed:
            try:
                state.commit(part, target, self.config.run.keep)
            except OSError as found:
                error = str(found)
        (failed,) = self.control.agree(bool(error))
        if failed and self.accelerator.is_main_process:
            shutil.rmtree(part, ignore_errors=True)
            self.say(f"checkpoint at step {self.progress.step} NOT written ({error or 'in another process'}); going on")
        self.control.saved()
        return not failed

    def _resume(self) -> None:
        """Load the newest whole checkpoint. The main process chooses it, all load it."""
        chosen: list[str | None] = [None]
        if self.accelerator.is_main_process:
            if self.folder.is_dir():
                state.discard_parts(self.folder)
            load = (lambda _: None) if self._states_are_shared else self._load
            path = state.load_newest(self.folder, load, self.say)
            chosen = [str(path) if path else None]
        if self.accelerator.num_processes > 1:
            broadcast_object_list(chosen)
            if chosen[0] and (self._states_are_shared or not self.accelerator.is_main_process):
                self._load(Path(chosen[0]))
        if chosen[0]:
            self._compare(Path(chosen[0]) / "config.yaml")
            self._trim_log()
            self.say(f"resumed {Path(chosen[0]).name}: {self.progress.step} of {self.config.run.steps} steps done")

    def _trim_log(self) -> None:
        """Drop what the log says of steps after the checkpoint: they will be done again."""
        path = self.folder / "log.jsonl"
        if self.accelerator.is_main_process and path.is_file():
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            atomic_write_text(path, "".join(x for x in lines if json.loads(x)["step"] <= self.progress.step))

    def _load(self, path: Path) -> None:
        self.accelerator.load_state(str(path))
        if self.progress.step != state.step_of(path):
            raise CheckpointError(f"{path} says it is of step {self.progress.step}")

    def _compare(self, path: Path) -> None:
        """Say what differs from the configuration the checkpoint was written under."""
        before, now = to_plain(load_config(path)), self.config.to_dict()
        for section, values in now.items():
            if section == "output" or values == before.get(section):
                continue
            for name, value in values.items():
                if value != before[section].get(name):
                    self.say(f"configuration changed: {section}.{name} {before[section].get(name)} -> {value}")
