"""The denoiser's step: FLOPs at SD 1.5 width, time against the naive form, and a full-size model on this machine."""

import copy
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from bench.naive_network import PARTS, make_naive
from dpidm_model.checkpoint.assemble import Assembly
from dpidm_model.checkpoint.file import ModelInfo, build_model, load_model, save_model
from dpidm_model.config import CompatConfig, DPIDMConfig, ScheduleConfig
from dpidm_model.network.conditions import TryOnConditions
from dpidm_model.network.model import DPIDM

FRAMES, ROWS, COLUMNS = 8, 32, 24  # 256x192 pixels
SWIFTTRY = DPIDMConfig(
    pasa_pose=False,
    pata_pose=False,
    tsa=False,
    temporal="after_block",
    compat=CompatConfig(frame_attention=True, guider_widths=(16, 32, 96, 256), guider_range=(-1.0, 1.0)),
)
HALF = replace(DPIDMConfig(), block_out_channels=(160, 320, 640, 640), pose_channels=160)


def conditions(model: DPIDM, frames: int, seed: int = 0) -> tuple[torch.Tensor, TryOnConditions]:
    """Random inputs at the bench's size, on the model's device and in its precision."""
    first = next(model.parameters())
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        if first.is_meta:
            return torch.empty(shape, device="meta", dtype=first.dtype)
        return torch.rand(shape, generator=generator).to(first.dtype)

    h, w = ROWS, COLUMNS
    garment = model.encode_garment(draw(1, 4, h, w), draw(1, 3, 8 * h, 8 * w), draw(1, 768))
    given = TryOnConditions(
        agnostic_BFCHW=draw(1, frames, 4, h, w),
        mask_BF1HW=draw(1, frames, 1, h, w),
        pose=model.encode_pose(draw(1, frames, 3, 8 * h, 8 * w)),
        garment=garment,
    )
    return draw(1, frames, 4, h, w), given


@torch.no_grad()
def step_flops(config: DPIDMConfig, naive: tuple[str, ...] | None = None, apart: bool = False) -> dict[str, float]:
    """GFLOP of one guided step, total and by kind; counted without computing.

    naive: layers in their naive form.  apart: the halves in two calls, which share nothing.
    """
    model = build_model(config, seed=None)
    if naive is not None:
        make_naive(model, naive)
    x, given = conditions(model, FRAMES)
    with FlopCounterMode(display=False) as counter:
        for half in ("cond", "uncond") if apart else ("both",):
            model(x, torch.empty((), device="meta"), given, half=half)
    kinds = {str(op).removeprefix("aten."): n / 1e9 for op, n in counter.get_flop_counts()["Global"].items()}
    return {"total": counter.get_total_flops() / 1e9, **kinds}


def flops() -> dict:
    """What each saving is worth, and what the paper's additions cost, in GFLOP of one step at SD 1.5 width."""
    paper = DPIDMConfig()
    ours, naive = step_flops(paper)["total"], step_flops(paper, tuple(PARTS))["total"]
    swifttry = step_flops(SWIFTTRY)
    with_tsa = step_flops(replace(SWIFTTRY, tsa=True))["total"]
    saved = {part: step_flops(paper, (part,))["total"] - ours for part in PARTS}
    saved["shared_start_of_the_halves"] = step_flops(paper, apart=True)["total"] - ours
    return {
        "dpidm_gflop": ours,
        "dpidm_naive_gflop": naive,
        "naive_over_ours": naive / ours,
        "saved_gflop_by_layer": saved,
        "swifttry_import_gflop": swifttry["total"],
        "swifttry_own_gflop": 3420,
        "swifttry_import_by_kind": swifttry,
        "tsa_adds_gflop": with_tsa - swifttry["total"],
    }


@torch.no_grad()
def step_time(repeats: int = 2) -> dict:
    """Seconds of one guided step at half SD 1.5 width, naive and ours alternating; the best of each counts.

    CPU seconds too: a busy machine lengthens the others.
    """
    model = build_model(HALF, seed=0)
    for parameter in model.parameters():  # so that nothing is skipped or equal by being zero
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.02)
    naive = copy.deepcopy(model, {id(p): p for p in model.parameters()})  # shares the weights
    make_naive(naive)
    seconds, outputs = {"ours": [], "naive": []}, {}
    cpu: dict[str, list[float]] = {"ours": [], "naive": []}
    for _ in range(repeats):
        for name, one in (("ours", model), ("naive", naive)):
            x, given = conditions(one, FRAMES)
            start, used = time.perf_counter(), time.process_time()
            outputs[name] = one(x, 500, given, half="both")[0]
            seconds[name].append(time.perf_counter() - start)
            cpu[name].append(time.process_time() - used)
    flop = [step_flops(HALF)["total"], step_flops(HALF, tuple(PARTS))["total"]]
    best = {name: min(times) for name, times in seconds.items()}
    return {
        "width": "half of SD 1.5",
        "frames": FRAMES,
        "seconds": seconds,
        "cpu_seconds": cpu,
        "naive_over_ours_time": best["naive"] / best["ours"],
        "naive_over_ours_cpu_time": min(cpu["naive"]) / min(cpu["ours"]),
        "naive_over_ours_flops": flop[1] / flop[0],
        "gflop_per_second": {"ours": flop[0] / best["ours"], "naive": flop[1] / best["naive"]},
        "max_abs_difference": (outputs["ours"] - outputs["naive"]).abs().max().item(),
        "threads": torch.get_num_threads(),
    }


def full_size() -> dict:
    """Assemble, save, load and run a full-size model (bf16), each in a process of its own, with its peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "full.safetensors")
        return {name: _child(name, path) for name in STAGES}


def _child(name: str, path: str) -> dict:
    command = [sys.executable, "-m", "bench.bench_network", name, path]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    if done.returncode:
        raise RuntimeError(f"stage {name} failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def _assemble(path: str) -> dict:
    model = Assembly(DPIDMConfig(), torch.bfloat16).finish(seed=0)[0]
    parts = {name: sum(p.numel() for _, p in group) for name, group in model.parameter_groups().items()}
    info = ModelInfo(name="full-size", trained=False, config=model.config, schedule=ScheduleConfig())
    assembled = time.perf_counter()
    save_model(path, model, info)
    saved = time.perf_counter() - assembled
    return {"parameters": parts, "parameters_total": sum(parts.values()), "save_seconds": saved}


def _load(path: str) -> dict:
    before = _peak()
    load_model(path)
    size = Path(path).stat().st_size
    peak = _peak()
    return {"file_bytes": size, "libraries_bytes": before, "peak_bytes": peak, "peak_over_file": peak / size}


@torch.no_grad()
def _denoise(path: str) -> dict:
    model, _ = load_model(path)
    x, given = conditions(model, frames=2)
    start = time.perf_counter()
    out = model(x, 500, given, half="both")
    seconds = time.perf_counter() - start
    return {"frames": 2, "step_seconds": seconds, "finite": all(bool(y.isfinite().all()) for y in out)}


def _peak() -> int:
    """Most memory this process has held, in bytes; ru_maxrss would count what the parent held before the exec."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


STAGES = {"assemble": _assemble, "load": _load, "denoise": _denoise}


def run() -> dict:
    """All figures; GFLOP counts are exact, times are of this machine."""
    return {"flops": flops(), "step": step_time(), "full_size": full_size()}


if __name__ == "__main__":
    begun = time.perf_counter()
    result = STAGES[sys.argv[1]](sys.argv[2])
    print(json.dumps({**result, "seconds": time.perf_counter() - begun, "peak_rss_bytes": _peak()}))
