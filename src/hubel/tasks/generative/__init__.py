"""Losses, bounds and figures of networks that learn without labels; each module is of one of these."""
