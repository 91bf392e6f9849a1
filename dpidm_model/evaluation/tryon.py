"""A try-on network measured: paired and unpaired, on the generated test set (whose truth is known) or on data sets.

# F frames, H W pixel rows/columns
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..cli import progress
from ..errors import InputError
from . import worn
from .image import identify, psnr, ssim
from .learned import LearnedMeasures
from .statistics import FixedVideoFeatures, bootstrap, bootstrap_ratio, frechet_distance
from .tryon_report import Example, write_report
from .tryon_sets import FILES, SYNTHETIC, Task, file_tasks, synthetic_tasks

if TYPE_CHECKING:
    from ..checkpoint.file import ModelInfo
    from ..network.model import DPIDM

HELP = "dress test clips with a DPIDM checkpoint and measure the result"
EXAMPLES = [
    "  evaluate.py tryon --checkpoint runs/tiny/model.safetensors --set synthetic-test --clips 64 --json",
    "  evaluate.py tryon --checkpoint dpidm.safetensors --set vvt --root VVT --protocol paired --vae vae/sd-vae",
]
PROTOCOLS = ("paired", "unpaired", "given")
PROTOCOL_HELP = (
    "paired: each clip in the garment it shows; unpaired: in another one (default); given: --set folder, each clip in "
    "the garment.jpg beside it, of which no truth is known"
)
REFERENCES = ("'source': nothing done", "'vae': the truth through the VAE, which no network exceeds")
STEPS = 20  # of checkpoints that recommend none
SHOWN = 6  # clips in the report
# dressed(task, index) -> result frames uint8
Dresser = Callable[[Task, int], np.ndarray]


def add_arguments(parser) -> None:
    """The tool's arguments."""
    parser.add_argument("--checkpoint", required=True, help="DPIDM .safetensors; " + " or ".join(REFERENCES))
    parser.add_argument("--set", default="synthetic-test", choices=[*SYNTHETIC, *FILES], help="default: synthetic-test")
    parser.add_argument("--root", help="folder of a data set that is not generated")
    parser.add_argument("--prepared", help="folder prepare_dataset.py wrote for it")
    parser.add_argument("--clips", type=int, default=64, help="how many, 0 = all of a data set; default 64")
    parser.add_argument("--frames", type=int, default=16, help="of each clip; default 16")
    parser.add_argument("--protocol", default="unpaired", choices=PROTOCOLS, help=PROTOCOL_HELP)
    parser.add_argument("--size", help="WIDTHxHEIGHT in pixels; default: what the checkpoint was trained at")
    parser.add_argument("--vae", default="tiny", help="'tiny', a TAESD file or a diffusers folder; default: tiny")
    parser.add_argument(
        "--steps", type=int, help=f"sampling steps; default: what the checkpoint recommends, else {STEPS}"
    )
    parser.add_argument("--guidance", type=float, help="garment CFG, 1 = off; default: the checkpoint's, else 1")
    parser.add_argument("--device", default="cpu", help="cpu, cuda; default: cpu")
    parser.add_argument("--vfid-weights", help="folder with the networks for VFID, see the skipped list")
    parser.add_argument("--report", help="write an HTML page with figures and frames here")


