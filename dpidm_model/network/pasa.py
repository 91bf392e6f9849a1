"""PASA: pose-aware spatial attention between the person and the garment."""

# N rows (halves * clips * frames), M = clips * frames, G garments, L tokens, C channels, P pose channels

from typing import Any

import torch
from torch import Tensor, nn

from .adapter import PoseAdapter
from .attention import merge_heads, split_heads
from .call import Call, LayerGarment


class PASA(nn.Module):
    """Pose-aware spatial attention (arXiv 2505.16980, sec. 3.3).

    f = [f_h, f_g], p = [p_h, p_g] (concatenated over space), x = f + Adpt(p):
    h = softmax(psi_q(x) psi_k(x)^T / sqrt(d)) psi_v(x), of which the human half goes on.

    Since only the human half is kept, garment queries are never computed, which changes nothing; garment keys and
    values depend on neither frame nor step, so `garment_kv` makes them once per generation.
    norm, attn: the U-Net block's own norm1 and attn1.  Rows of the unconditional half attend to themselves alone.
    """

    attn: Any

    def __init__(self, norm: Any, attn: Any, adapter: PoseAdapter | None):
        super().__init__()
        self.norm, self.attn, self.adapter = norm, attn, adapter

    def garment_kv(self, f_g_GLC: Tensor, p_g_GLP: Tensor | None, strength: float) -> tuple[Tensor, Tensor]:
        """Keys and values (G, L, C) of the garment features of this layer."""
        if self.adapter is not None and p_g_GLP is not None and strength:
            f_g_GLC = f_g_GLC + strength * self.adapter(p_g_GLP)
        return self.attn.to_k(f_g_GLC), self.attn.to_v(f_g_GLC)

    def forward(
        self, x_NLC: Tensor, call: Call, pose_MLP: Tensor | None, garment: LayerGarment | None, name: str
    ) -> Tensor:
        """The layer's output (N, L, C), without the residual."""
        f_h = self.norm(x_NLC)
        if self.adapter is not None and pose_MLP is not None and call.strengths.pasa:
            f_h = call.add_to_halves(f_h, call.strengths.pasa * self.adapter(pose_MLP))
        heads, free = self.attn.heads, call.free_rows
        q, k, v = (split_heads(project(f_h), heads) for project in (self.attn.to_q, self.attn.to_k, self.attn.to_v))
        parts = []
        if free:
            parts.append(call.attention(q[:free], k[:free], v[:free]))
        if garment is not None:
            k_g, v_g = (split_heads(call.per_frame(y), heads) for y in (garment.k_GLC, garment.v_GLC))
            q_c, k_c, v_c = q[free:], torch.cat([k[free:], k_g], 2), torch.cat([v[free:], v_g], 2)
            if call.tap is not None:
                call.tap(name, q_c, k_c)
            parts.append(call.attention(q_c, k_c, v_c))
        out = parts[0] if len(parts) == 1 else torch.cat(parts)
        return self.attn.to_out[0](merge_heads(out))
