"""Run the benchmarks and print one JSON object. Figures that compare are ratios of two things measured in one run.

usage: python -m bench [NAME ...] [--out FILE]      (all benchmarks when no name is given)
examples:
  make bench
  make bench BENCH="startup sampler"
"""

import argparse
import importlib
import json
import sys
import time
from pathlib import Path

from dpidm_model.errors import DPIDMError
from dpidm_model.files import atomic_write_text

FOLDER = Path(__file__).parent


def main() -> int:
    """Run the named benchmarks; exit code 1 if one of them failed."""
    known = sorted(p.stem.removeprefix("bench_") for p in FOLDER.glob("bench_*.py"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"any of: {', '.join(known)}")
    parser.add_argument("--out", type=Path, default=Path("output/bench.json"), help="also written here")
    args = parser.parse_args()
    unknown = set(args.names) - set(known)
    if unknown:
        parser.error(f"no benchmark {sorted(unknown)}; there are {known}")
    results, failed = {}, False
    for name in args.names or known:
        print(f"bench: {name}", file=sys.stderr, flush=True)
        start = time.perf_counter()
        try:
            results[name] = importlib.import_module(f"bench.bench_{name}").run()
        except DPIDMError as error:
            results[name], failed = {"error": str(error)}, True
        results[name]["bench_seconds"] = round(time.perf_counter() - start, 1)
    text = json.dumps(results, indent=1)
    atomic_write_text(args.out, text)
    print(text)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