def run(args) -> dict:
    """Figures with 95 % bootstrap intervals over clips; what cannot be computed is listed under "skipped"."""
    if args.clips < 0 or args.frames < 2 or (args.steps is not None and args.steps < 1):
        raise InputError(f"--clips {args.clips} --frames {args.frames} --steps {args.steps}: expected >= 0, >= 2, >= 1")
    if args.report and Path(args.report).suffix not in (".html", ".htm"):
        raise InputError(f"--report {args.report}: the report is a page; expected a name that ends in .html")
    start = time.monotonic()
    dresser, about, size = _dresser(args)
    tasks = _tasks(args, size)
    learned, rows, examples = LearnedMeasures(args.vfid_weights), [], []
    features, network = ([], []), FixedVideoFeatures()
    for index, task in enumerate(tasks):
        result = dresser(task, index)
        real = task.truth_FHW3 if task.truth_FHW3 is not None else task.clip.frames_FHW3
        learned.add(result, real, paired=task.truth_FHW3 is not None)
        for store, clip in zip(features, (result, real), strict=True):
            store.append(network(clip))
        rows.append(measure(task, result))
        if index < SHOWN:
            examples.append(Example(task=task, result_FHW3=result))
        progress(f"clip {index + 1} {task.clip.name} " + _line(rows[-1]))
    figures = {
        **about,
        "set": args.set,
        "protocol": args.protocol,
        "clips": len(rows),
        "frames": args.frames,
        "size": f"{size[0]}x{size[1]}",
        "metrics": {**_summary(rows), **learned.figures(), **_fixed_frechet(features)},
        "skipped": learned.skipped,
        "seconds": round(time.monotonic() - start, 1),
    }
    if args.report:
        write_report(Path(args.report), figures, examples)
        figures["report"] = args.report
    return figures


def _tasks(args, size: tuple[int, int]) -> Iterator[Task]:
    if args.set in SYNTHETIC:
        if args.protocol == "given":
            raise InputError("--protocol given is for --set folder; the generated sets know paired and unpaired")
        return synthetic_tasks(args.set, args.clips or 64, args.frames, size, args.protocol == "paired")
    if not args.root:
        raise InputError(f"--set {args.set} needs --root: the folder the data set was unpacked to")
    return file_tasks(args.set, args.root, args.prepared, args.clips, args.frames, size, args.protocol)


def _size(text: str | None, trained: tuple[int, int]) -> tuple[int, int]:
    if not text:
        return trained
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(p.isdigit() for p in parts):
        raise InputError(f"--size {text!r}: expected WIDTHxHEIGHT, for example 96x128")
    return int(parts[0]), int(parts[1])


def _dresser(args) -> tuple[Dresser, dict, tuple[int, int]]:
    """How a clip is dressed, what to say about the checkpoint, and (width, height)."""
    if args.checkpoint == "source":
        return lambda task, _: task.clip.frames_FHW3, {"checkpoint": "source"}, _size(args.size, (96, 128))
    if args.checkpoint == "vae":
        return _through_vae(args.vae, args.device), {"checkpoint": "vae"}, _size(args.size, (96, 128))
    from ..checkpoint.file import load_model

    model, info = load_model(args.checkpoint, dtype=torch.float32, device=args.device)
    model.eval().requires_grad_(False)
    size = _size(args.size, (int(info.extra.get("width", 96)), int(info.extra.get("height", 128))))
    steps = args.steps or int(info.extra.get("sample_steps", STEPS))
    guidance = float(info.extra.get("guidance", 1.0)) if args.guidance is None else args.guidance
    about = {"checkpoint": Path(args.checkpoint).name, "model": info.name, "trained": info.trained}
    about |= {"steps": steps, "guidance": guidance}
    if not info.trained:
        progress(f"{args.checkpoint} is UNTRAINED; its figures say nothing about DPIDM")
    return sampler_dresser(model, info, args.vae, steps, guidance, args.device), about, size


def _through_vae(vae: str, device: str) -> Dresser:
    from ..training.batch import pixels
    from ..training.build import fixed_vae
    from ..training.validate import paste, to_pictures
    from ..vae import LATENT_CHANNELS

    encode, decode = fixed_vae(vae, LATENT_CHANNELS, device)

    def dressed(task: Task, _: int) -> np.ndarray:
        if task.truth_FHW3 is None:
            raise InputError("--checkpoint vae needs the truth; use it with --protocol paired or with a synthetic set")
        return paste(to_pictures(decode, encode(pixels(list(task.truth_FHW3), device)), device), task.clip)

    return dressed


