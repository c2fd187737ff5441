"""Films: what is predicted of each frame, drawn and told."""

from hubel.inference.film.predict import FilmTimes, is_film, predict_film

__all__ = ["FilmTimes", "is_film", "predict_film"]
