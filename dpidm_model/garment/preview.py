"""An instant preview: the garment photo warped onto the person, with no weights at all. Honest, and no more than that:
the garment's own front, without the fabric's behaviour; it fades out where the person turns away.

F frames, H W pixel rows/columns.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from ..errors import InputError
from ..handovers import LEFT_HAND, RIGHT_HAND, GarmentLandmarks, PoseTrack
from .warp import Part, lay_over, warp_part
from .warp_body import BodyClip, Frame, J, fade, read_body, targets, width_on_body
from .warp_front import crosses, in_front
from .warp_parts import CutGarment, Points
from .warp_tube import bend_part

INVISIBLE = 0.02  # weights below this leave the frame as it is


@dataclass(frozen=True, kw_only=True)
class PreviewOptions:
    """shading: how much of the source frame's light falls on the garment, 0..1.  opacity: of the whole preview, 0..1.

    smoothing: of the joints over time, sigma in frames.
    """

    shading: float = 0.6
    opacity: float = 1.0
    smoothing: float = 1.2

    def __post_init__(self):
        if not (0 <= self.shading <= 1 and 0 <= self.opacity <= 1 and self.smoothing > 0):
            raise InputError(
                f"preview options {self} are out of range; expected shading and opacity in 0..1, smoothing > 0"
            )


class GarmentPreview:
    """A garment made ready for one clip: `frame(i, picture)` gives the i-th frame with the garment on.

    garment_HW3, mask_HW: uint8 picture and mask.  landmarks: of that picture.  track: the person.
    """

    def __init__(
        self, garment_HW3: np.ndarray, mask_HW: np.ndarray, landmarks: GarmentLandmarks, track: PoseTrack,
        options: PreviewOptions | None = None,
    ):  # fmt: skip
        self.options = options or PreviewOptions()
        self.track = track
        self.body: BodyClip = read_body(track, self.options.smoothing)
        self.cut = CutGarment(garment_HW3, mask_HW, landmarks, width_on_body(self.body, landmarks.category))
        self.parts: list[Part] = self.cut.build()
        self.weights_F = fade(self.body, self.cut.category) * self.options.opacity

    def frame(
        self, index: int, picture_HW3: np.ndarray, protect_HW: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """One frame with the garment on, and where it is.

        picture_HW3: uint8, of the track's canvas.  protect_HW: 0..1, what lies in front of the garment (hands, hair).
        Returns (H, W, 3) uint8 and (H, W) uint8 mask.
        """
        weight = float(self.weights_F[index])
        empty = np.zeros(picture_HW3.shape[:2], np.uint8)
        if weight < INVISIBLE:
            return picture_HW3.copy(), empty
        body, names = Frame(self.body, index), targets(self.cut, Frame(self.body, index))
        keep = self._in_front(body, index, picture_HW3)
        keep = keep if protect_HW is None else np.maximum(keep, protect_HW.astype(np.float32))
        layer = np.zeros((*picture_HW3.shape[:2], 4), np.float32)
        size = picture_HW3.shape[1], picture_HW3.shape[0]
        for part in self._order(body):
            warped = self._placed(part, names, size)
            if warped:
                x0, y0, rgba = warped
                window = layer[y0 : y0 + rgba.shape[0], x0 : x0 + rgba.shape[1]]
                shown = rgba * (1 - keep[y0 : y0 + rgba.shape[0], x0 : x0 + rgba.shape[1]])[..., None]
                window *= 1 - shown[..., 3:] / 255
                window += shown
        return self._finish(picture_HW3, layer, weight, body)

    def frames(
        self, pictures: Iterable[np.ndarray], protect: Iterable[np.ndarray] | None = None
    ) -> Iterator[np.ndarray]:
        """The clip with the garment on, frame by frame."""
        masks = iter(protect) if protect is not None else None
        for index, picture in enumerate(pictures):
            yield self.frame(index, picture, None if masks is None else next(masks))[0]

    def _placed(self, part: Part, targets: Points, size: tuple[int, int]):
        """A part where its targets are: sleeves bent along the arm, all else by a spline; None without a place."""
        control = self.cut.parts[part.name][1]
        chosen = [i for i, n in enumerate(control) if n in targets]
        places = np.array([targets[control[i]] for i in chosen])
        if part.name.endswith("_sleeve"):
            return bend_part(part, places, size) if len(chosen) == len(control) else None
        if len(chosen) < 4:
            return None
        return warp_part(Part(name=part.name, rgba_HW4=part.rgba_HW4, points_N2=part.points_N2[chosen]), places, size)

    def _order(self, body: Frame) -> list[Part]:
        """Parts from back to front."""
        behind, middle, before = [], [], []
        for part in self.parts:
            if part.name.endswith("_sleeve"):
                (before if crosses(body, part.name[0]) else behind).append(part)
            else:
                middle.append(part)
        return behind + middle + before

    def _in_front(self, body: Frame, index: int, picture_HW3: np.ndarray) -> np.ndarray:
        """0..1 where the person's hands, bare forearms and head hide the garment."""
        hands = {}
        for side, joints in (("r", RIGHT_HAND), ("l", LEFT_HAND)):
            points = self.track.keypoints_FK3[index, joints]
            hands[side] = points[points[:, 2] > 0.2, :2]
        bare = tuple(
            side for side in "rl" if f"{side}_wrist" not in self.cut.points or f"{side}_sleeve" not in self.cut.parts
        )
        return in_front(body, hands, picture_HW3, bare=bare, head=self.cut.category != "lower")

    def _finish(
        self, picture: np.ndarray, layer: np.ndarray, weight: float, body: Frame
    ) -> tuple[np.ndarray, np.ndarray]:
        """The source frame's light on the garment, and both together."""
        ys, xs = np.where(layer[::4, ::4, 3] > 8)
        if len(xs) == 0:
            return picture.copy(), np.zeros(picture.shape[:2], np.uint8)
        h, w = picture.shape[:2]
        x0, y0, x1, y1 = (
            max(0, xs.min() * 4 - 4),
            max(0, ys.min() * 4 - 4),
            min(w, xs.max() * 4 + 8),
            min(h, ys.max() * 4 + 8),
        )
        part = layer[y0:y1, x0:x1]
        if self.options.shading:
            light = source_light(picture[y0:y1, x0:x1], part[..., 3], body.torso)
            part[..., :3] *= (1 + self.options.shading * (light - 1))[..., None]
        np.clip(part[..., :3], 0, part[..., 3:], out=part[..., :3])
        out = picture.copy()
        window = picture[y0:y1, x0:x1].astype(np.float32)
        lay_over(window, 0, 0, part, None, weight)
        out[y0:y1, x0:x1] = np.clip(window + 0.5, 0, 255).astype(np.uint8)
        mask = np.zeros((h, w), np.uint8)
        mask[y0:y1, x0:x1] = np.ceil(np.minimum(part[..., 3] * weight, 255)).astype(np.uint8)
        return out, mask


def source_light(picture: np.ndarray, alpha: np.ndarray, torso: float) -> np.ndarray:
    """Brightness factor of folds and shadows in the person's own clothes: middle frequencies of its luminance."""
    step = max(1, round(torso / 60))
    small = cv2.resize(
        picture, (max(4, picture.shape[1] // step), max(4, picture.shape[0] // step)), interpolation=cv2.INTER_AREA
    )
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32) + 12
    inside = cv2.resize(alpha, small.shape[1::-1], interpolation=cv2.INTER_AREA) / 255 + 1e-3
    fine = cv2.GaussianBlur(grey * inside, (0, 0), 1.3) / cv2.GaussianBlur(inside, (0, 0), 1.3)
    wide = cv2.GaussianBlur(grey * inside, (0, 0), 4.5) / cv2.GaussianBlur(inside, (0, 0), 4.5)
    return cv2.resize(
        np.asarray(np.clip(fine / wide, 0.8, 1.15), np.float32), picture.shape[1::-1], interpolation=cv2.INTER_LINEAR
    )


__all__ = ["GarmentPreview", "J", "PreviewOptions", "source_light"]
