"""The samplers in the real host: KSampler equals our own, context windows, interrupt, out of memory."""

import json
import os
import resource
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import websocket
from safetensors.torch import load_file

from dpidm_model.checkpoint.file import ModelInfo, build_model, save_model
from dpidm_model.config import PRESETS, ScheduleConfig
from dpidm_model.sampling.windows import WindowConfig, plan
from tests.host.graphs import defaults, message, node_of, odd_image, odd_pose, sampler_graph, swallow
from tools.comfy_server import COMFYUI, PYTHON, ROOT, ComfyServer, ServerError

CONDITIONS = ("model", "poses", "garment_latent", "agnostic_latents", "mask")


def save_latent(number: str) -> dict:
    return {"class_type": "SaveLatent", "inputs": {"samples": [number, 0], "filename_prefix": "dpidm_test"}}


def latents(server, graph: dict) -> torch.Tensor:
    run = server.run(graph, timeout=300)
    assert run.status == "success", message(run)
    return load_file(server.output_files(run)[-1])["latent_tensor"]


def own(server, frames: int, model: str = "dpidm-tiny.safetensors", **settings) -> dict:
    """DPIDM Video Sampler with Euler."""
    graph = sampler_graph(
        server, frames=odd_image(frames=frames), pose=odd_pose(frames=frames), out=save_latent("sampler")
    )
    graph["model"]["inputs"]["model_name"] = model
    graph["sampler"]["inputs"] |= {"sampler": "euler", "steps": 5, "seed": 11, "resume": False, **settings}
    return graph


def native(
    server, frames: int, model: str = "dpidm-tiny.safetensors", scheduler: str = "simple", window: dict | None = None
):
    """The same through DPIDM Native Model and KSampler, with core context windows if asked for."""
    graph = own(server, frames, model)
    given = {name: graph["sampler"]["inputs"][name] for name in CONDITIONS}
    graph["native"] = {"class_type": "DPIDMNativeModel", "inputs": given}
    source = ["native", 0]
    if window:
        graph["windows"] = defaults(server, "ContextWindowsManual", model=source, dim=0, **window)
        source = ["windows", 0]
    graph["sampler"] = defaults(
        server, "KSampler", model=source, positive=["native", 1], negative=["native", 2], latent_image=["native", 3],
        seed=11, steps=5, cfg=1.5, sampler_name="euler", scheduler=scheduler, denoise=1.0,
    )  # fmt: skip
    return graph


@pytest.fixture(scope="module")
def epsilon_model(server) -> str:
    """An SD 1.5-like checkpoint (epsilon, leading timesteps, scaled latents) with the small VAE's channels."""
    config = replace(PRESETS["tiny"][0], latent_scale=0.4, latent_shift=0.1)
    schedule = ScheduleConfig()
    info = ModelInfo(name="epsilon test", trained=False, config=config, schedule=schedule)
    save_model(server.base / "models" / "dpidm" / "epsilon_test.safetensors", build_model(config, seed=6), info)
    return "epsilon_test.safetensors"


def test_ksampler_equals_the_video_sampler(server):
    torch.testing.assert_close(
        latents(server, native(server, 4)), latents(server, own(server, 4)), atol=1e-5, rtol=1e-5
    )


def test_ksampler_equals_the_video_sampler_for_epsilon(server, epsilon_model):
    ours = latents(server, own(server, 4, epsilon_model))
    theirs = latents(server, native(server, 4, epsilon_model, "ddim_uniform"))
    torch.testing.assert_close(theirs, ours, atol=1e-4 * float(ours.abs().max()), rtol=0)


def test_core_context_windows_equal_ours(server):
    ours = latents(server, own(server, 7, context_length=4, context_overlap=2, fuse_at="step", fuse_method="pyramid"))
    window = {"context_length": 4, "context_overlap": 2, "fuse_method": "pyramid"}
    torch.testing.assert_close(latents(server, native(server, 7, window=window)), ours, atol=1e-4, rtol=1e-4)


def test_too_long_for_one_window_says_what_to_add(server):
    run = server.run(native(server, 33), timeout=300)
    assert run.status == "error"
    assert "Context Windows" in message(run)


