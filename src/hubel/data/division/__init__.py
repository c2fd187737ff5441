"""Which pictures train, choose and test: what must stay together, and how the rest is dealt out."""
