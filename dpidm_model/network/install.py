"""Put the paper's layers into diffusers' U-Nets, and take them out again."""

from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn

from ..config import DPIDMConfig
from .adapter import PoseAdapter
from .block import GarmentBlock, TryOnBlock
from .ca import CA
from .compat import FrameAttention, UnusedCA
from .level import DownLevel, MidLevel, TryOnLevel, UpLevel
from .pasa import PASA
from .pata import PATA
from .tsa import TSA

LEVELS = {"down_blocks": DownLevel, "mid_block": MidLevel, "up_blocks": UpLevel}


class PosedConvIn(nn.Module):
    """conv_in that adds a pose map: the channels beyond the convolution's own are that map (PoseGuider style)."""

    def __init__(self, conv: nn.Module):
        super().__init__()
        self.conv = conv

    def forward(self, sample_NCHW: Tensor) -> Tensor:
        """sample_NCHW: input channels followed by the pose map's; returns conv(input) + pose map."""
        own: int = self.conv.in_channels  # pyright: ignore[reportAssignmentType]
        return self.conv(sample_NCHW[:, :own]) + sample_NCHW[:, own:]


def bare_unet(config: DPIDMConfig, in_channels: int) -> UNet2DConditionModel:
    """A diffusers U-Net of the config's widths with diffusers' own random start."""
    down = ["CrossAttnDownBlock2D" if a else "DownBlock2D" for a in config.attention_levels]
    up = ["CrossAttnUpBlock2D" if a else "UpBlock2D" for a in reversed(config.attention_levels)]
    return UNet2DConditionModel(
        in_channels=in_channels,
        out_channels=config.latent_channels,
        block_out_channels=config.block_out_channels,
        down_block_types=tuple(down),
        up_block_types=tuple(up),
        layers_per_block=config.layers_per_block,
        norm_num_groups=config.norm_groups,
        cross_attention_dim=config.cross_attention_dim,
        attention_head_dim=config.heads,  # diffusers' name for the heads  # pyright: ignore[reportArgumentType]
    )


def install(unet: UNet2DConditionModel, config: DPIDMConfig) -> None:
    """Turn `unet` into the main U-Net: every transformer block a TryOnBlock, every level a TryOnLevel.

    The weights stay the same modules. In its fresh state the result equals the plain U-Net (zero-initialised
    additions), except with adapter_init="random". `uninstall` undoes it.
    """
    for name, block in _transformer_blocks(unet):
        _set(unet, name + ".transformer_blocks.0", _try_on_block(name, block, config))
    for name, block in _levels(unet):
        pata = _level_pata(name, block, config)
        _set(unet, name, LEVELS[name.split(".")[0]](block, pata))
    if config.pose_input == "encoder" or config.compat.guider_widths:
        unet.conv_in = PosedConvIn(unet.conv_in)  # pyright: ignore[reportAttributeAccessIssue]


def uninstall(unet: UNet2DConditionModel) -> None:
    """Give the plain diffusers U-Net back, with the weights its own modules have now."""
    for name, block in _transformer_blocks(unet):
        if isinstance(block, TryOnBlock):
            _set(unet, name + ".transformer_blocks.0", block.original())
    for name, level in _levels(unet):
        if isinstance(level, TryOnLevel):
            _set(unet, name, level.original())
    if isinstance(unet.conv_in, PosedConvIn):
        unet.conv_in = unet.conv_in.conv  # pyright: ignore[reportAttributeAccessIssue]


def install_garment(unet: UNet2DConditionModel) -> None:
    """Turn `unet` into the garment U-Net: its blocks hand out features, and its head, which nothing reads, goes."""
    for name, block in _transformer_blocks(unet):
        _set(unet, name + ".transformer_blocks.0", GarmentBlock(name, block))  # pyright: ignore[reportArgumentType]
    unet.conv_norm_out = None
    unet.conv_out = nn.Identity()  # pyright: ignore[reportAttributeAccessIssue]


def _transformer_blocks(unet: nn.Module) -> list[tuple[str, nn.Module]]:
    """("down_blocks.0.attentions.1", its only transformer block), ..."""
    suffix = ".transformer_blocks.0"
    return [(name.removesuffix(suffix), m) for name, m in unet.named_modules() if name.endswith(suffix)]


def _levels(unet: UNet2DConditionModel) -> list[tuple[str, nn.Module]]:
    named = [(f"down_blocks.{i}", b) for i, b in enumerate(unet.down_blocks)]
    named += [("mid_block", unet.mid_block)]
    return named + [(f"up_blocks.{i}", b) for i, b in enumerate(unet.up_blocks)]  # pyright: ignore[reportReturnType]


def _set(root: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(root.get_submodule(parent), child, module)


def _adapter(wanted: bool, channels: int, config: DPIDMConfig) -> PoseAdapter | None:
    if not wanted:
        return None
    return PoseAdapter(config.pose_channels, channels, config.adapter_bottleneck, config.adapter_init)


def _pata(channels: int, config: DPIDMConfig) -> PATA:
    adapter = _adapter(config.pata_pose, channels, config)
    return PATA(channels, config.temporal_heads, config.temporal_norm_groups, adapter)


def _level_pata(name: str, block: nn.Module, config: DPIDMConfig) -> nn.ModuleList | None:
    """Temporal layers of the after_block layout: after each attention, or resnet where there is none."""
    if config.temporal != "after_block":
        return None
    resnets = list(block.resnets)[:-1] if name == "mid_block" else list(block.resnets)  # pyright: ignore
    return nn.ModuleList(_pata(resnet.out_channels, config) for resnet in resnets)  # pyright: ignore


def _try_on_block(name: str, block: nn.Module, config: DPIDMConfig) -> TryOnBlock:
    assert isinstance(block, BasicTransformerBlock)
    channels, heads, compat = block.dim, block.num_attention_heads, config.compat
    tsa = TSA(channels, heads, config.tsa_frames, config.tsa_patch) if config.tsa else None
    if tsa is not None and not block.attn1.to_q.weight.is_meta:
        tsa.start_from(block.norm1, block.attn1)
    ca = UnusedCA if compat.no_cross_attention else CA
    return TryOnBlock(
        block,
        name,
        PASA(block.norm1, block.attn1, _adapter(config.pasa_pose, channels, config)),
        tsa,
        ca(block.norm2, block.attn2),  # pyright: ignore[reportArgumentType]
        _pata(channels, config) if config.temporal == "in_block" else None,
        FrameAttention(channels, heads) if compat.frame_attention else None,
    )
