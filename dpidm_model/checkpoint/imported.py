"""What an import gives: the network, what it is, and an account of every key."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from ..network.model import DPIDM
from .assemble import Row
from .file import ModelInfo


@dataclass(frozen=True)
class Imported:
    """model, info: ready for save_model.  rows: per source.  started: tensors initialised, by part."""

    model: DPIDM
    info: ModelInfo
    rows: list[Row]
    started: Counter[str]

    def table(self) -> str:
        """The report as text: what was loaded, left out and why, initialised."""
        lines = [f"{'into':<18} {'loaded':>6} {'left out':>8}  source"]
        for row in self.rows:
            lines.append(f"{row.into:<18} {row.loaded:>6} {row.left_out.total():>8}  {row.source}")
            lines += [f"{'':<18} {'':>6} {count:>8}  - {why}" for why, count in row.left_out.items()]
        for part, count in self.started.items():
            lines.append(f"{part:<18} {'':>6} {'':>8}  {count} tensors initialised, no source has them")
        lines += [f"origin:  {self.info.origin}", f"licence: {self.info.licence}"]
        return "\n".join(lines)

    def report(self) -> dict[str, Any]:
        """The same for --json."""
        return {
            "model": self.info.label,
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "sources": [
                {"source": r.source, "into": r.into, "loaded": r.loaded, "left_out": dict(r.left_out)}
                for r in self.rows
            ],
            "initialised": dict(self.started),
            "origin": self.info.origin,
            "licence": self.info.licence,
        }
