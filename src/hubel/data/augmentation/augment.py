"""The settings of augmentation, and the ways in which pictures, boxes and masks go through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from hubel.data.augmentation.checks import check_fields
from hubel.data.augmentation.draws import Draw
from hubel.data.augmentation.geometry import LEAST_SHARE_OF_BOX, LEAST_SIDE_OF_BOX, moved_boxes
from hubel.data.augmentation.on_arrays import finish_plain, vary
from hubel.data.augmentation.on_device import Packed, pack
from hubel.data.augmentation.plan import Plan, make_plan, padding
from hubel.data.augmentation.policies import PolicyName
from hubel.data.augmentation.presets import preset_fields
from hubel.data.augmentation.resampling import Pixels, resampled_mask
from hubel.data.randomness import Stream, uniform

# Where boxes are to stay in view, at least so much of the area of each does.
_SHARE_IN_VIEW = 0.9


class Varied(NamedTuple):
    """Pictures with what is known of their parts.

    Attributes:
        pictures: uint8 (N, H, W, C).
        masks: uint8 (N, H, W), 255 (to be ignored) beyond a picture's edge; None where none came.
        boxes: Of each picture, float32 (M, 4): `xyxy` pixels; None where none came.
        kept: Of each picture, int64 (M,): which of its boxes these are; None where none came.
    """

    pictures: Pixels
    masks: Pixels | None
    boxes: list[npt.NDArray[np.float32]] | None
    kept: list[npt.NDArray[np.int64]] | None


@dataclass(frozen=True, kw_only=True)
class Augment:
    """How training pictures are varied.

    What happens to a picture follows from its row of random numbers alone. First its geometry, in one resampling: a
    crop, mirror images, zoom, shear, rotation, translation (in this order, about the centre), elastic deformation. Then
    blur; brightness, contrast, saturation, hue and principal components as one affine map of the channels; a policy's
    operations; noise; erasing. With each field stands when it keeps the label.

    With `scale`, a part of the picture is cropped and resized to the network's input (bilinear, antialiased), as in
    Szegedy et al. 2015 (arXiv:1409.4842, section 6); a part that would not fit is made smaller, its aspect ratio
    kept. Without it, the crop has the input's size at the scale of evaluation; along an axis where the picture is no
    larger than that, it is padded with zeros first (He et al. 2015, arXiv:1512.03385, section 4.2).

    Attributes:
        crop: Whether the crop lies anywhere; otherwise in the centre. Counts where `scale` and `pad` are None. Keeps
            the label unless what it hangs on lies at the margin.
        mirror: Probability of a left-right mirror image. Keeps the label but for writing, and where left and right
            matter.
        flip: Probability of exchanging top and bottom. Keeps the label where pictures have no upright, as under a
            microscope or from the air.
        turn: Probability of a turn by 90, 180 or 270 degrees. Keeps the label where `flip` does.
        scale: Least and greatest share of the picture's area that a resized crop covers; None: no resizing. Keeps the
            label unless it is a size, or a small part of the picture decides.
        ratio: Least and greatest aspect ratio (width : height) of a resized crop. Keeps the label unless proportions
            decide.
        pad: Pixels of padding; None: an eighth of the input's side where the crop lies anywhere.
        share: Share of the pictures that rotation, zoom, shear, translation and elastic deformation, changes of
            saturation, hue and principal components, blur and noise happen to; the others have what is left.
        rotate: Largest angle in degrees, to both sides. Keeps the label unless the class is a direction, or another
            class turned (6 and 9).
        zoom: Largest relative change of size: 0.25 is from 1 / 1.25 to 1.25, evenly in the logarithm. Keeps the label
            unless it is a size.
        shear: Largest angle in degrees by which upright lines, and level ones, are tilted. Keeps the label unless
            angles decide.
        translate: Largest translation along each axis, as a share of the side. Keeps the label unless it is a place.
        elastic: Root mean square of a smooth random displacement, as a share of the side (Simard et al. 2003, see
            `hubel.data.augmentation.elastic`). Keeps the label of handwriting and tissue; bends what is straight.
        elastic_smoothness: Its smoothness, as a share of the side.
        outside: What these show beyond the picture's edge: `black`, or the picture itself (`reflect`).
        brightness: Largest relative change of brightness, 0 to 1. Keeps the label unless the class is light or dark.
        contrast: Largest relative change of contrast, around the picture's mean luminance, 0 to 1. Keeps the label
            unless the class is light or dark.
        saturation: Largest relative change of saturation, 0 to 1; grey pictures have none. Keeps the label unless it
            is a colour.
        hue: Largest turn of all colours in degrees, to both sides; grey pictures have none. Keeps the label unless it
            is a colour.
        pca: Standard deviation of multiples of the principal components of ImageNet's colours (Krizhevsky et al. 2012,
            section 4.1, took 0.1); grey pictures have none. Keeps the label unless it is a colour.
        erase: Probability that a box is filled with the picture's mean colour (DeVries and Taylor 2017,
            arXiv:1708.04552; Zhong et al. 2020, arXiv:1708.04896, whose boxes these are). Keeps the label unless a
            small part of the picture decides. Boxes and masks stay.
        erase_area: Least and greatest share of the picture that is erased.
        blur: Largest σ of a Gaussian blur, in pixels; a quarter of the pictures has one. Keeps the label unless it
            says how sharp the picture is, or the finest texture decides.
        noise: Largest σ of Gaussian noise, as a share of the range of values; a quarter of the pictures has it. Keeps
            the label unless it says how good the picture is.
        mosaic: Probability that a picture with boxes is joined with three others (see
            `hubel.data.augmentation.mosaic`). Keeps boxes.
        keep_boxes: Whether boxes stay in view: a picture of which more than a tenth of one would be cut off is seen as
            in evaluation, but for mirror images and turns.
        policy: `randaugment`, `trivialaugment` or None, see `hubel.data.augmentation.policies`.
        operations: How many of its operations RandAugment does to each picture.
        magnitude: How strong they are, 0 to 30.
        excluded: Operations that a policy never takes.

    Raises:
        ConfigError: A field is outside its range, or two exclude each other.
    """

    crop: bool = True
    mirror: float = 0.5
    flip: float = 0.0
    turn: float = 0.0
    scale: tuple[float, float] | None = None
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    pad: int | None = None
    share: float = 1.0
    rotate: float = 0.0
    zoom: float = 0.0
    shear: float = 0.0
    translate: float = 0.0
    elastic: float = 0.0
    elastic_smoothness: float = 0.14
    outside: Literal["black", "reflect"] = "black"
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    pca: float = 0.0
    erase: float = 0.0
    erase_area: tuple[float, float] = (0.02, 0.2)
    blur: float = 0.0
    noise: float = 0.0
    mosaic: float = 0.0
    keep_boxes: bool = False
    policy: PolicyName | None = None
    operations: int = 2
    magnitude: int = 9
    excluded: tuple[str, ...] = ()

    DRAWS: ClassVar[int] = len(Draw)

    def __post_init__(self) -> None:
        check_fields({field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def preset(cls, name: str, task: str = "classification") -> Augment:
        """One of the presets, `none`, `light`, `standard` or `strong`; docs/data.md has the table.

        `none`: the centre crop of evaluation. `light`: a crop anywhere, and mirror images. `standard`: a resized
        crop of 25 to 100 % of the area, mirror images, and up to 20 % of brightness and contrast. `strong`: more of
        these, other colours, rotation, erasing, blur and noise. Where boxes or masks move along there is more to vary,
        and less to be cut.

        Raises:
            ConfigError: There is no such preset.
        """
        return cls(**preset_fields(name, task))

    @property
    def moves(self) -> bool:
        """Whether pictures are rotated, zoomed, sheared or translated."""
        return bool(self.rotate or self.zoom or self.shear or self.translate)

    @property
    def reflect(self) -> bool:
        """Whether a picture's edge reflects it."""
        return self.outside == "reflect"

    def draws(self, seed: int, epoch: int, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """The random numbers of pictures in an epoch: float64 (N, columns) in [0, 1), as many columns as are needed."""
        return uniform(seed, epoch, indices, self._columns, Stream.AUGMENTATION)

    @property
    def _columns(self) -> int:
        for used, last in (
            (self.mosaic, Draw.MOSAIC_4),
            (self.turn, Draw.TURN),
            (self.policy, Draw.POLICY),
            (self.elastic, Draw.ELASTIC),
            (self.noise, Draw.NOISE_PLACE),
            (self.blur, Draw.BLUR),
            (self.erase, Draw.ERASE_LEFT),
            (self.pca, Draw.PCA_3),
            (self.hue, Draw.HUE),
            (self.moves, Draw.TRANSLATE_Y),
            (self.share < 1, Draw.SHARE),
            (self.flip, Draw.FLIP),
        ):
            if used:
                return last + 1
        return Draw.SATURATION + 1

    def plan(self, pictures: Sequence[Pixels] | Pixels, draws: npt.NDArray[np.float64], size: tuple[int, int]) -> Plan:
        """What will be done with pictures; the arguments are those of `batch`."""
        if isinstance(pictures, np.ndarray):
            shapes = np.array([pictures.shape[1:3]]).repeat(len(pictures), axis=0)
        else:
            shapes = np.array([picture.shape[:2] for picture in pictures], dtype=np.int64)
        return make_plan(self, shapes, draws, size, pictures[0].shape[2])

    def batch(self, pictures: Sequence[Pixels], draws: npt.NDArray[np.float64], size: tuple[int, int]) -> Pixels:
        """Vary pictures of any shapes.

        Args:
            pictures: N of them, uint8 of shape (h, w, C), at least of `size` unless there is a `scale`.
            draws: Of `draws`.
            size: Height and width of the network's input.

        Returns:
            uint8 of shape (N, height, width, C).
        """
        return vary(pictures, self.plan(pictures, draws, size), reflect=self.reflect)

    def packed(self, pictures: Sequence[Pixels], draws: npt.NDArray[np.float64], size: tuple[int, int]) -> Packed:
        """The same pictures in one tensor with their plan, to be varied where `Packed.vary` is told, as on a GPU."""
        return pack(pictures, self.plan(pictures, draws, size), reflect=self.reflect)

    def block(self, pictures: Pixels, draws: npt.NDArray[np.float64], size: tuple[int, int]) -> Pixels:
        """Vary pictures of one shape (N, h, w, C): the same as `batch`, for plain crops in a few array operations."""
        count, picture_height, picture_width, channels = pictures.shape
        plan = self.plan(pictures, draws, size)
        if self.scale is not None or plan.geometry.bent.any():
            return vary(list(pictures), plan, reflect=self.reflect)
        height, width = size
        pad_y, pad_x = (int(padding(self, pictures.shape[axis + 1 : axis + 2], size[axis])[0]) for axis in (0, 1))
        if pad_y or pad_x:
            padded = np.zeros((count, picture_height + 2 * pad_y, picture_width + 2 * pad_x, channels), dtype=np.uint8)
            padded[:, pad_y : pad_y + picture_height, pad_x : pad_x + picture_width] = pictures
            pictures = padded
        # Every window of every picture as a view: (N, tops, lefts, height, bytes of a row); then one of each is taken.
        stride_n, stride_y, stride_x, _ = pictures.strides
        views = np.lib.stride_tricks.as_strided(
            pictures,
            (count, pictures.shape[1] - height + 1, pictures.shape[2] - width + 1, height, width * channels),
            (stride_n, stride_y, stride_x, stride_y, 1),
            writeable=False,
        )
        starts = plan.geometry.windows[:, :2] + (pad_y, pad_x)
        taken = views[np.arange(count), starts[:, 0], starts[:, 1]]
        out: Pixels = taken.reshape(count, height, width, channels)
        finish_plain(out, plan)
        return out

    def together(
        self,
        pictures: Sequence[Pixels],
        draws: npt.NDArray[np.float64],
        size: tuple[int, int],
        *,
        masks: Sequence[Pixels] | None = None,
        boxes: Sequence[npt.NDArray[np.float64]] | None = None,
    ) -> Varied:
        """Vary pictures, their masks and boxes alike.

        Args:
            pictures: As for `batch`.
            draws: As for `batch`.
            size: As for `batch`.
            masks: A class per pixel of each picture, uint8 (h, w); moved without blending.
            boxes: Of each picture, `xyxy` pixels, (K, 4); clipped, and dropped where less than a tenth of the area or
                less than two pixels of a side are left.
        """
        plan = self.plan(pictures, draws, size)
        if self.keep_boxes and boxes is not None:
            plan = self._in_view(plan, pictures, draws, boxes)
        moved_masks = moved = None
        if masks is not None:
            at = range(len(pictures))
            moved_masks = np.stack([resampled_mask(masks[n], plan.geometry, n, reflect=self.reflect) for n in at])
        if boxes is not None:
            limits = {"least_share": LEAST_SHARE_OF_BOX, "least_side": LEAST_SIDE_OF_BOX}
            moved = [moved_boxes(plan.geometry, number, of_one, **limits) for number, of_one in enumerate(boxes)]
        return Varied(
            vary(pictures, plan, reflect=self.reflect),
            moved_masks,
            None if moved is None else [one for one, _ in moved],
            None if moved is None else [kept for _, kept in moved],
        )

    def _in_view(
        self,
        plan: Plan,
        pictures: Sequence[Pixels],
        draws: npt.NDArray[np.float64],
        boxes: Sequence[npt.NDArray[np.float64]],
    ) -> Plan:
        """The plan with those pictures seen whole of which a box would leave the view."""
        limits = {"least_share": _SHARE_IN_VIEW, "least_side": LEAST_SIDE_OF_BOX}
        lost = [
            number
            for number, of_one in enumerate(boxes)
            if len(moved_boxes(plan.geometry, number, of_one, **limits)[1]) < len(of_one)
        ]
        if not lost:
            return plan
        calm = replace(self, scale=None, crop=False, pad=None, elastic=0.0, policy=None, keep_boxes=False)
        calm = replace(calm, rotate=0.0, zoom=0.0, shear=0.0, translate=0.0)
        whole = calm.plan([pictures[number] for number in lost], draws[lost], plan.geometry.size).geometry
        return replace(plan, geometry=plan.geometry.with_rows(lost, whole))
