"""Painting cut pieces: vector shapes and fabric in, colour and coverage out. H W pixel rows/columns."""

from dataclasses import dataclass

import cv2
import numpy as np

from .outline import CONTRAST, INNER, TRIM, Cut, Piece

SUBPIXEL = 4  # bits, cv2's fixed-point drawing


@dataclass(frozen=True, kw_only=True)
class Cloth:
    """What a garment is made of. Pictures are uint8 RGB; `front` has the print on it. Plain colours: (3,) float32.

    unit: pixels of the fabric pictures per garment unit.  origin: garment point at the fabric's pixel (0, 0).
    """

    fabric_HW3: np.ndarray
    front_HW3: np.ndarray
    contrast: np.ndarray
    trim: np.ndarray
    skin: np.ndarray
    hair: np.ndarray
    unit: float
    origin: tuple[float, float]


def transform(matrix_33: np.ndarray, points_N2: np.ndarray) -> np.ndarray:
    """Points through a homography."""
    p = np.concatenate([points_N2, np.ones((len(points_N2), 1))], 1) @ matrix_33.T
    return (p[:, :2] / p[:, 2:]).astype(np.float32)


def _fixed(points_N2: np.ndarray) -> np.ndarray:
    return np.round(points_N2 * (1 << SUBPIXEL)).astype(np.int32)


def _fabric_to_garment(piece: Piece, cloth: Cloth) -> np.ndarray:
    """3x3 from fabric pixels to garment units: sleeves and legs carry the pattern along their own direction."""
    gx, gy, angle = piece.grain
    c, s = np.cos(angle) / cloth.unit, np.sin(angle) / cloth.unit
    if piece.layer in ("torso", "skirt", "") or piece.grain == (0.0, 0.0, 0.0):
        return np.array([[1 / cloth.unit, 0, cloth.origin[0]], [0, 1 / cloth.unit, cloth.origin[1]], [0, 0, 1]])
    anchor = 0.5 * cloth.fabric_HW3.shape[1]
    return np.array([[c, -s, gx - c * anchor], [s, c, gy - s * anchor], [0, 0, 1]])


def _colour_of(piece: Piece, cloth: Cloth, to_pixels_33: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """The piece's cloth over its pixel box x0, y0, x1, y1 as (h, w, 3) uint8."""
    x0, y0, x1, y1 = box
    flat = {CONTRAST: cloth.contrast, TRIM: cloth.trim, "skin": cloth.skin, "hair": cloth.hair}.get(piece.material)
    if flat is not None:
        return np.full((y1 - y0, x1 - x0, 3), np.clip(flat * piece.shade, 0, 255), np.uint8)
    source = cloth.front_HW3 if piece.layer == "torso" and piece.material != INNER else cloth.fabric_HW3
    shift = np.array([[1, 0, -x0], [0, 1, -y0], [0, 0, 1]], float)
    matrix = shift @ to_pixels_33 @ _fabric_to_garment(piece, cloth)
    picture = cv2.warpPerspective(
        source, matrix, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return picture if piece.shade == 1.0 else cv2.convertScaleAbs(picture, alpha=piece.shade)


def _draw_lines(picture: np.ndarray, piece: Piece, to_pixels_33: np.ndarray, unit: float, offset: np.ndarray) -> None:
    """Seams and buttons onto the piece's own picture."""
    for stroke in piece.strokes:
        width = stroke.width * unit
        strength = min(1.0, width)  # a thread thinner than a pixel is drawn fainter, not wider
        tone = 1 + (stroke.tone - 1) * strength
        line = _fixed(transform(to_pixels_33, stroke.points) - offset)
        mask = np.zeros(picture.shape[:2], np.uint8)
        cv2.polylines(mask, [line], stroke.closed, 255, max(1, round(width)), cv2.LINE_AA, SUBPIXEL)
        x, y, w, h = cv2.boundingRect(mask) if len(line) < 3 else (0, 0, picture.shape[1], picture.shape[0])
        if w and h:
            part, cover = picture[y : y + h, x : x + w], mask[y : y + h, x : x + w, None]
            part[:] = np.where(cover > 127, np.clip(part * tone, 0, 255).astype(np.uint8), part)
    for dot in piece.dots:
        centre = _fixed(transform(to_pixels_33, np.array([dot.centre])) - offset)[0]
        radius = max(1, round(dot.radius * unit * (1 << SUBPIXEL)))
        cv2.circle(picture, centre.tolist(), radius, dot.colour, -1, cv2.LINE_AA, SUBPIXEL)


def paint_piece(piece: Piece, cloth: Cloth, to_pixels_33: np.ndarray, size: tuple[int, int], unit: float):
    """One piece: (box, colour uint8 (h, w, 3), coverage uint8 (h, w)), or None when it lies outside the picture."""
    points = transform(to_pixels_33, piece.outline)
    low, high = np.floor(points.min(0)).astype(int) - 1, np.ceil(points.max(0)).astype(int) + 2
    x0, y0, x1, y1 = max(0, low[0]), max(0, low[1]), min(size[0], high[0]), min(size[1], high[1])
    if x1 <= x0 or y1 <= y0:
        return None
    offset = np.array([x0, y0], np.float32)
    cover = np.zeros((y1 - y0, x1 - x0), np.uint8)
    cv2.fillPoly(cover, [_fixed(points - offset)], 255, cv2.LINE_AA, SUBPIXEL)
    colour = _colour_of(piece, cloth, to_pixels_33, (x0, y0, x1, y1))
    if not colour.flags.writeable or not colour.flags.c_contiguous:
        colour = colour.copy()
    _draw_lines(colour, piece, to_pixels_33, unit, offset)
    return (x0, y0, x1, y1), colour, cover


def paint(
    cut: Cut, cloth: Cloth, to_pixels_33: np.ndarray, size: tuple[int, int], unit: float, edge: float = 0.3
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pieces, back first: colour (H, W, 3) float32, coverage (H, W) float32 0..1, coverage of cloth alone.

    unit: pixels of a garment unit in the picture.  edge: darkness of the shade that pieces cast at their borders.
    """
    w, h = size
    colour, alpha, is_cloth = (
        np.zeros((h, w, 3), np.float32),
        np.zeros((h, w), np.float32),
        np.zeros((h, w), np.float32),
    )
    blur = max(3, int(unit * 0.14) | 1)
    for piece in sorted(cut.pieces, key=lambda p: p.depth):
        painted = paint_piece(piece, cloth, to_pixels_33, size, unit)
        if painted is None:
            continue
        (x0, y0, x1, y1), picture, cover8 = painted
        cover = cover8.astype(np.float32) * (1 / 255)
        window = (slice(y0, y1), slice(x0, x1))
        shaded = picture.astype(np.float32)
        if edge and piece.layer:
            soft = cv2.blur(cover, (blur, blur), borderType=cv2.BORDER_REPLICATE)
            shaded *= (1 - edge + edge * np.minimum(1.0, soft * 1.1))[..., None]
            colour[window] *= (1 - 0.5 * edge * soft * (1 - cover))[..., None]
        colour[window] += (shaded - colour[window]) * cover[..., None]
        alpha[window] = np.maximum(alpha[window], cover)
        is_cloth[window] = np.maximum(is_cloth[window], cover) if piece.layer else is_cloth[window] * (1 - cover)
    return colour, alpha, is_cloth
