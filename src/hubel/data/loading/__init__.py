"""Batches from decoded pictures, in an order and with an augmentation that depend on seed, epoch and sample alone."""
