"""Augmentation against scipy.ndimage, exact shifts and quarter turns."""

import numpy as np
import pytest
from scipy import ndimage

from kzoo.data import augment, batch_rng, warp

ALL = {"shift": 2.5, "rotate": 30.0, "scale": 0.25, "flip": True}


class Scripted:
    """Stands in for a generator: the same five draws (rotation, zoom, down, right, mirror) for each image."""

    def __init__(self, rotate=0.5, zoom=0.5, down=0.5, right=0.5, mirror=0.5):
        self.draws = [rotate, zoom, down, right, mirror]

    def random(self, shape):
        return np.broadcast_to(np.array(self.draws), shape).copy()


def noise_images(*shape, seed=0):
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


@pytest.mark.parametrize("shape", [(5, 28, 28, 1), (1, 7, 4, 1), (3, 9, 12, 3), (90, 28, 28, 1)])
def test_warp_agrees_with_scipy_everywhere_border_included(shape):
    images = noise_images(*shape)
    rng = np.random.default_rng(1)
    matrix = np.eye(2) + 0.4 * rng.standard_normal((shape[0], 2, 2))
    offset = 3 * rng.standard_normal((shape[0], 2))

    centre = (np.array(shape[1:3]) - 1) / 2
    for got, image, m, shift in zip(warp(images, matrix, offset), images, matrix, offset, strict=True):
        for channel in range(shape[3]):
            expected = ndimage.affine_transform(
                image[..., channel].astype(np.float64),
                m,
                centre - m @ centre + shift,
                order=1,
                mode="grid-constant",
            )
            # float32 coordinates near 30 are good to 2e-6, and neighbouring pixels differ by at most 1.
            np.testing.assert_allclose(got[..., channel], expected, atol=3e-5)


def test_augment_flips_then_turns_and_zooms_then_shifts():
    images = noise_images(6, 11, 11, 1)
    got = augment(images, np.random.default_rng(7), **ALL)

    mirrored = 0
    for image, got_one, u in zip(images, got, np.random.default_rng(7).random((6, 5)), strict=True):
        angle, zoom = np.deg2rad(30 * (2 * u[0] - 1)), 1 + 0.25 * (2 * u[1] - 1)
        moved = 2.5 * (2 * u[2:4] - 1)
        mirrored += u[4] < 0.5
        content = image[:, ::-1, 0] if u[4] < 0.5 else image[..., 0]
        # Where a pixel goes, in (row, column), rows downwards: a counter-clockwise turn of the picture.
        turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        back = np.linalg.inv(turn)
        expected = ndimage.affine_transform(
            content.astype(np.float64), back, 5 - back @ (moved + 5), order=1, mode="grid-constant"
        )
        np.testing.assert_allclose(got_one[..., 0], expected, atol=3e-5)
    assert 0 < mirrored < 6


def test_a_whole_shift_moves_pixels_exactly_and_fills_with_zeros():
    images = noise_images(3, 6, 5, 2)
    got = augment(images, Scripted(down=1.0, right=0.0), shift=2)  # 2 down, 2 to the left

    expected = np.zeros_like(images)
    expected[:, 2:, :-2] = images[:, :-2, 2:]
    np.testing.assert_array_equal(got, expected)


def test_half_a_pixel_of_shift_averages_neighbours_and_halves_the_edge():
    got = augment(np.ones((1, 1, 3, 1), np.float32), Scripted(right=1.0, down=0.5), shift=0.5)
    np.testing.assert_allclose(got[0, 0, :, 0], [0.5, 1.0, 1.0], rtol=1e-6)


@pytest.mark.parametrize(("draw", "quarter_turns"), [(1.0, 1), (0.0, -1)])
def test_a_positive_quarter_turn_is_rot90(draw, quarter_turns):
    images = noise_images(4, 6, 6, 3)
    got = augment(images, Scripted(rotate=draw), rotate=90)
    np.testing.assert_allclose(got, np.rot90(images, quarter_turns, axes=(1, 2)), atol=1e-5)


def test_zoom_above_one_enlarges_the_content():
    image = np.zeros((1, 21, 21, 1), np.float32)
    image[:, 8:13, 8:13] = 1.0
    larger = augment(image, Scripted(zoom=1.0), scale=0.4)
    smaller = augment(image, Scripted(zoom=0.0), scale=0.4)
    # The area of a square of side 5 grows by the square of the factor; its blurred rim adds the tolerance.
    np.testing.assert_allclose(larger.sum(), 25 * 1.4**2, rtol=0.05)
    np.testing.assert_allclose(smaller.sum(), 25 * 0.6**2, rtol=0.05)


