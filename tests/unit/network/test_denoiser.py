"""The whole network on small real U-Nets: exact against diffusers, halves, strengths, arms, precision."""

import copy
from dataclasses import replace

import pytest
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

from dpidm_model.checkpoint.file import build_model
from dpidm_model.config import CompatConfig, DPIDMConfig
from dpidm_model.errors import InputError
from dpidm_model.network.call import Strengths
from dpidm_model.network.conditions import TryOnConditions
from dpidm_model.network.install import bare_unet, install, uninstall
from dpidm_model.network.model import GROUPS

SMALL = DPIDMConfig(
    block_out_channels=(32, 64, 64),
    attention_levels=(True, True, False),
    heads=(2, 4, 4),
    layers_per_block=1,
    norm_groups=8,
    cross_attention_dim=24,
    pose_channels=32,
    adapter_bottleneck=8,
    temporal_heads=4,
    temporal_norm_groups=8,
)
ARMS = {
    "a": replace(SMALL, pasa_pose=False, pata_pose=False, tsa=False),
    "b": replace(SMALL, tsa=False),
    "c_d": SMALL,
    "pose_at_input": replace(SMALL, pasa_pose=False, pata_pose=False, pose_input="encoder"),
    "after_block": replace(SMALL, temporal="after_block"),
    "image": replace(SMALL, temporal="none", tsa=False),
    "attention_deep_only": replace(SMALL, attention_levels=(False, True, True), temporal="after_block"),
    "swifttry_like": replace(
        SMALL, temporal="after_block", compat=CompatConfig(frame_attention=True, guider_widths=(8, 8, 8, 8))
    ),
    "vivid_like": replace(
        SMALL, compat=CompatConfig(garment_mask=True, garment_residual=True, no_cross_attention=True)
    ),
}


