"""The loop with a real small DPIDM network: windows, fuse, guidance, batches, progress."""

import copy
from dataclasses import replace

import pytest
import torch

from dpidm_model.errors import InputError
from dpidm_model.sampling.denoise import Place
from dpidm_model.sampling.fuse import FUSE, FUSE_AT
from dpidm_model.sampling.guidance import Guidance
from dpidm_model.sampling.latents import from_network
from dpidm_model.sampling.noise import initial_noise, step_generators
from dpidm_model.sampling.sampler import SamplerConfig
from dpidm_model.sampling.schedulers import SAMPLERS, make_scheduler
from dpidm_model.sampling.tryon import make_conditions, sample_tryon
from dpidm_model.sampling.watch import Progress, Watcher
from dpidm_model.sampling.windows import WindowConfig

from .conftest import SCHEDULES, Setup, make_inputs, small_network

CPU = Place(device=torch.device("cpu"))


class Recorder(Watcher):
    def __init__(self):
        self.reports: list[Progress] = []

    def report(self, progress):
        self.reports.append(progress)


def first_frames(inputs, count):
    track = inputs.poses.track
    track = replace(track, keypoints_FK3=track.keypoints_FK3[:count], provenance_F=track.provenance_F[:count])
    part = {"agnostic_FCHW": inputs.agnostic_FCHW[:count], "mask_FYX": inputs.mask_FYX[:count]}
    return replace(inputs, poses=replace(inputs.poses, track=track), **part)


@pytest.mark.parametrize("fuse_at", FUSE_AT)
@pytest.mark.parametrize("sampler", ["ddim", "dpmpp_2m", "euler_ancestral"])
def test_a_clip_of_one_window_equals_a_plain_loop_bit_for_bit(setup, sampler, fuse_at):
    inputs, network = first_frames(setup.inputs, 5), setup.network
    config = SamplerConfig(steps=4, seed=5, sampler=sampler, fuse_at=fuse_at, windows=WindowConfig(length=5, overlap=2))
    conditions = make_conditions(network, inputs, CPU).windows([list(range(5))], CPU.device, CPU.dtype)
    scheduler = make_scheduler(sampler, setup.schedule)
    scheduler.set_timesteps(4)
    x_BFCHW = initial_noise(5, 5, inputs.agnostic_FCHW.shape[1:])[None] * scheduler.init_noise_sigma
    with torch.no_grad():
        for index, t in enumerate(scheduler.timesteps):
            cond, uncond = network(scheduler.scale_model_input(x_BFCHW, t), t, conditions, half="both")
            prediction = (uncond + 1.5 * (cond - uncond))[0]
            extra = {} if sampler == "dpmpp_2m" else {"generator": step_generators(5, index, list(range(5)))}
            x_BFCHW = scheduler.step(prediction, t, x_BFCHW[0], **extra).prev_sample[None]
    assert torch.equal(setup.run(config, inputs), from_network(x_BFCHW[0], network.config))


@pytest.mark.parametrize("fuse_at", FUSE_AT)
def test_without_temporal_layers_windows_are_independent(fuse_at):
    """Overlap 0, no TSA, no PATA: windowed is the same as all at once, and a frame changes no other."""
    network = small_network(tsa=False, temporal="none")
    setup = Setup(network, make_inputs(network, 12))
    windowed = SamplerConfig(steps=3, fuse_at=fuse_at, windows=WindowConfig(length=4, overlap=0))
    whole = replace(windowed, windows=WindowConfig(length=12, overlap=0))
    torch.testing.assert_close(setup.run(windowed), setup.run(whole), atol=2e-5, rtol=1e-4)
    changed = setup.inputs.agnostic_FCHW.clone()
    changed[5] += 1
    other = setup.run(windowed, replace(setup.inputs, agnostic_FCHW=changed))
    same = (other == setup.run(windowed)).flatten(1).all(1)
    assert same.tolist() == [frame != 5 for frame in range(12)]


def test_windows_see_their_own_frames_and_only_those(setup, windows):
    """Each window is what the network makes of those frames as a clip of their own; the average is of those."""
    config = SamplerConfig(steps=2, windows=windows, fuse_method="flat")
    result, changed = setup.run(config), setup.inputs.agnostic_FCHW.clone()
    changed[11] += 1  # in the last window, frames 7..11, only
    other = setup.run(config, replace(setup.inputs, agnostic_FCHW=changed))
    assert torch.equal(result[:7], other[:7])
    assert not torch.equal(result[7], other[7])


