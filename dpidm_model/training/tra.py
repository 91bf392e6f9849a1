"""The temporal regularised attention loss, TRA (arXiv 2505.16980, sec. 3.5), without attention maps in memory.

# B clips, F frames, N heads, L queries (human tokens), M keys (human and garment tokens), D head dim
"""

from collections.abc import Iterator

import torch
from einops import rearrange
from torch import Tensor

# Elements of one attention chunk (heads x queries x keys); a few live at once, 16 MB each in float32.
CHUNK_ELEMENTS = 1 << 22


def tra_loss(maps: list[tuple[Tensor, Tensor]], *, gamma: float = 0.5, chunk_elements: int = CHUNK_ELEMENTS) -> Tensor:
    """Sum over layers i and frames j = 2..T of gamma * |A_i^(j) - A_i^(j-1)|, A the PASA self-attention maps.

    maps: (q_BFNLD, k_BFNMD) of each layer; the paper uses the last two decoder layers and gamma 0.5.
    Reduction: mean over clips, heads, queries and keys, sum over layers and frames (not in the paper: so that the loss
    weight lambda does not depend on the resolution). Fewer than two frames: 0.
    """
    if not maps:
        raise ValueError("tra_loss got no attention layers; pass at least one (q, k) pair")
    return gamma * torch.stack([attention_change(q, k, chunk_elements) for q, k in maps]).sum()


def attention_change(q_BFNLD: Tensor, k_BFNMD: Tensor, chunk_elements: int = CHUNK_ELEMENTS) -> Tensor:
    """sum over j of mean |softmax(q_j k_j^T / sqrt D) - softmax(q_j-1 k_j-1^T / sqrt D)|, a float32 scalar.

    The maps are made in chunks of queries and made again in the backward pass, so that memory does not grow with
    frames * heads * queries * keys.  Twice differentiable it is not.
    """
    q_FSLD = rearrange(q_BFNLD, "b f n l d -> f (b n) l d")
    k_FSMD = rearrange(k_BFNMD, "b f n m d -> f (b n) m d")
    slices, queries, keys = q_FSLD.shape[1], q_FSLD.shape[2], k_FSMD.shape[2]
    chunk = max(1, min(queries, chunk_elements // max(1, slices * keys)))
    return _AttentionChange.apply(q_FSLD, k_FSMD, chunk)


class _AttentionChange(torch.autograd.Function):
    """S = clips x heads. See attention_change."""

    @staticmethod
    def forward(ctx, q_FSLD: Tensor, k_FSMD: Tensor, chunk: int) -> Tensor:
        ctx.save_for_backward(q_FSLD, k_FSMD)
        ctx.chunk = chunk
        total = torch.zeros((), dtype=torch.float64 if q_FSLD.dtype == torch.float64 else torch.float32)
        total = total.to(q_FSLD.device)
        for start in range(0, q_FSLD.shape[2], chunk):
            rows = slice(start, start + chunk)
            before = None
            for q_SLD, k_SMD in zip(q_FSLD[:, :, rows], k_FSMD):
                now = _attention(q_SLD, k_SMD)
                if before is not None:
                    total += before.sub_(now).abs_().sum()
                before = now
        return total / _count(q_FSLD, k_FSMD)

    @staticmethod
    def backward(ctx, grad_total: Tensor):  # type: ignore[override]
        q_FSLD, k_FSMD = ctx.saved_tensors
        grad_q, grad_k = torch.zeros_like(q_FSLD), torch.zeros_like(k_FSMD, dtype=_wide(k_FSMD))
        scale = grad_total / (_count(q_FSLD, k_FSMD) * q_FSLD.shape[-1] ** 0.5)
        for start in range(0, q_FSLD.shape[2], ctx.chunk):
            rows = slice(start, start + ctx.chunk)
            maps = (_attention(q[:, rows], k) for q, k in zip(q_FSLD, k_FSMD))
            for j, (grad_A, now) in enumerate(_sign_changes(maps)):
                # softmax backward: dS = A * (dA - sum(dA * A))
                grad_S = grad_A.sub_((grad_A * now).sum(-1, keepdim=True)).mul_(now).mul_(scale)
                grad_q[j, :, rows] = (grad_S @ k_FSMD[j].to(grad_S.dtype)).to(grad_q.dtype)
                grad_k[j] += grad_S.transpose(-1, -2) @ q_FSLD[j, :, rows].to(grad_S.dtype)
        return grad_q, grad_k.to(k_FSMD.dtype), None


def _wide(x: Tensor) -> torch.dtype:
    return torch.float64 if x.dtype == torch.float64 else torch.float32


def _attention(q_SLD: Tensor, k_SMD: Tensor) -> Tensor:
    """softmax(q k^T / sqrt D) in at least float32: differences of bfloat16 maps would be rounding noise."""
    wide = _wide(q_SLD)
    with torch.autocast(q_SLD.device.type, enabled=False):
        scores = (q_SLD.to(wide) * q_SLD.shape[-1] ** -0.5) @ k_SMD.to(wide).transpose(-1, -2)
        return torch.softmax(scores, -1)


def _count(q_FSLD: Tensor, k_FSMD: Tensor) -> int:
    """Elements of one frame's maps: what the mean divides by."""
    return q_FSLD.shape[1] * q_FSLD.shape[2] * k_FSMD.shape[2]


def _sign_changes(maps: Iterator[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """For each map A_j: (d total / d A_j, A_j), where d total / d A_j = sign(A_j - A_j-1) - sign(A_j+1 - A_j).

    Terms outside the clip are left out; a single map gives nothing. Three maps are in memory at once.
    """
    now, before = next(maps), None
    for after in maps:
        step = (after - now).sign_()
        yield (step.neg() if before is None else before - step), now
        now, before = after, step
    if before is not None:
        yield before, now
