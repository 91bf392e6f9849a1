"""Does a network put the garment on? Known motions, garments swapped, the true pictures known.

# F frames, H W pixel rows/columns
"""

import importlib
from pathlib import Path

import cv2
import numpy as np

from ..cli import progress
from ..errors import MissingFileError
from ..files import atomic_path
from .image import colour_error, identify, psnr

HELP = "swap garments on a training run's generated motions and compare with the true pictures"
EXAMPLES = ["  evaluate.py transfer --run runs/overfit --sheet transfer.png --json"]


def add_arguments(parser) -> None:
    """The tool's arguments."""
    parser.add_argument("--run", required=True, help="output folder of train.py whose data are synthetic, clips > 0")
    parser.add_argument("--shifts", default="", help="garment i + k for motion i; default: own, and the held-out ones")
    parser.add_argument("--frames", type=int, default=8, help="frames of each motion")
    parser.add_argument("--steps", type=int, default=20, help="sampling steps")
    parser.add_argument("--sheet", help="write a picture: garment, two truths, two results, for every pair")


def run(args) -> dict:
    """Identification among all garments and in-mask PSNR, for each shift and over the held-out ones.

    ceiling_psnr: of the truth through the run's autoencoder, which no network can exceed.
    """
    # training is imported only here: it needs accelerate
    loop, config_of, synthetic, validate = (
        importlib.import_module(f"..training.{name}", __package__)
        for name in ("loop", "config", "data.synthetic", "validate")
    )
    folder = Path(args.run)
    if not (folder / "config.yaml").is_file():
        raise MissingFileError(f"no run in {folder} (no config.yaml); train with configs/overfit.yaml first")
    config = config_of.load_config(folder / "config.yaml", [f"output={folder}", "run.trackers=[]"])
    trainer = loop.Trainer(config, say=progress)
    source, size = config.data.sources[0], (config.data.width, config.data.height)
    clips = synthetic.SyntheticClips(
        split=source.split, clips=source.clips, size=size, frames=source.frames, garments=source.clips
    )
    shifts = [int(s) for s in args.shifts.split(",") if s] or [0, *range(source.garments, source.clips)]
    frames = list(range(min(args.frames, source.frames)))
    rows, by_shift, ceilings = [], {k: [] for k in shifts}, []
    with trainer.ema.applied():
        for motion in range(source.clips):
            truths = [clips.read(motion + source.clips * k, frames) for k in range(source.clips)]
            for shift in shifts:
                clip = truths[shift]
                batch = trainer.encoder.batch([validate.plain_sample(clip)])
                latents = validate.dress(
                    trainer.model, trainer.info.schedule, batch, clip.pose, steps=args.steps, guidance=1.0, seed=motion
                )
                result = validate.paste(validate.to_pictures(trainer.decode, latents, "cpu"), clip)
                figures = _measure(result, truths, shift)
                by_shift[shift].append(figures)
                through = validate.through_vae(trainer.decode, batch, trainer.model, "cpu")
                ceilings.append(psnr(through, clip.frames_FHW3, clip.mask_FHW))
                rows.append(_row(clip, result))
                progress(f"motion {motion} garment {(motion + shift) % source.clips}: {figures}")
    if args.sheet:
        _save(args.sheet, rows, len(shifts))
    held_out = [f for k in shifts if k >= source.garments for f in by_shift[k]]
    return {
        "step": trainer.progress.step,
        "candidates": source.clips,
        "ceiling_psnr": round(float(np.mean(ceilings)), 2),
        **{f"shift_{k}{'' if k < source.garments else '_held_out'}": _mean(v) for k, v in by_shift.items()},
        **({"held_out": _mean(held_out)} if held_out else {}),
    }


def _measure(result_FHW3: np.ndarray, truths: list, right: int) -> dict:
    mask_FHW, truth_FHW3 = truths[right].mask_FHW, truths[right].frames_FHW3
    return {
        "identified": identify(result_FHW3, [t.frames_FHW3 for t in truths], mask_FHW) == right,
        "psnr": round(psnr(result_FHW3, truth_FHW3, mask_FHW), 2),
        "colour_error": round(colour_error(result_FHW3, truth_FHW3, mask_FHW), 1),
    }


def _mean(figures: list[dict]) -> dict:
    return {
        "identified": f"{sum(f['identified'] for f in figures)}/{len(figures)}",
        "psnr": round(float(np.mean([f["psnr"] for f in figures])), 2),
        "colour_error": round(float(np.mean([f["colour_error"] for f in figures])), 1),
    }


def _row(clip, result_FHW3: np.ndarray) -> np.ndarray:
    last = len(result_FHW3) - 1
    truth = clip.frames_FHW3
    cells = [clip.garment_HW3, truth[0], result_FHW3[0], truth[last], result_FHW3[last]]
    return np.concatenate(cells, 1)


def _save(path: str, rows: list[np.ndarray], across: int) -> None:
    lines = [np.concatenate(rows[i : i + across], 1) for i in range(0, len(rows), across)]
    sheet = cv2.resize(np.concatenate(lines, 0), None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC)
    with atomic_path(path) as temporary:
        cv2.imwrite(str(temporary), sheet[:, :, ::-1])
