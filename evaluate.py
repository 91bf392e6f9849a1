#!/usr/bin/env python3
"""Measure the stages and the whole: each subcommand prints its figures, with --json as one JSON object."""

import importlib
import sys

from dpidm_model.cli import add_json, finish, make_parser

# subcommand -> (module with HELP, EXAMPLES, add_arguments(parser) and run(args) -> dict)
TOOLS = {
    "human-pose": "dpidm_model.evaluation.human_pose",
    "mask": "dpidm_model.evaluation.mask",
    "garment-pose": "dpidm_model.evaluation.garment_pose",
    "garment-preview": "dpidm_model.evaluation.garment_preview",
    "transfer": "dpidm_model.evaluation.transfer",
    "tryon": "dpidm_model.evaluation.tryon",
    "ablation": "dpidm_model.evaluation.ablation_run",
}


def main(argv: list[str] | None = None) -> int:
    """Parse `argv` (default: the command line) and run one tool; returns its exit code."""
    modules = {name: importlib.import_module(module) for name, module in TOOLS.items()}
    parser = make_parser(__doc__ or "", "\n".join(line for m in modules.values() for line in m.EXAMPLES))
    commands = parser.add_subparsers(dest="tool", required=True, metavar="TOOL")
    for name, module in modules.items():
        sub = commands.add_parser(name, help=module.HELP, description=module.HELP)
        add_json(sub)
        module.add_arguments(sub)
    args = parser.parse_args(argv)
    return finish(lambda: modules[args.tool].run(args), getattr(args, "json", False))


if __name__ == "__main__":
    sys.exit(main())
