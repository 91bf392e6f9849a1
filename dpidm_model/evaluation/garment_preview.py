"""The instant preview on a clip, measured: does it sit on the person, does its print move with the torso, how fast."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from ..errors import InputError, MissingFileError
from ..files import atomic_path
from ..frames.batch import resized
from ..frames.video import read_frames
from ..garment.detect import read_garment
from ..garment.preview import GarmentPreview, PreviewOptions
from ..garment.warp_body import HEIGHT, Frame, targets
from ..handovers import PoseTrack
from ..pose.files import load_pose
from ..pose.schema import to_track

HELP = "measure the instant preview on a clip: landmark error, swimming of the print, frames a second"
EXAMPLES = [
    "  python evaluate.py garment-preview --video clip.mp4 --pose clip_pose.json --garment tee.jpg --sheet out.png"
]
SHOWN = 0.5  # preview weight from which on a frame is measured


def add_arguments(parser) -> None:
    """The tool's own arguments."""
    parser.add_argument("--video", required=True, help="clip of one person")
    parser.add_argument("--pose", required=True, help="POSE_KEYPOINT JSON of its frames")
    parser.add_argument("--garment", required=True, help="garment photo")
    parser.add_argument("--height", type=int, default=512, help="of the frames it is measured at, default 512")
    parser.add_argument("--category", default="auto", choices=["auto", "upper", "lower", "dress"], help="default: auto")
    parser.add_argument(
        "--worn",
        default="",
        help="JSON of where the clothes worn in the clip have their landmarks (see load_worn)",
    )
    parser.add_argument("--sheet", default="", help="write a contact sheet (PNG) here")


Points = dict[str, np.ndarray]


def load_worn(path: Path, video: str, size: tuple[int, int]) -> dict[int, Points]:
    """Labelled landmarks of the clothes that the person wears in a clip, frame number -> name -> point.

    path: JSON, {video name: {"size": [width, height], "frames": {"12": {"r_hip": [x, y], ...}}}}.  size: of the frames
    here. Raises MissingFileError, and InputError when the video is not in it.
    """
    if not path.is_file():
        raise MissingFileError(f"label file {path} does not exist")
    clip = json.loads(path.read_text(encoding="utf-8")).get(video)
    if clip is None:
        raise InputError(f"{path.name} has no labels of {video}; add them or leave --worn out")
    scale = np.array(size) / clip["size"]
    return {int(i): {n: np.array(p) * scale for n, p in points.items()} for i, points in clip["frames"].items()}


def landmark_error(preview: GarmentPreview, worn: dict[int, Points] | None = None) -> float | None:
    """Mean distance of garment shoulders (tops) or waistband ends (trousers, skirts) from where they belong, by height.

    worn: where the clothes in the frames have them (see `load_worn`); only these frames count.  None: the joints of the
    person. Seams lie a little outside of and above the shoulder joints, waistbands of real trousers 7 to 9 % of the
    body height from the hip joints, which then counts as error.
    """
    joint = "hip" if preview.cut.category == "lower" else "shoulder"
    errors = []
    for index in np.flatnonzero(preview.weights_F > SHOWN):
        frame = Frame(preview.body, int(index))
        placed = targets(preview.cut, frame)
        wanted = {n: frame[n] for n in (f"r_{joint}", f"l_{joint}") if frame.has(n)}
        if worn is not None:
            wanted = {n: p for n, p in worn.get(int(index), {}).items() if n.endswith(joint)}
        errors += [np.linalg.norm(placed[n] - p) / (HEIGHT * frame.torso) for n, p in wanted.items() if n in placed]
    return float(np.mean(errors)) if errors else None


