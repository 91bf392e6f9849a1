"""Hair over the shoulders and a bag in the hand, found by colour, to be left out of the agnostic mask.

No network. Where the head, garment, skin and background surely are follows from the pose; their colours are learnt from
a few frames of the clip. What lies at the head or hangs from a hand, and shares its colours with none of these, is
hair or a bag; its own colours then find it in every frame. Whoever wears the colour of their hair or bag keeps nothing:
better to paint over hair than to leave old garment. Not in the paper.
H W pixels, F frames, K=130 joints; sizes are (width, height), lengths in body units (agnostic.body_units).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from ..handovers import BODY, LEFT_HAND, RIGHT_HAND, PoseTrack
from .agnostic import ARMS, LEGS, MaskOptions, body_units, disc_hull, fill, garment_mask, grow, majority, unit_vector
from .colours import Colours, colour_kinds

SMALL = 384  # longest side of the pictures that are looked at
SAMPLES = 24  # frames that colours are learnt from
EXPLAINED = 0.0008  # density from which a colour counts as known
SURER = 4.0  # how much denser a thing's own colours must be than the others' at a pixel
FACING = 0.25  # width of the shoulders from which left and right sides of the body are apart
HEAD = [0, 14, 15, 16, 17]
HANDS = (RIGHT_HAND, LEFT_HAND)


@dataclass(frozen=True)
class Stance:
    """One frame's body at small size. neck, hips: middles of shoulders and hips.  up: along the torso.
    unit: in pixels.  turn: signed width of the shoulders in units, positive facing us.
    """

    keypoints_K3: np.ndarray
    unit: float
    size: tuple[int, int]
    neck: np.ndarray
    hips: np.ndarray
    up: np.ndarray
    turn: float

    def empty(self) -> np.ndarray:
        """(H, W) uint8 of zeros."""
        return np.zeros(self.size[::-1], np.uint8)

    def hull(self, mask: np.ndarray, *discs: tuple[np.ndarray, float], value: int = 1) -> None:
        """Fill the hull of discs (centre, radius in units)."""
        fill(mask, disc_hull([(centre, radius * self.unit) for centre, radius in discs]), value)

    def above(self, point: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """bool (H, W): pixels that lie beyond a point in a direction."""
        y, x = np.ogrid[: self.size[1], : self.size[0]]
        return (x - point[0]) * direction[0] + (y - point[1]) * direction[1] > 0

    def clothed(self) -> np.ndarray:
        """uint8 0/255 (H, W): where the body and any garment on it may be, head and hands aside."""
        options = MaskOptions(category="dress", keep_hands=False, keep_head=False)
        return garment_mask(self.keypoints_K3, self.unit, self.size, options)

    def beside(self, *taken: np.ndarray, rows: np.ndarray, reach: float = 1.3) -> np.ndarray:
        """uint8 (H, W): background at the height of `rows`, away from the body and from what is `taken`."""
        covered = np.maximum.reduce([grow(self.clothed(), 0.12 * self.unit), *taken])
        near = np.abs(np.arange(self.size[0]) - self.hips[0]) < reach * self.unit
        return ((covered == 0) & np.expand_dims(rows.any(axis=1), 1) & near).astype(np.uint8)


def stance(keypoints_K3: np.ndarray, unit: float, size: tuple[int, int]) -> Stance | None:
    """The body's frame of reference; None without both shoulders."""
    body = keypoints_K3[BODY]
    if min(body[[2, 5], 2]) <= 0:
        return None
    neck = body[[2, 5], :2].mean(axis=0)
    seen = body[[8, 11]][body[[8, 11], 2] > 0, :2]
    hips = seen.mean(axis=0) if len(seen) else neck + (0, unit)
    turn = float(body[5, 0] - body[2, 0]) / unit
    return Stance(keypoints_K3, unit, size, neck, hips, unit_vector(neck - hips), turn)


@dataclass(frozen=True)
class Places:
    """Where to look in one frame, each uint8 (H, W). start: what the thing hangs on to.  reach: where it may be.
    others: where garment, skin and background surely are.  telling: whether this frame is fit to learn from.
    """

    start: np.ndarray
    reach: np.ndarray
    others: tuple[np.ndarray, ...]
    telling: bool


