"""Left and right: whole-clip consistency, and which way the person faces.

Detectors now and then name a person's left arm right and back again within a few frames; a body cannot do that. Not in
the paper. F frames, K=130 joints.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ..handovers import LEFT_HAND, RIGHT_HAND, PoseTrack
from .smooth import body_scale, segments

# (right, left) body joints whose names may be exchanged together
ARMS = ((2, 5), (3, 6), (4, 7))
LEGS = ((8, 11), (9, 12), (10, 13))
HEAD = ((14, 15), (16, 17))
GROUPS = (ARMS, LEGS)
SWAP_COST = 0.002  # per frame, in body heights: names are believed unless motion or evidence speak against them
EVIDENCE_COST = 0.006  # per frame of full evidence against the names, in body heights
COLLAPSED = 0.5  # of the width two frames before and after: what is narrower for a moment is two opinions averaged
FRONT, SIDE, BACK, UNKNOWN = "front", "side", "back", "unknown"


def swapped(keypoints_K3: np.ndarray, pairs: Iterable[tuple[int, int]], hands: bool) -> np.ndarray:
    """A copy with left and right of `pairs` exchanged (and the hands, if wanted). Works on any (..., K, 3)."""
    out = keypoints_K3.copy()
    for a, b in pairs:
        out[..., [a, b], :] = keypoints_K3[..., [b, a], :]
    if hands:
        out[..., LEFT_HAND, :] = keypoints_K3[..., RIGHT_HAND, :]
        out[..., RIGHT_HAND, :] = keypoints_K3[..., LEFT_HAND, :]
    return out


def untangle(
    track: PoseTrack, cuts: Iterable[int] = (), front_F: np.ndarray | None = None
) -> tuple[PoseTrack, np.ndarray]:
    """Exchange left and right of arms or legs in frames where motion or evidence ask for it.

    The cheapest sequence of swaps over each scene (Viterbi over two states): moving joints cost their distance in body
    heights; names against the evidence `front_F` (-1..1, facing away .. facing the camera) cost EVIDENCE_COST, any swap
    SWAP_COST a frame. A person who turns around moves joints continuously and is left alone.
    Returns the track and (F, 2) bool: swapped arms, legs.
    """
    scale = body_scale(track)
    evidence_F = np.zeros(len(track)) if front_F is None else front_F
    keypoints = track.keypoints_FK3.copy()
    changed = np.zeros((len(track), len(GROUPS)), bool)
    for scene in segments(len(track), cuts):
        for group, pairs in enumerate(GROUPS):
            # nobody's hips face away from where the shoulders face: the arms, settled first, are the legs' evidence
            evidence = evidence_F[scene] if pairs is ARMS else 3 * _order(keypoints[scene], ARMS[0])
            part = keypoints[scene]
            flip_F, whole_F = np.zeros(len(part), bool), ~_collapsed(part, pairs[0])
            flip_F[whole_F] = _cheapest_swaps(part[whole_F], pairs, scale, evidence[whole_F])
            changed[scene, group] = flip_F
            part[:, [j for pair in pairs for j in pair]] *= whole_F[:, None, None]
            part[flip_F] = swapped(part[flip_F], pairs, hands=pairs is ARMS)
    return replace(track, keypoints_FK3=keypoints), changed


def _cheapest_swaps(
    keypoints_FK3: np.ndarray, pairs: tuple[tuple[int, int], ...], scale: float, evidence_F: np.ndarray
) -> np.ndarray:
    """(F,) bool: the swap sequence of least total cost for one group of joints in one scene."""
    joints = [j for pair in pairs for j in pair]
    both = np.stack([keypoints_FK3, swapped(keypoints_FK3, pairs, hands=False)])[:, :, joints].astype(np.float64)
    name_SF = _naming_cost(keypoints_FK3, pairs[0], evidence_F)
    cost_S, choices = name_SF[:, 0], []
    for frame in range(1, both.shape[1]):
        now, before = both[:, None, frame], both[None, :, frame - 1]
        weight = np.minimum(now[..., 2], before[..., 2])
        moved = np.minimum(np.linalg.norm(now[..., :2] - before[..., :2], axis=-1) / scale, 1.0)
        step_SS = (weight * moved).sum(axis=-1) / np.maximum(weight.sum(axis=-1), 1e-6)
        total_SS = step_SS + cost_S[None]
        choices.append(total_SS.argmin(axis=1))
        cost_S = total_SS.min(axis=1) + name_SF[:, frame]
    state = int(cost_S.argmin())
    states = [state]
    for choice in reversed(choices):
        state = int(choice[state])
        states.append(state)
    return np.array(states[::-1], bool)


def _collapsed(keypoints_FK3: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    """(F,) bool: where a (right, left) pair is far narrower than just before and just after. No body does that; a
    detector between two opinions about left and right does, and through such a frame names would change for nothing.
    """
    width_F = np.abs(keypoints_FK3[:, pair[0], 0] - keypoints_FK3[:, pair[1], 0])
    width_F[(keypoints_FK3[:, pair, 2] <= 0).any(1)] = np.nan
    padded = np.pad(width_F, 2, constant_values=np.nan)
    before, after = (np.fmin(padded[a : a + len(width_F)], padded[b : b + len(width_F)]) for a, b in ((0, 1), (3, 4)))
    with np.errstate(invalid="ignore"):
        return width_F < COLLAPSED * np.fmin(before, after)


def _naming_cost(keypoints_FK3: np.ndarray, pair: tuple[int, int], evidence_F: np.ndarray) -> np.ndarray:
    """(2, F): what keeping and exchanging the names costs in each frame, from the order of the first pair of joints."""
    order_F = _order(keypoints_FK3, pair)
    against_F = order_F * evidence_F
    keep_F, exchange_F = np.maximum(-against_F, 0), np.maximum(against_F, 0)
    return np.stack([EVIDENCE_COST * keep_F, EVIDENCE_COST * exchange_F + SWAP_COST])


def _order(keypoints_FK3: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    """(F,) -1..1: signed width of a (right, left) pair, 1 where it is at least half as wide as ever and facing us."""
    right, left = keypoints_FK3[:, pair[0]], keypoints_FK3[:, pair[1]]
    width_F = np.where((right[:, 2] > 0) & (left[:, 2] > 0), left[:, 0] - right[:, 0], 0.0)
    return np.clip(width_F / max(float(np.abs(width_F).max(initial=0)), 1.0) * 2, -1, 1)


def facing(keypoints_FK3: np.ndarray) -> list[str]:
    """Per frame FRONT, SIDE, BACK or UNKNOWN, from the order of shoulders and hips and whether the face is seen."""
    return [_facing_frame(k) for k in keypoints_FK3]


def _facing_frame(keypoints_K3: np.ndarray) -> str:
    widths = [keypoints_K3[b, 0] - keypoints_K3[a, 0] for a, b in ((2, 5), (8, 11)) if min(keypoints_K3[[a, b], 2]) > 0]
    if not widths or min(keypoints_K3[[2, 5], 2]) <= 0:
        return UNKNOWN
    hips = keypoints_K3[[8, 11]]
    hips = hips[hips[:, 2] > 0]
    neck_y = keypoints_K3[[2, 5], 1].mean()
    torso = abs(hips[:, 1].mean() - neck_y) if len(hips) else 1.5 * abs(widths[0])
    turn = widths[0] / max(torso, 1.0)
    if abs(turn) < 0.3:
        return SIDE
    return FRONT if turn > 0 else BACK
