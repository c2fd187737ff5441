"""The fit loop, recipes, optimisers, schedules, checkpoints and the run's folder."""
