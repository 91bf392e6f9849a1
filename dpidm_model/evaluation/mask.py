"""How well the agnostic masks agree with published ones: recall, IoU, and flicker compensated for motion."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from ..cli import progress
from ..errors import InputError
from ..frames.agnostic import MaskOptions, clip_masks
from ..frames.batch import resized
from ..frames.belongings import THINGS, belongings
from ..frames.video import read_frames
from ..handovers import BODY, CATEGORIES, PoseTrack
from ..pose.files import load_pose
from ..pose.human import Places, human_pose, make_detector
from ..pose.schema import to_track
from ..pose.tracks import CleanUp, Selection
from .human_pose import MODEL_FOLDERS

HELP = "recall, IoU and flicker of the agnostic masks against the published masks of a clip"
EXAMPLES = [
    "  python evaluate.py mask --video clip.mp4 --truth clip_mask.mp4 --category upper --json",
    "  python evaluate.py mask --video clip.mp4 --truth clip_mask.mp4 --category lower --person densepose.mp4",
]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The subcommand's options."""
    parser.add_argument("--video", type=Path, required=True, help="the clip")
    parser.add_argument("--truth", type=Path, required=True, help="its published mask as a video, white = masked")
    parser.add_argument("--category", choices=CATEGORIES, required=True, help="what the mask is for")
    parser.add_argument("--person", type=Path, help="a segmentation or DensePose video; its background is one colour")
    parser.add_argument("--pose", type=str, default="", help="POSE_KEYPOINT JSON file (default: detect the poses)")
    parser.add_argument("--backend", default="auto", help="pose backend (default auto)")
    parser.add_argument("--models", type=Path, action="append", help="folder with blazepose/ and dwpose/ weights")
    parser.add_argument("--sheet", type=Path, help="write eight frames with both masks to this PNG file")


def run(args: argparse.Namespace) -> dict:
    """Figures of the mask from the pose alone, with hair and bag kept, and of both with the person mask if given."""
    track = poses(args)
    truth = [frame[..., 1] > 127 for frame in read_frames(args.truth)]
    if len(truth) != len(track):
        raise InputError(
            f"{args.truth} has {len(truth)} frames but the clip has {len(track)}; they must belong together"
        )
    size = truth[0].shape[1], truth[0].shape[0]
    track = track.scaled(size)
    options = MaskOptions(category=args.category)

    def person() -> Iterator[np.ndarray]:
        return (silhouette(resized(frame, size)) for frame in read_frames(args.person))

    def kept() -> Iterator[np.ndarray]:
        return belongings(lambda: read_frames(args.video), track, size, THINGS)

    ways: dict = {"pose": (None, None), "pose_and_things": (None, kept)}
    if args.person:
        ways |= {"person_mask": (person, None), "person_mask_and_things": (person, kept)}
    figures: dict = {"frames": len(track), "size": list(size), "category": args.category}
    figures["truth_flicker_iou"] = round(steadiness(iter(truth), track), 4)
    for name, sources in ways.items():
        masks = [m > 0.5 for m in clip_masks(track, size, options, *(make and make() for make in sources))]
        figures[name] = agreement(masks, truth) | {"flicker_iou": round(steadiness(iter(masks), track), 4)}
        if args.sheet:
            write_sheet(args.sheet.with_stem(f"{args.sheet.stem}_{name}"), args.video, masks, truth)
    return figures


def poses(args: argparse.Namespace) -> PoseTrack:
    """The clip's poses, read or detected."""
    if args.pose:
        return to_track(load_pose(args.pose, []))
    folders = args.models or list(MODEL_FOLDERS)
    found = {name: tuple(folder / name for folder in folders) for name in ("dwpose", "blazepose", "openpose")}
    name, detector = make_detector(args.backend, Places(**found), hands=True, face=False)
    progress(f"detecting poses with {name}")
    return human_pose(read_frames(args.video), detector, Selection(), CleanUp()).tracks[0]


def silhouette(frame_HW3: np.ndarray) -> np.ndarray:
    """bool (H, W): where a segmentation or DensePose picture differs from its background, the commonest edge colour."""
    edge = np.concatenate([frame_HW3[0], frame_HW3[-1], frame_HW3[:, 0], frame_HW3[:, -1]])
    background = np.median(edge, axis=0)
    return np.abs(frame_HW3.astype(np.float32) - background).sum(axis=2) > 24


def agreement(masks: list[np.ndarray], truth: list[np.ndarray]) -> dict:
    """Recall and IoU over all pixels of the clip, and the mean of frames."""
    both = np.array([(m & t).sum() for m, t in zip(masks, truth)], float)
    either = np.array([(m | t).sum() for m, t in zip(masks, truth)], float)
    wanted = np.array([t.sum() for t in truth], float)
    return {
        "recall": round(float(both.sum() / max(wanted.sum(), 1)), 4),
        "iou": round(float(both.sum() / max(either.sum(), 1)), 4),
        "mean_frame_recall": round(float((both / np.maximum(wanted, 1))[wanted > 0].mean()), 4),
        "mean_frame_iou": round(float((both / np.maximum(either, 1))[either > 0].mean()), 4),
    }


def steadiness(masks: Iterator[np.ndarray], track: PoseTrack) -> float:
    """Mean IoU of consecutive frames' masks after the body's motion (similarity between the poses) is undone."""
    scores, last = [], None
    for index, mask in enumerate(masks):
        if last is not None:
            moved = _moved(last, track.keypoints_FK3[index - 1, BODY], track.keypoints_FK3[index, BODY])
            either = (mask | moved).sum()
            if either:
                scores.append(float((mask & moved).sum() / either))
        last = mask
    return float(np.mean(scores)) if scores else 1.0


def _moved(mask_HW: np.ndarray, before_K3: np.ndarray, now_K3: np.ndarray) -> np.ndarray:
    """The mask carried from one pose to the next by the similarity that fits their joints best."""
    shared = (before_K3[:, 2] > 0) & (now_K3[:, 2] > 0)
    if shared.sum() < 3:
        return mask_HW
    matrix, _ = cv2.estimateAffinePartial2D(before_K3[shared, :2], now_K3[shared, :2], method=cv2.LMEDS)
    if matrix is None:
        return mask_HW
    return cv2.warpAffine(mask_HW.astype(np.uint8), matrix, mask_HW.shape[::-1], flags=cv2.INTER_NEAREST) > 0


def write_sheet(path: Path, video: Path, masks: list[np.ndarray], truth: list[np.ndarray]) -> None:
    """Eight frames, ours tinted red, the published mask's outline green."""
    wanted = set(np.linspace(0, len(masks) - 1, 8).astype(int).tolist())
    tiles = []
    for index, frame in enumerate(read_frames(video)):
        if index in wanted:
            tile = resized(frame, truth[index].shape[::-1]).copy()
            tile[masks[index]] = tile[masks[index]] // 2 + np.array([120, 0, 0], np.uint8)
            lines, _ = cv2.findContours(truth[index].astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(tile, lines, -1, (0, 255, 0), 3)
            tiles.append(resized(tile, (240, round(240 * tile.shape[0] / tile.shape[1]))))
    cv2.imwrite(str(path), np.concatenate(tiles, axis=1)[..., ::-1])
