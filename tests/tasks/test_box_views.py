"""Views for boxes: what is drawn into a view is found again in the picture."""

from __future__ import annotations

import pytest
import torch

from hubel.errors import ConfigError
from hubel.tasks.box_views import BoxView, box_views
from hubel.tasks.views import Views

VIEWS = [view for name in ("turns+flip", "multi-scale+flip") for view in box_views(Views.named(name))]


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_a_box_comes_back_from_where_the_view_shows_it(view: BoxView):
    images = torch.zeros(1, 1, 64, 96)
    images[:, :, 16:32, 8:40] = 1
    seen = view.of(images)
    assert min(seen.shape[2:]) % 32 == 0
    rows, columns = (seen[0, 0] > 0.5).nonzero(as_tuple=True)
    there = torch.tensor([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], dtype=torch.float32)
    (back,) = view.back(there, (seen.shape[2], seen.shape[3]), (64, 96)).tolist()
    assert back == pytest.approx([8, 16, 40, 32], abs=1.5)


def test_which_views_there_are():
    assert box_views(None) == [BoxView()]
    assert box_views(Views.named("flip")) == [BoxView(), BoxView(mirrored=True)]
    assert [view.scale for view in box_views(Views.named("multi-scale"))] == [1.0, 0.75, 1.25]
    assert len(box_views(Views.named("multi-scale+flip"))) == 6
    assert [view.turns for view in box_views(Views.named("turns"))] == [0, 1, 2, 3]
    assert len(set(box_views(Views.named("turns+flip")))) == 8


@pytest.mark.parametrize("name", ["five-crop", "ten-crop", "grid:2", "144-crop"])
def test_parts_of_a_picture_are_refused(name: str):
    with pytest.raises(ConfigError, match=f"'{name}' shows parts of a picture, .*: expected flip, turns or multi"):
        box_views(Views.named(name))


def test_other_sizes_are_refused_for_a_network_of_one_size():
    with pytest.raises(ConfigError, match=r"'multi-scale' came for a network that .*: expected flip or turns"):
        box_views(Views.named("multi-scale"), any_size=False)
