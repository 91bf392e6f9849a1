"""What every node checks of the host's types before it works on them."""

from torch import Tensor

from ..dpidm_model.errors import InputError


def image_batch(images: Tensor, name: str, *, smallest: int = 32) -> Tensor:
    """An IMAGE as (B, H, W, 3) float32 in 0..1, at least one picture of at least `smallest` pixels a side, all finite.

    Raises InputError that names the input. Reads the batch picture by picture, so that no copy of a clip is made.
    """
    if images.ndim != 4 or images.shape[0] == 0:
        raise InputError(
            f"{name} has shape {tuple(images.shape)}; expected at least one picture (batch, height, width, 3)"
        )
    if images.shape[-1] != 3:
        raise InputError(
            f"{name} has {images.shape[-1]} channels; expected 3 (RGB): put a picture with transparency onto a plain "
            "background first (Image Composite Masked) or take Load Image's IMAGE output"
        )
    height, width = images.shape[1:3]
    if min(height, width) < smallest:
        raise InputError(
            f"{name} is {width}x{height} pixels; expected at least {smallest} on each side: use a larger picture"
        )
    for index, picture in enumerate(images):
        if not picture.isfinite().all():
            raise InputError(
                f"{name}: picture {index} contains NaN or infinite values; the node that made it went wrong"
            )
    return images
