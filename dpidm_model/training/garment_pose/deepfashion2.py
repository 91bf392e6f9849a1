"""DeepFashion2's 294 landmarks (13 categories) as our 13 slots.

Numbers are 1-based as in its documentation: 1 back of the neck, 2-6 the neckline (4 its front middle), then from the
picture's left shoulder down the outline to the hem's middle and up again on the other side. The picture's left is the
wearer's right. A slot is the mean of the landmarks named; hips, knees of dresses lie on the outline between two.
"""

import numpy as np

from ...errors import InputError
from ...handovers import GARMENT_SLOTS

CATEGORY_NAMES = {
    1: "short_top", 2: "long_top", 3: "short_outwear", 4: "long_outwear", 5: "vest", 6: "sling", 7: "shorts",
    8: "trousers", 9: "skirt", 10: "short_dress", 11: "long_dress", 12: "vest_dress", 13: "sling_dress",
}  # fmt: skip
COUNTS = {
    "short_top": 25, "long_top": 33, "short_outwear": 31, "long_outwear": 39, "vest": 15, "sling": 15, "shorts": 10,
    "trousers": 14, "skirt": 8, "short_dress": 29, "long_dress": 37, "vest_dress": 19, "sling_dress": 19,
}  # fmt: skip


def _top(shoulders, elbows, wrists, hems, neck=(4,)) -> dict[str, tuple[int, ...]]:
    """Slots of both sides from (right, left) pairs of landmark groups."""
    slots = {"neck": neck}
    for name, pair in (("shoulder", shoulders), ("elbow", elbows), ("wrist", wrists), ("hip", hems)):
        if pair:
            slots[f"r_{name}"], slots[f"l_{name}"] = pair
    return slots


SLOTS: dict[str, dict[str, tuple[int, ...]]] = {
    "short_top": _top(((7,), (25,)), ((9, 10), (23, 22)), None, ((15,), (17,))),
    "long_top": _top(((7,), (33,)), ((9, 14), (31, 26)), ((11, 12), (29, 28)), ((19,), (21,))),
    "short_outwear": _top(((7,), (25,)), ((9, 10), (23, 22)), None, ((15,), (17,)), neck=(4, 6)),
    "long_outwear": _top(((7,), (33,)), ((9, 14), (31, 26)), ((11, 12), (29, 28)), ((19,), (21,)), neck=(4, 34)),
    "vest": _top(((7,), (15,)), None, None, ((10,), (12,))),
    "sling": _top(((7,), (15,)), None, None, ((10,), (12,))),
    "shorts": {"r_hip": (1,), "l_hip": (3,), "r_knee": (5, 6), "l_knee": (9, 8)},
    "trousers": {
        "r_hip": (1,), "l_hip": (3,), "r_knee": (5, 8), "l_knee": (13, 10), "r_ankle": (6, 7), "l_ankle": (12, 11)
    },
    "skirt": {"r_hip": (1,), "l_hip": (3,), "r_knee": (4,), "l_knee": (8,), "r_ankle": (5,), "l_ankle": (7,)},
    "short_dress": _top(((7,), (29,)), ((9, 10), (27, 26)), None, None),
    "long_dress": _top(((7,), (37,)), ((9, 14), (35, 30)), ((11, 12), (33, 32)), None),
    "vest_dress": _top(((7,), (19,)), None, None, None),
    "sling_dress": _top(((7,), (19,)), None, None, None),
}  # fmt: skip
# outline of a dress from armpit to hem: (the wearer's right, left)
SIDES = {
    "short_dress": (range(12, 18), range(24, 18, -1)),
    "long_dress": (range(16, 22), range(28, 22, -1)),
    "vest_dress": (range(8, 13), range(18, 13, -1)),
    "sling_dress": (range(8, 13), range(18, 13, -1)),
}
HIP_SHARE = 0.5  # hips of a dress on the way from shoulder to hem: not labelled there, our rule of thumb


def to_slots(category_id: int, landmarks: list[float]) -> tuple[np.ndarray, np.ndarray, str]:
    """Our points (13, 2), visibility (13,) of 0, 1, 2, and category of one item. Raises InputError on other lengths."""
    name = CATEGORY_NAMES[category_id]
    marks = np.array(landmarks, float).reshape(-1, 3) if len(landmarks) % 3 == 0 else np.zeros((0, 3))
    if len(marks) != COUNTS[name]:
        raise InputError(f"{name} has {len(landmarks)} numbers; expected x, y, visibility of {COUNTS[name]} landmarks")
    points, visibility = np.zeros((13, 2)), np.zeros(13, int)
    for slot, group in SLOTS[name].items():
        chosen = marks[[number - 1 for number in group]]
        if (chosen[:, 2] > 0).all():
            index = GARMENT_SLOTS.index(slot)
            points[index], visibility[index] = chosen[:, :2].mean(0), int(chosen[:, 2].min())
    if name in SIDES:
        _dress_sides(name, marks, points, visibility)
    category = "lower" if category_id in (7, 8, 9) else "dress" if name in SIDES else "upper"
    return points, visibility, category


def _dress_sides(name: str, marks: np.ndarray, points: np.ndarray, visibility: np.ndarray) -> None:
    """Hips, knees and ankles of a dress on its labelled outline (in place)."""
    for side, numbers in zip("rl", SIDES[name]):
        outline = marks[[number - 1 for number in numbers]]
        shoulder = GARMENT_SLOTS.index(f"{side}_shoulder")
        if not (outline[:, 2] > 0).all() or not visibility[shoulder]:
            continue
        order = np.argsort(outline[:, 1], kind="stable")
        top, hem = points[shoulder, 1], outline[-1, 1]
        hip = top + HIP_SHARE * (hem - top)
        for joint, y in (("hip", hip), ("knee", (hip + hem) / 2), ("ankle", hem)):
            index = GARMENT_SLOTS.index(f"{side}_{joint}")
            points[index] = (np.interp(y, outline[order, 1], outline[order, 0]), y)
            visibility[index] = 2 if joint == "ankle" else 1
        points[GARMENT_SLOTS.index(f"{side}_ankle")] = outline[-1, :2]
