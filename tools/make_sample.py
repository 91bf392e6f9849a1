#!/usr/bin/env python3
"""Write the sample input of the demo: sample/person.mp4 (a generated person, with a tone as its sound) and
sample/garment.jpg (a generated garment). Equal seeds give equal pictures."""

import sys
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import av
import cv2
import numpy as np

from dpidm_model.cli import finish, make_parser, progress
from dpidm_model.files import atomic_path
from dpidm_model.garment.renderer import render_garment
from dpidm_model.world.clip import make_clip

EXAMPLES = (
    "  python tools/make_sample.py\n  python tools/make_sample.py --out /tmp/sample --person-seed 7 --garment-seed 3"
)
SIZE = (384, 512)
FRAMES, FPS, RATE = 24, 8, 44100
GESTURES = {"r": ["relaxed", "wave", "on_hip"], "l": ["relaxed", "away", "relaxed"]}


def tone(seconds: float) -> np.ndarray:
    """Three soft notes, one after the other: (1, samples) float32 in -1..1."""
    t = np.arange(round(seconds * RATE)) / RATE
    note = np.array([440.0, 554.37, 659.25])[np.minimum((t / seconds * 3).astype(int), 2)]
    inside = (t / seconds * 3) % 1
    return (0.2 * np.sin(2 * np.pi * np.cumsum(note) / RATE) * np.sin(np.pi * inside) ** 0.5)[None].astype(np.float32)


def write_clip(path: Path, frames_FHW3: np.ndarray, fps: int, sound: np.ndarray) -> None:
    """H.264 video with AAC sound."""
    with atomic_path(path) as temporary, av.open(str(temporary), "w") as container:
        video = container.add_stream("libx264", rate=fps, options={"crf": "19", "preset": "slow"})
        video.width, video.height, video.pix_fmt = frames_FHW3.shape[2], frames_FHW3.shape[1], "yuv420p"
        audio = container.add_stream("aac", rate=RATE, layout="mono")
        for picture in frames_FHW3:
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode())
        for start in range(0, sound.shape[1], 1024):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound[:, start : start + 1024]), "fltp", "mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
            container.mux(audio.encode(frame))
        container.mux(audio.encode())


def run(out: Path, person_seed: int, garment_seed: int, kind: str) -> dict:
    """Make both files; returns their paths and sizes."""
    looks = {"hair_style": "bob", "bottom": "jeans", "beard": 0.0}
    options = {"view": "knees", "turning": 0.7, "gestures": GESTURES, "looks": looks, "scene": "room"}
    clip = make_clip(person_seed, FRAMES, SIZE, fps=FPS, flow=False, options=options | {"garment_kind": "tee"})
    progress(f"person: {FRAMES} frames")
    person, garment = out / "person.mp4", out / "garment.jpg"
    write_clip(person, clip.frames_FHW3, FPS, tone(FRAMES / FPS))
    picture = render_garment(garment_seed, SIZE, category="upper", kind=kind, clean=True).image_HW3
    with atomic_path(garment) as temporary:
        cv2.imwrite(str(temporary), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 93])
    sizes = {path.name: path.stat().st_size for path in (person, garment)}
    return {"folder": str(out), "frames": FRAMES, "fps": FPS, "size": list(SIZE), "bytes": sizes}


def main() -> int:
    parser = make_parser(__doc__, EXAMPLES)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "sample", help="folder")
    parser.add_argument("--person-seed", type=int, default=32, help="seed of the person and the motion")
    parser.add_argument("--garment-seed", type=int, default=11, help="seed of the garment picture")
    parser.add_argument("--kind", default="longsleeve", help="kind of garment, as the garment renderer names it")
    args = parser.parse_args()
    work = lambda: run(args.out, args.person_seed, args.garment_seed, args.kind)  # noqa: E731
    return finish(work, getattr(args, "json", False))


if __name__ == "__main__":
    sys.exit(main())
