"""Long clips: time per frame and peak memory at 24, 240 and 1,200 frames, and what windows, batches and files cost.

Each length runs in a process of its own with a real small network; memory is the peak of the process above what it had
with the clip itself (agnostic pictures, mask, latents in and out) already in memory.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from dpidm_model.checkpoint.file import build_model
from dpidm_model.config import DPIDMConfig, ScheduleConfig
from dpidm_model.handovers import DETECTED, JOINTS, PoseTrack
from dpidm_model.sampling.denoise import Place
from dpidm_model.sampling.poses import PoseClip
from dpidm_model.sampling.resume import StateFile
from dpidm_model.sampling.sampler import SamplerConfig
from dpidm_model.sampling.tryon import TryOnInputs, sample_tryon
from dpidm_model.sampling.windows import WindowConfig

LENGTHS = (24, 240, 1200)
STEPS = 10
ROWS, COLUMNS = 8, 6  # 64x48 pixels
CONFIG = DPIDMConfig(
    latent_channels=4,
    block_out_channels=(16, 32),
    attention_levels=(True, True),
    heads=(2, 2),
    layers_per_block=1,
    norm_groups=8,
    cross_attention_dim=16,
    pose_channels=16,
    adapter_bottleneck=8,
    adapter_init="random",
    temporal_heads=2,
    temporal_norm_groups=8,
)
SCHEDULE = ScheduleConfig(prediction_type="v_prediction", rescale_betas_zero_snr=True, timestep_spacing="trailing")


def inputs(frames: int) -> TryOnInputs:
    """A random clip."""
    generator = torch.Generator().manual_seed(0)
    joints_FK3 = torch.rand(frames, JOINTS, 3, generator=generator) * torch.tensor([COLUMNS * 8.0, ROWS * 8.0, 1])
    joints_FK3[:, 18:] = 0
    track = PoseTrack(joints_FK3.numpy(), (COLUMNS * 8, ROWS * 8), np.full(frames, DETECTED, np.uint8))
    return TryOnInputs(
        agnostic_FCHW=torch.randn(frames, 4, ROWS, COLUMNS, generator=generator),
        mask_FYX=torch.ones(frames, ROWS * 8, COLUMNS * 8),
        garment_1CHW=torch.randn(1, 4, ROWS, COLUMNS, generator=generator),
        poses=PoseClip(track, (COLUMNS * 8, ROWS * 8)),
        garment_image_B3YX=torch.rand(1, 3, ROWS * 8, COLUMNS * 8, generator=generator),
    )


def resident(peak: bool = False) -> int:
    """Bytes of this process in memory, now or at most so far (Linux)."""
    field = "VmHWM:" if peak else "VmRSS:"
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith(field))
    return int(line.split()[1]) * 1024


def measure(frames: int, fuse_at: str, sampler: str, stored: bool, overlap: int = 8) -> dict:
    """One run in this process: CPU seconds per frame, bytes above the clip's own."""
    torch.set_num_threads(1)
    network, place = build_model(CONFIG, seed=0), Place(device=torch.device("cpu"))
    windows = WindowConfig(length=24, overlap=overlap)
    config = SamplerConfig(steps=STEPS, sampler=sampler, fuse_at=fuse_at, windows=windows)
    sample_tryon(network, SCHEDULE, inputs(24), config, place)  # first use of everything
    pictures_FYX3 = torch.zeros(frames, ROWS * 8, COLUMNS * 8, 3)  # the clip itself
    clip, result = inputs(frames), torch.zeros(frames, 4, ROWS, COLUMNS)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before, start = resident(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        store = StateFile(folder, "bench", min_seconds=0) if stored else None
        result[:] = sample_tryon(network, SCHEDULE, clip, config, place, store=store)
    seconds = time.process_time() - start
    assert pictures_FYX3.shape[0] == frames
    return {"seconds_a_frame": seconds / frames, "mib_above_the_clip": (resident(peak=True) - before) / 2**20}


def apart(*arguments) -> dict:
    """`measure` in a fresh process."""
    code = f"import json; from bench.bench_sampler import measure; print(json.dumps(measure(*{arguments!r})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def run() -> dict:
    """Figures by way of fusing; ratios compare the longest with the shortest clip of more than one window."""
    figures: dict = {}
    for fuse_at in ("window", "step"):
        runs = {frames: apart(frames, fuse_at, "ddim", False) for frames in LENGTHS}
        # 24 frames are one window, in which nothing overlaps: so the lengths compare without overlap
        apart_F = {frames: apart(frames, fuse_at, "ddim", False, 0)["seconds_a_frame"] for frames in LENGTHS}
        memory = {frames: runs[frames]["mib_above_the_clip"] for frames in LENGTHS}
        figures[fuse_at] = {
            "seconds_a_frame": {frames: round(runs[frames]["seconds_a_frame"], 4) for frames in LENGTHS},
            "time_a_frame_1200_to_240": round(runs[1200]["seconds_a_frame"] / runs[240]["seconds_a_frame"], 3),
            "time_a_frame_to_24_without_overlap": {f: round(apart_F[f] / apart_F[24], 3) for f in LENGTHS},
            "mib_above_the_clip": {frames: round(memory[frames], 1) for frames in LENGTHS},
            "mib_1200_minus_24": round(memory[1200] - memory[24], 1),
        }
    kept = {frames: apart(frames, "step", "dpmpp_2m", True)["mib_above_the_clip"] for frames in (24, 1200)}
    figures["mib_1200_minus_24_with_state_file"] = round(kept[1200] - kept[24], 1)
    stored = apart(240, "step", "dpmpp_2m", True)
    plain = apart(240, "step", "dpmpp_2m", False)
    figures["state_file_every_step_to_none"] = round(stored["seconds_a_frame"] / plain["seconds_a_frame"], 3)
    return figures
