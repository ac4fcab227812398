"""The figures of generated images hold each image in its place under the right words, and refuse what they cannot
show."""

import numpy as np
import pytest

from kzoo import plots


def numbered(*shape, size=(6, 6), channels=1):
    """Images of one shade each, all different, in the order of their numbers."""
    count = int(np.prod(shape))
    shades = (np.arange(count) + 1) / (count + 1)
    return np.broadcast_to(shades.reshape(*shape, 1, 1, 1), (*shape, *size, channels)).astype("float32").copy()


def drawn(figure):
    """Runs the layout, which is where a text that cannot be drawn would fail."""
    figure.draw_without_rendering()
    return figure


def words(labels):
    return [label.get_text() for label in labels]


def at(axes, x, y):
    """The shade that a reader sees at a place of the axes."""
    (image,) = axes.images
    left, right, bottom, top = image.get_extent()
    board = np.asarray(image.get_array())
    row, column = (top - y) / (top - bottom) * board.shape[0], (x - left) / (right - left) * board.shape[1]
    return board[int(row), int(column)]


def shades(axes, rows, columns):
    return np.array([[at(axes, j, i) for j in range(columns)] for i in range(rows)])


# mosaic


def test_a_mosaic_has_the_images_row_by_row_and_white_between_and_after_them():
    images = numbered(5, size=(3, 4)) / 2
    board = plots.mosaic(images, columns=3)
    assert board.shape == (2 * 3 + 1, 3 * 4 + 2)
    for k in range(5):
        i, j = divmod(k, 3)
        np.testing.assert_array_equal(board[i * 4 : i * 4 + 3, j * 5 : j * 5 + 4], images[k, ..., 0])
    assert (board[3] == 1).all()
    assert (board[:, 4] == 1).all()
    assert (board[4:, 10:] == 1).all()
    assert plots.mosaic(numbered(7, channels=3)).shape == (3 * 6 + 2, 3 * 6 + 2, 3)


# sample_grid


@pytest.mark.parametrize("size", [(6, 6), (28, 28), (8, 5)])
def test_samples_stand_in_the_order_of_their_numbers(size):
    images = numbered(6, size=size)
    (axes,) = drawn(plots.sample_grid(images, title="GAN", columns=3)).axes
    np.testing.assert_array_equal(shades(axes, 2, 3), images[:, 0, 0, 0].reshape(2, 3))
    (axes,) = plots.sample_grid(numbered(9, size=size), title="GAN").axes
    np.testing.assert_array_equal(shades(axes, 3, 3), numbered(9)[:, 0, 0, 0].reshape(3, 3))


def test_each_class_has_a_row_under_its_name():
    images = numbered(5)
    found = plots.sample_grid(images, labels=[2, 0, 2, 0, 2], class_names=["cat", "dog", "owl"], title="GAN")
    (axes,) = drawn(found).axes
    assert words(axes.get_yticklabels()) == ["cat", "owl"]
    np.testing.assert_array_equal(axes.get_yticks(), [0, 1])
    first = images[:, 0, 0, 0]
    np.testing.assert_array_equal(shades(axes, 2, 3), [[first[1], first[3], 1], [first[0], first[2], first[4]]])
    (axes,) = plots.sample_grid(images, labels=[2, 0, 2, 0, 2], title="GAN", columns=1).axes
    assert words(axes.get_yticklabels()) == ["0", "2"]
    np.testing.assert_array_equal(shades(axes, 2, 1), [[first[1]], [first[0]]])


def test_pixels_are_square_and_noise_beyond_the_range_is_black_or_white():
    images = np.zeros((4, 10, 5, 1))
    images[0], images[1] = -3.0, 7.0
    figure = drawn(plots.sample_grid(images, title="GAN", columns=4))
    (axes,) = figure.axes
    np.testing.assert_array_equal(shades(axes, 1, 4), [[0, 1, 0, 0]])
    (image,) = axes.images
    assert image.get_clim() == (0, 1)
    box, (height, width) = image.get_window_extent(), image.get_array().shape
    assert box.width / box.height == pytest.approx(width / height, rel=1e-3)


