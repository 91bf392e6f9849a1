"""The benchmark's training step: what it reports for a GPU is right in small on the CPU, and runs where a GPU is."""

import pytest
import torch

from bench.bench_training import device_step


def test_a_small_step_reports_sound_figures():
    few, many = (device_step("cpu", "tiny", frames=frames, height=64, width=48) for frames in (2, 4))
    assert few["seconds_per_step"] > 0
    assert 1.5 < many["teraflop_per_step"] / few["teraflop_per_step"] < 2.1  # the garment's share does not double
    assert 0 < few["share_of_matmul_peak"] < 3  # a small product is not a device's peak on a busy machine
    assert "peak_memory_gib" not in few


@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_full_size_step_on_the_gpu(record_property):
    found = device_step("cuda")
    record_property("gpu_step", found)
    print(found)
    assert 0.05 < found["share_of_matmul_peak"] <= 1.05
