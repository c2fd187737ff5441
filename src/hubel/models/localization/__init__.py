"""Localisation: one object a picture, its class and its box together."""

from hubel.models.localization import localizer
from hubel.models.localization.localizer import LocalizationNetwork

__all__ = ["LocalizationNetwork", "localizer"]
