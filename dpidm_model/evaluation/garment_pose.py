"""Garment landmarks against labelled photos, beside what one would do without a detector."""

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..cli import progress
from ..errors import InputError, MissingFileError
from ..files import atomic_path
from ..garment.detect import read_garment
from ..garment.detector import detect, shipped_net
from ..garment.network import SHIPPED, GarmentNet
from ..garment.renderer import render_garment
from ..garment.silhouette import foreground_mask, silhouette_landmarks
from ..garment.trust import ONE_GARMENT
from ..handovers import CATEGORIES, GARMENT_SLOTS, GarmentLandmarks
from ..pose.draw import draw_garment
from .garment_variants import VARIANTS

HELP = "score garment landmarks on labelled photos (PCK, error, presence, category), beside two simple methods"
EXAMPLES = [
    "  python evaluate.py garment-pose --images photos --labels photos.json --json",
    "  python evaluate.py garment-pose --images photos --labels photos.json --robustness --overlays out/overlays",
]
MEAN_SEED, MEAN_COUNT = 3_000_000_000, 120


@dataclass(frozen=True, kw_only=True)
class LabelledPhoto:
    """name, picture (H, W, 3) uint8, points (13, 2) in its pixels, visibility (13,), category, larger side of the box.

    side: the larger side of the labels' `bbox` (x, y, width, height) if there is one, else of the box of all points.
    """

    name: str
    image_HW3: np.ndarray
    points_K2: np.ndarray
    visibility_K: np.ndarray
    category: str
    side: float


def add_arguments(parser) -> None:
    """The tool's own arguments."""
    parser.add_argument("--images", required=True, help="folder of photos")
    parser.add_argument("--labels", required=True, help="JSON: {schema, items: {file: {category, keypoints, ...}}}")
    parser.add_argument("--weights", default=str(SHIPPED), help="default: the shipped weights")
    parser.add_argument("--robustness", action="store_true", help="also score rotated, smaller, recoloured... photos")
    parser.add_argument("--others", default="", help="folder of pictures that do not show one garment lying free")
    parser.add_argument("--overlays", default="", help="write one picture per photo with labels and predictions here")


def load_labelled(images: Path, labels: Path) -> list[LabelledPhoto]:
    """All labelled photos. Points may be given at another size than the file's (`width`, `height`)."""
    if not labels.is_file():
        raise MissingFileError(f"label file {labels} does not exist")
    data = json.loads(labels.read_text(encoding="utf-8"))
    schema, items = data.get("schema", list(GARMENT_SLOTS)), data.get("items")
    if not isinstance(items, dict) or sorted(schema) != sorted(GARMENT_SLOTS):
        raise InputError(f"{labels.name} needs `items` and a `schema` of the slots {', '.join(GARMENT_SLOTS)}")
    order = [schema.index(name) for name in GARMENT_SLOTS]
    photos = []
    for name, item in items.items():
        bgr = cv2.imread(str(images / name), cv2.IMREAD_COLOR)
        if bgr is None:
            raise MissingFileError(f"photo {images / name} named in {labels.name} is missing or unreadable")
        h, w = bgr.shape[:2]
        scale = np.array([w / item.get("width", w), h / item.get("height", h)])
        keypoints = np.array(item["keypoints"], float)[order]
        points, visibility = keypoints[:, :2] * scale, keypoints[:, 2].astype(int)
        box = np.array(item["bbox"][2:]) * scale if "bbox" in item else np.ptp(points[visibility > 0], axis=0)
        photos.append(
            LabelledPhoto(
                name=name,
                image_HW3=np.ascontiguousarray(bgr[..., ::-1]),
                points_K2=points,
                visibility_K=visibility,
                category=item["category"],
                side=float(max(box)),
            )
        )
    if not photos:
        raise InputError(f"{labels.name} labels no photo")
    return photos


