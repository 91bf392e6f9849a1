#!/usr/bin/env python3
"""Make DPIDM model files from public weights, and check imports against recorded runs of the original models."""

import sys

from dpidm_model.checkpoint.convert import EXAMPLES, add_commands
from dpidm_model.cli import finish, make_parser


def main(argv: list[str] | None = None) -> int:
    """Parse `argv` (default: the command line) and run one command; returns its exit code."""
    parser = make_parser(__doc__ or "", EXAMPLES)
    add_commands(parser)
    args = parser.parse_args(argv)
    return finish(lambda: args.run(args), getattr(args, "json", False))


if __name__ == "__main__":
    sys.exit(main())