# interpolation


def test_a_way_begins_at_nothing_and_ends_at_all_of_it():
    images = numbered(2, 5)
    (axes,) = drawn(plots.interpolation(images, title="VAE", ends="a test image")).axes
    np.testing.assert_array_equal(shades(axes, 2, 5), images[:, :, 0, 0, 0])
    assert words(axes.get_xticklabels()) == ["0 %", "25 %", "50 %", "75 %", "100 %"]
    assert axes.get_xlabel() == "way from a test image (left) to another (right)"
    (axes,) = drawn(plots.interpolation(numbered(21), title="VAE")).axes
    assert words(axes.get_xticklabels()) == ["0 %", "25 %", "50 %", "75 %", "100 %"]
    np.testing.assert_array_equal(axes.get_xticks(), [0, 5, 10, 15, 20])


# latent_plane


def test_each_image_lies_on_its_code_and_the_second_number_points_up():
    images, across, up = numbered(3, 4), np.array([-3.0, -1, 1, 3]), np.array([0.0, 1, 2])
    (axes,) = drawn(plots.latent_plane(images, across, up, title="VAE")).axes
    for i, y in enumerate(up):
        for j, x in enumerate(across):
            assert at(axes, x, y) == images[i, j, 0, 0, 0]
    assert axes.images[0].get_extent() == [-4, 4, -0.5, 2.5]
    assert axes.get_ylim() == (-0.5, 2.5)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("first latent number", "second latent number")


def test_codes_of_real_images_lie_in_a_plane_of_the_same_axes():
    codes = np.array([[0.0, 1.0], [-2.0, 0.5], [1.0, 2.0], [9.0, 0.0]])
    given = (numbered(3, 4), [-3, -1, 1, 3], [0, 1, 2])
    plane, cloud = drawn(plots.latent_plane(*given, codes=codes, labels=[1, 0, 1, 0], title="VAE")).axes
    sets = {artist.get_label(): artist.get_offsets() for artist in cloud.collections}
    np.testing.assert_array_equal(sets["1"], codes[[0, 2]])
    np.testing.assert_array_equal(sets["0"], codes[[1, 3]])
    assert (cloud.get_xlim(), cloud.get_ylim()) == (plane.get_xlim(), plane.get_ylim())
    assert cloud.get_title() == "codes of real images, 1 of 4 lie outside"
    _, cloud = plots.latent_plane(*given, codes=codes[:3], title="VAE").axes
    assert cloud.get_title() == "codes of real images"


# denoising_strip


def test_each_column_stands_over_its_timestep_and_guesses_below_their_images():
    images = numbered(2, 3)
    (axes,) = drawn(plots.denoising_strip(images, [999, 499.5, 0], title="DDIM", guesses=images / 2)).axes
    assert words(axes.get_xticklabels()) == ["999", "499.5", "0"]
    seen = images[:, :, 0, 0, 0]
    np.testing.assert_allclose(shades(axes, 4, 3), [seen[0], seen[0] / 2, seen[1], seen[1] / 2])
    assert words(axes.get_yticklabels()) == ["the image", "what the network\nmakes of it"] * 2
    (axes,) = drawn(plots.denoising_strip(images[0], np.array([2, 1, 0]), title="DDPM")).axes
    np.testing.assert_array_equal(shades(axes, 1, 3), seen[:1])


# The course of the training


@pytest.mark.parametrize(("count", "across"), [(1, 1), (2, 2), (4, 4), (5, 3), (6, 3), (7, 4), (8, 4), (9, 3)])
def test_each_epoch_has_its_grid_under_its_number(count, across):
    grids = {3 * k + 1: numbered(4) * (k + 1) / count for k in range(count)}
    figure = drawn(plots.training_grids(grids, title="GAN"))
    filled = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in filled] == [f"epoch {number}" for number in grids]
    assert figure.axes[0].get_subplotspec().get_gridspec().ncols == across
    for axes, images in zip(filled, grids.values(), strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), plots.mosaic(images))
    assert not any(axes.axison for axes in figure.axes)


