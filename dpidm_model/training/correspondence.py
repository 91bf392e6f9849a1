"""Teaching attention where to look: where on the garment each piece of worn cloth comes from (not in the paper).

# B clips, F frames, N heads, L queries (human tokens), M keys (human and garment tokens), G garment tokens, D head dim,
# S supervised queries, h w rows/columns of a layer
"""

import torch
import torch.nn.functional as nnf
from einops import rearrange
from torch import Tensor

from ..network.pose_encoder import level_sizes

CELL = 4  # pixels of the pictures to a cell of the origin map
MOST_QUERIES = 512  # of a layer and frame; more are thinned out evenly
LEAST_COVER = 0.5  # share of a token's area that has to be garment


def correspondence_loss(maps: list[tuple[Tensor, Tensor]], origin_BF3HW: Tensor) -> Tensor:
    """Mean over layers and tokens of the cross-entropy between attention and where the cloth comes from.

    maps: (q_BFNLD, k_BFNMD) of PASA layers, garment keys last, as many as queries.
    origin_BF3HW: for each cell of the frames x, y in the garment picture, in 0..1 of its width and height, and how much
    of the cell shows the garment, 0..1.
    Attention counts among garment keys only (how much a head looks at the person is its own affair) and as the mean
    over heads, so that some may look elsewhere. The target is spread over the four tokens around the place by bilinear
    weights. Where no token shows enough of the garment (coarse layers, clips without origin) the loss is 0.
    """
    losses = [_layer_loss(q, k, origin_BF3HW) for q, k in maps]
    return torch.stack(losses).mean() if losses else origin_BF3HW.new_zeros(())


def _layer_loss(q_BFNLD: Tensor, k_BFNMD: Tensor, origin_BF3HW: Tensor) -> Tensor:
    q_INLD, k_INMD = q_BFNLD.flatten(0, 1), k_BFNMD.flatten(0, 1)  # I: frames of all clips
    queries = q_INLD.shape[2]
    place_I3hw = tokens(origin_BF3HW.flatten(0, 1), queries)
    h, w = place_I3hw.shape[-2:]
    place_IL3 = rearrange(place_I3hw, "i c h w -> i (h w) c")
    chosen_L = torch.arange(0, queries, max(1, -(-queries // MOST_QUERIES)), device=q_BFNLD.device)
    at_I, at_L = torch.nonzero(place_IL3[:, chosen_L, 2] >= LEAST_COVER, as_tuple=True)
    if not len(at_I):
        return q_BFNLD.sum() * 0
    place_S3 = place_IL3[at_I, chosen_L[at_L]]
    with torch.autocast(q_BFNLD.device.type, enabled=False):
        q_INSD, k_INGD = q_INLD[:, :, chosen_L].float(), k_INMD[:, :, -queries:].float()
        attention = torch.softmax(q_INSD @ k_INGD.transpose(-1, -2) * q_INSD.shape[-1] ** -0.5, -1)
        attention_SG = attention.mean(1)[at_I, at_L]
        return -(bilinear(place_S3[:, :2], h, w) * torch.log(attention_SG + 1e-6)).sum(-1).mean()


def tokens(origin_I3HW: Tensor, count: int) -> Tensor:
    """The origin map (I, 3, h, w) at the U-Net level of `count` tokens; places are means over covered cells."""
    height, width = (n * CELL // 8 for n in origin_I3HW.shape[-2:])
    size = next((s for s in level_sizes(height, width, 8) if s[0] * s[1] == count), None)
    if size is None:
        raise ValueError(f"no level of a network on latents of {width}x{height} has {count} tokens")
    cover = origin_I3HW[:, 2:]
    mean = nnf.adaptive_avg_pool2d(torch.cat([origin_I3HW[:, :2] * cover, cover], 1), size)
    return torch.cat([mean[:, :2] / mean[:, 2:].clamp(min=1e-6), mean[:, 2:]], 1)


def bilinear(place_S2: Tensor, h: int, w: int) -> Tensor:
    """Weights (S, h * w), of sum 1, of the four tokens around places x, y in 0..1 of the picture."""
    size = place_S2.new_tensor([w, h])
    x_S, y_S = (place_S2 * size - 0.5).clamp(min=0).minimum(size - 1).unbind(-1)
    columns = torch.arange(w, device=place_S2.device)
    rows = torch.arange(h, device=place_S2.device)
    x_Sw = (1 - (columns - x_S[:, None]).abs()).clamp(min=0)
    y_Sh = (1 - (rows - y_S[:, None]).abs()).clamp(min=0)
    return (y_Sh[:, :, None] * x_Sw[:, None]).flatten(1)
