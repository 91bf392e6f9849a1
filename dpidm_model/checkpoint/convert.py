"""The commands of convert.py: each is a line in a table and a function from arguments to a result."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..cli import add_json, progress
from ..config import PRESETS, TEMPORAL_PLACES

EXAMPLES = """\
  python convert.py sd15 --garment stable-diffusion-v1-5 --main stable-diffusion-inpainting \\
      --motion mm_sd_v15_v2.ckpt --output dpidm-start.safetensors
  python convert.py swifttry --denoiser denoising_unet.pth --reference reference_unet.pth --guider pose_guider.pth \\
      --motion motion_module.pth --output swifttry.safetensors
  python convert.py vivid --denoiser denoising_unet.pth --reference reference_unet.pth --guider pose_guider.pth \\
      --motion mm_sd_v15_v2.ckpt --output vivid.safetensors
  python convert.py info swifttry.safetensors
  python convert.py check --source swifttry --dir recorded/swifttry --json"""

ADDITIONS = {
    "tsa": {"tsa": True},
    "pose": {"pasa_pose": True, "pata_pose": True},
}


@dataclass(frozen=True)
class Command:
    """One subcommand."""

    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], dict[str, Any]]


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Add all commands to `parser`; the chosen one ends up as args.run."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        sub = commands.add_parser(name, help=command.help, description=command.help)
        add_json(sub)
        command.arguments(sub)
        sub.set_defaults(run=command.run, command=name)


def _model_file(text: str) -> Path:
    if not text.endswith(".safetensors"):
        raise argparse.ArgumentTypeError(f"{text!r} must end in .safetensors, the only format that is loaded")
    return Path(text)


def _output_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", type=_model_file, required=True, help="model file to write (.safetensors)")
    parser.add_argument("--dtype", choices=("fp16", "bf16", "fp32"), default="fp16", help="precision of the file")
    parser.add_argument("--name", help="name shown for the model (default: that of the import)")
    parser.add_argument("--licence", help="licence note to store instead of the known one")
    parser.add_argument("--seed", type=int, default=0, help="of the layers that no source has (default 0)")


def _sd15_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--garment", type=Path, required=True, help="Stable Diffusion 1.5: diffusers folder or file")
    parser.add_argument("--main", type=Path, required=True, help="SD 1.5 inpainting: diffusers folder or file")
    parser.add_argument("--motion", type=Path, help="AnimateDiff mm_sd_v15_v2, for the temporal layers")
    parser.add_argument(
        "--temporal", choices=TEMPORAL_PLACES, default="in_block", help="where PATA stands (default: the paper's)"
    )
    _output_arguments(parser)


def _peer_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--denoiser", type=Path, required=True, help="denoising_unet.pth or .safetensors")
    parser.add_argument("--reference", type=Path, required=True, help="reference_unet.pth or .safetensors")
    parser.add_argument("--guider", type=Path, required=True, help="pose_guider.pth or .safetensors")
    parser.add_argument("--motion", type=Path, help="motion modules, where the denoiser's file does not hold them")
    parser.add_argument(
        "--add",
        nargs="*",
        choices=tuple(ADDITIONS),
        default=(),
        help="layers of the paper to add for fine-tuning; they start at zero and change nothing until trained",
    )
    _output_arguments(parser)


def _check_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--source", required=True, help="swifttry or vivid")
    parser.add_argument("--dir", type=Path, required=True, help="folder with weights and recorded inputs and outputs")


def _info_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="a model file")


def _run_sd15(args: argparse.Namespace) -> dict[str, Any]:
    from .sd15 import import_sd15

    config = replace(PRESETS["sd15"][0], temporal=args.temporal)
    imported = import_sd15(
        args.garment, args.main, args.motion, config=config, dtype=_dtype(args.dtype), seed=args.seed
    )
    return _save(imported, args)


def _run_peer(args: argparse.Namespace) -> dict[str, Any]:
    from .peers import import_peer

    changes = {field: value for name in args.add for field, value in ADDITIONS[name].items()}
    imported = import_peer(
        args.command,
        args.denoiser,
        args.reference,
        args.guider,
        args.motion,
        changes=changes,
        dtype=_dtype(args.dtype),
        seed=args.seed,
    )
    return _save(imported, args)


def _run_check(args: argparse.Namespace) -> dict[str, Any]:
    from .conformance import check_vectors

    return check_vectors(args.source, args.dir)


def _run_info(args: argparse.Namespace) -> dict[str, Any]:
    from .file import read_info

    info = read_info(args.file)
    return {"label": info.label, **info.to_metadata()}


def _dtype(name: str):
    import torch

    return {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}[name]


def _save(imported: Any, args: argparse.Namespace) -> dict[str, Any]:
    from .file import save_model

    info = imported.info
    info = replace(info, name=args.name or info.name, licence=args.licence or info.licence)
    imported = replace(imported, info=info)
    progress(imported.table())
    save_model(args.output, imported.model, info)
    result = imported.report() | {"output": str(args.output), "bytes": args.output.stat().st_size}
    if not getattr(args, "json", False):
        result = {key: result[key] for key in ("model", "parameters", "output", "bytes")}
    return result


COMMANDS = {
    "sd15": Command(
        "the paper's start: SD 1.5 and SD 1.5 inpainting, with AnimateDiff's temporal layers if given",
        _sd15_arguments,
        _run_sd15,
    ),
    "swifttry": Command("import SwiftTry's weights; computes exactly what they do", _peer_arguments, _run_peer),
    "vivid": Command("import ViViD's weights; computes exactly what they do", _peer_arguments, _run_peer),
    "info": Command("show what a model file says of itself", _info_arguments, _run_info),
    "check": Command("compare an import with recorded runs of the original model", _check_arguments, _run_check),
}
