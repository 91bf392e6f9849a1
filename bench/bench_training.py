"""Training: memory and time of the TRA loss against its naive form, and what feeding the network costs."""

import resource
import subprocess
import sys
import time
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


def step_seconds() -> dict:
    """Seconds a frame of dpidm-tiny's training step at 128x96, forward and backward, of each phase."""
    from dpidm_model.checkpoint.file import build_model
    from dpidm_model.config import PRESETS
    from dpidm_model.training.batch import Batch
    from dpidm_model.training.config import LossSection
    from dpidm_model.training.step import TrainStep

    config, schedule = PRESETS["tiny"]
    step = TrainStep(build_model(config, 0), schedule, LossSection())
    seconds = {}
    for phase, clips, frames in (("image", 8, 1), ("video", 1, 8)):
        latent, picture = (config.latent_channels, 16, 12), (3, 128, 96)
        batch = Batch(
            x0_BFCHW=torch.randn(clips, frames, *latent),
            noise_BFCHW=torch.randn(clips, frames, *latent),
            agnostic_BFCHW=torch.randn(clips, frames, *latent),
            mask_BF1HW=torch.ones(clips, frames, 1, *latent[1:]),
            poses_BF3HW=torch.rand(clips, frames, *picture),
            garment_BCHW=torch.randn(clips, *latent),
            garment_poses_B3HW=torch.rand(clips, *picture),
            t_B=torch.arange(clips) * 100,
            drop_B=torch.zeros(clips, dtype=torch.bool),
        )
        times = []
        for _ in range(3):
            start = time.perf_counter()
            step(batch, phase)[0].backward()
            times.append(time.perf_counter() - start)
        seconds[f"{phase}_step_seconds_per_frame"] = min(times) / (clips * frames)
    return seconds


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
        "tra_memory_mib": memory,
        "tra_seconds": seconds,
        **steps,
        **feeding,
    }
