#!/usr/bin/env python3
"""Train DPIDM: one configuration file, overrides as section.field=value; stops and resumes at any time."""

import sys

from dpidm_model.cli import finish, make_parser

EXAMPLES = """\
  train.py --config configs/smoke.yaml
  train.py --config configs/tiny.yaml optim.lr=5e-4 output=runs/mine
  accelerate launch train.py --config configs/sd15.yaml data.sources.0.root=/data/ViViD
  train.py --config configs/tiny.yaml --export tiny.safetensors --half   (newest checkpoint, no training)"""


def main(argv: list[str] | None = None) -> int:
    """Parse `argv` (default: the command line) and train; returns the exit code."""
    parser = make_parser(__doc__ or "", EXAMPLES)
    parser.add_argument("--config", required=True, help="YAML file; see configs/")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads of torch (default: all)")
    parser.add_argument("--export", metavar="FILE", help="write the newest checkpoint's model file and stop")
    parser.add_argument("--half", action="store_true", help="with --export: weights in float16, half the size")
    parser.add_argument("overrides", nargs="*", metavar="section.field=value", help="changes to the configuration")
    args = parser.parse_args(argv)
    return finish(lambda: run(args), getattr(args, "json", False))


def run(args) -> dict:
    """Train, or export, as the arguments say."""
    from dpidm_model.training.run import run as train

    return train(args.config, args.overrides, threads=args.threads, export=args.export, half=args.half)


if __name__ == "__main__":
    sys.exit(main())
