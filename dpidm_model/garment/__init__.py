"""The garment picture: landmarks, mask, instant preview and the renderer that the detector is trained on."""
