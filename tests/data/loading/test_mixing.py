import pytest
import torch

from hubel.data.loading.mixing import mix

IMAGES = torch.arange(6.0).reshape(6, 1, 1, 1).expand(6, 3, 20, 24).contiguous()
LABELS = torch.arange(6)


def test_mixup_is_the_weighted_sum_of_pictures_and_says_of_which() -> None:
    mixed = mix(IMAGES, LABELS, mixup=0.4, cutmix=0, seed=(1, 2))
    assert sorted(mixed.others.tolist()) == LABELS.tolist()
    assert 0 < mixed.share < 1
    expected = mixed.share * IMAGES + (1 - mixed.share) * IMAGES[mixed.others]
    torch.testing.assert_close(mixed.images, expected)


def test_cutmix_pastes_a_box_whose_area_is_the_others_share() -> None:
    for number in range(20):
        mixed = mix(IMAGES, LABELS, mixup=0, cutmix=1.0, seed=(number,))
        for picture, own, other in zip(mixed.images, mixed.labels.tolist(), mixed.others.tolist(), strict=True):
            assert set(picture.unique().tolist()) <= {float(own), float(other)}
            if own != other:
                assert (picture == own).float().mean().item() == pytest.approx(mixed.share, abs=1e-6)


def test_a_draw_is_a_function_of_its_seed_and_the_input_stays() -> None:
    before = IMAGES.clone()
    first, again = (mix(IMAGES, LABELS, mixup=0.2, cutmix=1.0, seed=(7, 1)) for _ in range(2))
    assert torch.equal(first.images, again.images)
    assert first.share == again.share
    assert torch.equal(IMAGES, before)
    shares = {mix(IMAGES, LABELS, mixup=0.2, cutmix=1.0, seed=(7, step)).share for step in range(20)}
    assert len(shares) == 20


def test_both_are_used_where_both_are_on() -> None:
    kinds = set()
    for number in range(20):
        mixed = mix(IMAGES, LABELS, mixup=1.0, cutmix=1.0, seed=(number,))
        kinds.add(bool((mixed.images == mixed.images.round()).all()))
    assert kinds == {False, True}


def test_the_mean_share_of_mixup_is_a_half() -> None:
    shares = [mix(IMAGES[:2, :, :1, :1], LABELS[:2], mixup=1.0, cutmix=0, seed=(n,)).share for n in range(500)]
    assert sum(shares) / 500 == pytest.approx(0.5, abs=0.05)
