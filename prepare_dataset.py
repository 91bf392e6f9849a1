#!/usr/bin/env python3
"""Check a try-on data set file by file, and make what it lacks: poses, garment landmarks, masks, latents."""

import sys
from pathlib import Path

from dpidm_model.cli import add_json, finish, make_parser, progress

EXAMPLES = """\
  prepare_dataset.py layouts
  prepare_dataset.py check vitonhd /data/zalando-hd --deep
  prepare_dataset.py make vivid /data/ViViD --workers 8
  prepare_dataset.py make folder my_clips --stages poses,garments,masks,latents --width 96 --height 128"""


def main(argv: list[str] | None = None) -> int:
    """Parse `argv` (default: the command line) and run; returns the exit code."""
    parser = make_parser(__doc__ or "", EXAMPLES)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_json(commands.add_parser("layouts", help="show where each data set's files are expected"))
    check = commands.add_parser("check", help="list what is missing or broken, by file")
    check.add_argument("--deep", action="store_true", help="decode every frame: finds truncated videos")
    make = commands.add_parser("make", help="fill in what is missing; run again to go on")
    make.add_argument("--stages", default="poses,garments,masks", help="of poses, garments, masks, latents")
    make.add_argument("--backend", default="auto", help="pose backend: auto, dwpose, blazepose, openpose")
    make.add_argument("--models", default="models", help="folder with the backends' files in sub-folders of their name")
    make.add_argument("--width", type=int, default=384, help="of latents")
    make.add_argument("--height", type=int, default=512, help="of latents")
    make.add_argument("--vae", default="tiny", help="of latents: tiny, a TAESD .safetensors or a diffusers folder")
    make.add_argument("--latent-channels", type=int, default=16, help="of the VAE")
    for sub in (check, make):
        add_json(sub)
        sub.add_argument("kind", help="vitonhd, vvt, vivid or folder")
        sub.add_argument("root", help="where the data set was unpacked to")
        sub.add_argument("--split", default="train")
        sub.add_argument("--prepared", help="folder of the prepared files (default: ROOT/prepared/SPLIT)")
        sub.add_argument("--workers", type=int, default=1, help="processes")
    args = parser.parse_args(argv)
    return finish(lambda: COMMANDS[args.command](args), getattr(args, "json", False))


def show_layouts(_args) -> dict:
    """Name -> layout text."""
    from dpidm_model.training.data.layouts import LAYOUTS

    return {name: "\n" + layout.LAYOUT for name, layout in LAYOUTS.items()}


def run_check(args) -> dict:
    """Counts and the list of problems."""
    from dpidm_model.training.data.check import check

    entries = _entries(args)
    problems = check(entries, deep=args.deep, workers=args.workers)
    for problem in problems:
        progress(f"{problem.clip} [{problem.part}] {problem.what}")
    broken = len({p.clip for p in problems})
    listed = [vars(p) for p in problems] if getattr(args, "json", False) else f"{len(problems)} (listed above)"
    return {"clips": len(entries), "with_problems": broken, "problems": listed}


def run_make(args) -> dict:
    """Counts and failures."""
    from dpidm_model.training.prepare import Options, prepare

    options = Options(
        stages=tuple(s for s in args.stages.split(",") if s),
        backend=args.backend,
        models=args.models,
        width=args.width,
        height=args.height,
        vae=args.vae,
        latent_channels=args.latent_channels,
    )
    return prepare(_entries(args), options, workers=args.workers, say=progress)


def _entries(args) -> list:
    from dpidm_model.training.data.layouts import list_entries

    return list_entries(args.kind, Path(args.root), args.split, args.prepared)


COMMANDS = {"layouts": show_layouts, "check": run_check, "make": run_make}

if __name__ == "__main__":
    sys.exit(main())
