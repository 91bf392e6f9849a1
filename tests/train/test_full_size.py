"""One step of each phase of the full SD 1.5 network on the CPU: so that nothing works only in toy size."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED_GB = {"image": 12, "video": 15}
# The smallest picture the four levels allow.  No EMA, no checkpoint: memory is that of weights, gradients and Adam.
CODE = """
import json, resource, sys, time
import torch
from dpidm_model.training.config import TrainConfig
from dpidm_model.training.loop import Trainer
from dpidm_model.training.meter import Meter
phase, folder, vae = sys.argv[1:]
config = TrainConfig.from_dict({
    "output": folder,
    "model": {"preset": "sd15"},
    "data": {"sources": [{"kind": "synthetic", "clips": 1, "frames": 2}], "height": 64, "width": 64, "vae": vae},
    "phases": {"image_clips": 1, "video_clips": 1, "video_frames": 2, "video_steps": int(phase == "video"),
               "image_steps": int(phase == "image")},
    "loss": {"garment_drop": 0.0}, "optim": {"ema": 0.0}, "run": {"steps": 1, "trackers": []},
})
run = Trainer(config, say=lambda line: None)
meter = Meter(1000, torch.device("cpu"))
start = time.perf_counter()
bad = run._one_step([next(iter(run._loader()))], meter)
print(json.dumps({
    "phase": phase, "seconds": round(time.perf_counter() - start, 1), "bad": bad,
    "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    **run.trainable.report(run.model), "figures": meter.read(0)}))
"""


def available_gb():
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable"):
            return int(line.split()[1]) / 2**20
    return 0.0


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="needs /proc/meminfo to know the free memory")
@pytest.mark.parametrize("phase", ["image", "video"])
def test_one_full_size_step(phase, tmp_path, record_property):
    from dpidm_model.vae import build_vae, save_vae

    if available_gb() < NEEDED_GB[phase]:
        pytest.skip(f"{available_gb():.1f} GB of memory available, {NEEDED_GB[phase]} needed for a full-size step")
    save_vae(tmp_path / "vae.safetensors", build_vae(4, seed=1), {"name": "test"})
    command = [sys.executable, "-c", CODE, phase, str(tmp_path / "run"), str(tmp_path / "vae.safetensors")]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=1100)
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout.splitlines()[-1])
    record_property("full_size_step", result)
    print(result)
    assert not result["bad"]
    assert result["figures"][phase] > 0
    assert result["all"] > 2e9
    assert result["peak_gib"] < NEEDED_GB[phase]
