"""Training: memory and time of the TRA loss against its naive form, and what feeding the network costs."""

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
FRAMES, QUERIES, WIDTH = 8, 64 * 48, 40  # the last decoder layer of SD 1.5 at 512x384


def tra_memory(form: str, heads: int) -> float:
    """Peak memory in MiB that value and gradients of one layer's TRA take, in this process. Run in a fresh one."""
    from dpidm_model.training.tra import attention_change

    q = torch.randn(1, FRAMES, heads, QUERIES, WIDTH, requires_grad=True)
    k = torch.randn(1, FRAMES, heads, 2 * QUERIES, WIDTH, requires_grad=True)
    attention_change(q[:, :2, :, :64], k[:, :2, :, :64]).backward()  # the libraries' own start-up memory
    before = _peak_mib()
    if form == "naive":
        a = torch.softmax(q @ k.transpose(-1, -2) * WIDTH**-0.5, -1)
        (a[:, 1:] - a[:, :-1]).abs().mean((0, 2, 3, 4)).sum().backward()
    else:
        attention_change(q, k).backward()
    return _peak_mib() - before


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _in_fresh_process(call: str) -> tuple[float, float]:
    """(value, seconds) of a call into this module."""
    start = time.perf_counter()
    code = f"from bench.bench_training import *; print({call})"
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return float(out.stdout), time.perf_counter() - start


def feeding_seconds(frames: int = 8) -> dict:
    """Seconds a frame: rendering a generated clip at 128x96, and drawing its poses."""
    import numpy as np

    from dpidm_model.pose.pictures import pose_pictures
    from dpidm_model.training.data.synthetic import SyntheticClips

    clips = SyntheticClips(split="train", clips=0, size=(96, 128))
    clips.read(0, [0])
    start = time.perf_counter()
    read = [clips.read(i, list(range(frames))) for i in range(1, 5)]
    made = time.perf_counter()
    for clip in read:
        pose_pictures(clip.pose, (96, 128))
    drawn = time.perf_counter()
    count = np.prod([len(read), frames])
    return {"render_seconds_per_frame": (made - start) / count, "draw_seconds_per_frame": (drawn - made) / count}


