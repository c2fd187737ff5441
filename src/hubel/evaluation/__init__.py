"""Measuring trained models on pictures, and networks against each other and against what is published of them."""
