"""Pictures into the network's input and maps back into points.

B pictures, H W input rows/columns, h w map rows/columns, K the 13 garment slots. A frame is a 2x3 affine matrix from
picture pixels to input pixels.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from .network import MAP_STRIDE, GarmentMaps

# slot i on the mirrored picture is slot SWAP[i] on the picture
SWAP = (0, 4, 5, 6, 1, 2, 3, 10, 11, 12, 7, 8, 9)
RADIUS = 3  # map cells around the peak that the position is averaged over


@dataclass(frozen=True, kw_only=True)
class DecodedGarment:
    """Read-out of one picture, in input pixels.

    points_K2: x, y.  presence_K: probability that the garment has the point.  seen_K: that it is seen, given present.
    focus_K: 0..1, how much of the heat lies around the peak.  mask_hw: probability of garment.
    category_3, sleeve_3: probabilities.  single: probability of exactly one free-lying garment.
    """

    points_K2: np.ndarray
    presence_K: np.ndarray
    seen_K: np.ndarray
    focus_K: np.ndarray
    mask_hw: np.ndarray
    category_3: np.ndarray
    sleeve_3: np.ndarray
    single: float


def fit_frame(box: tuple[float, float, float, float], size: tuple[int, int]) -> np.ndarray:
    """The frame that shows a box (x0, y0, x1, y1) whole, centred, undistorted."""
    x0, y0, x1, y1 = box
    scale = min(size[0] / max(x1 - x0, 1e-3), size[1] / max(y1 - y0, 1e-3))
    return np.array(
        [[scale, 0, size[0] / 2 - scale * (x0 + x1) / 2], [0, scale, size[1] / 2 - scale * (y0 + y1) / 2]], np.float64
    )


def warp_in(image_HW3: np.ndarray, frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The picture through a frame, (H, W, 3) uint8; large ones area-averaged first, the edge repeated outside."""
    scale = float(np.hypot(frame[0, 0], frame[1, 0]))
    if scale < 0.75:
        h, w = image_HW3.shape[:2]
        small = max(8, round(w * scale * 1.2)), max(8, round(h * scale * 1.2))
        shrunk = cv2.resize(image_HW3, small, interpolation=cv2.INTER_AREA)
        rescale = np.diag([w / small[0], h / small[1], 1.0])
        rescale[0, 2], rescale[1, 2] = rescale[0, 0] / 2 - 0.5, rescale[1, 1] / 2 - 0.5
        image_HW3, frame = shrunk, (frame @ rescale)
    return cv2.warpAffine(image_HW3, frame, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def to_tensor(images_BHW3: np.ndarray) -> Tensor:
    """uint8 pictures as the network wants them: (B, 3, H, W) float32."""
    x = torch.from_numpy(np.ascontiguousarray(images_BHW3)).permute(0, 3, 1, 2).float()
    return ((x / 255 - 0.5) * 4).contiguous(memory_format=torch.channels_last)


def heat_to_points(heat_BKhw: Tensor) -> tuple[Tensor, Tensor]:
    """Positions (B, K, 2) in map cells, and how much of the probability lies within RADIUS of the peak (B, K)."""
    w = heat_BKhw.shape[3]
    p = heat_BKhw.flatten(2).softmax(2)
    peak = p.argmax(2)
    py, px = (peak // w)[..., None], (peak % w)[..., None]
    cells = torch.arange(p.shape[2], device=p.device)
    near = ((cells // w - py).abs() <= RADIUS) & ((cells % w - px).abs() <= RADIUS)
    local = p * near
    focus = local.sum(2)
    x = (local * (cells % w)).sum(2) / focus
    y = (local * (cells // w)).sum(2) / focus
    return torch.stack([x, y], 2), focus


def mirror(maps: GarmentMaps) -> GarmentMaps:
    """The maps of a mirrored picture as those of the picture itself."""
    swap = list(SWAP)
    return GarmentMaps(
        heat_BKhw=maps.heat_BKhw.flip(3)[:, swap],
        mask_Bhw=maps.mask_Bhw.flip(2),
        visibility_BK3=maps.visibility_BK3[:, swap],
        category_B3=maps.category_B3,
        sleeve_B3=maps.sleeve_B3,
        single_B=maps.single_B,
    )


def average(a: GarmentMaps, b: GarmentMaps) -> GarmentMaps:
    """Mean of logits."""
    return GarmentMaps(**{name: (getattr(a, name) + getattr(b, name)) / 2 for name in a.__dataclass_fields__})


def decode(maps: GarmentMaps) -> list[DecodedGarment]:
    """Maps into read-outs, one a picture."""
    cells_BK2, focus_BK = heat_to_points(maps.heat_BKhw.float())
    points_BK2 = (cells_BK2 + 0.5) * MAP_STRIDE - 0.5
    visibility = maps.visibility_BK3.float().softmax(2)
    present = 1 - visibility[..., 0]
    return [
        DecodedGarment(
            points_K2=points_BK2[i].cpu().numpy(),
            presence_K=present[i].cpu().numpy(),
            seen_K=(visibility[i, :, 2] / present[i].clamp_min(1e-6)).cpu().numpy(),
            focus_K=focus_BK[i].cpu().numpy(),
            mask_hw=maps.mask_Bhw[i].float().sigmoid().cpu().numpy(),
            category_3=maps.category_B3[i].float().softmax(0).cpu().numpy(),
            sleeve_3=maps.sleeve_B3[i].float().softmax(0).cpu().numpy(),
            single=float(maps.single_B[i].float().sigmoid()),
        )
        for i in range(len(points_BK2))
    ]
