"""How well the pose backends agree with labelled pictures: PCK on COCO or COCO-WholeBody labels."""

import argparse
import json
import logging
import time
from pathlib import Path

import cv2
import numpy as np

from ..cli import progress
from ..errors import DPIDMError, InputError
from ..handovers import BODY, FACE, LEFT_HAND, RIGHT_HAND

log = logging.getLogger(__name__)

HELP = "PCK of the human pose backends on labelled pictures (COCO or COCO-WholeBody), people given by their boxes"
EXAMPLES = [
    "  python evaluate.py human-pose --images val2017 --labels coco_wholebody_val.json --json",
    "  python evaluate.py human-pose --images DIR --labels coco.json --backend blazepose --models models/dpidm",
]
PACK = Path(__file__).resolve().parents[2]
# where a ComfyUI around the pack, or the project's own, keeps weights
MODEL_FOLDERS = (PACK.parents[1] / "models" / "dpidm", PACK / ".host" / "base" / "models" / "dpidm")
# COCO joint -> OpenPose body joint
BODY_OF_COCO = (0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10)
PARTS = {"left_hand": ("lefthand", LEFT_HAND), "right_hand": ("righthand", RIGHT_HAND), "face": ("face", FACE)}
TORSO = slice(5, 13)  # shoulders, elbows, wrists, hips among COCO's joints


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The subcommand's options."""
    parser.add_argument("--images", type=Path, required=True, help="folder of the pictures")
    parser.add_argument("--labels", type=Path, required=True, help="COCO keypoint or COCO-WholeBody annotation file")
    parser.add_argument("--backend", choices=["all", "blazepose", "dwpose"], default="all", help="which to measure")
    parser.add_argument(
        "--models",
        type=Path,
        action="append",
        help="folder that holds blazepose/ and dwpose/ with their weights (default: ComfyUI's models/dpidm)",
    )
    parser.add_argument("--threshold", type=float, default=0.05, help="of the person's larger box side (default 0.05)")


def run(args: argparse.Namespace) -> dict:
    """Measure every backend that can run. Returns per backend its PCK, or why it could not run."""
    people = read_labels(args.labels, args.images)
    folders = args.models or list(MODEL_FOLDERS)
    names = ["blazepose", "dwpose"] if args.backend == "all" else [args.backend]
    figures: dict = {"people": sum(len(p) for _, p in people), "pictures": len(people), "threshold": args.threshold}
    reasons = []
    for name in names:
        try:
            figures[name] = measure(_make(name, folders), people, args.threshold)
        except DPIDMError as error:
            reasons.append(str(error))
            figures[name] = {"not_run": str(error)}
    if len(reasons) == len(names):
        raise InputError("no backend could run: " + " | ".join(reasons))
    return figures


def _make(name: str, folders: list[Path]):
    """A backend that answers boxes and keeps every joint it has an opinion on."""
    places = [folder / name for folder in folders]
    if name == "dwpose":
        from ..pose.detectors.dwpose import DETECTOR, POSE, REPO, DWPose, find, present

        if not present(places):
            raise InputError(f"{DETECTOR.name} and {POSE.name} (from {REPO}) are in none of {_listed(places)}")
        paths = [find(file.name, places) for file in (DETECTOR, POSE)]
        return DWPose(*paths)  # type: ignore[arg-type]
    from ..pose.detectors.blazepose import BlazePose, BlazePoseConfig
    from ..pose.detectors.tflite import find_folder

    return BlazePose(find_folder(places), BlazePoseConfig(min_joint=0.0))


def _listed(places: list[Path]) -> str:
    return ", ".join(str(p) for p in places)


def read_labels(labels: Path, images: Path) -> list[tuple[Path, list[dict]]]:
    """Pictures with their labelled people. Raises InputError on files that are not COCO keypoint labels."""
    try:
        data = json.loads(labels.read_text(encoding="utf-8"))
        names = {entry["id"]: entry["file_name"] for entry in data["images"]}
        people: dict[int, list[dict]] = {key: [] for key in names}
        for person in data["annotations"]:
            if person.get("num_keypoints", 0) > 0 and not person.get("iscrowd", 0):
                people[person["image_id"]].append(person)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{labels} is not a COCO keypoint file ({type(error).__name__}: {error})") from error
    found = [(images / Path(names[key]).name, p) for key, p in people.items() if p]
    missing = [str(path) for path, _ in found if not path.is_file()]
    if missing or not found:
        raise InputError(f"{len(missing)} of {len(found)} labelled pictures are not in {images}: {missing[:3]}")
    return found


def measure(detector, people: list[tuple[Path, list[dict]]], threshold: float) -> dict:
    """PCK over all labelled joints: body, torso and arms, hands, face; per person too."""
    hits: dict[str, list[int]] = {name: [0, 0] for name in ("body", "torso_and_arms", *PARTS)}
    per_person, seconds = [], 0.0
    for path, labelled in people:
        frame = cv2.imread(str(path))
        if frame is None:
            raise InputError(f"{path} cannot be read as a picture")
        boxes = np.array([[x, y, x + w, y + h] for x, y, w, h in (p["bbox"] for p in labelled)])
        start = time.perf_counter()
        poses = detector.detect_in_boxes(np.ascontiguousarray(frame[..., ::-1]), boxes)
        seconds += time.perf_counter() - start
        for pose, person in zip(poses, labelled):
            right = _score(pose, person, threshold, hits)
            per_person.append({"picture": path.name, "right": right[0], "labelled": right[1]})
        progress(f"{path.name}: {len(labelled)} people")
    figures: dict = {f"pck_{name}": round(h / n, 4) if n else None for name, (h, n) in hits.items()}
    figures["joints"] = {name: n for name, (_, n) in hits.items()}
    figures["seconds_per_person"] = round(seconds / max(len(per_person), 1), 4)
    figures["per_person"] = per_person
    return figures


def _score(pose: np.ndarray, person: dict, threshold: float, hits: dict[str, list[int]]) -> tuple[int, int]:
    """Count one person's right and labelled joints into `hits`; returns those of the body."""
    reach = threshold * max(person["bbox"][2:])
    truth = np.array(person["keypoints"], float).reshape(-1, 3)[:17]
    guess = pose[BODY][list(BODY_OF_COCO)]
    right, labelled = _near(guess, truth, reach), truth[:, 2] > 0
    counts = {"body": (right, labelled), "torso_and_arms": (right[TORSO], labelled[TORSO])}
    for name, (key, part) in PARTS.items():
        if person.get(f"{key}_valid"):
            points = np.array(person[f"{key}_kpts"], float).reshape(-1, 3)
            counts[name] = (_near(pose[part][: len(points)], points, reach), points[:, 2] > 0)
    for name, (r, n) in counts.items():
        hits[name][0] += int((r & n).sum())
        hits[name][1] += int(n.sum())
    return int((right & labelled).sum()), int(labelled.sum())


def _near(guess_K3: np.ndarray, truth_K3: np.ndarray, reach: float) -> np.ndarray:
    found = guess_K3[:, 2] > 0
    return found & (np.linalg.norm(guess_K3[:, :2] - truth_K3[:, :2], axis=1) < reach)