def test_a_flip_alone_is_exact_and_meets_about_half_of_the_images():
    images = noise_images(400, 4, 5, 1)
    got = augment(images, np.random.default_rng(0), flip=True)
    flipped = np.array([np.array_equal(a, b[:, ::-1]) for a, b in zip(got, images, strict=True)])
    np.testing.assert_array_equal(got[~flipped], images[~flipped])
    assert 160 < flipped.sum() < 240  # four standard deviations of a fair coin


def test_the_extremes_of_each_option_are_reached_on_both_sides():
    dot = np.zeros((500, 9, 9, 1), np.float32)
    dot[:, 4, 4] = 1.0
    got = augment(dot, np.random.default_rng(0), shift=3)[..., 0]
    rows, columns = got.sum(axis=2) @ np.arange(9), got.sum(axis=1) @ np.arange(9)
    for place in (rows, columns):
        assert 1.0 <= place.min() < 1.1
        assert 6.9 < place.max() <= 7.0
    assert abs(np.corrcoef(rows, columns)[0, 1]) < 0.15


def test_with_every_option_off_the_input_itself_comes_back():
    images = noise_images(3, 5, 5, 1)
    assert augment(images, np.random.default_rng(0)) is images


def test_the_input_is_left_as_it_was():
    images = noise_images(3, 5, 5, 1)
    before = images.copy()
    augment(images, np.random.default_rng(0), **ALL)
    np.testing.assert_array_equal(images, before)


def test_the_draws_do_not_depend_on_the_options():
    images = noise_images(5, 4, 4, 1)
    states = []
    for options in ({}, {"flip": True}, ALL):
        rng = np.random.default_rng(3)
        augment(images, rng, **options)
        states.append(rng.random())
    reference = np.random.default_rng(3)
    reference.random((5, 5))
    assert states == [reference.random()] * 3


def test_the_same_generator_gives_the_same_images_and_another_batch_gives_others():
    images = noise_images(4, 8, 8, 1)
    first = augment(images, batch_rng(0, 1, 2), **ALL)
    np.testing.assert_array_equal(first, augment(images, batch_rng(0, 1, 2), **ALL))
    assert np.abs(first - augment(images, batch_rng(0, 1, 3), **ALL)).max() > 0.1


def test_an_image_does_not_depend_on_the_size_of_its_batch():
    # 90 images of 28x28 are worked on in several pieces, one image in a single one.
    images = noise_images(90, 28, 28, 1)
    matrix = np.eye(2) + 0.1 * np.random.default_rng(0).standard_normal((90, 2, 2))
    offset = np.random.default_rng(1).standard_normal((90, 2))
    whole = warp(images, matrix, offset)
    for i in (0, 40, 41, 42, 89):
        np.testing.assert_array_equal(whole[i], warp(images[i : i + 1], matrix[i : i + 1], offset[i : i + 1])[0])


def test_an_empty_batch_and_a_view_are_taken():
    assert augment(np.zeros((0, 4, 4, 1), np.float32), np.random.default_rng(0), **ALL).shape == (0, 4, 4, 1)
    images = noise_images(4, 8, 8, 3)
    view = images[::2, ::-1].transpose(0, 2, 1, 3)
    got = augment(view, np.random.default_rng(0), **ALL)
    np.testing.assert_array_equal(got, augment(view.copy(), np.random.default_rng(0), **ALL))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shift": -1}, "`shift` must be a number of pixels, 0 or more. Received: shift=-1"),
        ({"shift": np.nan}, "`shift` must be a number of pixels"),
        ({"rotate": 181}, "`rotate` must be an angle in degrees, from 0 to 180. Received: rotate=181"),
        ({"scale": 1.0}, r"`scale` must be a relative zoom, from 0 to below 1. Received: scale=1\.0"),
        ({"scale": "0.1"}, "Received: scale='0.1'"),
    ],
)
def test_an_option_out_of_range_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        augment(noise_images(1, 4, 4, 1), np.random.default_rng(0), **options)


@pytest.mark.parametrize("images", [np.zeros((2, 4, 4), np.float32), np.zeros((2, 4, 4, 1), np.uint8)])
def test_another_shape_or_dtype_is_refused(images):
    with pytest.raises(ValueError, match=r"float32 array of shape \(b, h, w, c\).*Received: .*astype\('float32'\)"):
        augment(images, np.random.default_rng(0))
