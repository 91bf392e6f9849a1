"""Noising, targets, weights: against diffusers' own scheduler and by hand."""

import pytest
import torch
from diffusers import DDPMScheduler

from dpidm_model.checkpoint.file import build_model
from dpidm_model.config import PRESETS, ScheduleConfig
from dpidm_model.errors import InputError
from dpidm_model.training.config import LossSection
from dpidm_model.training.losses import (
    add_noise,
    denoising_loss,
    draw_timesteps,
    loss_weights,
    target,
    to_sample,
)
from dpidm_model.training.step import TrainStep, alphas_cumprod

KINDS = ("epsilon", "v_prediction", "sample")


def clip(seed=0, shape=(3, 2, 4, 5, 6)):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=g), torch.randn(shape, generator=g)


@pytest.mark.parametrize("zero_snr", [False, True])
def test_schedule_noising_and_velocity_equal_diffusers(zero_snr):
    schedule = ScheduleConfig(prediction_type="v_prediction", rescale_betas_zero_snr=zero_snr)
    theirs = DDPMScheduler(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, rescale_betas_zero_snr=zero_snr,
        prediction_type="v_prediction",
    )  # fmt: skip
    x0, noise = clip()
    t = torch.tensor([0, 500, 999])
    a = alphas_cumprod(schedule)
    torch.testing.assert_close(a.float(), theirs.alphas_cumprod, atol=2e-6, rtol=1e-4)
    alphas = theirs.alphas_cumprod[t]
    torch.testing.assert_close(add_noise(x0, noise, alphas), theirs.add_noise(x0, noise, t), atol=1e-5, rtol=1e-5)
    expected = theirs.get_velocity(x0, noise, t)
    torch.testing.assert_close(target(x0, noise, alphas, "v_prediction"), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_target_and_sample_are_inverse(kind):
    x0, noise = clip()
    alphas = torch.tensor([0.9, 0.5, 0.01])
    x = add_noise(x0, noise, alphas)
    torch.testing.assert_close(to_sample(target(x0, noise, alphas, kind), x, alphas, kind), x0, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("weighting", "on_x0"), [("min_snr", 5.0), ("truncated", 4.0)])
def test_weights_mean_the_same_for_every_prediction(kind, weighting, on_x0):
    """The weighted error of a prediction equals the x_0 error times min(snr, 5) or min(snr + 1, 4)."""
    x0, noise = clip()
    alphas = torch.tensor([0.95, 0.6, 0.1])
    x = add_noise(x0, noise, alphas)
    other = target(x0, noise, alphas, kind) + 0.01 * clip(5)[0]
    gamma = on_x0
    weights = loss_weights(alphas, kind, weighting, gamma)
    mask = torch.ones(3, 2, 1, 5, 6)
    got = denoising_loss(other, target(x0, noise, alphas, kind), weights, mask)
    snr = alphas / (1 - alphas) + (weighting == "truncated")
    expected = (to_sample(other, x, alphas, kind) - x0).square().mean((1, 2, 3, 4)) * snr.clamp(max=gamma)
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-8)


@pytest.mark.parametrize("kind", ["v_prediction", "sample"])
def test_zero_terminal_snr_has_finite_weights(kind):
    alphas = alphas_cumprod(ScheduleConfig(prediction_type=kind, rescale_betas_zero_snr=True))[[-1]].float()
    assert alphas == 0
    for weighting in ("uniform", "min_snr", "truncated"):
        assert torch.isfinite(loss_weights(alphas, kind, weighting, 5.0)).all()


def test_background_weight_counts_the_mask_more():
    prediction = torch.zeros(1, 1, 1, 2, 2)
    wanted = torch.tensor([[1.0, 0.0], [0.0, 2.0]]).view(1, 1, 1, 2, 2)
    mask = torch.tensor([[1.0, 0.0], [0.0, 0.0]]).view(1, 1, 1, 2, 2)
    one = torch.ones(1)
    assert denoising_loss(prediction, wanted, one, mask).item() == pytest.approx(5 / 4)
    assert denoising_loss(prediction, wanted, one, mask, 0.0).item() == pytest.approx(1)
    assert denoising_loss(prediction, wanted, one, mask, 0.1).item() == pytest.approx((1 + 0.1 * 4) / 1.3)


def test_channel_weights_count_some_channels_more():
    prediction, wanted = torch.zeros(1, 1, 2, 1, 1), torch.tensor([1.0, 2.0]).view(1, 1, 2, 1, 1)
    one, mask = torch.ones(1), torch.ones(1, 1, 1, 1, 1)
    weighted = denoising_loss(prediction, wanted, one, mask, channels_C=torch.tensor([1.5, 0.5]))
    assert weighted.item() == pytest.approx((1.5 * 1 + 0.5 * 4) / 2)


def test_channel_weights_must_fit_the_latents():
    config, schedule = PRESETS["tiny"]
    model = build_model(config)
    with pytest.raises(InputError, match="3 numbers for 16"):
        TrainStep(model, schedule, LossSection(channel_weights=(1.0, 2.0, 3.0)))
    assert TrainStep(model, schedule, LossSection(channel_weights=(2.0,) * 16)).channels_C.tolist() == [1.0] * 16


def test_timesteps_cover_the_range_and_lean_to_noise():
    u = torch.linspace(0, 1, 10001)[:-1]
    flat, biased = draw_timesteps(u, 1000), draw_timesteps(u, 1000, 0.6)
    assert (flat.min(), flat.max(), biased.max()) == (0, 999, 999)
    assert abs(flat.double().mean() - 499.5) < 1
    assert biased.double().mean() > 600


def test_presets_have_schedules_that_train():
    for config, schedule in PRESETS.values():
        a = alphas_cumprod(schedule)
        assert len(a) == schedule.num_train_timesteps
        assert (a[1:] < a[:-1]).all()
        assert config.latent_channels > 0
