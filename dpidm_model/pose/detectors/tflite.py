"""The MediaPipe networks as plain functions of pictures: numpy in, numpy out.

Networks and their decoding constants: MediaPipe 0.10 (Apache-2.0), https://github.com/google-ai-edge/mediapipe.
K points; regions are 0..1 coordinates of the picture that went in.
"""

from pathlib import Path

import cv2
import numpy as np

from ...errors import CheckpointError, MissingFileError, require

POSE_DETECTION = "pose_detection.tflite"
POSE_LANDMARKS = "pose_landmark_full.tflite"
HAND_LANDMARKS = "hand_landmark_full.tflite"
FACE_LANDMARKS = "face_landmark.tflite"
FILES = (POSE_DETECTION, POSE_LANDMARKS, HAND_LANDMARKS, FACE_LANDMARKS)
# landmark of the other side: nose, eyes (3 + 3), ears, mouth, then pairs from the shoulders down, the body's axis
MIRROR = (0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, *(i + 1 if i % 2 else i - 1 for i in range(11, 33)), *range(33, 39))
FETCH = "python tools/fetch_blazepose.py"


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)) without overflow."""
    return 1 / (1 + np.exp(-np.clip(x, -60, 60)))


def find_folder(folders: list[Path]) -> Path:
    """The first folder that holds all networks. Raises MissingFileError with names, source and places."""
    for folder in folders:
        if all((folder / name).is_file() for name in FILES):
            return folder
    searched = ", ".join(map(str, folders)) or "no folder"
    raise MissingFileError(
        f"the BlazePose networks ({', '.join(FILES)}) were not found in: {searched}; "
        f"run `{FETCH} {folders[0] if folders else 'FOLDER'}` (takes them from the mediapipe 0.10.21 wheel on PyPI)"
    )


class Network:
    """One .tflite network. Call with a (H, W, 3) float32 picture; returns its outputs in the file's order."""

    def __init__(self, path: Path, threads: int):
        runtime = require("ai_edge_litert.interpreter", pip="ai-edge-litert", needed_for="the BlazePose backend")
        try:
            self._interpreter = runtime.Interpreter(model_path=str(path), num_threads=threads)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise CheckpointError(f"{path} is not a readable .tflite network ({error}); run `{FETCH}` again") from error
        details = self._interpreter.get_input_details()[0]
        self._input = details["index"]
        self.pixels = int(details["shape"][1])
        self._outputs = [d["index"] for d in self._interpreter.get_output_details()]

    def __call__(self, picture: np.ndarray) -> list[np.ndarray]:
        self._interpreter.set_tensor(self._input, picture[None])
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


