"""Masks: read from images or from outlines, and made a picture's label."""
