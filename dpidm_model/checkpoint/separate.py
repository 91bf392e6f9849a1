"""The converter in a process of its own: pickles are never opened here, and its memory is given back at once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..errors import CheckpointError

SCRIPT = Path(__file__).resolve().parents[2] / "convert.py"
POLL_SECONDS = 0.5


def convert_separately(arguments: Sequence[str], poll: Callable[[], None]) -> dict[str, Any]:
    """Run convert.py with `arguments` and return its JSON result, with what it printed on the way as "table".

    poll: called twice a second; if it raises, the converter is stopped and nothing is written.
    Raises CheckpointError with the converter's own message when it refuses.
    """
    command = [sys.executable, str(SCRIPT), *arguments, "--json"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", cwd=SCRIPT.parent
    )
    try:
        while True:
            try:
                output, printed = process.communicate(timeout=POLL_SECONDS)
                break
            except subprocess.TimeoutExpired:
                poll()
    except BaseException:
        process.kill()
        process.wait()
        raise
    return _result(process.returncode, output, printed)


def _result(code: int, output: str, printed: str) -> dict[str, Any]:
    try:
        result = json.loads(output)
    except json.JSONDecodeError as error:
        last = printed.strip().splitlines()[-1:] or ["it said nothing"]
        raise CheckpointError(f"the converter ended with code {code}: {last[0]}; run it in a terminal") from error
    if "error" in result:
        raise CheckpointError(result["error"])
    return result | {"table": printed.strip()}
