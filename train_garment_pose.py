#!/usr/bin/env python3
"""Train the garment landmark detector on generated product photos, or fine-tune it on labelled ones."""

import sys
from dataclasses import fields

from dpidm_model.cli import finish, make_parser
from dpidm_model.training.garment_pose.config import GarmentTrainConfig

EXAMPLES = """  python train_garment_pose.py --out runs/garment_pose
  python train_garment_pose.py --out runs/quick --steps 800 --seed 1
  python train_garment_pose.py --out runs/mine --start dpidm_model/weights/garment_pose.safetensors --lr 2e-4 \\
      --coco photos/labels.json:photos/images"""


def main(argv: list[str] | None = None) -> int:
    """Parse `argv` (default: the command line), train, and return an exit code. The same command resumes a run."""
    parser = make_parser(__doc__ or "", EXAMPLES)
    for field in fields(GarmentTrainConfig):
        flag = f"--{field.name.replace('_', '-')}"
        if isinstance(field.default, tuple):
            parser.add_argument(flag, nargs="*", default=list(field.default), metavar="SOURCE", help="default: none")
        else:
            parser.add_argument(
                flag, type=type(field.default), default=field.default, help=f"default: {field.default!r}"
            )
    args = parser.parse_args(argv)

    def run() -> dict:
        values = {f.name: getattr(args, f.name) for f in fields(GarmentTrainConfig)}
        config = GarmentTrainConfig(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
        from dpidm_model.training.garment_pose.loop import GarmentTrainer

        return GarmentTrainer(config).run()

    return finish(run, getattr(args, "json", False))


if __name__ == "__main__":
    sys.exit(main())
