"""What is learnt: losses, decoding to typed results, metrics, drawing.

`task` says what a task is; each one is a file of its name, the shell that training, prediction and evaluation hold
(localisation's is `object_localization`). The files beside them are pure functions: losses, figures, views, tiles.
"""