def random_batch(config, clips: int, frames: int, height: int, width: int, device: str = "cpu"):
    """A batch of noise for pictures of height x width."""
    from dpidm_model.training.batch import Batch

    latent, picture = (config.latent_channels, height // 8, width // 8), (3, height, width)
    return Batch(
        x0_BFCHW=torch.randn(clips, frames, *latent, device=device),
        noise_BFCHW=torch.randn(clips, frames, *latent, device=device),
        agnostic_BFCHW=torch.randn(clips, frames, *latent, device=device),
        mask_BF1HW=torch.ones(clips, frames, 1, *latent[1:], device=device),
        poses_BF3HW=torch.rand(clips, frames, *picture, device=device),
        garment_BCHW=torch.randn(clips, *latent, device=device),
        garment_poses_B3HW=torch.rand(clips, *picture, device=device),
        t_B=torch.arange(clips, device=device) * 100 % 1000,
        drop_B=torch.zeros(clips, dtype=torch.bool, device=device),
    )


def step_seconds() -> dict:
    """Seconds a frame of dpidm-tiny's training step at 128x96, forward and backward, of each phase."""
    from dpidm_model.checkpoint.file import build_model
    from dpidm_model.config import PRESETS
    from dpidm_model.training.config import LossSection
    from dpidm_model.training.step import TrainStep

    config, schedule = PRESETS["tiny"]
    step = TrainStep(build_model(config, 0), schedule, LossSection())
    seconds = {}
    for phase, clips, frames in (("image", 8, 1), ("video", 1, 8)):
        batch = random_batch(config, clips, frames, 128, 96)
        times = []
        for _ in range(3):
            start = time.perf_counter()
            step(batch, phase)[0].backward()
            times.append(time.perf_counter() - start)
        seconds[f"{phase}_step_seconds_per_frame"] = min(times) / (clips * frames)
    return seconds


def correspondence_cost() -> dict:
    """What the correspondence loss adds: a step of phase (i) with it over one without, and the same of its clips."""
    from dataclasses import replace

    from dpidm_model.checkpoint.file import build_model
    from dpidm_model.config import PRESETS
    from dpidm_model.training.config import LossSection
    from dpidm_model.training.correspondence import CELL
    from dpidm_model.training.step import TrainStep
    from dpidm_model.world.clip import make_clip

    config, schedule = PRESETS["tiny"]
    step = TrainStep(build_model(config, 0), schedule, LossSection())
    origin = torch.cat([torch.rand(8, 1, 2, 128 // CELL, 96 // CELL), torch.ones(8, 1, 1, 128 // CELL, 96 // CELL)], 2)
    batch = replace(random_batch(config, 8, 1, 128, 96), origin_BF3HW=origin)

    def train(weight: float) -> None:
        step.loss = replace(step.loss, correspondence_weight=weight)
        step(batch, "image")[0].backward()

    times: dict[str, list[float]] = {name: [] for name in ("step", "taught", "clip", "known")}
    for seed in range(5):  # taking turns, so that what else runs hits all alike
        times["step"].append(_fastest(partial(train, 0.0), "cpu", 1))
        times["taught"].append(_fastest(partial(train, 0.05), "cpu", 1))
        times["clip"].append(_fastest(partial(make_clip, seed, 16), "cpu", 1))
        times["known"].append(_fastest(partial(make_clip, seed, 16, origin=True), "cpu", 1))
    return {
        "correspondence_step_over_step": min(times["taught"]) / min(times["step"]),
        "clip_with_origin_over_clip": sum(times["known"]) / sum(times["clip"]),
    }


def device_step(device: str, preset: str = "sd15", frames: int = 24, height: int = 512, width: int = 384) -> dict:
    """A whole step of phase (ii) in bf16 with gradient checkpointing and AdamW, one clip.

    Returns seconds, peak memory (GiB, GPUs only), operations, and their rate as a share of what a large bf16 matrix
    product reaches on the same device. Layers run a second time by checkpointing count as operations.
    """
    from torch.utils.flop_counter import FlopCounterMode

    from dpidm_model.checkpoint.file import build_model
    from dpidm_model.config import PRESETS
    from dpidm_model.training.config import LossSection, OptimSection, PhaseSection
    from dpidm_model.training.optimizer import enter_phase, make_optimizer
    from dpidm_model.training.phases import VIDEO, Trainable
    from dpidm_model.training.step import TrainStep

    config, schedule = PRESETS[preset]
    model = build_model(config, 0).to(device)
    model.enable_gradient_checkpointing()
    trainable = Trainable.of(model, PhaseSection())
    optimizer = make_optimizer(trainable, OptimSection())
    train = TrainStep(model, schedule, LossSection()).to(device)
    batch = random_batch(config, 1, frames, height, width, device)
    trainable.enter(VIDEO)

    def step() -> None:
        enter_phase(optimizer, VIDEO, 1e-5)
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            loss = train(batch, VIDEO)[0]
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    with FlopCounterMode(display=False) as counter:  # also the warm-up
        step()
    seconds = _fastest(step, device)
    peak, rate = _matmul_rate(device), counter.get_total_flops() / seconds
    found = {
        "seconds_per_step": seconds,
        "teraflop_per_step": counter.get_total_flops() / 1e12,
        "share_of_matmul_peak": rate / peak,
        "matmul_peak_teraflop_per_second": peak / 1e12,
    }
    if device.startswith("cuda"):
        found["peak_memory_gib"] = torch.cuda.max_memory_allocated() / 2**30
    return found


def _matmul_rate(device: str) -> float:
    """Operations a second of a bf16 matrix product, large enough for the device."""
    side = 8192 if device.startswith("cuda") else 512
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    return 2 * side**3 / _fastest(lambda: a @ b, device)


def _fastest(call: Callable[[], object], device: str, times: int = 5) -> float:
    """Seconds of the fastest of some calls."""

    def seconds() -> float:
        start = time.perf_counter()
        call()
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        return time.perf_counter() - start

    return min(seconds() for _ in range(times))


def run() -> dict:
    """Ratios measured in one run, and the raw figures."""
    memory, seconds = {}, {}
    for form in ("naive", "chunked"):
        memory[form], seconds[form] = _in_fresh_process(f"tra_memory({form!r}, heads=1)")
    steps, feeding = step_seconds(), feeding_seconds()
    fed = feeding["render_seconds_per_frame"] + feeding["draw_seconds_per_frame"]
    return {
        "tra_memory_naive_over_chunked": memory["naive"] / memory["chunked"],
        "tra_time_chunked_over_naive": seconds["chunked"] / seconds["naive"],
        "video_step_over_image_step": steps["video_step_seconds_per_frame"] / steps["image_step_seconds_per_frame"],
        "feeding_over_video_step": fed / steps["video_step_seconds_per_frame"],
        **correspondence_cost(),
        "tra_memory_mib": memory,
        "tra_seconds": seconds,
        **steps,
        **feeding,
        "gpu_step": device_step("cuda") if torch.cuda.is_available() else "not measured: no CUDA device",
    }
