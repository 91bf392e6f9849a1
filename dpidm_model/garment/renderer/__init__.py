"""Generated garment photos with perfect landmarks: `render_garment(seed, size)`; see `layers.py` for what comes out."""