def score(photos: list[LabelledPhoto], found: list[GarmentLandmarks]) -> dict:
    """Scores over all photos.

    pck05, pck10: share of labelled points (v >= 1) that were placed within 5 % and 10 % of the box's larger side; a
    point taken for absent counts as wrong.  mean_err: mean distance of the placed ones, same unit.
    presence_acc: share of the 13 slots whose present/absent is right.  per_slot: the same figures of each slot.
    """
    errors_PK = np.full((len(photos), 13), np.nan)
    labelled_PK = np.array([photo.visibility_K > 0 for photo in photos])
    placed_PK = np.array([landmarks.visibility_K > 0 for landmarks in found])
    for i, (photo, landmarks) in enumerate(zip(photos, found)):
        distance = np.linalg.norm(landmarks.points_K3[:, :2] - photo.points_K2, axis=1) / photo.side
        errors_PK[i] = np.where(placed_PK[i], distance, np.inf)
    category = np.mean([photo.category == landmarks.category for photo, landmarks in zip(photos, found)])
    result = _figures(errors_PK, labelled_PK) | {
        "presence_acc": float((labelled_PK == placed_PK).mean()),
        "category_acc": float(category),
    }
    result["per_slot"] = {
        name: _figures(errors_PK[:, k], labelled_PK[:, k])
        for k, name in enumerate(GARMENT_SLOTS)
        if labelled_PK[:, k].any()
    }
    return result


def _figures(errors: np.ndarray, labelled: np.ndarray) -> dict:
    e = errors[labelled]
    placed = e[np.isfinite(e)]
    return {
        "pck05": float((e <= 0.05).mean()),
        "pck10": float((e <= 0.10).mean()),
        "mean_err": float(placed.mean()) if len(placed) else None,
        "points": len(e),
    }


def mean_positions() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """category -> (mean place of each slot in the garment's box, 0..1; whether most have it), of rendered ones."""
    means = {}
    for offset, category in enumerate(CATEGORIES):
        places, present = [], []
        for i in range(MEAN_COUNT):
            r = render_garment(MEAN_SEED + offset * MEAN_COUNT + i, (96, 128), category=category)
            ys, xs = np.where(r.mask_HW > 127)
            low, size = np.array([xs.min(), ys.min()]), np.array([np.ptp(xs) + 1, np.ptp(ys) + 1])
            places.append((r.landmarks.points_K3[:, :2] - low) / size)
            present.append(r.landmarks.visibility_K > 0)
        there = np.array(present)
        total = (np.array(places) * there[..., None]).sum(0)
        means[category] = (total / np.maximum(there.sum(0), 1)[:, None], there.mean(0) > 0.5)
    return means


def mean_guess(photo: LabelledPhoto, means: dict) -> GarmentLandmarks:
    """The mean place of each slot of the (known) category in the box of the outline: no look at the garment itself."""
    mask = foreground_mask(photo.image_HW3)
    ys, xs = np.where(mask > 0)
    place, present = means[photo.category]
    if not len(xs):
        xs, ys = np.array([0, mask.shape[1]]), np.array([0, mask.shape[0]])
    points = place * [np.ptp(xs) + 1, np.ptp(ys) + 1] + [xs.min(), ys.min()]
    points_K3 = np.concatenate([points, np.ones((13, 1))], 1).astype(np.float32) * present[:, None]
    h, w = photo.image_HW3.shape[:2]
    return GarmentLandmarks(points_K3, present.astype(np.uint8) * 2, (w, h), photo.category)


def compared(ours: dict, baselines: dict[str, dict]) -> dict[str, dict]:
    """Slot by slot: pck05 and mean_err of the detector and of each baseline, and whether the detector is `better`.

    ours, baselines: results of `score`.  better: a higher pck05 than every baseline's; where both place all points
    within 5 %, a smaller mean error decides.  margin: pck05 over the best baseline's.
    """
    table = {}
    for slot, figures in ours["per_slot"].items():
        others = {name: baseline["per_slot"][slot] for name, baseline in baselines.items()}
        table[slot] = {
            "points": figures["points"],
            "pck05": {"detector": figures["pck05"]} | {name: other["pck05"] for name, other in others.items()},
            "mean_err": {"detector": figures["mean_err"]} | {name: other["mean_err"] for name, other in others.items()},
            "margin": figures["pck05"] - max(other["pck05"] for other in others.values()),
            "better": all(_rank(figures) > _rank(other) for other in others.values()),
        }
    return table


