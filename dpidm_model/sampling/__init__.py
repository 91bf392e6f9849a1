"""Sampling a clip of any length: windows, fuse, guidance, schedulers, the loop, resuming, memory."""
