"""A clip as files: what the layouts list, and how pictures, videos, poses and prepared files are read.

# F frames, H W pixel rows/columns
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from ...handovers import GarmentLandmarks, PoseTrack
from ...pose.schema import to_track
from .base import UnreadableError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
VIDEO_SUFFIXES = (".mp4", ".mkv", ".webm", ".mov", ".avi")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Where one clip's files are. `frames` and `mask` are a video, or one picture a frame.

    pose: one OpenPose/POSE_KEYPOINT JSON a frame, or empty.  prepared: folder with what prepare_dataset.py made
    (pose.npz, mask.npz, garment.json); files of the data set itself go first.  category: upper, lower or dress.
    split_at: usable ranges of frames (start, end), empty = all (ViViD's front-facing pieces).
    """

    name: str
    frames: Path | tuple[Path, ...]
    garment: Path
    mask: Path | tuple[Path, ...] | None = None
    pose: tuple[Path, ...] = ()
    category: str = "upper"
    prepared: Path | None = None
    ranges: tuple[tuple[int, int], ...] = field(default=())


def picture_files(folder: Path) -> tuple[Path, ...]:
    """The pictures of a folder by name; empty if there is no folder."""
    if not folder.is_dir():
        return ()
    return tuple(sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES))


def read_picture(path: Path, *, grey: bool = False) -> np.ndarray:
    """(H, W, 3) uint8 RGB, or (H, W). Raises UnreadableError naming the file."""
    if not path.is_file():
        raise UnreadableError(f"{path}: file is missing")
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise UnreadableError(f"{path}: {error}") from error
    image = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise UnreadableError(f"{path}: not a readable picture ({data.size} bytes)")
    return image if grey else image[:, :, ::-1]


def count_frames(source: Path | tuple[Path, ...]) -> int:
    """Frames by name or by the video's header (a truncated video may hold fewer)."""
    if isinstance(source, tuple):
        return len(source)
    video = _open(source)
    count = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    video.release()
    if count < 1:
        raise UnreadableError(f"{source}: the video says it has {count} frames")
    return count


def read_frames(source: Path | tuple[Path, ...], frames: list[int], *, grey: bool = False) -> np.ndarray:
    """(F, H, W, 3) or (F, H, W) uint8 of the given ascending frame numbers. Raises UnreadableError."""
    if isinstance(source, tuple):
        if frames[-1] >= len(source):
            raise UnreadableError(f"{source[0].parent}: has {len(source)} pictures, frame {frames[-1]} is wanted")
        pictures = [read_picture(source[i], grey=grey) for i in frames]
    else:
        pictures = _read_video(source, frames, grey)
    sizes = {p.shape[:2] for p in pictures}
    if len(sizes) > 1:
        where = source[0].parent if isinstance(source, tuple) else source
        raise UnreadableError(f"{where}: frames have different sizes {sorted(sizes)}")
    return np.stack(pictures)


def _open(path: Path) -> cv2.VideoCapture:
    if not path.is_file():
        raise UnreadableError(f"{path}: file is missing")
    video = cv2.VideoCapture(str(path))
    if not video.isOpened():
        raise UnreadableError(f"{path}: not a readable video ({path.stat().st_size} bytes)")
    return video


def _read_video(path: Path, frames: list[int], grey: bool) -> list[np.ndarray]:
    video = _open(path)
    wanted, pictures = set(frames), []
    if frames[0] > 0:
        video.set(cv2.CAP_PROP_POS_FRAMES, frames[0])
    for number in range(frames[0], frames[-1] + 1):
        read, image = video.read()
        if not read:
            video.release()
            raise UnreadableError(f"{path}: ends before frame {number}; the file is truncated or broken")
        if number in wanted:
            pictures.append(image[:, :, 1] if grey else image[:, :, ::-1])
    video.release()
    return pictures


def read_pose(entry: Entry, frames: list[int], canvas: tuple[int, int]) -> PoseTrack:
    """The pose of the given frames. Raises UnreadableError if there is none (run prepare_dataset.py)."""
    if entry.pose:
        poses = []
        for number in frames:
            if number >= len(entry.pose):
                raise UnreadableError(f"{entry.name}: {len(entry.pose)} pose files, frame {number} is wanted")
            poses.append(_pose_json(entry.pose[number], canvas))
        try:
            return to_track(poses)
        except ValueError as error:
            raise UnreadableError(f"{entry.pose[frames[0]]}: {error}") from error
    path = _prepared(entry, "pose.npz", "poses")
    try:
        with np.load(path) as data:
            return PoseTrack(
                data["keypoints"][frames].astype(np.float32),
                (int(data["canvas"][0]), int(data["canvas"][1])),
                data["provenance"][frames],
            )
    except Exception as error:
        raise UnreadableError(f"{path}: not a readable pose file ({error}); delete it and prepare again") from error


def _pose_json(path: Path, canvas: tuple[int, int]) -> dict:
    """One frame; files without canvas_width (OpenPose's own) get the picture's size."""
    try:
        pose = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableError(f"{path}: not a readable pose file ({error})") from error
    pose = pose[0] if isinstance(pose, list) and pose else pose
    if not isinstance(pose, dict) or "people" not in pose:
        raise UnreadableError(f"{path}: holds no 'people'; expected OpenPose JSON")
    return {"canvas_width": canvas[0], "canvas_height": canvas[1], **pose}


def read_mask(entry: Entry, frames: list[int], canvas: tuple[int, int]) -> np.ndarray:
    """(F, H, W) uint8, 0 or 255, of the frames' size = canvas. Raises UnreadableError (size, missing file)."""
    if entry.mask is not None:
        mask_FHW = read_frames(entry.mask, frames, grey=True)
        if mask_FHW.shape[2:0:-1] != canvas:
            where = entry.mask[frames[0]] if isinstance(entry.mask, tuple) else entry.mask
            found = f"{mask_FHW.shape[2]}x{mask_FHW.shape[1]}"
            raise UnreadableError(f"{where}: mask is {found}, its frames are {canvas[0]}x{canvas[1]}")
    else:
        path = _prepared(entry, "mask.npz", "masks")
        try:
            with np.load(path) as data:
                width = int(data["width"])
                mask_FHW = np.unpackbits(data["packed"][frames], axis=2, count=width) * np.uint8(255)
        except Exception as error:
            raise UnreadableError(f"{path}: not a readable mask file ({error}); delete it, prepare again") from error
    return np.where(mask_FHW > 127, np.uint8(255), np.uint8(0))


def read_landmarks(entry: Entry) -> tuple[GarmentLandmarks, tuple[int, ...] | None]:
    """The garment picture's landmarks and box (x0, y0, x1, y1; None = the whole picture). Raises UnreadableError."""
    path = _prepared(entry, "garment.json", "garment landmarks")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        marks = GarmentLandmarks(
            np.array(data["points"], np.float32),
            np.array(data["visibility"], np.uint8),
            (int(data["canvas"][0]), int(data["canvas"][1])),
            data["category"],
            data["sleeve"],
        )
        return marks, tuple(data["box"]) if data.get("box") else None
    except Exception as error:
        raise UnreadableError(f"{path}: not a readable landmark file ({error}); delete it, prepare again") from error


def _prepared(entry: Entry, name: str, what: str) -> Path:
    if entry.prepared is None or not (entry.prepared / name).is_file():
        where = entry.prepared / name if entry.prepared else "no prepared: folder is configured"
        raise UnreadableError(f"{entry.name}: no {what} ({where}); run prepare_dataset.py on this data set")
    return entry.prepared / name