def loud(config, seed=0):
    """A network in which nothing is zero any more."""
    model = build_model(config, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return model


def inputs(model, clips=1, frames=3, size=(8, 6), seed=0, garments=None, strengths=None, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    config, (h, w) = model.config, size

    def draw(*shape):
        return torch.randn(shape, generator=generator).to(dtype)

    def draw_image(*shape):
        return torch.rand(shape, generator=generator).to(dtype)

    garments = clips if garments is None else garments
    extra = {"strengths": strengths or Strengths()}
    if config.compat.garment_mask:
        extra["mask_B1HW"] = draw_image(garments, 1, h, w)
    garment = model.encode_garment(
        draw(garments, 4, h, w), draw_image(garments, 3, 8 * h, 8 * w), draw(garments, 24), **extra
    )
    conditions = TryOnConditions(
        agnostic_BFCHW=draw(clips, frames, 4, h, w),
        mask_BF1HW=draw_image(clips, frames, 1, h, w),
        pose=model.encode_pose(draw_image(clips, frames, 3, 8 * h, 8 * w)),
        garment=garment,
        strengths=strengths or Strengths(),
    )
    return draw(clips, frames, 4, h, w), conditions


def diffusers_output(unet, config, x, t, conditions, token=None):
    sample = torch.cat([x, conditions.mask_BF1HW, conditions.agnostic_BFCHW], 2).flatten(0, 1)
    token = torch.zeros(len(sample), 1, config.cross_attention_dim) if token is None else token
    return unet(sample, t, token).sample.unflatten(0, x.shape[:2])


@torch.no_grad()
@pytest.mark.parametrize("size", [(8, 8), (6, 10), (5, 7)])
@pytest.mark.parametrize("config", [SMALL, replace(SMALL, temporal="after_block")], ids=["in_block", "after_block"])
def test_untouched_network_is_diffusers_bit_for_bit(config, size):
    """Zero adapters, no garment, one frame (arXiv 2505.16980's start): the very numbers of diffusers' own class."""
    torch.manual_seed(3)
    plain = bare_unet(config, config.in_channels)
    reference = copy.deepcopy(plain)
    model = build_model(config, 0)
    install(plain, config)
    model.main_unet = plain
    x, conditions = inputs(model, frames=1, size=size)
    assert type(reference) is UNet2DConditionModel
    expected = diffusers_output(reference, config, x, 421, conditions)
    assert torch.equal(model(x, 421, conditions, half="uncond"), expected)
    # several frames too, as all temporal layers start at zero
    x, conditions = inputs(model, frames=3, size=size)
    expected = torch.cat(
        [diffusers_output(reference, config, x[:, i : i + 1], 9, conditions.window([i])) for i in range(3)], 1
    )
    torch.testing.assert_close(model(x, 9, conditions, half="uncond"), expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_uninstall_gives_diffusers_back():
    torch.manual_seed(3)
    unet = bare_unet(SMALL, 9)
    names, modules = list(unet.state_dict()), dict(unet.named_modules())
    sample, token = torch.randn(2, 9, 8, 8), torch.randn(2, 1, 24)
    before = unet(sample, 5, token).sample
    config = replace(SMALL, pose_input="encoder")
    install(unet, config)
    assert list(unet.state_dict()) != names
    uninstall(unet)
    assert list(unet.state_dict()) == names
    assert dict(unet.named_modules()) == modules
    assert torch.equal(unet(sample, 5, token).sample, before)


@torch.no_grad()
@pytest.mark.parametrize("arm", ARMS)
def test_both_halves_at_once_are_the_two_halves(arm):
    model = loud(ARMS[arm])
    x, conditions = inputs(model, clips=2, frames=2, size=(6, 5))
    t = torch.tensor([10, 900])
    cond, uncond = model(x, t, conditions, half="both")
    torch.testing.assert_close(cond, model(x, t, conditions), atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(uncond, model(x, t, conditions, half="uncond"), atol=2e-5, rtol=1e-4)
    assert (cond - uncond).abs().max() > 1e-3


@torch.no_grad()
@pytest.mark.parametrize("arm", ARMS)
def test_clips_and_garments_do_not_leak_into_each_other(arm):
    model = loud(ARMS[arm])
    x, conditions = inputs(model, clips=2, frames=2)
    one_x, one = inputs(model, clips=2, frames=2, seed=1)
    mixed = TryOnConditions.batch([conditions, one])
    both = model(torch.cat([x, one_x]), 100, mixed)
    torch.testing.assert_close(both[:2], model(x, 100, conditions), atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(both[2:], model(one_x, 100, one), atol=2e-5, rtol=1e-4)


@torch.no_grad()
def test_unconditional_half_sees_no_garment():
    model = loud(SMALL)
    x, conditions = inputs(model)
    _, other = inputs(model, seed=5)
    swapped = replace(conditions, garment=other.garment)
    assert torch.equal(model(x, 7, conditions, half="uncond"), model(x, 7, swapped, half="uncond"))
    assert (model(x, 7, conditions) - model(x, 7, swapped)).abs().max() > 1e-4


@torch.no_grad()
@pytest.mark.parametrize(
    ("part", "without"),
    [("pasa", {"pasa_pose": False}), ("tsa", {"tsa": False}), ("pata", {"temporal": "none"})],
)
@pytest.mark.parametrize("temporal", ["in_block", "after_block"])
def test_strength_zero_is_the_network_without_that_part(part, without, temporal):
    config = replace(SMALL, temporal=temporal)
    model = loud(config)
    lacking = build_model(replace(config, **without), 0)
    own = model.state_dict()
    lacking.load_state_dict({name: own[name] for name in lacking.state_dict()})
    strengths = Strengths(**{part: 0.0})
    x, conditions = inputs(model, strengths=strengths)
    _, full = inputs(model)
    _, bare = inputs(lacking)
    off = model(x, 50, conditions)
    assert torch.equal(off, lacking(x, 50, replace(bare, pose=conditions.pose)))
    _, half = inputs(model, strengths=Strengths(**{part: 0.5}))
    for other in (model(x, 50, full), model(x, 50, half)):
        assert (other - off).abs().max() > 1e-5


@torch.no_grad()
def test_strength_of_garment_and_conditions_must_agree():
    model = loud(SMALL)
    _, conditions = inputs(model)
    with pytest.raises(InputError, match="encode the garment again"):
        replace(conditions, strengths=Strengths(pasa=0.5))


def test_image_phase_leaves_temporal_layers_out_of_the_graph():
    model = loud(SMALL)
    x, conditions = inputs(model, clips=2, frames=1)
    model(x, 3, conditions, temporal=False).square().mean().backward()
    groups = model.parameter_groups()
    assert all(p.grad is None for name in ("tsa", "pata") for _, p in groups[name])
    for name in ("pasa", "ca", "pose_encoder"):
        assert all(p.grad is not None and p.grad.any() for _, p in groups[name]), name


def test_every_parameter_is_in_one_group():
    model = build_model(ARMS["swifttry_like"], 0)
    groups = model.parameter_groups()
    assert tuple(groups) == GROUPS
    listed = [p for group in groups.values() for _, p in group]
    assert len(listed) == len(set(map(id, listed))) == len(list(model.parameters()))


def test_gradient_checkpointing_changes_no_gradient():
    model = loud(SMALL)
    results = []
    for on in (False, True):
        model.enable_gradient_checkpointing(on)
        model.zero_grad()
        x, conditions = inputs(model)
        out = model(x, 3, conditions)
        out.square().mean().backward()
        results.append((out.detach(), {n: p.grad for n, p in model.named_parameters() if p.grad is not None}))
    assert torch.equal(results[0][0], results[1][0])
    assert results[0][1].keys() == results[1][1].keys()
    for name, gradient in results[0][1].items():
        torch.testing.assert_close(gradient, results[1][1][name], atol=1e-7, rtol=1e-5)


@torch.no_grad()
def test_tap_sees_the_conditional_half_of_every_layer():
    model = loud(SMALL)
    x, conditions = inputs(model, frames=2, size=(4, 4))
    seen = {}
    model(x, 3, conditions, half="both", tap=lambda name, q, k: seen.update({name: (q, k)}))
    assert list(seen) == model.layer_names()
    q, k = seen["down_blocks.0.attentions.0"]
    assert q.shape == (2, 2, 16, 16)
    assert k.shape == (2, 2, 32, 16)
    alone = {}
    model(x, 3, conditions, tap=lambda name, q, k: alone.update({name: (q, k)}))
    torch.testing.assert_close(
        alone["up_blocks.2.attentions.1"][1], seen["up_blocks.2.attentions.1"][1], atol=1e-4, rtol=1e-4
    )


@torch.no_grad()
def test_the_host_may_bring_its_own_attention():
    model = loud(SMALL)
    x, conditions = inputs(model)
    calls = []

    def plain(q, k, v):
        calls.append(q.shape)
        return (q @ k.mT * q.shape[-1] ** -0.5).softmax(-1) @ v

    torch.testing.assert_close(model(x, 3, conditions, attention=plain), model(x, 3, conditions), atol=1e-4, rtol=1e-4)
    blocks = len(model.layer_names())
    assert len(calls) == blocks * 4  # PASA, TSA and PATA's two


@torch.no_grad()
def test_windows_slice_frames_and_share_the_garment():
    model = loud(SMALL)
    x, conditions = inputs(model, frames=5)
    window = conditions.window([4, 1, 2])
    assert window.garment is conditions.garment
    alone = model(x[:, [4, 1, 2]], 3, window)
    pair = TryOnConditions.batch([conditions.window([0, 1, 2]), window])
    assert pair.garment is conditions.garment
    torch.testing.assert_close(model(torch.cat([x[:, :3], x[:, [4, 1, 2]]]), 3, pair)[1:], alone, atol=2e-5, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("arm", ["c_d", "after_block", "swifttry_like"])
def test_half_precision_is_finite_and_near(dtype, arm):
    exact, low = loud(ARMS[arm]), loud(ARMS[arm]).to(dtype)
    x, conditions = inputs(exact)
    low_x, low_conditions = inputs(low, dtype=dtype)
    out = low(low_x, 400, low_conditions)
    assert out.dtype == dtype
    assert out.isfinite().all()
    expected = exact(x, 400, conditions)
    assert (out.float() - expected).abs().mean() < 16 * torch.finfo(dtype).eps * expected.abs().mean()


@torch.no_grad()
def test_wrong_inputs_say_what_to_do():
    model = loud(SMALL)
    x, conditions = inputs(model)
    with pytest.raises(InputError, match="needs a garment"):
        model(x, 3, replace(conditions, garment=None))
    with pytest.raises(InputError, match="needs the person's pose"):
        model(x, 3, replace(conditions, pose=None))
    with pytest.raises(InputError, match="VAE"):
        model(x[:, :, :3], 3, conditions)
    long_x, long = inputs(model, frames=33, size=(2, 2))
    with pytest.raises(InputError, match="shorter windows"):
        model(long_x, 3, long)
    with pytest.raises(InputError, match="draw the pose at 48x64"):
        model(x, 3, replace(conditions, pose=model.encode_pose(torch.rand(1, 3, 3, 32, 32))))
    with pytest.raises(InputError, match="garment's drawn pose"):
        model.encode_garment(torch.randn(1, 4, 8, 6), None, None)
    with pytest.raises(InputError, match="image encoder"):
        model.encode_garment(torch.randn(1, 4, 8, 6), torch.rand(1, 3, 64, 48), torch.randn(1, 768))
    with pytest.raises(InputError, match="same frames"):
        replace(conditions, pose=model.encode_pose(torch.rand(1, 2, 3, 64, 48)))
    two = inputs(model, clips=2)[1].garment
    with pytest.raises(InputError, match="one per clip"):
        replace(TryOnConditions.batch([conditions] * 3), garment=two)


def test_seeded_building_leaves_the_global_generator_alone():
    state = torch.random.get_rng_state()
    first, second, other = build_model(SMALL, 1), build_model(SMALL, 1), build_model(SMALL, 2)
    assert torch.equal(torch.random.get_rng_state(), state)
    pairs = list(zip(first.parameters(), second.parameters(), other.parameters()))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert any(not torch.equal(a, c) for a, _, c in pairs)


def test_from_scratch_start_matches_keys_to_queries():
    model = build_model(replace(SMALL, attention_start="keys_equal_queries", adapter_init="random"), 0)
    for block in model.try_on_blocks():
        for attn in (block.pasa.attn, block.tsa.attn, *block.pata.block.attns):
            assert torch.equal(attn.to_k.weight, attn.to_q.weight)
        assert block.pasa.adapter.up.weight.any()
        assert not block.tsa.attn.to_out[0].weight.any()
        assert not block.pata.proj_out.weight.any()


@torch.no_grad()
def test_channel_order_is_a_matter_of_the_first_convolution():
    model = loud(SMALL)
    other = loud(replace(SMALL, channel_order="noise_agnostic_mask"))
    noise, mask, agnostic = model.main_unet.conv_in.weight.split([4, 1, 4], 1)
    other.main_unet.conv_in.weight.copy_(torch.cat([noise, agnostic, mask], 1))
    x, conditions = inputs(model)
    torch.testing.assert_close(model(x, 3, conditions), other(x, 3, conditions), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_the_garments_timestep_is_a_config_field():
    early, late = loud(SMALL), loud(replace(SMALL, garment_timestep=500))
    first, second = (inputs(m)[1].garment.layers["mid_block.attentions.0"].k_GLC for m in (early, late))
    assert (first - second).abs().max() > 1e-4