@pytest.mark.parametrize("fuse_at", FUSE_AT)
@pytest.mark.parametrize("fuse_method", sorted(FUSE))
def test_constant_conditions_leave_no_seam(network, fuse_at, fuse_method):
    """From frame to frame the clip changes no more where a window begins or ends than elsewhere."""
    setup = Setup(network, make_inputs(network, 44, constant=True))
    config = SamplerConfig(
        steps=4, seed=1, fuse_at=fuse_at, fuse_method=fuse_method, windows=WindowConfig(length=12, overlap=4)
    )
    result = setup.run(config)
    change = (result[1:] - result[:-1]).flatten(1).pow(2).mean(1).sqrt()
    borders = sorted({s + d for s in (8, 16, 24, 32) for d in (-1, 3)})  # first and last frame of each overlap
    inside = torch.tensor([i not in borders for i in range(len(change))])
    spread = change[inside].std()
    assert (change[~inside] - change[inside].mean()).abs().max() < 3.5 * spread
    assert (change[~inside].mean() - change[inside].mean()).abs() < 2 * spread / (~inside).sum().sqrt() + 0.1 * spread


@pytest.mark.parametrize(
    ("sampler", "fuse_at"), [*((s, "window") for s in SAMPLERS), ("dpmpp_2m", "step"), ("lcm", "step")]
)
def test_window_batch_and_preview_change_nothing(setup, windows, sampler, fuse_at):
    config = SamplerConfig(steps=2, seed=2, sampler=sampler, windows=windows, fuse_at=fuse_at)
    one = setup.run(config)
    assert torch.equal(one, setup.run(config, watcher=Recorder()))
    torch.testing.assert_close(setup.run(config, batch=3), one, atol=1e-4, rtol=1e-4)


def test_a_longer_clip_begins_with_the_same_noise_and_frames(setup, windows):
    """Static windows: the frames that only the first window covers do not know what comes after."""
    config = SamplerConfig(steps=2, windows=windows, fuse_method="flat")
    long, short = setup.run(config), setup.run(config, first_frames(setup.inputs, 8))
    assert torch.equal(long[:3], short[:3])


@pytest.mark.parametrize("schedule", ["standard_uniform", "looped_uniform"])
def test_moving_windows_run_at_every_step(setup, schedule):
    config = SamplerConfig(
        steps=3, fuse_at="step", windows=WindowConfig(length=5, overlap=2, schedule=schedule, closed_loop=True)
    )
    result = setup.run(config)
    assert result.shape == setup.inputs.agnostic_FCHW.shape
    assert result.isfinite().all()
    with pytest.raises(InputError, match="fuse_at"):
        replace(config, fuse_at="window")


class Counter:
    """Counts which halves the network is asked for."""

    def __init__(self, network):
        self.network, self.halves = network, []

    def __call__(self, *args, half, **options):
        self.halves.append(half)
        return self.network(*args, half=half, **options)

    def __getattr__(self, name):
        return getattr(self.network, name)


@pytest.mark.parametrize(
    ("guidance", "halves"),
    [
        (Guidance(), ["both"] * 10),
        (Guidance(cfg=1), ["cond"] * 10),
        (Guidance(cfg=0), ["uncond"] * 10),
        (Guidance(cfg=2, start=0.2, end=0.5), ["cond"] * 2 + ["both"] * 3 + ["cond"] * 5),
        (Guidance(cfg=0, start=0, end=0), ["cond"] * 10),
    ],
)
def test_guidance_interval_skips_the_unconditional_half(setup, guidance, halves):
    counted = Setup(Counter(setup.network), first_frames(setup.inputs, 3), setup.schedule)
    counted.run(SamplerConfig(steps=10, guidance=guidance))
    assert counted.network.halves == halves


def test_guidance_is_linear_in_cfg_and_the_garment_matters(setup):
    inputs = first_frames(setup.inputs, 3)

    def one_step(cfg):
        return setup.run(SamplerConfig(steps=1, guidance=Guidance(cfg=cfg)), inputs)

    without, plain, strong = one_step(0), one_step(1), one_step(3)
    assert (plain - without).abs().max() > 1e-3
    torch.testing.assert_close(strong, without + 3 * (plain - without), atol=1e-4, rtol=1e-3)
    other = replace(inputs, garment_1CHW=inputs.garment_1CHW + 1, clip_1E=inputs.clip_1E + 1)
    assert torch.equal(setup.run(SamplerConfig(steps=1, guidance=Guidance(cfg=0)), other), without)
    assert not torch.equal(setup.run(SamplerConfig(steps=1, guidance=Guidance(cfg=1)), other), plain)


