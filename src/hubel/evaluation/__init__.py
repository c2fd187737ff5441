"""Measuring trained models on pictures."""
