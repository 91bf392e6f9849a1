"""Measures of a dressed clip against the true video of the same motion in the right garment.

Fixed before any trained network was looked at.  # F frames, H W pixel rows/columns, K joints
"""

import cv2
import numpy as np

from ..handovers import BODY_NAMES, GARMENT_SLOTS, GarmentLandmarks, PoseTrack

_TOP = ("neck", "r_shoulder", "l_shoulder", "r_elbow", "l_elbow", "r_hip", "l_hip")
# joints at which a worn garment is looked for
LANDMARKS = {"upper": _TOP, "lower": ("r_hip", "l_hip", "r_knee", "l_knee"), "dress": _TOP}
# corners of the area whose colour stands for the garment, in the photo and on the person
PANELS = {
    "upper": ("r_shoulder", "l_shoulder", "l_hip", "r_hip"),
    "lower": ("r_hip", "l_hip", "l_knee", "r_knee"),
    "dress": ("r_shoulder", "l_shoulder", "l_hip", "r_hip"),
}
SHRUNK = 0.7  # towards its middle, to stay clear of arms and background
PATCH, REACH = 8, 8  # half side of the template and how far it is looked for, pixels at 128 high


def mean_colour_error(result_FHW3: np.ndarray, truth_FHW3: np.ndarray, worn_FHW: np.ndarray) -> float:
    """CIEDE2000 between the mean colours of the garment's area, mean over frames; nan if it is never visible.

    worn_FHW: bool, where the true garment is visible. 1 is about just noticeable.
    """
    shown = [f for f in range(len(worn_FHW)) if worn_FHW[f].any()]
    if not shown:
        return float("nan")
    means = [np.stack([clip[f][worn_FHW[f]].mean(0) for f in shown]) for clip in (result_FHW3, truth_FHW3)]
    return float(np.mean(_ciede2000(*means)))


def pixel_colour_error(result_FHW3: np.ndarray, truth_FHW3: np.ndarray, worn_FHW: np.ndarray) -> float:
    """CIEDE2000 pixel by pixel, mean over the garment's area: also counts print in the wrong place."""
    if not worn_FHW.any():
        return float("nan")
    return float(np.mean(_ciede2000(result_FHW3[worn_FHW].astype(float), truth_FHW3[worn_FHW].astype(float))))


def _ciede2000(a_N3: np.ndarray, b_N3: np.ndarray) -> np.ndarray:
    from skimage.color import deltaE_ciede2000, rgb2lab

    return deltaE_ciede2000(rgb2lab(a_N3 / 255), rgb2lab(b_N3 / 255))


def photo_colour_error(
    clip_FHW3: np.ndarray, pose: PoseTrack, mask_FHW: np.ndarray, photo_HW3: np.ndarray, landmarks: GarmentLandmarks
) -> float:
    """CIEDE2000 between the garment's mean colour in its photo and on the person, mean over frames: for real clips,
    where no truth is known. Light and shade count as error; nan where the corners of PANELS are not seen.

    pose, landmarks: on canvases of the pictures' sizes.
    """
    corners = PANELS[landmarks.category]
    slots = [GARMENT_SLOTS.index(name) for name in corners]
    if not landmarks.visibility_K[slots].all():
        return float("nan")
    photo = _panel(landmarks.points_K3[slots, :2], photo_HW3.shape[:2])
    means = []
    for f in range(len(clip_FHW3)):
        joints = pose.keypoints_FK3[f, [BODY_NAMES.index(name) for name in corners]]
        panel = _panel(joints[:, :2], clip_FHW3.shape[1:3]) & (mask_FHW[f] > 127)
        if (joints[:, 2] > 0).all() and panel.sum() >= 9:
            means.append(clip_FHW3[f][panel].mean(0))
    if not means or not photo.any():
        return float("nan")
    return float(np.mean(_ciede2000(np.stack(means), photo_HW3[photo].mean(0)[None].repeat(len(means), 0))))


