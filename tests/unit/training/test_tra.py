"""The TRA loss against its naive form: value, gradients, memory."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dpidm_model.training.tra import attention_change, tra_loss

ROOT = Path(__file__).parents[3]


def naive(q_BFNLD, k_BFNMD):
    a = torch.softmax(q_BFNLD @ k_BFNMD.transpose(-1, -2) / q_BFNLD.shape[-1] ** 0.5, -1)
    return (a[:, 1:] - a[:, :-1]).abs().mean((0, 2, 3, 4)).sum()


def tensors(dtype=torch.float64, b=2, f=4, n=3, lq=7, m=12, d=5, seed=0):
    g = torch.Generator().manual_seed(seed)
    q = torch.randn(b, f, n, lq, d, generator=g, dtype=dtype).requires_grad_()
    k = torch.randn(b, f, n, m, d, generator=g, dtype=dtype).requires_grad_()
    return q, k


@pytest.mark.parametrize("chunk_elements", [1, 6 * 12 * 3, 1 << 22])
def test_value_and_gradients_equal_the_naive_form(chunk_elements):
    q, k = tensors()
    expected = naive(q, k)
    expected_grads = torch.autograd.grad(expected, (q, k))
    got = attention_change(q, k, chunk_elements)
    grads = torch.autograd.grad(got, (q, k))
    torch.testing.assert_close(got, expected, atol=1e-14, rtol=1e-12)
    for a, b in zip(grads, expected_grads):
        torch.testing.assert_close(a, b, atol=1e-14, rtol=1e-10)


def test_numeric_gradient():
    q, k = tensors(b=1, f=3, n=1, lq=3, m=4, d=2, seed=3)
    assert torch.autograd.gradcheck(lambda q, k: attention_change(q, k, 8), (q, k))


def test_float32_gradients_within_1e5_at_a_real_width():
    q, k = tensors(torch.float32, b=1, f=4, n=2, lq=192, m=384, d=40)
    expected = torch.autograd.grad(naive(q, k), (q, k))
    got = torch.autograd.grad(attention_change(q, k, 1 << 14), (q, k))
    for a, b in zip(got, expected):
        assert (a - b).abs().max() <= 1e-5 * b.abs().max()


def test_sum_over_layers_times_gamma():
    pairs = [tensors(seed=1), tensors(seed=2)]
    expected = 0.5 * (naive(*pairs[0]) + naive(*pairs[1]))
    torch.testing.assert_close(tra_loss(pairs), expected)


def test_one_frame_has_no_loss_and_zero_gradients():
    q, k = tensors(f=1)
    loss = attention_change(q, k)
    loss.backward()
    assert loss == 0
    assert not q.grad.any()
    assert not k.grad.any()


def test_equal_frames_have_no_loss():
    q, k = tensors(f=1)
    assert attention_change(q.expand(-1, 3, -1, -1, -1), k.expand(-1, 3, -1, -1, -1)) == 0


def test_gradients_reach_the_producers_of_q_and_k_in_bfloat16():
    q, k = tensors(torch.bfloat16, lq=16, m=32, d=8)
    attention_change(q, k).backward()
    assert q.grad.dtype == torch.bfloat16
    assert torch.isfinite(q.grad).all()
    assert q.grad.abs().sum() > 0


@pytest.mark.slow
def test_memory_is_at_most_an_eighth_of_naive():
    """One head of the 512x384, T=8 shapes (64x48 queries, twice the keys); naive grows with the heads."""
    peaks = {}
    for form in ("naive", "chunked"):
        code = f"from bench.bench_training import tra_memory; print(tra_memory({form!r}, heads=1))"
        out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
        peaks[form] = float(out.stdout)
    assert peaks["chunked"] <= peaks["naive"] / 8, peaks
