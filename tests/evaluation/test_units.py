"""What units like: patches cut where they should be, pictures that climb, precision by hand."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from nnlm2bert.evaluation.units import Ascent, average_precision, maximise, top_patches


def pictures(count=5, channels=2, size=8):
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(0))


def template(seed=0):
    """A filter (1, 1, 4, 4) of length 1: half of it bright, half of it dark."""
    generator = torch.Generator().manual_seed(seed)
    signs = torch.tensor([1.0, -1.0] * 8)[torch.randperm(16, generator=generator)]
    return signs.view(1, 1, 4, 4) / 4


def test_patches_are_what_the_unit_saw_where_it_said_most():
    """Convolved again, a patch gives the very activation; no other place in its picture more."""
    images = pictures(6)
    filters = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(1))
    maps = F.conv2d(images, filters, stride=2, padding=1)
    found = top_patches(maps, images, field=(4, 2, -1), count=4)
    assert found.pixels.shape == (3, 4, 2, 4, 4)
    for unit in range(3):
        again = F.conv2d(found.pixels[unit], filters[unit : unit + 1]).flatten()
        torch.testing.assert_close(again, found.activations[unit])
        best = maps[:, unit].flatten(start_dim=1).amax(dim=1)
        torch.testing.assert_close(found.activations[unit], best.sort(descending=True)[0][:4])
        assert found.pictures[unit].tolist() == best.argsort(descending=True)[:4].tolist()


@pytest.mark.parametrize(
    ("place", "field", "corner"),
    [((0, 0), (4, 2, -1), (-1, -1)), ((3, 2), (4, 2, -1), (5, 3)), ((1, 3), (22, 2, -7), (-5, -1))],
)
def test_patches_outside_the_picture_are_filled_with_zeros(place, field, corner):
    images = pictures(1)
    maps = torch.zeros(1, 1, 4, 4)
    maps[0, 0, place[0], place[1]] = 2.0
    found = top_patches(maps, images, field, count=1)
    assert tuple(found.corners[0, 0].tolist()) == corner and found.activations.item() == 2.0
    framed = F.pad(images[0], (30, 30, 30, 30))
    top, left = corner[0] + 30, corner[1] + 30
    expected = framed[:, top : top + field[0], left : left + field[0]]
    assert torch.equal(found.pixels[0, 0], expected)


def test_no_picture_gives_a_unit_two_patches():
    maps = torch.zeros(4, 1, 2, 2)
    maps[2] = 9.0
    found = top_patches(maps, pictures(4), (2, 4, 0), count=4)
    assert sorted(found.pictures[0].tolist()) == [0, 1, 2, 3] and found.pictures[0, 0] == 2


@pytest.mark.parametrize(("maps", "count"), [(4, 2), (5, 6)])
def test_numbers_that_do_not_fit_are_refused(maps, count):
    with pytest.raises(ValueError, match=f"{maps} maps, 5 pictures and {count} patches"):
        top_patches(torch.zeros(maps, 1, 2, 2), pictures(5), (2, 4, 0), count)


def likes(filters):
    """The units whose filters (B, 1, 4, 4) look at the middle of a picture (8, 8)."""
    return lambda images: (images[:, :, 2:6, 2:6] * filters).sum(dim=(1, 2, 3)).relu()


def test_pictures_climb_to_the_filter_of_their_unit():
    filters = torch.cat([template(0), template(1)])
    still = Ascent(blur=0.0, shift=0, low=-1.0)
    found = maximise(likes(filters), (2, 1, 8, 8), steps=100, ascent=still)
    middle = found[:, :, 2:6, 2:6].flatten(start_dim=1)
    likeness = F.cosine_similarity(middle[:, None], filters.flatten(start_dim=1)[None], dim=2)
    assert (likeness.diagonal() > 0.99).all() and likeness[0, 1] < 0.7
    around = found.clone()
    around[:, :, 2:6, 2:6] = 0
    assert around.abs().max() < 0.2 < middle.abs().min()


def test_pixels_stay_between_darkest_and_brightest():
    bounded = Ascent(blur=0.0, shift=0, low=-0.25, high=0.75)
    found = maximise(likes(template()), (1, 1, 8, 8), steps=60, ascent=bounded)
    assert found.min() == -0.25 and found.max() == 0.75


def test_decay_takes_away_what_no_unit_wants():
    loud = Ascent(start=1.0, blur=0.0, shift=0, low=-3.0, high=3.0)
    found = maximise(likes(template()), (1, 1, 8, 8), steps=300, ascent=loud)
    assert found[0, 0, 0].abs().max() < 0.2  # 0.99 ** 300 is 0.05


def test_blur_and_shifts_make_pictures_smoother():
    def roughness(**settings):
        ascent = Ascent(low=-1.0, **settings)
        found = maximise(likes(template()), (1, 1, 8, 8), steps=60, ascent=ascent)
        return float((found[..., 1:] - found[..., :-1]).abs().mean())

    assert roughness(blur=0.5, shift=0) < 0.9 * roughness(blur=0.0, shift=0)
    assert roughness(blur=0.0, shift=1) != roughness(blur=0.0, shift=0)


def test_a_unit_that_is_asleep_is_woken_by_other_noise():
    """One that needs a bright first pixel, where the first noise has a dark one."""
    unit = lambda images: (images[:, 0, 0, 0] - 0.05).relu()  # noqa: E731
    still = Ascent(blur=0.0, shift=0)
    slept = [
        float(unit(maximise(unit, (1, 1, 4, 4), steps=1, seed=s, ascent=still))) for s in range(8)
    ]
    assert 0.0 in slept
    woken = [float(unit(maximise(unit, (1, 1, 4, 4), seed=s, ascent=still))) for s in range(8)]
    assert min(woken) > 0.9


def test_the_picture_of_a_unit_that_never_wakes_is_dark():
    both = lambda images: images.sum(dim=(1, 2, 3)) * torch.tensor([0.0, 1.0])  # noqa: E731
    found = maximise(both, (2, 1, 4, 4), ascent=Ascent(low=-0.5))
    assert (found[0] == -0.5).all() and (found[1] > 0.9).all()


def test_the_seed_decides_and_the_network_gets_no_gradients():
    weight = template().requires_grad_()
    one, same, other = (maximise(likes(weight), (1, 1, 8, 8), 20, seed) for seed in (0, 0, 1))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert weight.grad is None and not one.requires_grad


def by_hand(scores, wanted):
    """The mean, over the pictures of a class, of the precision at the rank of each."""
    order = np.argsort(-scores)
    hits = wanted[order]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return precision[hits].mean()


def test_average_precision_is_that_of_the_largest_activation():
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(30, 4, 3, 3, generator=generator)
    labels = torch.randint(3, (30,), generator=generator)
    found = average_precision(maps, labels, 3)
    assert found.shape == (4, 3)
    largest = maps.numpy().max(axis=(2, 3))
    for unit, of in np.ndindex(4, 3):
        assert found[unit, of] == pytest.approx(by_hand(largest[:, unit], labels.numpy() == of))


def test_a_unit_that_tells_a_class_scores_1_and_a_silent_one_its_share():
    labels = torch.tensor([0, 0, 1, 2, 2, 2])
    maps = torch.zeros(6, 2, 2, 2)
    maps[:2, 0, 1, 1] = 5.0
    found = average_precision(maps, labels, 3)
    assert found[0, 0] == 1.0
    np.testing.assert_allclose(found[1], [2 / 6, 1 / 6, 3 / 6])


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, 1]])
def test_classes_without_pictures_and_labels_without_maps_are_refused(labels):
    classes = 2 if len(labels) == 2 else 3
    with pytest.raises(ValueError, match="a label for each map"):
        average_precision(torch.zeros(3, 1, 2, 2), torch.tensor(labels), classes)