def swimming(preview: GarmentPreview, frames: list[np.ndarray]) -> dict[str, float] | None:
    """How the print moves against the body, as seen in the pixels.

    Optical flow of the previewed garment between neighbouring frames, minus the motion of the person's own torso
    (an affine fit to its four joints): median over the torso's pixels and frames, in torso lengths. `torso_motion` is
    the motion that was to be followed, in the same unit.
    """
    residual, motion = [], []
    shown = preview.weights_F > 0.98
    corners = ("r_shoulder", "l_shoulder", "r_hip", "l_hip")
    for index in range(len(frames) - 1):
        if not (shown[index] and shown[index + 1]):
            continue
        now, then = Frame(preview.body, index), Frame(preview.body, index + 1)
        (a, mask_a), (b, _) = preview.frame(index, frames[index]), preview.frame(index + 1, frames[index + 1])
        grey_a, grey_b = cv2.cvtColor(a, cv2.COLOR_RGB2GRAY), cv2.cvtColor(b, cv2.COLOR_RGB2GRAY)
        start = np.zeros((*grey_a.shape, 2), np.float32)
        flow = cv2.calcOpticalFlowFarneback(grey_a, grey_b, start, 0.5, 4, 21, 3, 7, 1.5, 0)
        inner = cv2.erode((mask_a > 250).astype(np.uint8), np.ones((9, 9), np.uint8))
        torso = np.zeros_like(inner)
        quad = np.array([now[n] for n in ("r_shoulder", "l_shoulder", "l_hip", "r_hip")])
        cv2.fillConvexPoly(torso, quad.astype(np.int32), (1,))
        ys, xs = np.where(cv2.bitwise_and(inner, torso) > 0)
        if len(xs) < 50:
            continue
        source = np.array([[*now[n], 1.0] for n in corners])
        fit = np.linalg.lstsq(source, np.array([then[n] - now[n] for n in corners]), rcond=None)[0]
        expected = np.stack([xs, ys, np.ones_like(xs)], 1) @ fit
        residual.append(np.median(np.linalg.norm(flow[ys, xs] - expected, axis=1)) / now.torso)
        motion.append(np.median(np.linalg.norm(expected, axis=1)) / now.torso)
    if not residual:
        return None
    return {"print_residual": float(np.mean(residual)), "torso_motion": float(np.mean(motion)), "pairs": len(residual)}


def _at_height(path: Path, height: int) -> Iterator[np.ndarray]:
    for frame in read_frames(path):
        width = round(frame.shape[1] * height / frame.shape[0] / 2) * 2
        yield resized(frame, (width, height))


def _sheet(path: Path, garment: np.ndarray, pictures: list[np.ndarray]) -> None:
    chosen = [pictures[i] for i in np.linspace(0, len(pictures) - 1, 8).astype(int)]
    h = chosen[0].shape[0]
    first = resized(garment, (round(garment.shape[1] * h / garment.shape[0]), h))
    with atomic_path(path) as temporary:
        cv2.imwrite(str(temporary), np.ascontiguousarray(np.hstack([first, *chosen])[..., ::-1]))


def run(args) -> dict:
    """Preview the clip and measure it."""
    picture = cv2.imread(args.garment, cv2.IMREAD_COLOR)
    if picture is None:
        raise MissingFileError(f"garment photo {args.garment} is missing or unreadable")
    picture = np.ascontiguousarray(picture[..., ::-1])
    frames = list(_at_height(Path(args.video), args.height))
    size = (frames[0].shape[1], frames[0].shape[0])
    track: PoseTrack = to_track(load_pose(args.pose, []), frames=len(frames)).scaled(size)
    reading = read_garment(picture, category=args.category)
    preview = GarmentPreview(picture, reading.mask_HW, reading.landmarks, track, PreviewOptions())
    worn = load_worn(Path(args.worn), Path(args.video).name, size) if args.worn else None
    start = time.perf_counter()
    pictures = list(preview.frames(frames))
    seconds = time.perf_counter() - start
    if args.sheet:
        _sheet(Path(args.sheet), picture, pictures)
    unlit = GarmentPreview(picture, reading.mask_HW, reading.landmarks, track, PreviewOptions(shading=0))
    return {
        "category": reading.landmarks.category,
        "frames": len(frames),
        "frames_shown": int((preview.weights_F > SHOWN).sum()),
        "landmark_error": landmark_error(preview, worn),
        "landmark_error_from": "worn clothes" if worn is not None else "joints",
        "joint_distance": landmark_error(preview),
        "swimming": swimming(unlit, frames),
        "fps": len(frames) / seconds,
        "warnings": list(reading.warnings),
    }
