"""Each sampler against the loop of diffusers' own pipelines, step by step."""

import pytest
import torch
from torch import nn

from dpidm_model.errors import InputError
from dpidm_model.sampling.guidance import Guidance
from dpidm_model.sampling.memory import Predictor
from dpidm_model.sampling.noise import initial_noise, step_generators
from dpidm_model.sampling.sampler import SamplerConfig, sample
from dpidm_model.sampling.schedulers import NO_SAMPLE_PREDICTION, SAMPLERS, clean_to_v, estimate_clean, make_scheduler

from .conftest import SCHEDULES

FRAMES, SHAPE = 5, (4, 6, 5)


class SmallDenoiser(nn.Module):
    """A real network over frames; half "uncond" has weights of its own."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.cond, self.uncond = (
            nn.Sequential(nn.Conv3d(4, 8, 3, padding=1), nn.SiLU(), nn.Conv3d(8, 4, 3, padding=1)) for _ in range(2)
        )
        self.seen: list[torch.Tensor] = []

    @torch.no_grad()
    def forward(self, x_BFCHW, t, frames, half):
        self.seen.append(x_BFCHW[0].clone())
        x_BCFHW = x_BFCHW.transpose(1, 2) * (1 + t.float() / 1000)
        both = [0.2 * net(x_BCFHW).transpose(1, 2) for net in (self.cond, self.uncond)]
        return tuple(both) if half == "both" else both[half == "uncond"]


def pipeline_loop(denoiser, name, schedule, steps, seed, denoise=1.0, source=None):
    """What diffusers' image-to-image and text-to-image pipelines do, with one noise generator per frame."""
    frames = list(range(FRAMES))
    arguments = {
        "prediction_type": schedule.prediction_type, "beta_schedule": schedule.beta_schedule,
        "beta_start": schedule.beta_start, "beta_end": schedule.beta_end,
        "rescale_betas_zero_snr": schedule.rescale_betas_zero_snr,
        "timestep_spacing": schedule.timestep_spacing, "steps_offset": schedule.steps_offset,
    }  # fmt: skip
    if name in ("ddim", "lcm", "tcd"):
        arguments |= {"clip_sample": False, "set_alpha_to_one": schedule.set_alpha_to_one}
    scheduler = SAMPLERS[name](**arguments)
    total = steps if denoise == 1 else int(steps / denoise)
    scheduler.set_timesteps(total)
    timesteps = scheduler.timesteps[total - steps :]
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(total - steps)
    noise = initial_noise(seed, FRAMES, SHAPE)
    if source is None:
        x = noise * scheduler.init_noise_sigma
    else:
        x = scheduler.add_noise(source, noise, timesteps[:1].repeat(FRAMES))
    for index, t in enumerate(timesteps):
        cond, uncond = denoiser(scheduler.scale_model_input(x, t)[None], t, None, "both")
        prediction = (uncond + 1.5 * (cond - uncond))[0]
        extra = {} if name in ("dpmpp_2m", "uni_pc") else {"generator": step_generators(seed, index, frames)}
        x = scheduler.step(prediction, t, x, **extra).prev_sample
    return x


@pytest.mark.parametrize("prediction", sorted(SCHEDULES))
@pytest.mark.parametrize("name", sorted(SAMPLERS))
@pytest.mark.parametrize("denoise", [1.0, 0.5])
@pytest.mark.parametrize("fuse_at", ["window", "step"])
def test_equals_the_pipeline_loop_step_by_step(name, prediction, denoise, fuse_at):
    if prediction == "sample" and name in NO_SAMPLE_PREDICTION:
        pytest.skip("diffusers' class cannot do this; see the test of clean_to_v")
    schedule, config = (
        SCHEDULES[prediction],
        SamplerConfig(steps=7, seed=3, sampler=name, denoise=denoise, fuse_at=fuse_at),
    )
    source = None if denoise == 1 else torch.randn(FRAMES, *SHAPE, generator=torch.Generator().manual_seed(9))
    ours, theirs = SmallDenoiser(), SmallDenoiser()
    result = sample(Predictor(ours, config.guidance), config, schedule, (FRAMES, *SHAPE), source_FCHW=source)
    expected = pipeline_loop(theirs, name, schedule, 7, 3, denoise, source)
    assert len(ours.seen) == len(theirs.seen) == 7
    for step, (a, b) in enumerate(zip(ours.seen, theirs.seen, strict=True)):
        assert torch.equal(a, b), f"step {step} differs by {(a - b).abs().max()}"
    torch.testing.assert_close(result, expected, atol=1e-6, rtol=0)


def test_clean_to_v_means_the_same_clean_latent():
    x, clean = torch.randn(2, 3, 4, 5, 5)
    for alpha_bar in torch.tensor([2.0**-24, 0.01, 0.5, 0.999]):
        v = clean_to_v(clean, x, alpha_bar)
        torch.testing.assert_close(estimate_clean(v, x, alpha_bar, "v_prediction"), clean, atol=2e-4, rtol=1e-4)


def test_euler_ancestral_of_a_clean_predictor_reaches_the_clean_latent():
    """A denoiser that knows the answer: the last step of every sampler lands on it."""
    answer = torch.randn(FRAMES, *SHAPE)

    def oracle(x_BFCHW, t, frames, half):
        return answer[frames[0]][None]

    config = SamplerConfig(steps=6, sampler="euler_ancestral", guidance=Guidance(cfg=1))
    result = sample(Predictor(oracle, config.guidance), config, SCHEDULES["sample"], (FRAMES, *SHAPE))
    torch.testing.assert_close(result, answer, atol=1e-3, rtol=1e-3)


def test_noise_of_a_frame_does_not_depend_on_the_length_of_the_clip():
    for shape in (SHAPE, (4, 3, 5), (1, 3, 3)):
        assert torch.equal(initial_noise(11, 40, shape)[:7], initial_noise(11, 7, shape))
    assert not torch.equal(initial_noise(11, 2, SHAPE), initial_noise(12, 2, SHAPE))
    a, b = ([torch.rand(1, generator=g) for g in step_generators(1, step, [4, 5])] for step in (2, 3))
    assert len({float(v) for v in a + b}) == 4


def test_the_hosts_noise_for_whole_latents():
    """One draw for the batch, as the host's samplers do it, is the same noise."""
    whole = torch.randn(6, *SHAPE[:1], 8, 6, generator=torch.Generator().manual_seed(4))
    assert torch.equal(initial_noise(4, 6, (4, 8, 6)), whole)


def test_unknown_sampler_and_too_many_steps():
    with pytest.raises(InputError, match="ddim"):
        make_scheduler("heun", SCHEDULES["v"])
    config = SamplerConfig(steps=30, denoise=0.02)
    with pytest.raises(InputError, match="1500 timesteps"):
        sample(
            Predictor(SmallDenoiser(), config.guidance),
            config,
            SCHEDULES["v"],
            (2, *SHAPE),
            source_FCHW=torch.zeros(2, *SHAPE),
        )
