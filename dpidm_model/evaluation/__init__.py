"""Measuring: pictures, videos, stages; evaluate.py runs these."""
