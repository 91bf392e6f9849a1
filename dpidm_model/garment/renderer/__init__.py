"""Generated garment photos with perfect landmarks: `render_garment(seed, size)`; see `layers.py` for what comes out."""

from .layers import LAYER_NAMES, GarmentLayer, RenderedGarment
from .negatives import render_negative
from .render import render_garment

__all__ = ["LAYER_NAMES", "GarmentLayer", "RenderedGarment", "render_garment", "render_negative"]
