"""The paper's ablation as a list of training runs on the generated world: arms, seeds, matched steps, matched time."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..files import atomic_write_text

# arm -> (what it is, changes of the network's configuration, TRA's weight)
_PLAIN = {"pasa_pose": False, "pata_pose": False, "tsa": False}
ARMS: dict[str, tuple[str, dict, float]] = {
    "a": ("standard temporal attention, no pose", _PLAIN, 0.0),
    "input": ("(a) + pose at the input only", {**_PLAIN, "pose_input": "encoder"}, 0.0),
    "b": ("(a) + PASA, PATA", {"tsa": False}, 0.0),
    "c": ("(b) + TSA", {}, 0.0),
    "d": ("(c) + TRA", {}, 1.0),
}
# Fixed before any arm was trained: measure -> True where more is better.
MEASURES = {
    "identified": True,
    "psnr_in_mask": True,
    "ssim_in_mask": True,
    "colour_error": False,
    "landmark_error": False,
    "temporal_error": False,
    "flicker_ratio": False,
}


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One arm trained with one seed.

    steps: at which all arms are compared.  seconds_a_step: measured cost of a step of this arm, quiet, one thread;
    the arm then goes on until it has cost what `slowest` (seconds a step) costs for `steps` steps: matched time.
    """

    arm: str
    seed: int
    steps: int
    seconds_a_step: float
    slowest: float

    @property
    def name(self) -> str:
        """For files."""
        return f"{self.arm}-seed{self.seed}"

    @property
    def steps_of_equal_time(self) -> int:
        """How many steps this arm does in the time of the slowest arm's `steps`."""
        return round(self.steps * self.slowest / self.seconds_a_step)

    def overrides(self, folder: Path, steps: int) -> list[str]:
        """Assignments for train.py on top of configs/tiny.yaml: constant learning rate, so that a run may go on."""
        _, network, tra = ARMS[self.arm]
        image = ["pasa", "ca", "garment_unet", "rest", *([] if self.arm == "a" else ["pose_encoder"])]
        video = [*image, "pata", *(["tsa"] if network.get("tsa", True) else [])]
        return [
            f"output={folder / self.name}",
            f"model.name=dpidm-tiny-arm-{self.arm}",
            f"model.config={json.dumps(network)}",
            f"phases.image_groups={json.dumps(image)}",
            f"phases.video_groups={json.dumps(video)}",
            f"loss.tra_weight={tra}",
            f"run.seed={self.seed}",
            f"run.steps={steps}",
            "run.validate_every=0",
            "run.trackers=[]",
            "run.keep=1",
            "data.sources=[{kind: synthetic, clips: 600, garments: 2, frames: 16}]",
            "data.validation=null",
            "data.workers=0",
            "optim.schedule=constant",
            "optim.lr=1e-3",
            "optim.ema=0.998",
        ]


def save_result(folder: Path, trial: Trial, at: str, figures: dict) -> None:
    """Keep one evaluation.  at: "steps" or "time"."""
    metrics = {name: value for name, value in figures["metrics"].items() if name in MEASURES}
    steps = trial.steps if at == "steps" else trial.steps_of_equal_time
    kept = {"arm": trial.arm, "seed": trial.seed, "matched": at, "steps": steps, "clips": figures["clips"]}
    atomic_write_text(folder / f"{trial.name}-{at}.json", json.dumps({**kept, "metrics": metrics}, indent=1) + "\n")


def load_results(folder: Path) -> list[dict]:
    """All kept evaluations."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*-seed*-*.json"))]


def table(results: list[dict], at: str) -> str:
    """Markdown: one row per arm, mean over seeds; in brackets the seeds' range, or one seed's 95 % interval."""
    lines = ["| arm | seeds | steps | " + " | ".join(MEASURES) + " |", "|---" * (3 + len(MEASURES)) + "|"]
    for arm, (what, _, _) in ARMS.items():
        runs = [r for r in results if r["arm"] == arm and r["matched"] == at]
        if runs:
            cells = " | ".join(_cell([r["metrics"][m] for r in runs]) for m in MEASURES)
            lines.append(f"| ({arm}) {what} | {len(runs)} | {runs[0]['steps']:,} | {cells} |")
    return "\n".join(lines)


def _cell(figures: list[dict]) -> str:
    means = [f["mean"] for f in figures]
    low, high = (min(means), max(means)) if len(means) > 1 else (figures[0]["low"], figures[0]["high"])
    return f"{np.mean(means):.3g} ({low:.3g} to {high:.3g})"


def plot(results: list[dict], path: Path) -> None:
    """One panel per measure: arms across, a dot per seed; full for matched steps, hollow for matched time."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(MEASURES), figsize=(2.6 * len(MEASURES), 3.2))
    arms = [arm for arm in ARMS if any(r["arm"] == arm for r in results)]
    for axis, (measure, more) in zip(axes, MEASURES.items(), strict=True):
        for r in results:
            value, full = r["metrics"][measure], r["matched"] == "steps"
            x = arms.index(r["arm"]) + (-0.12 if full else 0.12) + 0.03 * r["seed"]
            error = [[max(0.0, value["mean"] - value["low"])], [max(0.0, value["high"] - value["mean"])]]
            face = "C0" if full else "white"
            axis.errorbar(x, value["mean"], error, fmt="o", ms=5, lw=0.8, color="C0", mfc=face)
        axis.set_xticks(range(len(arms)), arms)
        axis.set_title(f"{measure} {'↑' if more else '↓'}", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
