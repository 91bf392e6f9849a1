"""What train.py does."""

from pathlib import Path

import torch

from ..errors import require
from .config import load_config


def run(config: str, overrides: list[str], *, threads: int = 0, export: str | None = None, half: bool = False) -> dict:
    """Train as the configuration says, or write the newest checkpoint's model file to `export` (`half`: in float16)."""
    require("accelerate", pip="accelerate", needed_for="training")
    require("yaml", pip="pyyaml", needed_for="training")
    loaded = load_config(config, overrides)
    if "tensorboard" in loaded.run.trackers:
        require("tensorboard", pip="tensorboard", needed_for="the tracker tensorboard (or set run.trackers=[])")
    if threads:
        torch.set_num_threads(threads)
    from .loop import Trainer

    trainer = Trainer(loaded)
    if export:
        return {
            "step": trainer.progress.step,
            "model": str(trainer.export(Path(export), torch.float16 if half else None)),
        }
    return trainer.run()
