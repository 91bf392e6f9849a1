"""Model files: save, load, build, and the imports from public weights."""
