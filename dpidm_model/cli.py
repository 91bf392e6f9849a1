"""What all command line tools share: progress on stderr, one JSON object on stdout with --json, honest exit codes."""

import argparse
import json
import sys
from collections.abc import Callable

from .errors import DPIDMError


def progress(message: str) -> None:
    """One line of progress on stderr."""
    print(message, file=sys.stderr, flush=True)


def make_parser(description: str, examples: str) -> argparse.ArgumentParser:
    """A parser whose --help ends with examples and that knows --json."""
    parser = argparse.ArgumentParser(
        description=description, epilog=f"examples:\n{examples}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_json(parser)
    return parser


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add --json (default off; set on a subcommand or on the main parser, either works)."""
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON object to stdout"
    )


def finish(run: Callable[[], dict], as_json: bool) -> int:
    """Run a tool's work and print its result.

    run: returns a JSON-serialisable dict.  Returns the exit code: 0 on success, 1 on a DPIDMError (its message goes to
    stderr, and to stdout as {"error": ...} with --json). Other exceptions are bugs and keep their traceback.
    """
    try:
        result = run()
    except DPIDMError as error:
        progress(f"error: {error}")
        if as_json:
            print(json.dumps({"error": str(error)}))
        return 1
    if as_json:
        print(json.dumps(result))
    else:
        for key, value in result.items():
            print(f"{key}: {value}")
    return 0
