"""One module per task: its loss, its decoding to typed results, its metrics and the one to watch."""