def test_custom_sampler_equals_ksampler(server):
    graph = native(server, 3)
    expected, old = latents(server, graph), graph["sampler"]["inputs"]
    graph |= {
        "noise": defaults(server, "RandomNoise", noise_seed=11),
        "guider": defaults(
            server, "CFGGuider", model=old["model"], positive=old["positive"], negative=old["negative"], cfg=1.5
        ),
        "kind": defaults(server, "KSamplerSelect", sampler_name="euler"),
        "sigmas": defaults(server, "BasicScheduler", model=old["model"], scheduler="simple", steps=5, denoise=1.0),
        "sampler": defaults(
            server, "SamplerCustomAdvanced", noise=["noise", 0], guider=["guider", 0], sampler=["kind", 0],
            sigmas=["sigmas", 0], latent_image=["native", 3],
        ),
    }  # fmt: skip
    torch.testing.assert_close(latents(server, graph), expected, atol=1e-6, rtol=0)


def rss(server) -> float:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(x for x in status.splitlines() if x.startswith("VmRSS:")).split()[1]) / 1024


def virtual_bytes(server) -> int:
    return int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
def test_an_interrupted_run_leaves_the_server_usable_and_goes_on_later(server):
    graph = own(server, 6, context_length=3, context_overlap=1, seed=21, steps=8, resume=True)
    whole = own(server, 6, context_length=3, context_overlap=1, seed=21, steps=8)
    server.run(own(server, 6, context_length=3, context_overlap=1))  # everything loaded once
    level = rss(server)

    def cancel(event):
        if event["type"] == "progress" and event["data"].get("node") == "sampler" and event["data"]["value"] == 9:
            server.interrupt()

    run = server.run(graph, on_event=cancel, timeout=120)
    assert run.status == "interrupted"
    assert run.progress[-1][1] <= 11, "the run went on for more than one network call"
    assert rss(server) < level + 100
    again = server.run(graph, timeout=120)
    assert again.status == "success", message(again)
    first = next(value for node, value, _ in again.progress if node == "sampler")
    assert first >= 9, f"started again at {first}"
    resumed = load_file(server.output_files(again)[-1])["latent_tensor"]
    torch.testing.assert_close(resumed, latents(server, whole), atol=1e-6, rtol=0)


def strike(server: ComfyServer, sign: int, states: Path, reached: list[int]):
    """An on_event that sends a signal to the server once this run of the sampler has written its state."""
    started = time.time()

    def on_event(event):
        if event["type"] == "progress" and event["data"].get("node") == "sampler":
            reached.append(event["data"]["value"])
            if any(x.stat().st_mtime > started for x in states.glob("dpidm_resume_*.safetensors")):
                assert server.process is not None
                os.killpg(server.process.pid, sign)

    return on_event


@pytest.mark.slow
def test_a_killed_and_a_stopped_server_go_on_where_they_were(server, tmp_path):
    """kill -9 in the middle, then Ctrl-C in the middle; the third server ends the run. Each start empties temp."""
    base, reached = tmp_path / "base", []
    shutil.copytree(server.base / "custom_nodes" / "odd_inputs", base / "custom_nodes" / "odd_inputs")
    settings = {"context_length": 4, "context_overlap": 1, "seed": 22, "steps": 24}
    graph = own(server, 16, resume=True, **settings)
    states = base / "temp" / "dpidm_unfinished"
    for sign in (signal.SIGKILL, signal.SIGINT):
        with ComfyServer(base) as victim:
            assert not states.exists(), "the host no longer empties temp"
            with pytest.raises((ServerError, OSError, websocket.WebSocketException)):
                victim.run(graph, strike(victim, sign, states, reached), timeout=400)
            assert victim.process is not None
            victim.process.wait(60)
        assert list((base / "user" / "dpidm_unfinished").iterdir())
    with ComfyServer(base) as last:
        run = last.run(graph, timeout=400)
        assert run.status == "success", message(run)
        first = next(value for node, value, _ in run.progress if node == "sampler")
        assert 1 < reached[-1] - 5 < first, f"went on at {first}, was at {reached[-1]}"
        assert not list(states.iterdir())
        resumed = load_file(last.output_files(run)[-1])["latent_tensor"]
    whole = own(server, 16, **settings)
    torch.testing.assert_close(resumed, latents(server, whole), atol=1e-6, rtol=0)