def _rank(figures: dict) -> tuple[float, float]:
    """Orders figures by pck05; perfect ones by their error."""
    return figures["pck05"], -figures["mean_err"] if figures["pck05"] == 1 else 0.0


def robustness(photos: list[LabelledPhoto], net: GarmentNet) -> dict[str, dict]:
    """pck05, presence and category of the same photos, changed in each way of VARIANTS."""
    table = {}
    for name, change in VARIANTS.items():
        changed = [change(photo) for photo in photos]
        figures = score(changed, [detect(photo.image_HW3, net=net).landmarks for photo in changed])
        table[name] = {key: figures[key] for key in ("pck05", "pck10", "presence_acc", "category_acc")}
        progress(f"{name}: {table[name]}")
    return table


def trust(photos: list[LabelledPhoto], others: Path | None, net: GarmentNet) -> dict:
    """Whether product photos are trusted and other pictures are not: scores, and how many fall on the wrong side.

    others: pictures of people, several garments, no garment.  A picture refused with an error counts as score 0.  Any
    threshold between `others.highest` and `garments.lowest` tells them apart.
    """
    groups = {"garments": {photo.name: photo.image_HW3 for photo in photos}}
    if others is not None:
        pictures = {path.name: cv2.imread(str(path), cv2.IMREAD_COLOR) for path in sorted(others.iterdir())}
        groups["others"] = {n: np.ascontiguousarray(p[..., ::-1]) for n, p in pictures.items() if p is not None}
    table: dict = {"threshold": ONE_GARMENT}
    for name, pictures in groups.items():
        scores = {}
        for file, picture in pictures.items():
            try:
                scores[file] = read_garment(picture, net=net).score
            except InputError:
                scores[file] = 0.0
        if not scores:
            raise InputError(f"{others} holds no picture that can be read; expected JPEG or PNG files")
        low = [file for file, value in scores.items() if value < ONE_GARMENT]
        end = {"lowest": min(scores.values())} if name == "garments" else {"highest": max(scores.values())}
        table[name] = {"pictures": len(scores), "warned": len(low), **end, "scores": scores}
    return table


def write_overlay(path: Path, photo: LabelledPhoto, found: GarmentLandmarks) -> None:
    """The photo with the predicted skeleton and the labels as white rings."""
    h, w = photo.image_HW3.shape[:2]
    bones = draw_garment(found, (w, h), half_width=max(h, w) / 220)
    picture = np.where(bones.any(2, keepdims=True), bones, photo.image_HW3 // 2 + 100)
    for (x, y), v in zip(photo.points_K2, photo.visibility_K):
        if v:
            cv2.circle(picture, (round(x), round(y)), max(4, round(0.05 * photo.side)), (255, 255, 255), 2, cv2.LINE_AA)
    with atomic_path(path) as temporary:
        cv2.imwrite(str(temporary), np.ascontiguousarray(picture[..., ::-1]))


def run(args) -> dict:
    """Score the detector, the mean positions and the outline heuristic on the same photos."""
    photos, net = load_labelled(Path(args.images), Path(args.labels)), shipped_net(args.weights)
    found = [detect(photo.image_HW3, net=net) for photo in photos]
    result = score(photos, [f.landmarks for f in found])
    result["trust"] = trust(photos, Path(args.others) if args.others else None, net)
    means = mean_positions()
    result["mean_position"] = score(photos, [mean_guess(photo, means) for photo in photos])
    outlines = [silhouette_landmarks(photo.image_HW3, photo.category)[0] for photo in photos]
    result["silhouette"] = score(photos, outlines)
    table = compared(result, {name: result[name] for name in ("mean_position", "silhouette")})
    result["comparison"] = table
    result["better_on_every_slot"] = all(row["better"] for row in table.values())
    if args.overlays:
        for photo, f in zip(photos, found):
            write_overlay(Path(args.overlays) / f"{Path(photo.name).stem}.png", photo, f.landmarks)
    if args.robustness:
        result["robustness"] = robustness(photos, net)
    return result
