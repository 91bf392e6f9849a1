"""Readers of try-on data sets: one file a layout, all giving the same Clip (see base.py)."""
