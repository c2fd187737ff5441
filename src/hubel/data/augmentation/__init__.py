"""How training pictures are varied, their boxes and masks with them.

`Augment` is the value that says how (`augment_of` makes it from a run's settings); `plan` turns a picture's random
numbers (see `hubel.data.randomness`) into what is done with it; `on_arrays` does it to pictures one by one, `on_device`
to a whole batch at once, on a GPU, too.
"""

from hubel.data.augmentation.augment import Augment
from hubel.data.augmentation.on_device import Packed
from hubel.data.augmentation.settings import augment_of

__all__ = ["Augment", "Packed", "augment_of"]
