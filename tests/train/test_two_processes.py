"""train.py itself, as users start it: one process against two (gloo, CPU), signals, a full disk."""

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from safetensors.torch import load_file

from dpidm_model.training import build, state
from dpidm_model.training.config import load_config

ROOT = Path(__file__).parents[2]
NETWORK = {
    "latent_channels": 4, "block_out_channels": [16, 32], "attention_levels": [True, True], "heads": [2, 2],
    "norm_groups": 8, "cross_attention_dim": 16, "pose_channels": 16, "adapter_bottleneck": 8, "temporal_heads": 2,
    "temporal_norm_groups": 8,
}  # fmt: skip


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """A YAML file of a small run on generated clips."""
    from dpidm_model.vae import build_vae, save_vae

    folder = tmp_path_factory.mktemp("train")
    save_vae(folder / "vae.safetensors", build_vae(4, seed=1), {"name": "test"})
    plain = {
        "output": str(folder / "run"),
        "model": {"preset": "tiny", "config": NETWORK},
        "data": {
            "sources": [{"kind": "synthetic", "clips": 6}], "height": 64, "width": 48, "cached": True,
            "vae": str(folder / "vae.safetensors"),
        },
        "phases": {"image_clips": 4, "video_clips": 4, "video_frames": 3},
        "optim": {"ema": 0.0},
        "run": {"steps": 5, "checkpoint_minutes": 60, "trackers": [], "log_every": 1},
    }  # fmt: skip
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(plain))
    return path


