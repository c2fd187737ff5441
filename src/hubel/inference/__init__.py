"""Trained models in use: `predictor` for pictures, `film` for films, `generator` for new pictures."""