def sampler_dresser(
    model: "DPIDM", info: "ModelInfo", vae: str, steps: int, guidance: float, device: str = "cpu"
) -> Dresser:
    """Dress with the project's sampler, one seed per clip."""
    from ..training.batch import Encoder
    from ..training.build import fixed_vae
    from ..training.validate import dress, paste, plain_sample, to_pictures

    encode, decode = fixed_vae(vae, model.config.latent_channels, device)
    encoder = Encoder(model.config, info.schedule, encode, device=device, chunk=16, timestep_bias=1.0)

    def dressed(task: Task, index: int) -> np.ndarray:
        batch = encoder.batch([plain_sample(task.clip)])
        options: dict[str, Any] = {"steps": steps, "guidance": guidance, "seed": index, "device": device}
        latents = dress(model, info.schedule, batch, task.clip.pose, **options)
        return paste(to_pictures(decode, latents, device), task.clip)

    return dressed


def measure(task: Task, result_FHW3: np.ndarray) -> dict[str, float]:
    """All figures of one clip that need no trained weights; nan where they cannot be known."""
    truth, mask, shown = task.truth_FHW3, task.clip.mask_FHW, task.worn_FHW
    figures: dict[str, float] = {}
    photo = (task.clip.pose, mask, task.clip.garment_HW3, task.clip.landmarks)
    figures["colour_error_to_photo"] = worn.photo_colour_error(result_FHW3, *photo)
    if truth is not None:
        figures["colour_error_to_photo_of_truth"] = worn.photo_colour_error(truth, *photo)
        figures["psnr_in_mask"] = psnr(result_FHW3, truth, mask)
        parts = [ssim(a, b, m) for a, b, m in zip(result_FHW3, truth, mask, strict=True)]
        figures["ssim_in_mask"] = float(np.nanmean(parts)) if np.isfinite(parts).any() else float("nan")
        figures["ssim"] = float(np.mean([ssim(a, b) for a, b in zip(result_FHW3, truth, strict=True)]))
        figures["temporal_error"] = worn.temporal_error(result_FHW3, truth, mask)
    if task.candidates:
        figures["identified"] = float(identify(result_FHW3, list(task.candidates), mask) == task.right)
    if truth is not None and shown is not None and task.flow_FHW2 is not None:
        figures["colour_error"] = worn.mean_colour_error(result_FHW3, truth, shown)
        figures["colour_error_by_pixel"] = worn.pixel_colour_error(result_FHW3, truth, shown)
        figures["landmark_error"] = worn.landmark_error(result_FHW3, truth, shown, task.clip.pose, task.category)
        figures["flicker_result"] = worn.flicker(result_FHW3, task.flow_FHW2, shown)
        figures["flicker_truth"] = worn.flicker(truth, task.flow_FHW2, shown)
    return figures


def _summary(rows: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Each figure's mean and interval; flicker as the ratio to the truth's."""
    columns = {name: np.array([row.get(name, np.nan) for row in rows]) for name in rows[0]} if rows else {}
    summary = {name: bootstrap(values) for name, values in columns.items() if not name.startswith("flicker")}
    if "flicker_truth" in columns:
        summary["flicker_ratio"] = bootstrap_ratio(columns["flicker_result"], columns["flicker_truth"])
    return {name: {k: round(v, 4) for k, v in figures.items()} for name, figures in summary.items()}


def _fixed_frechet(features: tuple[list[np.ndarray], list[np.ndarray]]) -> dict[str, float]:
    """Frechet distance on FixedVideoFeatures, and between halves of the truth: what the sample size alone gives."""
    result, real = (np.stack(x) if x else np.zeros((0, 1)) for x in features)
    if len(real) < 2 * real.shape[1]:
        return {}
    return {
        "frechet_fixed_random_features": round(frechet_distance(result, real), 6),
        "frechet_fixed_random_features_truth_halves": round(frechet_distance(real[::2], real[1::2]), 6),
    }


def _line(row: dict[str, float]) -> str:
    return " ".join(f"{name} {value:.3g}" for name, value in row.items())