def start(config, *overrides, launcher: Path | None = None, **environment):
    command = [sys.executable, *([str(launcher)] if launcher else [])]
    command += [str(ROOT / "train.py"), "--config", str(config), "--threads", "1", "--json", *overrides]
    cpu = {} if launcher else {"ACCELERATE_USE_CPU": "true"}
    own = {**os.environ, "OMP_NUM_THREADS": "1", **cpu, **environment}
    return subprocess.Popen(command, env=own, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def finish(process) -> dict:
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err[-4000:]
    return json.loads(out.strip().splitlines()[-1]) if out.strip() else {}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return str(s.getsockname()[1])


def start_two(config, *overrides, **options):
    """Both processes of a run of half the clips each; what the main one printed."""
    port, halves = free_port(), ("phases.image_clips=2", "phases.video_clips=2")
    processes = [
        start(
            config, *halves, *overrides, RANK=str(r), LOCAL_RANK=str(r), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1",
            MASTER_PORT=port, **options,
        )
        for r in range(2)
    ]  # fmt: skip
    main, _ = [finish(p) for p in processes]
    return main


def largest_difference(one: dict, two: dict) -> float:
    """Of any weight of two exported models."""
    a, b = load_file(one["model"]), load_file(two["model"])
    assert a.keys() == b.keys()
    return max(float((a[n] - b[n]).abs().max()) for n in a)


def logged(result: dict, name: str) -> list:
    """What the run's log says of a figure, step by step."""
    lines = (Path(result["output"]) / "log.jsonl").read_text().splitlines()
    return [values[name] for values in map(json.loads, lines) if name in values]


FSDP = {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_AUTO_WRAP_POLICY": "NO_WRAP"}
DEEPSPEED = {"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": "1", "DS_ACCELERATOR": "cpu"}
SHARDED = {"fsdp": (FSDP, "pytorch_model_fsdp_0"), "deepspeed": (DEEPSPEED, "pytorch_model/*zero_pp_rank_1*")}
ON_CPUS = Path(__file__).parent / "sharded_on_cpus.py"


def need(way: str) -> None:
    if way == "deepspeed" and importlib.util.find_spec("deepspeed") is None:
        pytest.skip("deepspeed is not installed: .venv/bin/pip install deepspeed")


@pytest.mark.slow
@pytest.mark.parametrize("way", SHARDED)
def test_sharded_processes_train_validate_resume_and_export_like_one(config, tmp_path, way):
    """Two processes that share the states, stopped after three steps, against one that goes through.

    Half of the clips lose their garment, so that some processes have none to encode.
    """
    need(way)
    environment, proof = SHARDED[way]
    changes = ["optim.ema=0.9", "optim.accumulate=2", "run.validate_every=5", "loss.garment_drop=0.5"]
    changes.append("data.validation={kind: synthetic, split: val, clips: 1, frames: 3}")
    one = finish(start(config, f"output={tmp_path / 'one'}", *changes))
    changes.append(f"output={tmp_path / 'two'}")
    start_two(config, *changes, "run.steps=3", launcher=ON_CPUS, **environment)
    two = start_two(config, *changes, launcher=ON_CPUS, **environment)
    assert list(tmp_path.glob(f"two/step-00000005/{proof}"))  # it was sharded
    assert logged(two, "grad_norm") == pytest.approx(logged(one, "grad_norm"), rel=1e-4)
    assert len(logged(two, "grad_norm")) == 5
    assert logged(two, "validation/loss")[-1] == pytest.approx(logged(one, "validation/loss")[-1], rel=1e-4)
    assert largest_difference(one, two) <= 1e-5


WRAPPED = {"FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP", "FSDP_TRANSFORMER_CLS_TO_WRAP": "FeedForward"}
REFUSED = {
    "wrapped": (FSDP | WRAPPED, "NO_WRAP"),
    "fsdp 1": (FSDP | {"FSDP_VERSION": "1"}, "fsdp_version: 2"),
    "deepspeed": (DEEPSPEED | {"ACCELERATE_DEEPSPEED_ZERO_STAGE": "2"}, "ZeRO stage 2 found"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("way", REFUSED)
def test_sharding_that_cannot_work_is_refused(config, tmp_path, way):
    need(way)
    environment, said = REFUSED[way]
    alone = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    process = start(config, f"output={tmp_path}", launcher=ON_CPUS, **alone, **environment)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert said in err, err[-3000:]
    assert "Traceback" not in err


@pytest.mark.slow
def test_two_processes_of_two_clips_equal_one_of_four(config, tmp_path):
    one = finish(start(config, f"output={tmp_path / 'one'}"))
    two = start_two(config, f"output={tmp_path / 'two'}")
    a = load_file(one["model"])
    fresh = build.network(load_config(config).model, seed=0)[0].state_dict()
    assert max(float((a[n] - fresh[n]).abs().max()) for n in a) > 3e-5  # it did learn
    difference = largest_difference(one, two)
    print(f"largest difference of any weight after 5 steps: {difference:.2e}")
    assert difference <= 1e-5
    assert len(logged(one, "grad_norm")) == len(logged(two, "grad_norm")) == 5


@pytest.mark.slow
def test_sigterm_leaves_a_checkpoint_and_the_command_resumes(config, tmp_path):
    process = start(config, f"output={tmp_path}", "run.steps=100000")
    log = tmp_path / "log.jsonl"
    deadline = time.monotonic() + 240
    while not (log.exists() and len(log.read_text().splitlines()) >= 2):
        assert process.poll() is None, process.communicate()[1][-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    stopped = finish(process)
    (saved,) = state.checkpoints(tmp_path)
    state.verify(saved)
    assert state.step_of(saved) == stopped["step"] >= 2
    again = start(config, f"output={tmp_path}", f"run.steps={stopped['step'] + 2}")
    assert finish(again)["step"] == stopped["step"] + 2


@pytest.mark.slow
def test_a_full_disk_is_survived(config, tmp_path):
    """Files may not grow beyond 200 kB: what a quota or a full disk does to the checkpoint's writes."""
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000));"
        "sys.argv = sys.argv[1:]; import runpy; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [sys.executable, "-c", code, str(ROOT / "train.py"), "--config", str(config), "--threads", "1"]
    command += [f"output={tmp_path}", "run.steps=3", "run.checkpoint_minutes=1e-6"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT, timeout=600)
    assert "checkpoint at step 1 NOT written" in done.stderr, done.stderr[-3000:]
    assert "step 3/3" in done.stderr  # went on to the end
    assert state.checkpoints(tmp_path) == []
    assert not list(tmp_path.glob(".*part"))
    assert done.returncode == 1
    assert "model.safetensors could not be written" in done.stderr.splitlines()[-1]
