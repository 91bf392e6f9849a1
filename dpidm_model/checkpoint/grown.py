"""A network's weights in a network of another config: how a training goes on with a part more or less."""

from ..config import DPIDMConfig
from ..errors import InputError
from ..network.model import DPIDM
from .file import build_model, shorten


def with_config(model: DPIDM, config: DPIDMConfig, seed: int) -> DPIDM:
    """`model` itself where the config is the same, else a network of `config` with its weights.

    What both networks have is copied, what is new starts as in a fresh network of this seed, what is gone is left out.
    Raises InputError where both have a part, but of another shape.
    """
    if config == model.config:
        return model
    grown = build_model(config, seed)
    wanted, wraps = grown.state_dict(), "main_unet.conv_in.conv."
    weights = {name.replace(wraps, "main_unet.conv_in."): x for name, x in model.state_dict().items()}
    if any(name.startswith(wraps) for name in wanted):
        weights = {name.replace("main_unet.conv_in.", wraps): x for name, x in weights.items()}
    both = weights.keys() & wanted.keys()
    other = sorted(name for name in both if weights[name].shape != wanted[name].shape)
    if other:
        raise InputError(
            f"the starting weights do not fit the changed config: {len(other)} parts have another shape "
            f"({shorten(other)}); leave the fields that set widths and heads as they are"
        )
    grown.load_state_dict({name: weights[name].to(wanted[name].dtype) for name in both}, strict=False)
    return grown
