"""DPIDM: both U-Nets, the pose encoder, and the calls a generation makes."""

# B clips, F frames, C latent channels, H W latent rows/columns, G garments, E CLIP width, P pose channels, L tokens

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn

from ..config import DPIDMConfig
from ..errors import InputError
from .attention import Attend, attend, keys_equal_queries
from .block import GarmentFeatures, TryOnBlock
from .call import FULL, Call, LayerGarment, Strengths, Tap
from .compat import PoseGuider
from .conditions import GarmentConditions, PoseFeatures, TryOnConditions
from .install import bare_unet, install, install_garment
from .level import TryOnLevel
from .pose_encoder import PoseEncoder, level_sizes, pyramid

Half = Literal["cond", "uncond", "both"]
GROUPS = ("pasa", "ca", "tsa", "pata", "pose_encoder", "garment_unet", "rest")
ENCODE_FRAMES = 8  # pose images encoded at a time, to bound memory


class DPIDM(nn.Module):
    """Dynamic pose interaction diffusion model (arXiv 2505.16980): garment U-Net, main U-Net, pose encoder.

    A generation calls `encode_garment` and `encode_pose` once and `forward` at every step. All latents are scaled
    (config.latent_scale applied by the caller). The module keeps nothing between calls.
    """

    def __init__(self, config: DPIDMConfig):
        super().__init__()
        self.config = config
        compat = config.compat
        self.main_unet = bare_unet(config, config.in_channels)
        self.garment_unet = bare_unet(config, config.latent_channels + compat.garment_mask)
        install(self.main_unet, config)
        install_garment(self.garment_unet)
        if config.attention_start == "keys_equal_queries":
            keys_equal_queries(self)
        self.pose_encoder = PoseEncoder(config.pose_channels) if config.uses_pose_encoder else None
        self.pose_guider = PoseGuider(compat, config.block_out_channels[0]) if compat.guider_widths else None

    def encode_garment(
        self,
        latent_BCHW: Tensor,
        pose_image_B3HW: Tensor | None,
        clip_BE: Tensor | None,
        *,
        mask_B1HW: Tensor | None = None,
        strengths: Strengths = FULL,
        attention: Attend = attend,
    ) -> GarmentConditions:
        """Run the garment U-Net once, at config.garment_timestep, and keep what the main U-Net's layers need.

        latent_BCHW: clean garment latents, scaled.  pose_image_B3HW: drawn garment poses, 0..1, 8x the latent's size;
        None only where PASA has no pose.  clip_BE: CLIP image embeddings; None = zeros.
        mask_B1HW: garment masks at latent resolution, for networks with config.compat.garment_mask; None = the whole
        picture.
        """
        if self.config.compat.garment_mask:
            if mask_B1HW is None:
                mask_B1HW = torch.ones_like(latent_BCHW[:, :1])
            latent_BCHW = torch.cat([latent_BCHW, mask_B1HW], 1)
        if clip_BE is None:
            clip_BE = latent_BCHW.new_zeros(len(latent_BCHW), self.config.cross_attention_dim)
        if clip_BE.shape[-1] != self.config.cross_attention_dim:
            raise InputError(
                f"CLIP embedding has width {clip_BE.shape[-1]}, the network takes {self.config.cross_attention_dim}; "
                "use the image encoder the model was trained with"
            )
        features: dict[str, GarmentFeatures] = {}
        self.garment_unet(
            latent_BCHW,
            self.config.garment_timestep,
            None,
            cross_attention_kwargs={"features": features, "clip": clip_BE, "attention": attention},
        )
        pose = self._garment_pose(pose_image_B3HW, latent_BCHW)
        layers = {
            block.name: self._layer_garment(block, features[block.name], pose, clip_BE, strengths)
            for block in self.try_on_blocks()
        }
        return GarmentConditions(layers=layers, pasa_strength=strengths.pasa)

    def _garment_pose(self, image_B3HW: Tensor | None, latent_BCHW: Tensor) -> dict[int, Tensor]:
        """Pose tokens of the garment by number of tokens of the level."""
        if not self.config.pasa_pose:
            return {}
        if image_B3HW is None:
            raise InputError("this network needs the garment's drawn pose; give pose_image_B3HW")
        assert self.pose_encoder is not None
        pose_map = self.pose_encoder(image_B3HW)
        _check_pose_size(pose_map, latent_BCHW)
        return {x.shape[1]: x for x in pyramid(pose_map, len(self.config.block_out_channels))}

    def _layer_garment(
        self,
        block: TryOnBlock,
        features: GarmentFeatures,
        pose: dict[int, Tensor],
        clip_BE: Tensor,
        strengths: Strengths,
    ) -> LayerGarment:
        k, v = block.pasa.garment_kv(features.f_GLC, pose.get(features.f_GLC.shape[1]), strengths.pasa)
        residual = features.attended_GLC if self.config.compat.garment_residual else None
        return LayerGarment(k_GLC=k, v_GLC=v, cross_G1C=block.ca.constant(clip_BE), residual_GLC=residual)

    def encode_pose(self, images_BF3HW: Tensor, guider_BF3HW: Tensor | None = None) -> PoseFeatures:
        """Encode human poses once per generation.

        images_BF3HW: drawn poses, 0..1, 8x the latent's size.  guider_BF3HW: what the peers' pose guider sees instead
        (ViViD's was trained on DensePose pictures).
        """
        shape = images_BF3HW.shape[:2]
        chunks = images_BF3HW.flatten(0, 1).split(ENCODE_FRAMES)
        levels: tuple[Tensor, ...] = ()
        added = None
        if self.pose_encoder is not None:
            pose_map = torch.cat([self.pose_encoder(x) for x in chunks])
            if self.config.pasa_pose or self.config.pata_pose:
                tokens = pyramid(pose_map, len(self.config.block_out_channels))
                levels = tuple(x.unflatten(0, shape) for x in tokens)
            if self.config.pose_input == "encoder":
                added = pose_map.unflatten(0, shape)
        if self.pose_guider is not None:
            if guider_BF3HW is not None:
                chunks = guider_BF3HW.flatten(0, 1).split(ENCODE_FRAMES)
            guided = torch.cat([self.pose_guider(x) for x in chunks]).unflatten(0, shape)
            added = guided if added is None else added + guided
        return PoseFeatures(levels_BFLP=levels, input_BFCHW=added)

    def forward(
        self,
        x_BFCHW: Tensor,
        t: Tensor | float,
        conditions: TryOnConditions,
        *,
        half: Half = "cond",
        frame_positions: Tensor | None = None,
        temporal: bool = True,
        tap: Tap | None = None,
        attention: Attend = attend,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Predict (noise, v or sample, as the model's ScheduleConfig says) for noisy latents.

        x_BFCHW: noisy latents, scaled.  t: timestep, one number or (B,).
        half: "cond", "uncond" (no garment tokens, zero CLIP token), or "both" -> (conditional, unconditional).
        frame_positions: (B, F) positions for the temporal layer, 0..temporal_max_frames-1; default 0..F-1.
        temporal: False leaves TSA and PATA out of the graph (image phase of the training).
        tap: sees PASA's queries and keys of the conditional half.  attention: the host's attention function.
        """
        if half not in ("cond", "uncond", "both"):
            raise InputError(f"half={half!r} is not known; use cond, uncond or both")
        if half != "uncond" and conditions.garment is None:
            raise InputError("the conditional half needs a garment; call encode_garment, or use half='uncond'")
        self._check_inputs(x_BFCHW, conditions, temporal)
        clips, frames = x_BFCHW.shape[:2]
        call = Call(
            clips=clips,
            frames=frames,
            halves=2 if half == "both" else 1,
            garment=None if half == "uncond" or conditions.garment is None else conditions.garment.layers,
            pose=self._pose_tokens(conditions),
            positions=frame_positions,
            strengths=conditions.strengths,
            temporal=temporal,
            tap=tap,
            attention=attention,
        )
        t_B = torch.as_tensor(t, device=x_BFCHW.device).expand(clips)
        out = self.main_unet(
            self._sample(x_BFCHW, conditions),
            t_B.repeat_interleave(frames),
            None,
            cross_attention_kwargs={"call": call},
            return_dict=False,
        )[0]
        if half != "both":
            return out.unflatten(0, (clips, frames))
        uncond, cond = out.unflatten(0, (2, clips, frames))
        return cond, uncond

    def _check_inputs(self, x_BFCHW: Tensor, conditions: TryOnConditions, temporal: bool) -> None:
        config, expected = self.config, conditions.agnostic_BFCHW.shape
        if x_BFCHW.shape != expected or expected[2] != config.latent_channels:
            raise InputError(
                f"noisy latents {tuple(x_BFCHW.shape)} and agnostic latents {tuple(expected)} must be the same shape "
                f"with {config.latent_channels} channels; encode with the VAE this model was made for"
            )
        longest = config.temporal_max_frames
        if temporal and config.temporal != "none" and x_BFCHW.shape[1] > longest:
            raise InputError(f"{x_BFCHW.shape[1]} frames in a window, at most {longest} fit; use shorter windows")
        needs_pose = self.pose_encoder is not None or self.pose_guider is not None
        if needs_pose and conditions.pose is None:
            raise InputError("this network needs the person's pose; call encode_pose")

    def _pose_tokens(self, conditions: TryOnConditions) -> dict[tuple[int, int], Tensor]:
        levels = conditions.pose.levels_BFLP if conditions.pose is not None else ()
        if not levels:
            return {}
        height, width = conditions.agnostic_BFCHW.shape[-2:]
        sizes = level_sizes(height, width, len(levels))
        if levels[0].shape[2] != height * width:
            raise InputError(
                f"pose features have {levels[0].shape[2]} tokens a frame, the latents {height}x{width}; draw the pose "
                f"at {width * 8}x{height * 8} pixels"
            )
        return {size: x.flatten(0, 1) for size, x in zip(sizes, levels)}

    def _sample(self, x_BFCHW: Tensor, conditions: TryOnConditions) -> Tensor:
        """The main U-Net's input rows ((B*F), channels, H, W)."""
        agnostic, mask = conditions.agnostic_BFCHW, conditions.mask_BF1HW
        order = {"noise_mask_agnostic": [mask, agnostic], "noise_agnostic_mask": [agnostic, mask]}
        parts = [x_BFCHW, *order[self.config.channel_order]]
        if conditions.pose is not None and conditions.pose.input_BFCHW is not None:
            added = conditions.pose.input_BFCHW
            _check_pose_size(added, x_BFCHW)
            scale = conditions.strengths.compat if self.pose_guider is not None else 1.0
            parts.append(scale * added)
        return torch.cat(parts, 2).flatten(0, 1)

    def try_on_blocks(self) -> Iterator[TryOnBlock]:
        """The attention blocks of the main U-Net, encoder to decoder."""
        return (m for m in self.main_unet.modules() if isinstance(m, TryOnBlock))

    def layer_names(self) -> list[str]:
        """Names of the attention layers in the order they run, as `tap` and GarmentConditions.layers use them."""
        order = {"down_blocks": 0, "mid_block": 1, "up_blocks": 2}
        return sorted((b.name for b in self.try_on_blocks()), key=lambda n: order[n.split(".")[0]])

    def parameter_groups(self) -> dict[str, list[tuple[str, nn.Parameter]]]:
        """Named parameters by group (GROUPS).

        pasa, ca, tsa, pata: those layers in the main U-Net, with their norms and adapters. Of cross-attention only
        values and output projection are in "ca": with one token nothing else can matter. rest: the main U-Net without
        these.
        """
        groups: dict[str, list[tuple[str, nn.Parameter]]] = {name: [] for name in GROUPS}
        for name, parameter in self.named_parameters():
            groups[_group(name)].append((name, parameter))
        return groups

    def enable_gradient_checkpointing(self, on: bool = True) -> None:
        """Recompute the main U-Net's layers in the backward pass instead of keeping their activations."""
        for module in self.main_unet.modules():
            if isinstance(module, TryOnLevel):
                module.gradient_checkpointing = on


def _group(name: str) -> str:
    top, *parts = name.split(".")
    if top in ("pose_encoder", "pose_guider"):
        return "pose_encoder"
    if top == "garment_unet":
        return "garment_unet"
    if "ca" in parts:
        return "ca" if "to_v" in parts or "to_out" in parts else "rest"
    if "after" in parts:  # SwiftTry's frame attention: temporal like PATA
        return "pata"
    return next((group for group in ("pasa", "tsa", "pata") if group in parts), "rest")


def _check_pose_size(pose_map: Tensor, latent: Tensor) -> None:
    if pose_map.shape[-2:] != latent.shape[-2:]:
        h, w = latent.shape[-2:]
        raise InputError(
            f"pose map is {pose_map.shape[-2]}x{pose_map.shape[-1]}, the latents {h}x{w}; "
            f"draw the pose at {w * 8}x{h * 8} pixels (width x height)"
        )
