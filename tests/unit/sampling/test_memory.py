"""Out of memory: less at once, then a clear error; and the estimate made before the start."""

import logging
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from dpidm_model.config import PRESETS
from dpidm_model.sampling.denoise import NetworkDenoise, Place
from dpidm_model.sampling.estimate import fit_memory, window_bytes
from dpidm_model.sampling.guidance import Guidance
from dpidm_model.sampling.memory import OutOfMemoryError, Predictor, is_out_of_memory
from dpidm_model.sampling.sampler import SamplerConfig, sample
from dpidm_model.sampling.tryon import make_conditions

CPU = Place(device=torch.device("cpu"))


class Limited:
    """The real network on a device that can hold only so many windows times halves."""

    def __init__(self, setup, most):
        self.denoise = NetworkDenoise(setup.network, make_conditions(setup.network, setup.inputs, CPU), CPU)
        self.most = most

    def __call__(self, x, t, frames, half):
        if len(frames) * (2 if half == "both" else 1) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return self.denoise(x, t, frames, half)


@pytest.mark.parametrize(("most", "warnings"), [(6, 0), (2, 1), (1, 2)])
def test_out_of_memory_goes_on_with_less_and_says_so(setup, windows, caplog, most, warnings):
    config = SamplerConfig(steps=2, windows=windows)
    released = []
    with caplog.at_level(logging.WARNING):
        predictor = Predictor(Limited(setup, most), config.guidance, 3, release=lambda: released.append(1))
        result = sample(predictor, config, setup.schedule, tuple(setup.inputs.agnostic_FCHW.shape))
    assert len(caplog.records) == len(released) == warnings
    assert all("out of memory" in r.message for r in caplog.records)
    expected = (setup.run(config) - 0.1) * 0.5
    torch.testing.assert_close(result, expected, atol=1e-4, rtol=1e-4)


def test_out_of_memory_at_the_smallest_is_a_clear_error(setup, windows):
    config = SamplerConfig(steps=2, windows=windows)
    predictor = Predictor(Limited(setup, 0), config.guidance, 3, need="a window needs about 9.9 GiB")
    with pytest.raises(OutOfMemoryError, match=r"2.00 GiB.*9.9 GiB.*lower the frames per window"):
        sample(predictor, config, setup.schedule, tuple(setup.inputs.agnostic_FCHW.shape))


ONEDNN_WITHOUT_MEMORY = """
import resource
import torch
from dpidm_model.sampling.guidance import Guidance
from dpidm_model.sampling.memory import Predictor

def layer(channels):
    return torch.nn.functional.conv2d(torch.ones(1, channels, 20, 20), torch.ones(channels, channels, 3, 3))

def denoise(x, t, frames, half):
    for channels in range(16, 208, 8):  # a kernel each; their pages have to come from the system
        layer(channels)
    return x

torch.set_num_threads(1)
layer(8)
held = [torch.zeros(1_000_000) for _ in range(100)]
del held  # stays with this process: tensors have memory, kernels have none
soft, hard = resource.getrlimit(resource.RLIMIT_AS)
pages = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (pages, hard))
x = torch.ones(4, 1, 1, 1)
out = Predictor(denoise, Guidance(), 2)(list(x), torch.tensor(1), [[0]] * 4, "cond")
resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
assert torch.equal(torch.stack(out), x)
assert layer(256)[0, 0, 0, 0] == 256 * 9
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's limit of a process's memory")
def test_onednn_that_got_no_memory_for_a_kernel_is_done_without():
    """In its own process: the real failure, which lasts as long as its thread does."""
    keep = {"MALLOC_TRIM_THRESHOLD_": str(10**11), "MALLOC_MMAP_THRESHOLD_": str(10**9)}
    command = [sys.executable, "-c", ONEDNN_WITHOUT_MEMORY]
    done = subprocess.run(command, env=os.environ | keep, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "oneDNN got no memory for a kernel" in done.stderr
    assert "going on with one" in done.stderr


def test_other_errors_are_not_taken_for_out_of_memory(setup):
    def broken(*_):
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes"):
        Predictor(broken, Guidance(), 2)([torch.zeros(1, 1, 1, 1)], torch.tensor(1), [[0]], "both")
    assert is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"))
    assert is_out_of_memory(MemoryError())


def test_estimate_grows_with_frames_batch_and_halves(setup):
    def need(frames=8, batch=1, half="cond", dtype=torch.float32):
        return window_bytes(setup.network.config, frames, 16, 12, batch, half, dtype)

    assert need(16) == pytest.approx(2 * need(8), rel=0.15)
    assert need(batch=2) == pytest.approx(2 * need(), rel=0.15)
    assert 1.4 * need() < need(half="both") < 2.2 * need()
    assert need(dtype=torch.float16) == pytest.approx(need() / 2, rel=0.1)


def test_estimate_holds_against_what_is_allocated(network):
    """The peak of the allocator's own log, for one real call."""
    from torch.profiler import ProfilerActivity, profile

    from .conftest import Setup, make_inputs

    setup = Setup(network, make_inputs(network, 8))
    denoise = NetworkDenoise(network, make_conditions(network, setup.inputs, CPU), CPU)
    x, t, frames = torch.randn(1, 8, 4, 6, 5), torch.tensor(500), [list(range(8))]
    with torch.no_grad(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as log:
        denoise(x, t, frames, "both")
    live = peak = 0
    for event in log.profiler.kineto_results.events():
        if event.name() == "[memory]":
            live += event.nbytes()
            peak = max(peak, live)
    estimate = window_bytes(network.config, 8, 6, 5, 1, "both", torch.float32)
    assert 0.9 * peak < estimate < 2.5 * peak


def test_fit_memory_chooses_batch_and_halves(setup):
    arguments = (setup.network.config, 8, 16, 12, 1.5, torch.float32)
    one_half, both = (window_bytes(setup.network.config, 8, 16, 12, 1, h, torch.float32) for h in ("cond", "both"))
    assert fit_memory(*arguments, free=2**40, most=4) == (4, False, 4 * both)
    assert fit_memory(*arguments, free=2 * both + 10, most=4) == (2, False, 2 * both)
    assert fit_memory(*arguments, free=(one_half + both) // 2, most=4) == (1, True, one_half)
    with pytest.raises(OutOfMemoryError, match=r"GiB besides the weights, but .* GiB are free"):
        fit_memory(*arguments, free=one_half // 2, most=4)


@pytest.mark.slow
def test_an_8_gb_card_takes_the_papers_window_at_full_size():
    """24 frames of 512x384 in fp16, both halves of the guidance: what is left of 8 GB beside the main U-Net."""
    assert window_bytes(PRESETS["sd15"][0], 24, 64, 48, 1, "both", torch.float16) < 5 * 2**30


def test_the_network_sees_only_the_window(setup, windows):
    """No more than a window of the clip's conditions is handed to the network at once."""
    seen = []

    class Spy:
        config = setup.network.config

        def __call__(self, x_BFCHW, t, conditions, **options):
            seen.append((x_BFCHW.shape[:2], conditions.frames))
            return setup.network(x_BFCHW, t, conditions, **options)

        def __getattr__(self, name):
            return getattr(setup.network, name)

    replace(setup, network=Spy()).run(SamplerConfig(steps=1, windows=windows), batch=2)
    assert {(tuple(shape), frames) for shape, frames in seen} == {((2, 5), 5)}
