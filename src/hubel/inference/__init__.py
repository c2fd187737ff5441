"""Predictor: images in, results out."""
