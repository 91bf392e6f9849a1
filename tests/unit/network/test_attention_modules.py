"""Each attention module against its equation written out: concatenated, garment queries included, frame by frame."""

# B clips, F frames, L tokens, C channels, P pose channels, G garments

import math

import pytest
import torch
from diffusers.models.attention import BasicTransformerBlock
from hypothesis import given, settings
from hypothesis import strategies as st

from dpidm_model.network.adapter import PoseAdapter
from dpidm_model.network.ca import CA
from dpidm_model.network.call import Call, LayerGarment, Strengths
from dpidm_model.network.compat import FrameAttention
from dpidm_model.network.pasa import PASA
from dpidm_model.network.pata import PATA
from dpidm_model.network.tsa import TSA, mosaic, shift

C, HEADS, P = 24, 3, 10
SHAPES = settings(max_examples=15, deadline=None)
sizes = st.tuples(st.integers(1, 7), st.integers(1, 7))


def attention_block(seed):
    torch.manual_seed(seed)
    block = BasicTransformerBlock(C, HEADS, C // HEADS, cross_attention_dim=16)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return block


def adapter(seed):
    torch.manual_seed(seed)
    return PoseAdapter(P, C, 6, init="random")


def softmax_attention(q_LC, k_SC, v_SC, heads):
    """softmax(q k^T / sqrt(d)) v, head by head, for one frame."""
    outputs = []
    for q, k, v in zip(q_LC.chunk(heads, -1), k_SC.chunk(heads, -1), v_SC.chunk(heads, -1)):
        weights = (q @ k.T / math.sqrt(q.shape[-1])).softmax(-1)
        outputs.append(weights @ v)
    return torch.cat(outputs, -1)


def naive_adapter(adapter, p):
    hidden = p @ adapter.down.weight.T + adapter.down.bias
    return torch.nn.functional.gelu(hidden) @ adapter.up.weight.T + adapter.up.bias


def naive_pasa(pasa, f_h_BFLC, p_h_BFLP, f_g_GLC, p_g_GLP):
    """f = [f_h, f_g], p = [p_h, p_g], Attn over both, queries of both; the human half."""
    attn, result = pasa.attn, []
    for b in range(f_h_BFLC.shape[0]):
        for t in range(f_h_BFLC.shape[1]):
            f = torch.cat([pasa.norm(f_h_BFLC[b, t]), f_g_GLC[b % len(f_g_GLC)]])
            p = torch.cat([p_h_BFLP[b, t], p_g_GLP[b % len(f_g_GLC)]])
            x = f + naive_adapter(pasa.adapter, p)
            out = softmax_attention(attn.to_q(x), attn.to_k(x), attn.to_v(x), HEADS)
            result.append(attn.to_out[0](out)[: f_h_BFLC.shape[2]])
    return torch.stack(result).unflatten(0, f_h_BFLC.shape[:2])


def naive_tsa(tsa, h_BFLC, size):
    """Q = h, K = V = [h, h_shift], where every token of h_shift is looked up on its own."""
    normed, columns = tsa.norm(h_BFLC), size[1]
    result = torch.empty_like(h_BFLC)
    for b in range(h_BFLC.shape[0]):
        for t in range(h_BFLC.shape[1]):
            lags = [
                1 + (i // columns // tsa.patch + i % columns // tsa.patch) % tsa.lags for i in range(size[0] * columns)
            ]
            shifted = torch.stack([normed[b, max(t - lag, 0), i] for i, lag in enumerate(lags)])
            keys = torch.cat([normed[b, t], shifted])
            out = softmax_attention(tsa.attn.to_q(normed[b, t]), tsa.attn.to_k(keys), tsa.attn.to_v(keys), HEADS)
            result[b, t] = tsa.attn.to_out[0](out)
    return result


def naive_pata(pata, h_BFLC, p_BFLP):
    """Temporal(h + Adpt(p)): GroupNorm per frame, then over frames at each position."""
    x = h_BFLC + naive_adapter(pata.adapter, p_BFLP)
    frames, tokens = x.shape[1:3]
    groups = pata.norm.num_groups
    grouped = x.unflatten(-1, (groups, -1))
    mean, var = grouped.mean((2, 4), keepdim=True), grouped.var((2, 4), keepdim=True, unbiased=False)
    x = ((grouped - mean) / (var + 1e-6).sqrt()).flatten(-2) * pata.norm.weight + pata.norm.bias
    table = torch.zeros(frames, C, dtype=x.dtype)
    for t in range(frames):
        for i in range(0, C, 2):
            table[t, i] = math.sin(t / 10000 ** (i / C))
            table[t, i + 1] = math.cos(t / 10000 ** (i / C))
    result = torch.empty_like(h_BFLC)
    for b in range(len(x)):
        for i in range(tokens):
            y = pata.proj_in(x[b, :, i])
            for norm, attn in zip(pata.block.norms, pata.block.attns):
                z = norm(y) + table
                y = y + attn.to_out[0](
                    softmax_attention(attn.to_q(z), attn.to_k(z), attn.to_v(z), pata.block.attns[0].heads)
                )
            value, gate = pata.block.ff.net[0].proj(pata.block.ff_norm(y)).chunk(2, -1)
            y = y + pata.block.ff.net[2](value * torch.nn.functional.gelu(gate))
            result[b, :, i] = pata.proj_out(y)
    return result


def agree(ours, naive, inputs, parameters, tolerance=1e-5):
    """Outputs equal, and gradients of a random weighting of them."""
    assert ours.shape == naive.shape
    torch.testing.assert_close(ours, naive, atol=tolerance, rtol=tolerance)
    weight = torch.randn(ours.shape, generator=torch.Generator().manual_seed(7)).to(ours.dtype)
    wanted = [*inputs, *parameters]
    first = torch.autograd.grad((ours * weight).sum(), wanted, allow_unused=True)
    second = torch.autograd.grad((naive * weight).sum(), wanted, allow_unused=True)
    for a, b in zip(first, second, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            scale = max(1.0, b.abs().max().item())
            torch.testing.assert_close(a / scale, b / scale, atol=tolerance, rtol=tolerance)


def make_pasa(seed):
    block = attention_block(seed)
    return PASA(block.norm1, block.attn1, adapter(seed))


def pasa_case(seed, clips, frames, garments, size, garment_size):
    generator = torch.Generator().manual_seed(seed)
    tokens, garment_tokens = size[0] * size[1], garment_size[0] * garment_size[1]
    shapes = [
        (clips, frames, tokens, C),
        (clips, frames, tokens, P),
        (garments, garment_tokens, C),
        (garments, garment_tokens, P),
    ]
    return [torch.randn(s, generator=generator).requires_grad_() for s in shapes]


def run_pasa(pasa, f_h, p_h, f_g, p_g, halves=1):
    k, v = pasa.garment_kv(f_g, p_g, 1.0)
    garment = LayerGarment(k_GLC=k, v_GLC=v, cross_G1C=None)
    call = Call(clips=f_h.shape[0], frames=f_h.shape[1], halves=halves, garment={"layer": garment})
    rows = f_h.flatten(0, 1).repeat(halves, 1, 1)
    return pasa(rows, call, p_h.flatten(0, 1), garment, "layer")


@SHAPES
@given(
    seed=st.integers(0, 99),
    clips=st.integers(1, 2),
    frames=st.integers(1, 3),
    shared=st.booleans(),
    size=sizes,
    garment_size=sizes,
)
def test_pasa_is_its_equation(seed, clips, frames, shared, size, garment_size):
    pasa = make_pasa(seed)
    inputs = pasa_case(seed, clips, frames, 1 if shared else clips, size, garment_size)
    ours = run_pasa(pasa, *inputs).unflatten(0, (clips, frames))
    agree(ours, naive_pasa(pasa, *inputs), inputs, list(pasa.parameters()))


@SHAPES
@given(seed=st.integers(0, 99), frames=st.integers(1, 3), size=sizes)
def test_pasa_unconditional_rows_are_plain_self_attention(seed, frames, size):
    pasa = make_pasa(seed)
    f_h, p_h, f_g, p_g = pasa_case(seed, 1, frames, 1, size, (3, 2))
    uncond, cond = run_pasa(pasa, f_h, p_h, f_g, p_g, halves=2).chunk(2)
    nothing = [torch.zeros(1, 0, C), torch.zeros(1, 0, P)]
    torch.testing.assert_close(uncond[None], naive_pasa(pasa, f_h, p_h, *nothing), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(cond[None], naive_pasa(pasa, f_h, p_h, f_g, p_g), atol=1e-5, rtol=1e-5)


def make_tsa(seed, lags, patch):
    block = attention_block(seed)
    tsa = TSA(C, HEADS, lags, patch)
    tsa.start_from(block.norm1, block.attn1)
    for parameter in tsa.attn.to_out.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return tsa


@SHAPES
@given(
    seed=st.integers(0, 99),
    clips=st.integers(1, 2),
    frames=st.integers(1, 5),
    lags=st.integers(1, 6),
    patch=st.integers(1, 3),
    size=sizes,
)
def test_tsa_is_its_equation(seed, clips, frames, lags, patch, size):
    tsa = make_tsa(seed, lags, patch)
    h = torch.randn(clips, frames, size[0] * size[1], C, generator=torch.Generator().manual_seed(seed)).requires_grad_()
    ours = tsa(h.flatten(0, 1), Call(clips=clips, frames=frames), size).unflatten(0, (clips, frames))
    agree(ours, naive_tsa(tsa, h, size), [h], list(tsa.parameters()))


def test_tsa_starts_as_nothing_with_the_blocks_own_weights():
    block = attention_block(1)
    tsa = TSA(C, HEADS, 3, 1)
    tsa.start_from(block.norm1, block.attn1)
    assert torch.equal(tsa.attn.to_k.weight, block.attn1.to_k.weight)
    assert not tsa(torch.randn(4, 6, C), Call(clips=1, frames=4), (2, 3)).any()


def test_shift_repeats_the_first_frame_and_reaches_back_l_frames():
    frames = torch.arange(5.0).reshape(1, 5, 1, 1).expand(1, 5, 4, 1)
    lags = mosaic(2, 2, 3, 1)
    assert lags.tolist() == [1, 2, 2, 3]
    assert shift(frames, lags)[0, :, :, 0].tolist() == [
        [0, 0, 0, 0],
        [0, 0, 0, 0],
        [1, 0, 0, 0],
        [2, 1, 1, 0],
        [3, 2, 2, 1],
    ]


def make_pata(seed):
    torch.manual_seed(seed)
    pata = PATA(C, 2, 4, adapter(seed))
    torch.nn.init.normal_(pata.proj_out.weight, std=0.3)
    return pata


@SHAPES
@given(seed=st.integers(0, 99), clips=st.integers(1, 2), frames=st.integers(1, 5), size=sizes)
def test_pata_is_its_equation(seed, clips, frames, size):
    pata = make_pata(seed)
    generator = torch.Generator().manual_seed(seed)
    tokens = size[0] * size[1]
    h = torch.randn(clips, frames, tokens, C, generator=generator).requires_grad_()
    p = torch.randn(clips, frames, tokens, P, generator=generator).requires_grad_()
    ours = pata(h.flatten(0, 1), Call(clips=clips, frames=frames), p.flatten(0, 1)).unflatten(0, (clips, frames))
    # one token and few channels a group can make the variance tiny and the division ill-conditioned
    agree(ours, naive_pata(pata, h, p), [h, p], list(pata.parameters()), tolerance=1e-5 if tokens > 1 else 1e-4)


def test_pata_uses_the_given_frame_positions():
    pata, x = make_pata(0), torch.randn(6, 4, C)
    pose = torch.randn(6, 4, P)
    plain = pata(x, Call(clips=2, frames=3), pose)
    same = pata(x, Call(clips=2, frames=3, positions=torch.arange(3).expand(2, -1)), pose)
    moved = pata(x, Call(clips=2, frames=3, positions=torch.tensor([[0, 1, 2], [4, 5, 6]])), pose)
    torch.testing.assert_close(plain, same)
    torch.testing.assert_close(plain[:3], moved[:3])
    assert (plain[3:] - moved[3:]).abs().max() > 1e-3


@SHAPES
@given(seed=st.integers(0, 99), frames=st.integers(1, 3), tokens=st.integers(1, 20), garments=st.integers(1, 2))
def test_ca_is_cross_attention_to_one_token(seed, frames, tokens, garments):
    block = attention_block(seed)
    ca = CA(block.norm2, block.attn2)
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(2 * 2 * frames, tokens, C, generator=generator).requires_grad_()
    clip = torch.randn(garments, 16, generator=generator).requires_grad_()
    garment = LayerGarment(k_GLC=x, v_GLC=x, cross_G1C=ca.constant(clip))
    ours = ca(x, Call(clips=2, frames=frames, halves=2, garment={"layer": garment}), garment)
    tokens_of_rows = torch.cat(
        [torch.zeros(2 * frames, 1, 16), clip.repeat(2 // garments, 1).repeat_interleave(frames, 0)[:, None]]
    )
    naive = []
    for row, token in zip(x, tokens_of_rows):
        q, k, v = ca.attn.to_q(ca.norm(row)), ca.attn.to_k(token), ca.attn.to_v(token)
        naive.append(row + ca.attn.to_out[0](softmax_attention(q, k, v, HEADS)))
    naive = torch.stack(naive)
    torch.testing.assert_close(ours, naive, atol=1e-5, rtol=1e-5)
    weight = torch.randn(ours.shape, generator=generator)
    for wanted in (x, clip, ca.attn.to_v.weight, ca.attn.to_out[0].weight, ca.attn.to_out[0].bias):
        a, b = (torch.autograd.grad((y * weight).sum(), wanted, retain_graph=True)[0] for y in (ours, naive))
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_frame_attention_of_the_peer_is_its_equation():
    torch.manual_seed(0)
    layer, x = FrameAttention(C, HEADS), torch.randn(2, 4, 5, C)
    ours = layer(x.flatten(0, 1), Call(clips=2, frames=4)).unflatten(0, (2, 4))
    for b in range(2):
        for i in range(5):
            z = layer.norm(x[b, :, i])
            out = softmax_attention(layer.attn.to_q(z), layer.attn.to_k(z), layer.attn.to_v(z), HEADS)
            torch.testing.assert_close(ours[b, :, i], layer.attn.to_out[0](out), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["pasa", "tsa", "pata"])
def test_bf16_is_within_its_rounding(kind):
    """Weights and inputs rounded to bf16; the fp32 equation on those is the truth."""
    torch.manual_seed(0)
    size, clips, frames = (5, 3), 1, 3
    make = {"pasa": lambda: make_pasa(3), "tsa": lambda: make_tsa(3, 3, 1), "pata": lambda: make_pata(3)}[kind]
    low = make().to(torch.bfloat16)
    exact = make().to(torch.bfloat16).float()
    f_h, p_h, f_g, p_g = (x.detach().to(torch.bfloat16) for x in pasa_case(5, clips, frames, 1, size, (4, 3)))
    call = Call(clips=clips, frames=frames)
    with torch.no_grad():
        if kind == "pasa":
            ours, truth = (
                run_pasa(low, f_h, p_h, f_g, p_g),
                naive_pasa(exact, *(x.float() for x in (f_h, p_h, f_g, p_g))),
            )
        elif kind == "tsa":
            ours, truth = low(f_h.flatten(0, 1), call, size), naive_tsa(exact, f_h.float(), size)
        else:
            ours, truth = low(f_h.flatten(0, 1), call, p_h.flatten(0, 1)), naive_pata(exact, f_h.float(), p_h.float())
    assert ours.dtype == torch.bfloat16
    error = (ours.float() - truth.flatten(0, 1)).abs().max() / truth.abs().max()
    assert error < 4 * torch.finfo(torch.bfloat16).eps, error


def test_strength_scales_the_adapter():
    pasa = make_pasa(2)
    f_h, p_h, f_g, p_g = pasa_case(2, 1, 2, 1, (3, 2), (2, 2))
    plain = PASA(pasa.norm, pasa.attn, None)
    garment = LayerGarment(k_GLC=f_g, v_GLC=f_g, cross_G1C=None)
    call = Call(clips=1, frames=2, garment={"layer": garment}, strengths=Strengths(pasa=0.0))
    rows, pose = f_h.flatten(0, 1), p_h.flatten(0, 1)
    assert torch.equal(pasa(rows, call, pose, garment, "layer"), plain(rows, call, None, garment, "layer"))
    assert torch.equal(pasa.garment_kv(f_g, p_g, 0.0)[0], plain.garment_kv(f_g, None, 1.0)[0])
