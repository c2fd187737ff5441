"""Pictures on disk become batches: finding, dividing, decoding, storing, augmenting and loading them.

It knows nothing of networks or tasks.
"""
