"""The same network the way it is usually written, to measure what our form saves; equal results, checked by the bench.

Garment tokens are queries too, their keys and values are made for every frame and step, the unconditional half is
computed with the garment and then again without, the single CLIP token goes through full cross-attention, and TSA
projects the shifted tokens once more.
"""

# N rows (halves * clips * frames), L tokens, C channels, G garments

import torch
from torch import Tensor

from dpidm_model.network.attention import merge_heads, split_heads
from dpidm_model.network.ca import CA
from dpidm_model.network.call import Call, LayerGarment
from dpidm_model.network.model import DPIDM
from dpidm_model.network.pasa import PASA
from dpidm_model.network.tsa import TSA, mosaic, shift


def attend_all(attn, q_NLC: Tensor, kv_NSC: Tensor, call: Call) -> Tensor:
    """Attention of an attention layer's projections, output projection included."""
    q, k, v = (split_heads(p(x), attn.heads) for p, x in ((attn.to_q, q_NLC), (attn.to_k, kv_NSC), (attn.to_v, kv_NSC)))
    return attn.to_out[0](merge_heads(call.attention(q, k, v)))


class NaivePASA(PASA):
    """Concatenate, attend with all tokens, keep the human half; redo the unconditional rows without the garment."""

    def forward(self, x_NLC, call, pose_MLP, garment, name):
        """garment.k_GLC, v_GLC: the garment's raw features and pose tokens."""
        f_h = self.norm(x_NLC)
        if self.adapter is not None and pose_MLP is not None:
            f_h = f_h + self.adapter(pose_MLP.repeat(len(f_h) // len(pose_MLP), 1, 1))
        f_g = call.per_frame(garment.k_GLC)
        f_g = f_g.repeat(len(f_h) // len(f_g), 1, 1)
        if self.adapter is not None and pose_MLP is not None:
            p_g = call.per_frame(garment.v_GLC)
            f_g = f_g + self.adapter(p_g.repeat(len(f_g) // len(p_g), 1, 1))
        f = torch.cat([f_h, f_g], 1)
        out = attend_all(self.attn, f, f, call)[:, : f_h.shape[1]]
        if call.free_rows:
            alone = f_h[: call.free_rows]
            out = torch.cat([attend_all(self.attn, alone, alone, call), out[call.free_rows :]])
        return out


class NaiveCA(CA):
    """Cross-attention in full. garment.cross_G1C: the CLIP token itself."""

    def forward(self, x_NLC, call, garment):
        """x plus cross-attention to the zero token (unconditional rows) or the CLIP token."""
        token = call.per_frame(garment.cross_G1C)
        zeros = token.new_zeros(call.free_rows, *token.shape[1:])
        return x_NLC + attend_all(self.attn, self.norm(x_NLC), torch.cat([zeros, token]), call)


class NaiveTSA(TSA):
    """Shift first, then project everything."""

    def forward(self, x_NLC, call, size):
        """Q = h, K = V = [h, h_shift]."""
        h = self.norm(x_NLC)
        lag_L = mosaic(*size, self.lags, self.patch, h.device)
        shifted = shift(h.unflatten(0, (-1, call.frames)), lag_L).flatten(0, 1)
        return attend_all(self.attn, h, torch.cat([h, shifted], 1), call)


class NaiveGarment(DPIDM):
    """Hands out raw garment features instead of keys and values."""

    def _layer_garment(self, block, features, pose, clip_BE, strengths):
        none = features.f_GLC.new_zeros(len(features.f_GLC), 0, 0)
        p_g = pose.get(features.f_GLC.shape[1], none)
        clip = clip_BE[:, None] if type(block.ca) is NaiveCA else block.ca.constant(clip_BE)
        k, v = features.f_GLC, p_g
        if type(block.pasa) is not NaivePASA:
            k, v = block.pasa.garment_kv(features.f_GLC, p_g if p_g.numel() else None, strengths.pasa)
        return LayerGarment(k_GLC=k, v_GLC=v, cross_G1C=clip)


PARTS = {"pasa": NaivePASA, "ca": NaiveCA, "tsa": NaiveTSA}


def make_naive(model: DPIDM, parts: tuple[str, ...] = tuple(PARTS)) -> None:
    """Turn the named layers of `model` into their naive form, with the weights they have."""
    model.__class__ = NaiveGarment
    for block in model.try_on_blocks():
        for part in parts:
            layer = getattr(block, part)
            if layer is not None:
                layer.__class__ = PARTS[part]
