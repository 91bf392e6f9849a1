"""DPIDM as a library: pure torch, diffusers and numpy; knows nothing of ComfyUI. Import the submodule you need."""
