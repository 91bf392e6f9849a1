"""Labelled photos changed as users' photos may differ: each change keeps the labels right."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from ..garment.renderer.fabric import make_fabric
from ..garment.silhouette import foreground_mask

GREY = 128


def _moved(photo, matrix_23: np.ndarray, size: tuple[int, int], scale: float):
    """The photo through an affine matrix; the edge's colours go on outside."""
    image = cv2.warpAffine(photo.image_HW3, matrix_23, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    points = photo.points_K2 @ matrix_23[:, :2].T + matrix_23[:, 2]
    return replace(photo, image_HW3=image, points_K2=points, side=photo.side * scale)


def rotated(degrees: float) -> Callable:
    """Turned about its middle (shrunk so that it stays inside)."""

    def change(photo):
        h, w = photo.image_HW3.shape[:2]
        return _moved(photo, cv2.getRotationMatrix2D((w / 2, h / 2), degrees, 0.85), (w, h), 0.85)

    return change


def smaller(photo):
    """Half the size in the same picture, centred."""
    h, w = photo.image_HW3.shape[:2]
    return _moved(photo, np.array([[0.5, 0, w / 4], [0, 0.5, h / 4]]), (w, h), 0.5)


def off_centre(photo):
    """Two thirds of the size, in the picture's lower right."""
    h, w = photo.image_HW3.shape[:2]
    return _moved(photo, np.array([[0.66, 0, 0.33 * w], [0, 0.66, 0.33 * h]]), (w, h), 0.66)


def _on(photo, ground: np.ndarray):
    mask = cv2.GaussianBlur(foreground_mask(photo.image_HW3), (0, 0), 1.0)[..., None].astype(np.float32) / 255
    image = photo.image_HW3 * mask + ground * (1 - mask)
    return replace(photo, image_HW3=image.astype(np.uint8))


def grey_background(photo):
    """Cut out by its outline and laid on middle grey."""
    return _on(photo, np.full(photo.image_HW3.shape, GREY, np.float32))


def busy_background(photo):
    """Cut out by its outline and laid on a strongly patterned cloth."""
    h, w = photo.image_HW3.shape[:2]
    rng = np.random.default_rng(sum(photo.name.encode()))
    kind = str(rng.choice(["floral", "checks", "blotches", "photo"]))
    return _on(photo, make_fabric(rng, h, w, w / 4, kind)[0].astype(np.float32))


def inverted(photo):
    """Every colour turned into its opposite."""
    return replace(photo, image_HW3=255 - photo.image_HW3)


def jpeg30(photo):
    """Saved as JPEG of quality 30."""
    _, code = cv2.imencode(".jpg", photo.image_HW3, [cv2.IMWRITE_JPEG_QUALITY, 30])
    return replace(photo, image_HW3=np.ascontiguousarray(cv2.imdecode(code, cv2.IMREAD_COLOR)))


VARIANTS: dict[str, Callable] = {
    "rotated +20": rotated(20),
    "rotated -20": rotated(-20),
    "2x smaller": smaller,
    "off-centre": off_centre,
    "grey background": grey_background,
    "busy background": busy_background,
    "inverted": inverted,
    "jpeg 30": jpeg30,
}
