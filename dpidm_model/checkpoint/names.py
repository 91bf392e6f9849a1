"""Where the weights of other projects live in ours: pure functions from their names to our names."""

import re
from collections.abc import Callable
from dataclasses import dataclass

BLOCK = "transformer_blocks.0."
MAIN = {  # inside a transformer block of the main U-Net; attn_temp, norm_temp are SwiftTry's
    "norm1.": "pasa.norm.",
    "attn1.": "pasa.attn.",
    "norm2.": "ca.norm.",
    "attn2.": "ca.attn.",
    "norm_temp.": "after.norm.",
    "attn_temp.": "after.attn.",
}
GARMENT = {"norm2.": "ca.norm.", "attn2.": "ca.attn."}
HEAD = ("conv_norm_out.", "conv_out.")
MOTION = re.compile(r"(.+)\.motion_modules\.(\d+)\.temporal_transformer\.(.+)")
POSITIONS = "pos_encoder.pe"


@dataclass(frozen=True)
class LeftOut:
    """A key that our network has no place for, and why that is right."""

    why: str


Rename = Callable[[str], str | LeftOut]
POSITIONS_COMPUTED = LeftOut("frame positions are computed; checked to be the same")


def in_block(key: str, table: dict[str, str]) -> str:
    """`key` with the start of its name inside a transformer block replaced by `table`."""
    before, block, inside = key.partition(BLOCK)
    for old, new in table.items():
        if inside.startswith(old):
            return before + block + new + inside.removeprefix(old)
    return key


def main_name(posed_conv_in: bool, temporal: str) -> Rename:
    """Names of a main U-Net: diffusers' 686, the motion modules beside them, SwiftTry's 112.

    posed_conv_in: the network's conv_in adds a pose map.  temporal: config.temporal.
    """
    motion = motion_name(temporal)

    def rename(key: str) -> str | LeftOut:
        if MOTION.match(key):
            return motion(key)
        if posed_conv_in and key.startswith("conv_in."):
            key = key.replace("conv_in.", "conv_in.conv.")
        return "main_unet." + in_block(key, MAIN)

    return rename


def garment_name(key: str) -> str | LeftOut:
    """Names of a garment (reference) U-Net, whose head nothing reads."""
    if key.startswith(HEAD):
        return LeftOut("the garment U-Net gives features, it has no head")
    return "garment_unet." + in_block(key, GARMENT)


def motion_name(temporal: str) -> Rename:
    """Names of AnimateDiff's motion modules, in_block or after_block."""

    def rename(key: str) -> str | LeftOut:
        match = MOTION.match(key)
        if match is None:
            return LeftOut("not a motion module")
        level, i, inside = match.groups()
        if inside.endswith(POSITIONS):
            return POSITIONS_COMPUTED
        inside = inside.replace("transformer_blocks.0.attention_blocks.", "block.attns.")
        inside = inside.replace("transformer_blocks.0.", "block.")
        if temporal == "after_block":
            return f"main_unet.{level}.pata.{i}.{inside}"
        return f"main_unet.{level}.attentions.{i}.{BLOCK}pata.{inside}"

    return rename


def guider_name(key: str) -> str | LeftOut:
    """Names of the peers' pose guider."""
    return "pose_guider." + key
