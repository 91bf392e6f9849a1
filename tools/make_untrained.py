#!/usr/bin/env python3
"""Write a model file with random start weights, marked UNTRAINED: for trying the path without a trained checkpoint."""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Parse the command line and write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  python -m tools.make_untrained --preset tiny --out model.safetensors",
    )
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--out", type=Path, default=ROOT / "dpidm_model" / "weights" / "dpidm-tiny.safetensors")
    parser.add_argument("--width", type=int, default=96, help="working width noted in the file")
    parser.add_argument("--height", type=int, default=128, help="working height noted in the file")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    import torch

    from dpidm_model.checkpoint.file import ModelInfo, build_model, save_model
    from dpidm_model.config import PRESETS

    config, schedule = PRESETS[args.preset]
    info = ModelInfo(
        name=f"dpidm-{args.preset}",
        trained=False,
        config=config,
        schedule=schedule,
        origin=f"random weights, seed {args.seed}",
        licence="Apache-2.0",
        extra={"width": str(args.width), "height": str(args.height)},
    )
    save_model(args.out, build_model(config, args.seed, torch.float16), info)
    print(f"{args.out}: {args.out.stat().st_size / 2**20:.1f} MB", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