class PoseDetection:
    """Finds people: (N, 4) of hip centre x, y and body axis end x, y in 0..1, best first, with scores (N,)."""

    def __init__(self, folder: Path, threads: int):
        self._network = Network(folder / POSE_DETECTION, threads)
        self.pixels = self._network.pixels
        self._anchors = _anchors(self.pixels)

    def __call__(self, picture: np.ndarray, min_score: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
        raw, logits = self._network(picture.astype(np.float32) / 127.5 - 1)
        scores = sigmoid(logits[0, :, 0])
        keep = scores >= min_score
        anchors, raw, scores = self._anchors[keep], raw[0, keep] / self.pixels, scores[keep]
        centres = raw[:, :2] + anchors
        boxes = np.concatenate([centres - raw[:, 2:4] / 2, centres + raw[:, 2:4] / 2], axis=1)
        axes = np.concatenate([raw[:, 4:6] + anchors, raw[:, 6:8] + anchors], axis=1)
        return _weighted_nms(boxes, axes, scores)


class PoseLandmarks:
    """39 landmarks (33 of the body, the last two the region's own axis) and how sure it is that a person is there."""

    def __init__(self, folder: Path, threads: int):
        self._network = Network(folder / POSE_LANDMARKS, threads)
        self.pixels = self._network.pixels

    def __call__(self, picture: np.ndarray) -> tuple[np.ndarray, float]:
        """Returns (39, 3): x, y in 0..1, confidence in 0..1 (visible and present); presence 0..1."""
        landmarks, presence, _, heatmap, _ = self._network(picture.astype(np.float32) / 255)
        points = landmarks.reshape(39, 5).astype(np.float64)
        xy = refine_from_heatmap(points[:, :2] / self.pixels, sigmoid(heatmap[0]))
        confidence = sigmoid(np.minimum(points[:, 3], points[:, 4]))
        return np.concatenate([xy, confidence[:, None]], axis=1), float(presence.reshape(-1)[0])

    def mirrored(self, picture: np.ndarray) -> np.ndarray:
        """(39, 3) from the mirrored picture, turned back: names and places as in `picture`."""
        landmarks, _ = self(np.ascontiguousarray(picture[:, ::-1]))
        landmarks[:, 0] = 1 - landmarks[:, 0]
        return landmarks[list(MIRROR)]


class HandLandmarks:
    """21 hand landmarks in the order OpenPose uses too, and how sure it is that a hand is there."""

    def __init__(self, folder: Path, threads: int):
        self._network = Network(folder / HAND_LANDMARKS, threads)
        self.pixels = self._network.pixels

    def __call__(self, picture: np.ndarray) -> tuple[np.ndarray, float]:
        landmarks, presence, _, _ = self._network(picture.astype(np.float32) / 255)
        return landmarks.reshape(21, 3)[:, :2].astype(np.float64) / self.pixels, float(presence.reshape(-1)[0])


class FaceLandmarks:
    """468 face mesh points and how sure it is that a face is there."""

    def __init__(self, folder: Path, threads: int):
        self._network = Network(folder / FACE_LANDMARKS, threads)
        self.pixels = self._network.pixels

    def __call__(self, picture: np.ndarray) -> tuple[np.ndarray, float]:
        landmarks, presence = self._network(picture.astype(np.float32) / 255)
        points = landmarks.reshape(468, 3)[:, :2].astype(np.float64) / self.pixels
        return points, float(sigmoid(presence.reshape(-1))[0])


def refine_from_heatmap(points_K2: np.ndarray, heat_HWK: np.ndarray, window: int = 7, least: float = 0.5) -> np.ndarray:
    """Move each point to the weighted centre of its own heat map around it, where that is confident.

    points_K2: 0..1.  heat_HWK: 0..1.  Follows MediaPipe's RefineLandmarksFromHeatmapCalculator.
    """
    refined = points_K2.copy()
    height, width, _ = heat_HWK.shape
    reach = window // 2
    for k, (x, y) in enumerate(points_K2):
        column, row = int(x * width), int(y * height)
        if not (0 <= column < width and 0 <= row < height):
            continue
        top, left = max(0, row - reach), max(0, column - reach)
        patch = heat_HWK[top : row + reach + 1, left : column + reach + 1, k]
        total = patch.sum()
        if patch.max() < least or total <= 0:
            continue
        rows, columns = np.mgrid[top : top + patch.shape[0], left : left + patch.shape[1]]
        refined[k] = (columns * patch).sum() / total / width, (rows * patch).sum() / total / height
    return refined


def letterbox(frame: np.ndarray, pixels: int) -> tuple[np.ndarray, float, float, float]:
    """The frame centred in a black square of that size; returns (picture, side, left, top) in frame pixels."""
    height, width = frame.shape[:2]
    side = float(max(height, width))
    left, top = (width - side) / 2, (height - side) / 2
    scale = pixels / side
    w, h = max(1, round(width * scale)), max(1, round(height * scale))
    picture = np.zeros((pixels, pixels, 3), np.uint8)
    y, x = (pixels - h) // 2, (pixels - w) // 2
    picture[y : y + h, x : x + w] = cv2.resize(frame, (w, h), interpolation=cv2.INTER_AREA)
    return picture, side, left, top


def _anchors(pixels: int) -> np.ndarray:
    """Anchor centres of the SSD head in 0..1: two per cell at strides 8 and 16, six at stride 32."""
    centres = []
    for stride, count in ((8, 2), (16, 2), (32, 6)):
        cells = pixels // stride
        ys, xs = np.mgrid[0:cells, 0:cells]
        grid = np.stack([(xs + 0.5) / cells, (ys + 0.5) / cells], axis=-1).reshape(-1, 2)
        centres.append(np.repeat(grid, count, axis=0))
    return np.concatenate(centres)


def _weighted_nms(boxes: np.ndarray, axes: np.ndarray, scores: np.ndarray, overlap: float = 0.3):
    """Merge overlapping detections into their score-weighted mean; best first."""
    order = list(np.argsort(-scores))
    merged, best = [], []
    while order:
        first = order[0]
        near = [i for i in order if _iou(boxes[first], boxes[i]) > overlap or i == first]
        weights = scores[near][:, None]
        merged.append((axes[near] * weights).sum(axis=0) / weights.sum())
        best.append(scores[first])
        order = [i for i in order if i not in near]
    return np.array(merged).reshape(-1, 4), np.array(best)


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    inner = np.prod(np.clip(high - low, 0, None))
    return float(inner / max(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - inner, 1e-9))
