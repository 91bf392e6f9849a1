"""DeepSpeed (ZeRO stage 1), asked for through accelerate's own configuration: what it must be told besides."""

import os
from typing import Any

from accelerate import Accelerator

from ..errors import InputError, require
from .config import TrainConfig

DTYPES = {"bf16": "bfloat16", "fp16": "float16"}


def in_use() -> bool:
    """Whether accelerate was told to use DeepSpeed."""
    return os.environ.get("ACCELERATE_USE_DEEPSPEED", "false").lower() == "true"


def configure(accelerator: Accelerator, config: TrainConfig) -> None:
    """Hand over clip count, clipping and precision; before accelerator.prepare.

    Weights stay float32, autocast lowers the rest: DeepSpeed's own bf16 would also round the noise schedule.
    Raises InputError for other stages of ZeRO.
    """
    require("deepspeed", pip="deepspeed", needed_for="training with DeepSpeed")
    plugin: Any = accelerator.state.deepspeed_plugin
    if plugin.zero_stage != 1:
        raise InputError(
            f"ZeRO stage {plugin.zero_stage} found, 1 expected: stage 2 adds gradients up as they come, an order that "
            "differs where a process's clips lose their garment, and stage 3 splits the parameters; set zero_stage: 1, "
            "or use FSDP 2 (accelerate config, fsdp_version: 2)"
        )
    settings = plugin.deepspeed_config
    settings["train_micro_batch_size_per_gpu"] = config.phases.image_clips
    settings["gradient_clipping"] = config.optim.clip
    settings["zero_optimization"]["overlap_comm"] = False  # it too reduces in the order of arrival
    if config.run.precision != "no":
        settings["torch_autocast"] = {"enabled": True, "dtype": DTYPES[config.run.precision]}