class Hair:
    """Hair: starts at the head above the chin, falls over shoulders, chest and back."""

    least = 0.15  # of the head's visible area

    def places(self, at: Stance) -> Places:
        body, start, reach, garment, skin = at.keypoints_K3[BODY], *(at.empty() for _ in range(4))
        seen = body[HEAD][body[HEAD, 2] > 0, :2]
        face = seen.mean(axis=0) if len(seen) else at.neck + at.up * 0.42 * at.unit
        height = max(float(np.dot(face - at.neck, at.up)), 0.3 * at.unit)
        at.hull(start, (face, 0.24), (face + at.up * 0.15 * at.unit, 0.24))
        start[~at.above(at.neck + at.up * 0.55 * height, at.up)] = 0
        at.hull(reach, (face + at.up * 0.1 * at.unit, 0.3), (at.neck, 0.34), (at.neck - at.up * 0.8 * at.unit, 0.3))
        self._garment(at, garment)
        if at.turn > FACING:
            at.hull(skin, (face, 0.1), (at.neck + at.up * 0.12 * at.unit, 0.07))
        for hand in HANDS:
            points = at.keypoints_K3[hand][at.keypoints_K3[hand, 2] > 0, :2]
            if len(points) >= 5:
                at.hull(skin, *((p, 0.01) for p in points))
        head, rows = at.empty(), at.empty()
        at.hull(head, (face, 0.36), (face + at.up * 0.15 * at.unit, 0.36), (at.neck, 0.4))
        at.hull(rows, (face, 0.6), (at.hips, 0.1))
        background = at.beside(head, rows=rows)
        return Places(start, reach, (garment, skin, background), int(start.sum()) > 0.02 * at.unit**2)

    @staticmethod
    def _garment(at: Stance, garment: np.ndarray) -> None:
        """Where hair seldom lies: lower torso, outer shoulders, upper arms; from the front the middle of the chest."""
        body = at.keypoints_K3[BODY]
        down = at.hips - at.neck
        at.hull(garment, (at.neck + 0.55 * down, 0.12), (at.neck + 0.95 * down, 0.12))
        if at.turn > FACING:
            at.hull(garment, (at.neck + 0.15 * down, 0.07), (at.neck + 0.6 * down, 0.07))
        for shoulder, elbow, _, _ in ARMS:
            top = body[shoulder, :2]
            at.hull(garment, (top, 0.05))
            if body[elbow, 2] > 0:
                at.hull(garment, (0.6 * top + 0.4 * body[elbow, :2], 0.05), (body[elbow, :2], 0.05))

    def seeds(self, strange: np.ndarray, places: Places, at: Stance) -> np.ndarray:
        return strange & places.start

    def amount(self, seeds: np.ndarray, places: Places, at: Stance) -> float:
        return float(seeds.sum()) / max(int(places.start.sum()), 1)

    def shape(self, like: np.ndarray, places: Places, at: Stance) -> np.ndarray:
        clean = cv2.morphologyEx(np.where(places.reach, like, 0), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
        return touching(closed(clean, 5) & places.reach, places.start, 0)


@dataclass(frozen=True)
class Bag:
    """A bag in one hand (0 right, 1 left): hangs below it, thicker than a tenth of a unit.

    The garment's colours are taken from the body's other side: a stripe down the trousers is on both, a bag is not.
    """

    side: int
    least = 0.02  # square units

    def places(self, at: Stance) -> Places:
        body = at.keypoints_K3[BODY]
        garment = self._garment(at)
        (start, reach), (_, other_reach) = (self._hanging(at, side) for side in (self.side, 1 - self.side))
        wide = grow(np.maximum(reach, other_reach), 0.1 * at.unit)
        background = at.beside(wide, rows=wide)
        legs = [joint for leg in LEGS for joint in leg[:2]]
        telling = bool(start.any()) and min(body[legs, 2]) > 0 and abs(at.turn) > FACING
        return Places(start, reach, (garment, background), telling)

    def _garment(self, at: Stance) -> np.ndarray:
        body, garment = at.keypoints_K3[BODY], at.empty()
        at.hull(garment, (0.8 * at.neck + 0.2 * at.hips, 0.15), (at.hips, 0.15))
        for shoulder, elbow, wrist, _ in ARMS:
            for a, b in ((shoulder, elbow), (elbow, wrist)):
                if min(body[[a, b], 2]) > 0:
                    at.hull(garment, (body[a, :2], 0.04), (body[b, :2], 0.03))
        own, other = (body[LEGS[side][0]] for side in (self.side, 1 - self.side))
        if min(own[2], other[2]) > 0:
            across = np.array([-at.up[1], at.up[0]])
            across *= np.sign(np.dot(other[:2] - own[:2], across)) or 1
            garment |= (at.clothed() > 0) & at.above(at.hips + 0.02 * at.unit * across, across)
        return garment

    @staticmethod
    def _hanging(at: Stance, side: int) -> tuple[np.ndarray, np.ndarray]:
        """Start (the hand and a handle below it) and reach below one hand, the hand and wrist themselves left out."""
        _, elbow, wrist, hand = ARMS[side]
        body, start, reach = at.keypoints_K3[BODY], at.empty(), at.empty()
        if min(body[[elbow, wrist], 2]) <= 0:
            return start, reach
        end, along = body[wrist, :2], unit_vector(body[wrist, :2] - body[elbow, :2])
        points = at.keypoints_K3[hand][at.keypoints_K3[hand, 2] > 0, :2]
        palm = points.mean(axis=0) if len(points) >= 5 else end + along * 0.13 * at.unit
        at.hull(start, (palm, 0.16), (palm - at.up * 0.2 * at.unit, 0.16))
        at.hull(reach, (palm - at.up * 0.05 * at.unit, 0.2), (palm - at.up * 0.5 * at.unit, 0.42))
        reach[at.above(palm + at.up * 0.1 * at.unit, at.up)] = 0
        at.hull(reach, (end, 0.07), (end + along * 0.27 * at.unit, 0.08), value=0)
        if len(points) >= 5:
            at.hull(reach, *((p, 0.03) for p in points), value=0)
        return start, reach

    def seeds(self, strange: np.ndarray, places: Places, at: Stance) -> np.ndarray:
        return touching(thick(strange & places.reach, at), places.start, 0.05 * at.unit)

    def amount(self, seeds: np.ndarray, places: Places, at: Stance) -> float:
        return float(seeds.sum()) / at.unit**2

    def shape(self, like: np.ndarray, places: Places, at: Stance) -> np.ndarray:
        like = closed(np.where(places.reach, like, 0), 5) & places.reach
        core = touching(thick(like, at), places.start, 0.05 * at.unit)
        near = (grow(core, 0.06 * at.unit) > 0) | (places.start > 0)  # its rim, and a thin handle
        return touching(like & near, core, 0.03 * at.unit)


THINGS = {"hair": (Hair(),), "bag": (Bag(0), Bag(1))}


def closed(mask_HW: np.ndarray, pixels: int) -> np.ndarray:
    """Gaps narrower than `pixels` closed."""
    return cv2.morphologyEx(mask_HW, cv2.MORPH_CLOSE, np.ones((pixels, pixels), np.uint8))


def thick(mask_HW: np.ndarray, at: Stance) -> np.ndarray:
    """Without all that is thinner than a tenth of a unit."""
    return grow(grow(closed(mask_HW, 3), -0.05 * at.unit), 0.05 * at.unit)


def touching(mask_HW: np.ndarray, start_HW: np.ndarray, gap: float) -> np.ndarray:
    """The parts of a 0/1 mask that touch `start_HW`, or reach it in steps of at most twice `gap` pixels."""
    bridged = grow(mask_HW, gap)
    _, labels = cv2.connectedComponents(bridged)
    touched = np.unique(labels[start_HW > 0])
    return mask_HW & np.isin(labels, touched[touched > 0])


@dataclass(frozen=True)
class _Look:
    """Density tables of one thing's colours: its own, and the densest of the others'."""

    own: np.ndarray
    others: np.ndarray


def _learn(thing, frames: list[tuple[np.ndarray, Stance]]) -> _Look | None:
    """A thing's colours from sample frames (kinds of colour, stance); None unless it is there in half of them."""
    telling = [(kinds, at, places) for kinds, at in frames if (places := thing.places(at)).telling]
    if not telling:
        return None
    classes = [Colours() for _ in telling[0][2].others]
    for kinds, _, places in telling:
        for colours, where in zip(classes, places.others):
            colours.add(kinds, where)
    others = np.max([colours.density() for colours in classes], axis=0)
    own, seen = Colours(), 0
    for kinds, at, places in telling:
        seeds = thing.seeds((others[kinds] < EXPLAINED).astype(np.uint8), places, at)
        own.add(kinds, seeds)
        seen += thing.amount(seeds, places, at) >= thing.least
    return _Look(own.density(), others) if 2 * seen >= len(telling) else None


def belongings(
    frames: Callable[[], Iterable[np.ndarray]], track: PoseTrack, size: tuple[int, int], names: Iterable[str]
) -> Iterator[np.ndarray]:
    """Where hair and a held bag are, bool (H, W) for each frame in turn, steadied over three frames.

    frames: gives the clip's frames (float 0..1 or uint8 RGB, any size) from the start each time it is called; called
    twice.  track: one person.  size: (width, height) of the result.  names: keys of THINGS.
    """
    scale = min(1.0, SMALL / max(size))
    small = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    scaled = track.scaled(small)
    units_F = body_units(scaled)
    stances = [stance(k, float(u), small) for k, u in zip(scaled.keypoints_FK3, units_F)]
    known = _known(frames(), stances, [thing for name in names for thing in THINGS[name]], small)
    found = (_find(frame, at, known, small) for frame, at in zip(frames(), stances))
    for mask in majority(found):
        yield cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.5


def _known(frames: Iterable[np.ndarray], stances: list[Stance | None], things: list, small: tuple[int, int]) -> list:
    """The things that are there, each with its colours, from frames evenly over the clip."""
    wanted = set(np.linspace(0, len(stances) - 1, min(SAMPLES, len(stances))).astype(int).tolist())
    samples = []
    for index, (frame, at) in enumerate(zip(frames, stances)):
        if index in wanted and at is not None:
            samples.append((colour_kinds(frame, small), at))
    return [(thing, look) for thing in things if (look := _learn(thing, samples)) is not None]


def _find(frame: np.ndarray, at: Stance | None, known: list, small: tuple[int, int]) -> np.ndarray:
    """bool (h, w): all learnt things in one frame."""
    mask = np.zeros(small[::-1], np.uint8)
    if at is None or not known:
        return mask > 0
    kinds = colour_kinds(frame, small)
    for thing, look in known:
        like = (look.own > np.maximum(SURER * look.others, 1e-4)).astype(np.uint8)[kinds]
        mask |= thing.shape(like, thing.places(at), at)
    return mask > 0
