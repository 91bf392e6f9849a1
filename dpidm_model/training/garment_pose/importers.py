"""Labelled photos of others, for fine-tuning: COCO-keypoint JSON in our 13 slots, and DeepFashion2 folders.

A source is read once for its labels; pictures are read when they are drawn. K the 13 garment slots.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from ...errors import InputError, MissingFileError
from ...handovers import CATEGORIES, GARMENT_SLOTS, GarmentLandmarks
from .data import Labelled
from .deepfashion2 import CATEGORY_NAMES, to_slots

READ_SIDE = 320  # photos are kept no larger than this while they are shaken


def labelled_photos(coco: Sequence[str], deepfashion2: Sequence[str]) -> list[Callable[[], Labelled]]:
    """Readers of all photos. coco: "labels.json:picture_folder" each.  deepfashion2: folders with annos/ and image/."""
    readers = [reader for source in coco for reader in read_coco(source)]
    return readers + [reader for folder in deepfashion2 for reader in read_deepfashion2(Path(folder))]


def _load_json(path: Path) -> dict:
    if not path.is_file():
        raise MissingFileError(f"label file {path} does not exist")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error})") from error


def _sleeve(visibility_K: np.ndarray) -> str:
    wrists, elbows = visibility_K[[3, 6]].any(), visibility_K[[2, 5]].any()
    return "long" if wrists else "short" if elbows else "none"


def _reader(
    path: Path, points_K2: np.ndarray, visibility_K: np.ndarray, category: str, polygons: list
) -> Callable[[], Labelled]:
    """A function that reads one photo (shrunk to READ_SIDE) with its labels."""

    def read() -> Labelled:
        bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if bgr is None:
            raise MissingFileError(f"photo {path} is missing or unreadable")
        scale = min(1.0, READ_SIDE / max(bgr.shape[:2]))
        size = max(1, round(bgr.shape[1] * scale)), max(1, round(bgr.shape[0] * scale))
        image = np.ascontiguousarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA)[..., ::-1])
        present = visibility_K > 0
        points_K3 = np.concatenate([points_K2 * scale, np.ones((13, 1))], 1).astype(np.float32) * present[:, None]
        mask = None
        if polygons:
            mask = np.zeros(size[::-1], np.uint8)
            outlines = [(np.array(p, float).reshape(-1, 2) * scale).astype(np.int32) for p in polygons]
            cv2.fillPoly(mask, outlines, (255,))
        landmarks = GarmentLandmarks(points_K3, visibility_K.astype(np.uint8), size, category, _sleeve(visibility_K))
        return Labelled(image_HW3=image, landmarks=landmarks, mask_HW=mask, single=True)

    return read


def read_coco(source: str) -> list[Callable[[], Labelled]]:
    """Photos of a COCO-keypoint file: categories named upper, lower, dress whose `keypoints` are our slots.

    source: "labels.json:picture_folder". Pictures with more than one annotation are left out (one garment a picture).
    Raises InputError where names or lengths do not fit.
    """
    labels, separator, folder = source.rpartition(":")
    if not separator:
        raise InputError(f"COCO source {source!r} is not of the form labels.json:picture_folder")
    data = _load_json(Path(labels))
    kinds = {}
    for category in data.get("categories", []):
        names = category.get("keypoints", list(GARMENT_SLOTS))
        if category.get("name") not in CATEGORIES or sorted(names) != sorted(GARMENT_SLOTS):
            raise InputError(
                f"{labels}: category {category.get('name')!r} with keypoints {names}; expected one of "
                f"{', '.join(CATEGORIES)} with the slots {', '.join(GARMENT_SLOTS)}"
            )
        kinds[category["id"]] = (category["name"], [names.index(slot) for slot in GARMENT_SLOTS])
    files = {image["id"]: Path(folder) / image["file_name"] for image in data.get("images", [])}
    by_image: dict = {}
    for annotation in data.get("annotations", []):
        by_image.setdefault(annotation["image_id"], []).append(annotation)
    readers = []
    for image_id, annotations in by_image.items():
        if len(annotations) != 1 or image_id not in files:
            continue
        name, order = kinds[annotations[0]["category_id"]]
        keypoints = np.array(annotations[0]["keypoints"], float).reshape(-1, 3)
        if len(keypoints) != 13:
            raise InputError(
                f"{labels}: annotation of {files[image_id].name} has {len(keypoints)} keypoints; expected 13"
            )
        keypoints = keypoints[order]
        polygons = annotations[0].get("segmentation") or []
        polygons = polygons if isinstance(polygons, list) else []  # run lengths are not read
        readers.append(_reader(files[image_id], keypoints[:, :2], keypoints[:, 2].astype(int), name, polygons))
    return readers


def read_deepfashion2(folder: Path) -> list[Callable[[], Labelled]]:
    """Photos of a DeepFashion2 split (annos/*.json beside image/*.jpg) that show exactly one garment.

    Its landmarks are mapped to our slots (deepfashion2.py); what it does not label is inferred.
    """
    files = sorted((folder / "annos").glob("*.json"))
    if not files:
        raise MissingFileError(f"{folder} has no annos/*.json; expected a DeepFashion2 split with annos/ and image/")
    readers = []
    for path in files:
        data = _load_json(path)
        items = [value for key, value in data.items() if key.startswith("item") and isinstance(value, dict)]
        if len(items) != 1 or items[0].get("category_id") not in CATEGORY_NAMES:
            continue
        points_K2, visibility_K, category = to_slots(items[0]["category_id"], items[0]["landmarks"])
        if (visibility_K > 0).sum() < 3:
            continue
        picture = folder / "image" / f"{path.stem}.jpg"
        readers.append(_reader(picture, points_K2, visibility_K, category, items[0].get("segmentation") or []))
    return readers
