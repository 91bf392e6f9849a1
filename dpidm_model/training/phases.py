"""The two phases of DPIDM's single-stage training (arXiv 2505.16980, sec. 3.5) and who learns in which."""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from ..errors import InputError
from ..network.model import DPIDM
from .config import PhaseSection

IMAGE, VIDEO = "image", "video"


def phase_of(step: int, phases: PhaseSection) -> str:
    """Phase of a step: image_steps of phase (i), video_steps of phase (ii), and again."""
    return IMAGE if step % (phases.image_steps + phases.video_steps) < phases.image_steps else VIDEO


def shape_of(phase: str, phases: PhaseSection) -> tuple[int, int]:
    """(clips, frames) of one micro-batch of one process."""
    if phase == IMAGE:
        return phases.image_clips, phases.image_frames
    return phases.video_clips, phases.video_frames


def select(model: DPIDM, groups: Iterable[str]) -> dict[str, nn.Parameter]:
    """Parameters by name of the groups: the network's own, or "adapters" = the pose adapters of all layers.

    Raises InputError if a group is empty in this network.
    """
    own = model.parameter_groups()
    chosen: dict[str, nn.Parameter] = {}
    for group in groups:
        if group == "adapters":
            found = {n: p for n, p in model.named_parameters() if ".adapter." in n}
        else:
            found = dict(own[group])
        if not found:
            raise InputError(f"this network has no parameters in group {group!r}; take it out of the phase's groups")
        chosen |= found
    return chosen


@dataclass(frozen=True)
class Trainable:
    """Parameters that learn in each phase, by name. A phase without steps has none."""

    image: dict[str, nn.Parameter]
    video: dict[str, nn.Parameter]

    @classmethod
    def of(cls, model: DPIDM, phases: PhaseSection) -> "Trainable":
        """Choose them and switch gradients off for everything that never learns."""
        image = select(model, phases.image_groups) if phases.image_steps else {}
        video = select(model, phases.video_groups) if phases.video_steps else {}
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in image or name in video)
        return cls(image, video)

    def bound_to(self, model: DPIDM) -> "Trainable":
        """The same choice over the model's present parameter objects."""
        now = dict(model.named_parameters())
        return Trainable({n: now[n] for n in self.image}, {n: now[n] for n in self.video})

    def by_phases(self) -> dict[tuple[str, ...], list[nn.Parameter]]:
        """All that learn at some time, by the phases they learn in."""
        groups: dict[tuple[str, ...], list[nn.Parameter]] = {}
        for name, parameter in (self.image | self.video).items():
            phases = tuple(p for p, own in ((IMAGE, self.image), (VIDEO, self.video)) if name in own)
            groups.setdefault(phases, []).append(parameter)
        return groups

    def enter(self, phase: str) -> list[nn.Parameter]:
        """Gradients on for the phase's parameters and off for the others; returns the phase's."""
        active = self.image if phase == IMAGE else self.video
        for name, parameter in (self.image | self.video).items():
            parameter.requires_grad_(name in active)
        return list(active.values())

    def report(self, model: DPIDM) -> dict[str, int]:
        """Numbers of parameters: image, video, all (the network's)."""
        count = lambda parameters: sum(p.numel() for p in parameters)  # noqa: E731
        return {
            "image": count(self.image.values()),
            "video": count(self.video.values()),
            "all": count(model.parameters()),
        }