def _panel(corners_42: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The quadrilateral, shrunk, as a bool mask."""
    middle = corners_42.mean(0)
    mask = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(mask, np.round(middle + SHRUNK * (corners_42 - middle)).astype(np.int32), (1,))
    return mask > 0


def temporal_error(result_FHW3: np.ndarray, truth_FHW3: np.ndarray, mask_FHW: np.ndarray) -> float:
    """Mean absolute difference between the results' and the truth's frame-to-frame change inside the mask, 0..255."""
    change = np.diff(result_FHW3.astype(np.float32), axis=0) - np.diff(truth_FHW3.astype(np.float32), axis=0)
    inside = np.maximum(mask_FHW[1:], mask_FHW[:-1]) > 127
    return float(np.abs(change)[inside].mean()) if inside.any() else 0.0


def flicker(clip_FHW3: np.ndarray, flow_FHW2: np.ndarray, worn_FHW: np.ndarray) -> float:
    """How much the cloth changes where it only moved: mean absolute change of a visible point of the garment from one
    frame to the next, 0..255, along the true flow (flow_FHW2: pixels x, y until the next frame)."""
    total, count = 0.0, 0
    ys, xs = np.mgrid[: clip_FHW3.shape[1], : clip_FHW3.shape[2]].astype(np.float32)
    for f in range(len(clip_FHW3) - 1):
        to_x, to_y = xs + flow_FHW2[f, ..., 0], ys + flow_FHW2[f, ..., 1]
        following = cv2.remap(clip_FHW3[f + 1].astype(np.float32), to_x, to_y, cv2.INTER_LINEAR)
        still_worn = cv2.remap(worn_FHW[f + 1].astype(np.float32), to_x, to_y, cv2.INTER_LINEAR) > 0.99
        seen = worn_FHW[f] & still_worn
        total += float(np.abs(following - clip_FHW3[f])[seen].sum())
        count += 3 * int(seen.sum())
    return total / count if count else float("nan")


def landmark_error(
    result_FHW3: np.ndarray, truth_FHW3: np.ndarray, worn_FHW: np.ndarray, pose: PoseTrack, category: str
) -> float:
    """How far the garment is off at its landmarks, in percent of the picture's height; nan where none can be seen.

    At every seen joint that the garment covers, the truth's patch is looked for in the result by normalised
    cross-correlation; the error is the shift of the best match (at most REACH pixels at 128 high).
    """
    height = truth_FHW3.shape[1]
    half, reach = (max(3, round(n * height / 128)) for n in (PATCH, REACH))
    shifts = []
    for f in range(len(truth_FHW3)):
        covered = cv2.dilate(worn_FHW[f].astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        for x, y, seen in pose.keypoints_FK3[f, [BODY_NAMES.index(name) for name in LANDMARKS[category]]]:
            if seen > 0 and (shift := _shift(result_FHW3[f], truth_FHW3[f], covered, (x, y), half, reach)) is not None:
                shifts.append(shift)
    return 100 * float(np.mean(shifts)) / height if shifts else float("nan")


def _shift(result_HW3, truth_HW3, covered_HW, point, half: int, reach: int) -> float | None:
    """Pixels to the best match of the truth's patch at `point`; None if it is plain or leaves the picture."""
    x, y = round(float(point[0])), round(float(point[1]))
    margin = half + reach
    height, width = covered_HW.shape
    if not (margin <= x < width - margin and margin <= y < height - margin) or not covered_HW[y, x]:
        return None
    patch = truth_HW3[y - half : y + half + 1, x - half : x + half + 1]
    if patch.std((0, 1)).max() < 4:
        return None
    around = result_HW3[y - margin : y + margin + 1, x - margin : x + margin + 1]
    score = cv2.matchTemplate(around, patch, cv2.TM_CCOEFF_NORMED)
    best_y, best_x = np.unravel_index(int(score.argmax()), score.shape)
    return float(np.hypot(best_x - reach, best_y - reach))