@pytest.mark.parametrize("fuse_at", FUSE_AT)
def test_progress_counts_every_window_and_step(setup, windows, fuse_at):
    recorder = Recorder()
    setup.run(SamplerConfig(steps=3, windows=windows, fuse_at=fuse_at), watcher=recorder)
    assert [p.done for p in recorder.reports] == list(range(1, 13))
    assert {p.total for p in recorder.reports} == {12}
    assert recorder.reports[-1].seconds_left == 0
    assert all(p.seconds_left > 0 for p in recorder.reports[:-1])
    assert all(p.clean_CHW is not None and p.clean_CHW.isfinite().all() for p in recorder.reports)
    assert str(recorder.reports[0]).startswith("window 1/4, step 1/3, 0:0")


def test_preview_approaches_the_result(setup):
    recorder, inputs = Recorder(), first_frames(setup.inputs, 7)
    result = setup.run(SamplerConfig(steps=8), inputs, watcher=recorder)
    middle = (result[3] - 0.1) * 0.5  # in the network's scaling
    errors = [(p.clean_CHW - middle).abs().mean() for p in recorder.reports]
    assert errors[-1] < 0.05 * middle.abs().mean()
    assert errors[-1] < errors[0]


def test_interrupt_stops_before_the_next_network_call(setup, windows):
    class StopError(Exception):
        pass

    class Impatient(Watcher):
        calls = 0

        def check(self):
            self.calls += 1
            if self.calls == 4:
                raise StopError

    counted, watcher = Setup(Counter(setup.network), setup.inputs, setup.schedule), Impatient()
    with pytest.raises(StopError):
        counted.run(SamplerConfig(steps=3, windows=windows), watcher=watcher)
    assert len(counted.network.halves) == 3


def test_denoise_keeps_the_source(setup):
    inputs = replace(first_frames(setup.inputs, 4), source_FCHW=torch.randn(4, 4, 6, 5))
    little, much = (setup.run(SamplerConfig(steps=4, denoise=d), inputs) for d in (0.05, 0.9))
    distance = [(r - inputs.source_FCHW).abs().mean() for r in (little, much)]
    assert distance[0] < 0.4 * distance[1]
    with pytest.raises(InputError, match="needs source latents"):
        setup.run(SamplerConfig(denoise=0.5), first_frames(setup.inputs, 4))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": 0}, "at least 1"),
        ({"denoise": 0}, "above 0"),
        ({"seed": -1}, "seed"),
        ({"sampler": "heun"}, "dpmpp_2m"),
        ({"fuse_method": "mean"}, "overlap-linear"),
        ({"fuse_at": "end"}, "window, step"),
    ],
)
def test_bad_settings(changes, words):
    with pytest.raises(InputError, match=words):
        SamplerConfig(**changes)


@pytest.mark.parametrize("changes", [{"cfg": -1}, {"cfg": float("nan")}, {"start": 0.6, "end": 0.5}, {"end": 1.5}])
def test_bad_guidance(changes):
    with pytest.raises(InputError):
        Guidance(**changes)


def test_all_schedules_give_finite_clips(setup):
    inputs = first_frames(setup.inputs, 2)
    for schedule in SCHEDULES.values():
        for sampler in SAMPLERS:
            result = Setup(setup.network, inputs, schedule).run(SamplerConfig(steps=2, sampler=sampler))
            assert result.isfinite().all()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 0.02), (torch.bfloat16, 0.1)])
def test_half_precision_networks_stay_close(setup, dtype, tolerance):
    """Only the network works in half precision; latents and schedulers stay in float32."""
    inputs, config = first_frames(setup.inputs, 4), SamplerConfig(steps=3)
    network = copy.deepcopy(setup.network).to(dtype)
    result = sample_tryon(network, setup.schedule, inputs, config, Place(device=CPU.device, dtype=dtype))
    assert result.dtype == torch.float32
    assert (result - setup.run(config, inputs)).abs().max() < tolerance * result.std()