@pytest.mark.slow
def test_out_of_memory_is_a_clear_error_and_the_server_lives_on(server):
    """The device here is the CPU; its allocator is limited to little more than it has.

    What the network needs here is several times what earlier runs may have left free inside the process.
    """
    graph = own(server, 16, seed=31, context_length=16)
    size = {"width": 448, "height": 448}
    graph |= {"frames": odd_image(frames=16, **size), "garment": odd_image(frames=1, **size)}
    graph |= {"pose": odd_pose(frames=16, **size), "garment_pose": odd_pose(frames=1, **size)}
    graph["poses"]["inputs"] |= size
    prepare = {**graph, "sampler": swallow("poses"), "out": swallow("agnostic"), "also": swallow("garment_latent")}
    small = own(server, 2, seed=32)
    assert server.run(small, timeout=120).status == "success"
    assert server.run(prepare, timeout=300).status == "success"  # last: the host keeps results of the last run only
    level, unlimited = rss(server), resource.prlimit(server.process.pid, resource.RLIMIT_AS)
    resource.prlimit(server.process.pid, resource.RLIMIT_AS, (virtual_bytes(server) + 50 * 2**20, unlimited[1]))
    try:
        run = server.run(graph, timeout=300)
    finally:
        resource.prlimit(server.process.pid, resource.RLIMIT_AS, unlimited)
    assert run.status == "error"
    assert "memory" in message(run).lower(), message(run)
    assert "GiB" in message(run), message(run)
    small["sampler"]["inputs"]["seed"] = 33
    assert server.run(small, timeout=120).status == "success"
    deadline = time.monotonic() + 5
    while rss(server) > level + 150 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert rss(server) < level + 150


@pytest.mark.slow
def test_the_shipped_ksampler_workflow_runs(server):
    """With fewer steps and shorter windows than shipped; the sample clip has more frames than a window."""
    graph = json.loads((ROOT / "workflows" / "api" / "tryon_ksampler.json").read_text())
    node_of(graph, "KSampler")["steps"] = 2
    node_of(graph, "ContextWindowsManual").update(context_length=12, context_overlap=4)
    run = server.run(graph, timeout=900)
    assert run.status == "success", message(run)
    assert any(path.suffix == ".mp4" for path in server.output_files(run))
    assert "Using context windows 12" in server.log()


HOSTS_PLANS = """
import json, sys
sys.argv = ["x", "--cpu"]
import comfy.options
comfy.options.enable_args_parsing()
import comfy.context_windows as cw
out = []
for schedule, frames, length, overlap, step, closed in json.loads(sys.stdin.read()):
    ways = cw.get_matching_context_schedule(schedule), cw.get_matching_fuse_method("flat")
    handler = cw.IndexListContextHandler(*ways, length, overlap, 1, closed)
    handler._step = step
    out.append(handler.context_schedule.func(frames, handler, {}))
print(json.dumps(out))
"""


def test_window_plans_are_the_hosts():
    cases = [
        (schedule, frames, length, overlap, step, closed)
        for schedule in ("standard_static", "standard_uniform", "looped_uniform", "batched")
        for frames, length, overlap in ((60, 24, 8), (25, 24, 8), (100, 16, 4), (33, 8, 0), (24, 24, 8), (7, 24, 8))
        for step in (0, 1, 5)
        for closed in (False, True)
        if schedule == "looped_uniform" or not closed
    ]
    done = subprocess.run(
        [PYTHON, "-c", HOSTS_PLANS], cwd=COMFYUI, input=json.dumps(cases), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-1000:]
    for case, theirs in zip(cases, json.loads(done.stdout.splitlines()[-1]), strict=True):
        schedule, frames, length, overlap, step, closed = case
        if frames <= length and schedule == "looped_uniform":
            continue  # the host wraps a clip that fits; we keep one window
        config = WindowConfig(length=length, overlap=overlap, schedule=schedule, closed_loop=closed)
        assert sorted(plan(config, frames, step)) == sorted({tuple(w): w for w in theirs}.values()), case
