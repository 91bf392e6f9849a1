"""Train and measure the paper's ablation arms on the generated world; finished trials are kept and never done again."""

import json
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path

from ..cli import progress
from ..errors import DPIDMError, InputError
from ..files import atomic_write_text
from .ablation import ARMS, Trial, load_results, plot, save_result, table

HELP = "train the ablation's arms (a) to (d) and pose-at-input with equal data, steps and seeds, and compare them"
EXAMPLES = [
    "  evaluate.py ablation --steps 2000 --seeds 0 1 2 --results docs/ablation",
    "  evaluate.py ablation --results docs/ablation --report-only",
]
ROOT = Path(__file__).parents[2]
CONFIG = "configs/tiny.yaml"
COST_ROUNDS = 6  # of one step of every kind, for each arm in turn; the least counts, other work only adds to it


def add_arguments(parser) -> None:
    """The tool's arguments."""
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS), help="default: all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="default: 0")
    parser.add_argument("--steps", type=int, default=2000, help="of every arm, matched; default 2000")
    parser.add_argument("--matched-time", action="store_true", help="then train cheap arms on until they cost the same")
    parser.add_argument("--clips", type=int, default=32, help="test clips, unpaired; default 32")
    parser.add_argument("--out", default="runs/ablation", help="folder of the training runs")
    parser.add_argument("--results", default="docs/ablation", help="folder of figures, table and plot")
    parser.add_argument(
        "--set", default=[], nargs="*", metavar="section.field=value", help="further changes to tiny.yaml"
    )
    parser.add_argument("--threads", type=int, default=1, help="of one training; default 1")
    parser.add_argument("--report-only", action="store_true", help="write table and plot of what is there")


def run(args) -> dict:
    """Do what is not yet done, seed by seed; write results/*.json, tables.md and plot.png."""
    if args.steps < 1 or args.clips < 1 or min(args.seeds) < 0:
        raise InputError(f"--steps {args.steps} --clips {args.clips} --seeds {args.seeds}: expected >= 1, >= 1, >= 0")
    results = Path(args.results)
    if not args.report_only:
        results.mkdir(parents=True, exist_ok=True)
        costs = _costs(results / "costs.json", args)
        for seed in args.seeds:
            for arm in args.arms:
                trial = Trial(
                    arm=arm, seed=seed, steps=args.steps, seconds_a_step=costs[arm], slowest=max(costs.values())
                )
                for at in ("steps", "time") if args.matched_time else ("steps",):
                    _do(trial, at, args)
    kept = load_results(results)
    if not kept:
        raise InputError(f"no results in {results}; run without --report-only first")
    parts = [
        f"Matched {at}:\n\n{table(kept, at)}\n" for at in ("steps", "time") if any(r["matched"] == at for r in kept)
    ]
    atomic_write_text(results / "tables.md", "\n".join(parts))
    plot(kept, results / "plot.png")
    return {"trials": len(kept), "tables": str(results / "tables.md"), "plot": str(results / "plot.png")}


def _do(trial: Trial, at: str, args) -> None:
    """Train (going on from what is there), evaluate, keep."""
    results = Path(args.results)
    if (results / f"{trial.name}-{at}.json").is_file():
        return
    steps = trial.steps if at == "steps" else trial.steps_of_equal_time
    overrides = [*trial.overrides(Path(args.out), steps), *args.set]
    progress(f"arm ({trial.arm}) seed {trial.seed}: training to step {steps}")
    command = [sys.executable, "train.py", "--config", CONFIG, "--threads", str(args.threads), *overrides]
    if subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL).returncode:
        raise DPIDMError(f"training of arm ({trial.arm}) failed; its own message is above. The same command goes on")
    model = Path(args.out) / trial.name / "model.safetensors"
    if not model.is_file():
        raise DPIDMError(f"training of arm ({trial.arm}) was stopped; the same command goes on")
    from . import tryon

    wanted = {"checkpoint": str(model), "set": "synthetic-test", "clips": args.clips, "frames": 16, "steps": 4}
    plain = {"root": None, "prepared": None, "protocol": "unpaired", "size": None, "vae": "tiny", "guidance": 1.0}
    rest = {"device": "cpu", "vfid_weights": None, "report": None}
    save_result(results, trial, at, tryon.run(Namespace(**wanted, **plain, **rest)))


def _costs(path: Path, args) -> dict[str, float]:
    """Seconds a step of every arm, measured in turns in one process, and kept so that a resumed run uses the same."""
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    import torch

    from ..training import build
    from ..training.batch import Encoder
    from ..training.config import load_config
    from ..training.data.samples import Keys, Samples
    from ..training.phases import phase_of
    from ..training.step import TrainStep

    torch.set_num_threads(args.threads)
    seconds: dict[str, list[float]] = {arm: [] for arm in ARMS}
    parts = {}
    for arm in ARMS:
        trial = Trial(arm=arm, seed=0, steps=1, seconds_a_step=1, slowest=1)
        config = load_config(ROOT / CONFIG, [*trial.overrides(Path(args.out), 1), *args.set])
        model, info = build.network(config.model, 0)
        parts[arm] = config, TrainStep(model, info.schedule, config.loss), info, model
    config, _, info, model = parts["d"]
    sets = [build.clip_set(s, config.data) for s in config.data.sources]
    encode, _ = build.vae(config.data.vae, model.config, "cpu", sets[0], Path(args.out))
    encoder = Encoder(model.config, info.schedule, encode, device="cpu", chunk=16, timestep_bias=1.0)
    samples = Samples(sets, [1.0] * len(sets), config.data, config.loss, 0)
    cycle = config.phases.image_steps + config.phases.video_steps
    batches = [encoder.batch([samples[k] for k in keys]) for keys in Keys(config.phases, 1, 0, cycle)]
    for turn in range(COST_ROUNDS + 1):
        for arm, (_, step, _, _) in parts.items():
            start = time.perf_counter()
            for number, batch in enumerate(batches):
                step(batch, phase_of(number, config.phases))[0].backward()
            if turn:  # the first round warms up
                seconds[arm].append((time.perf_counter() - start) / cycle)
    costs = {arm: round(min(values), 4) for arm, values in seconds.items()}
    atomic_write_text(path, json.dumps(costs) + "\n")
    progress("seconds a step: " + json.dumps(costs))
    return costs
