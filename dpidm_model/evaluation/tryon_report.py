"""The page of a try-on evaluation: figures and frames in one HTML file.  # F frames, H W pixel rows/columns"""

import base64
import html
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..files import atomic_write_text
from ..frames.contact_sheet import contact_sheet
from .tryon_sets import Task

STYLE = "body{font:15px sans-serif;margin:2em}td,th{padding:2px 12px;text-align:right}img{max-width:100%;margin:8px 0}"


@dataclass(frozen=True, kw_only=True)
class Example:
    """A dressed clip."""

    task: Task
    result_FHW3: np.ndarray


def sheet(example: Example) -> np.ndarray:
    """Garment, source, truth (where known) and result of one clip, (H, W, 3) uint8."""
    task = example.task
    rows = {"source": task.clip.frames_FHW3, "truth": task.truth_FHW3, "result": example.result_FHW3}
    shown = {name: clip / np.float32(255) for name, clip in rows.items() if clip is not None}
    return contact_sheet(task.clip.garment_HW3 / np.float32(255), shown, title=task.clip.name)


def write_report(path: Path, figures: dict, examples: list[Example]) -> None:
    """One HTML file, pictures inside it."""
    facts = "".join(
        f"<tr><th>{html.escape(k)}</th><td>{html.escape(str(v))}</td></tr>"
        for k, v in figures.items()
        if k not in ("metrics", "skipped")
    )
    measures = "".join(_row(name, value) for name, value in figures["metrics"].items())
    skipped = "".join(f"<li>{html.escape(line)}</li>" for line in figures["skipped"])
    pictures = "".join(f'<img src="data:image/png;base64,{_png(sheet(e))}">' for e in examples)
    atomic_write_text(
        path,
        f"<!doctype html><meta charset=utf-8><title>Try-on evaluation</title><style>{STYLE}</style>"
        f"<h1>Try-on evaluation</h1><table>{facts}</table>"
        f"<h2>Figures</h2><table><tr><th>measure<th>mean<th>95 % low<th>high<th>clips</tr>{measures}</table>"
        f"<h2>Not computed</h2><ul>{skipped}</ul><h2>Clips</h2>{pictures}",
    )


def _row(name: str, value) -> str:
    if isinstance(value, dict):
        cells = "".join(f"<td>{value[k]}</td>" for k in ("mean", "low", "high", "n"))
    else:
        cells = f"<td>{value}</td><td colspan=3></td>"
    return f"<tr><th>{html.escape(name)}</th>{cells}</tr>"


def _png(picture_HW3: np.ndarray) -> str:
    return base64.b64encode(cv2.imencode(".png", picture_HW3[:, :, ::-1])[1].tobytes()).decode()
