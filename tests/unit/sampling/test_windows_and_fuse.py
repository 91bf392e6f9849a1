"""Window plans and fuse weights, without any network."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dpidm_model.errors import InputError
from dpidm_model.sampling.fuse import FUSE, fuse_weights
from dpidm_model.sampling.windows import SCHEDULES, WindowConfig, plan, step_fraction


@st.composite
def cases(draw):
    length = draw(st.integers(1, 33))
    config = WindowConfig(
        length=length,
        overlap=draw(st.integers(0, length - 1)),
        schedule=draw(st.sampled_from(sorted(SCHEDULES))),
        stride=draw(st.integers(1, 3)),
        closed_loop=draw(st.booleans()),
    )
    return config, draw(st.integers(1, 150)), draw(st.integers(0, 40))


@given(cases())
@settings(max_examples=400, deadline=None)
def test_every_plan_covers_every_frame_and_no_window_repeats_one(case):
    config, frames, step = case
    windows = plan(config, frames, step)
    assert {frame for window in windows for frame in window} == set(range(frames))
    for window in windows:
        assert len(set(window)) == len(window) <= config.length
    assert len({tuple(w) for w in windows}) == len(windows)


@given(cases(), st.sampled_from(sorted(FUSE)))
@settings(max_examples=400, deadline=None)
def test_weights_sum_to_one_and_are_positive(case, method):
    config, frames, step = case
    windows = plan(config, frames, step)
    total_F = torch.zeros(frames, dtype=torch.float64)
    for window, weights_W in zip(windows, fuse_weights(method, windows, frames, config.overlap), strict=True):
        assert (weights_W > 0).all()
        total_F[window] += weights_W.double()
    torch.testing.assert_close(total_F, torch.ones_like(total_F), atol=1e-6, rtol=0)


def test_static_windows():
    starts = [w[0] for w in plan(WindowConfig(length=24, overlap=8), 60)]
    assert starts == [0, 16, 32, 36]
    assert plan(WindowConfig(length=24, overlap=8), 24) == [list(range(24))]
    assert plan(WindowConfig(length=24, overlap=8), 7) == [list(range(7))]
    assert [w[0] for w in plan(WindowConfig(length=24, overlap=8), 40)] == [0, 16]


def test_batched_windows_do_not_overlap():
    assert [len(w) for w in plan(WindowConfig(length=24, overlap=8, schedule="batched"), 60)] == [24, 24, 12]


def test_moving_windows_move_and_looped_ones_wrap():
    config = WindowConfig(length=8, overlap=2, schedule="looped_uniform", closed_loop=True)
    assert plan(config, 30, 0) != plan(config, 30, 1)
    assert any(w[0] > w[-1] for w in plan(config, 30, 1))
    standard = WindowConfig(length=8, overlap=2, schedule="standard_uniform")
    assert all(w == sorted(w) for step in range(9) for w in plan(standard, 30, step))
    assert [step_fraction(i) for i in range(5)] == [0, 0.5, 0.25, 0.75, 0.125]


def test_stride_adds_spread_windows():
    windows = plan(WindowConfig(length=8, overlap=2, schedule="standard_uniform", stride=2), 40)
    assert {w[1] - w[0] for w in windows} == {1, 2}


def test_overlap_linear_has_no_ramp_at_the_ends_of_the_clip():
    windows = plan(WindowConfig(length=8, overlap=3), 13)
    first_W, last_W = fuse_weights("overlap-linear", windows, 13, 3)
    torch.testing.assert_close(first_W, torch.tensor([1, 1, 1, 1, 1, 0.75, 0.5, 0.25]))
    torch.testing.assert_close(last_W, first_W.flip(0))


def test_pyramid_prefers_the_middle():
    windows = plan(WindowConfig(length=8, overlap=4), 12)
    first_W, _ = fuse_weights("pyramid", windows, 12, 4)
    assert first_W[4] == pytest.approx(4 / 5)
    assert first_W[7] == pytest.approx(1 / 5)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"overlap": 24}, "must be smaller than context_length=24"),
        ({"overlap": -1}, "must not be negative"),
        ({"length": 0}, "at least 1"),
        ({"stride": 0}, "at least 1"),
        ({"schedule": "sideways"}, "standard_static"),
    ],
)
def test_bad_windows(changes, words):
    with pytest.raises(InputError, match=words):
        WindowConfig(**changes)


def test_unknown_fuse_method_lists_the_known():
    with pytest.raises(InputError, match="pyramid"):
        fuse_weights("mean", [[0]], 1, 0)


def test_no_frames():
    with pytest.raises(InputError, match="no frames"):
        plan(WindowConfig(), 0)