def test_the_frames_of_a_film_are_of_one_size_and_name_their_epoch():
    grids = {1: numbered(6), 10: numbered(6) / 2}
    frames = [drawn(frame) for frame in plots.training_frames(grids, title="GAN", columns=3)]
    assert [frame.get_suptitle() for frame in frames] == ["GAN\nepoch 1 of 10", "GAN\nepoch 10 of 10"]
    assert len({tuple(frame.get_size_inches()) for frame in frames}) == 1
    for frame, images in zip(frames, grids.values(), strict=True):
        np.testing.assert_array_equal(shades(frame.axes[0], 2, 3), images[:, 0, 0, 0].reshape(2, 3))


# Errors

PLANE = {"images": numbered(2, 3), "across": [0, 1, 2], "up": [0, 1], "title": "t"}


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("mosaic", {"images": np.zeros((3, 4, 4))}, r"\(n, h, w, c\) with c 1 or 3; received the shape \(3, 4, 4\)"),
        ("mosaic", {"images": np.zeros((3, 4, 4, 2))}, "c 1 or 3"),
        ("mosaic", {"images": np.zeros((3, 4, 4, 1), "uint8")}, "received uint8. Of bytes, divide by 255"),
        ("mosaic", {"images": numbered(3), "columns": -1}, "columns must be at least 1; received -1"),
        ("sample_grid", {"images": np.zeros((1025, 1, 1, 1))}, "up to 1,024 images; received 1,025"),
        ("sample_grid", {"images": numbered(3), "labels": [0, 1]}, r"each of the 3 images; .* shape \(2,\)"),
        ("sample_grid", {"images": numbered(2), "labels": [0.0, 1.0]}, "received float64"),
        ("sample_grid", {"images": numbered(2), "labels": [0, 2], "class_names": "ab"}, "from 0 to 2; .* 2 names"),
        ("sample_grid", {"images": numbered(2), "labels": [0, 1], "columns": -2}, "received -2"),
        ("interpolation", {"images": numbered(1)}, "at least 2 images a row"),
        ("interpolation", {"images": np.zeros((3, 4, 4))}, r"\(rows, columns, h, w, c\)"),
        ("latent_plane", PLANE | {"up": [0, 1, 2]}, "with 3 rows, one for each value of up"),
        ("latent_plane", PLANE | {"across": [0, 2, 1]}, "across must hold at least 2 rising numbers"),
        ("latent_plane", PLANE | {"codes": np.zeros((4, 3))}, r"codes must be \(n, 2\).*\(4, 3\)"),
        ("latent_plane", PLANE | {"codes": np.zeros((4, 2)), "labels": [1]}, "each of the 4 codes"),
        ("denoising_strip", {"images": numbered(3), "timesteps": [1, 0]}, "each of the 3 columns"),
        (
            "denoising_strip",
            {"images": numbered(3), "timesteps": [2, 1, 0], "guesses": numbered(2)},
            r"shape of images, \(1, 3, 6, 6, 1\); received \(1, 2, 6, 6, 1\)",
        ),
        ("training_grids", {"grids": {}}, "non-empty dict"),
        ("training_grids", {"grids": {4: numbered(2, 2)}}, r"grids\[4\] must be \(n, h, w, c\)"),
        ("training_frames", {"grids": {1: numbered(2), 2: numbered(3)}}, r"received \(2, 6, 6, 1\), \(3, 6, 6, 1\)"),
    ],
)
def test_what_cannot_be_shown_is_refused(name, given, message):
    if name != "mosaic":
        given = {"title": "t"} | given
    with pytest.raises(ValueError, match=message):
        getattr(plots, name)(**given)
