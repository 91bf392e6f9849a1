"""What is not computed twice: the same numbers as the naive form, for fewer operations."""

from dataclasses import replace

import pytest
import torch

from bench.bench_network import SWIFTTRY, conditions, step_flops
from bench.naive_network import PARTS, make_naive
from dpidm_model.checkpoint.file import build_model
from dpidm_model.config import DPIDMConfig

SMALL = DPIDMConfig(
    block_out_channels=(32, 64),
    attention_levels=(True, True),
    heads=(2, 4),
    layers_per_block=1,
    norm_groups=8,
    pose_channels=16,
    temporal_heads=4,
    temporal_norm_groups=8,
)


def loud_model():
    model = build_model(SMALL, 0)
    for i, parameter in enumerate(model.parameters()):
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05, generator=torch.Generator().manual_seed(i))
    return model


@torch.no_grad()
@pytest.mark.parametrize("parts", [tuple(PARTS), *((part,) for part in PARTS)])
def test_the_naive_form_gives_the_same_numbers(parts):
    model, naive = loud_model(), loud_model()
    make_naive(naive, parts)
    x, given = conditions(model, frames=2)
    _, naive_given = conditions(naive, frames=2)
    ours, theirs = (torch.stack(m(x, 300, c, half="both")) for m, c in ((model, given), (naive, naive_given)))
    torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-4)


def test_a_step_with_swifttrys_weights_costs_less_than_in_their_code():
    """256x192 pixels, 8 frames, guided: their own code takes 3,420 GFLOP."""
    imported = step_flops(SWIFTTRY)["total"]
    assert imported <= 3150
    assert 250 < step_flops(replace(SWIFTTRY, tsa=True))["total"] - imported < 330


def test_every_saving_saves():
    ours = step_flops(SMALL)["total"]
    for part in PARTS:
        assert step_flops(SMALL, (part,))["total"] > ours
    assert step_flops(SMALL, apart=True)["total"] > ours


@torch.no_grad()
def test_unconditional_half_costs_no_garment_attention():
    """Half of a guided step with the halves apart is what a network without garment costs."""
    from torch.utils.flop_counter import FlopCounterMode

    model = build_model(SMALL, None)
    x, given = conditions(model, frames=2)
    counts = []
    for one in (given, replace(given, garment=None)):
        with FlopCounterMode(display=False) as counter:
            model(x, torch.empty((), device="meta"), one, half="uncond")
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1]
