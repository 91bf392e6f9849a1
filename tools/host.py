#!/usr/bin/env python3
"""Serve ComfyUI with this pack on loopback, for trying by hand; Ctrl-C ends it."""

import argparse
import sys
from pathlib import Path

from tools.comfy_server import ROOT, ComfyServer


def main() -> int:
    """Start, print the address, wait."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="example:\n  python -m tools.host --port 8188",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--base", type=Path, default=ROOT / ".host" / "base", help="folder for inputs, outputs and models"
    )
    parser.add_argument("--port", type=int, default=8188)
    parser.add_argument("arguments", nargs="*", help="further arguments for ComfyUI's main.py, after --")
    args = parser.parse_args()
    with ComfyServer(base=args.base, port=args.port, arguments=tuple(args.arguments)) as server:
        print(f"ComfyUI with the pack: {server.url}  (log: {server.log_path})", flush=True)
        try:
            return server.process.wait()
        except KeyboardInterrupt:
            return 0


if __name__ == "__main__":
    sys.exit(main())
