"""Training of the garment landmark detector, on generated photos and, if given, on labelled ones."""
