"""Loading holds the weights once."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dpidm_model.checkpoint.assemble import Assembly
from dpidm_model.checkpoint.file import ModelInfo, save_model
from dpidm_model.config import DPIDMConfig, ScheduleConfig

SCRIPT = """
import re, sys
from pathlib import Path
from dpidm_model.checkpoint.file import build_model, load_model, read_info

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

build_model(read_info(sys.argv[1]).config, seed=None)  # imports and first use are not the load's
before = peak()
load_model(sys.argv[1])
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_peak_memory_is_the_file(tmp_path):
    config = replace(DPIDMConfig(), block_out_channels=(64, 128, 256, 256), pose_channels=64)
    model = Assembly(config, torch.float16).finish(seed=0)[0]
    path = tmp_path / "model.safetensors"
    save_model(path, model, ModelInfo(name="x", trained=False, config=config, schedule=ScheduleConfig()))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path)], capture_output=True, text=True, cwd=Path(__file__).parents[3]
    )
    assert done.returncode == 0, done.stderr
    size = path.stat().st_size
    assert size > 1e8
    assert int(done.stdout) <= 1.2 * size
