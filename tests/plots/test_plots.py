import os
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from kzoo import plots
from kzoo.plots import style


def history(epochs=3):
    steps = np.arange(epochs)
    return {
        "loss": list(2.0 / (1 + steps)),
        "accuracy": list(0.5 + 0.1 * steps),
        "val_loss": [1.5, 0.9, 1.1][:epochs],
        "val_accuracy": [0.5, 0.6, 0.7][:epochs],
        "learning_rate": list(1e-3 * 0.5**steps),
    }


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def pictures(axes):
    return [artist for artist in axes.get_children() if isinstance(artist, AxesImage)]


def draw(figure):
    """Runs the whole layout, where overlong labels or collapsed axes warn; a warning fails a test."""
    figure.draw_without_rendering()  # the canvas of a bare Figure draws nothing


# The palette


def test_no_two_of_seventy_classes_share_colour_and_shape():
    pairs = {(style.color(i), style.marker(i)) for i in range(70)}
    assert len(pairs) == 70


def test_drawing_and_saving_load_no_pyplot():
    code = (
        "import sys; from kzoo import plots; assert 'matplotlib' not in sys.modules\n"
        "f = plots.learning_curves({'loss': [1.0]}, title='t'); f.draw_without_rendering()\n"
        "assert 'matplotlib.pyplot' not in sys.modules and 'keras' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


# learning_curves


def test_curves_hold_the_numbers_of_the_history_from_epoch_one():
    given = history()
    figure = plots.learning_curves(given, title="MLP on digits")
    draw(figure)
    assert isinstance(figure, Figure)
    assert figure.get_suptitle() == "MLP on digits"
    loss, accuracy, rate = figure.axes
    for axes, name in ((loss, "loss"), (accuracy, "accuracy")):
        np.testing.assert_array_equal(lines(axes)["training"].get_xdata(), [1, 2, 3])
        np.testing.assert_array_equal(lines(axes)["training"].get_ydata(), given[name])
        np.testing.assert_array_equal(lines(axes)["validation"].get_ydata(), given[f"val_{name}"])
    np.testing.assert_array_equal(rate.lines[0].get_ydata(), given["learning_rate"])


def test_the_best_validation_epoch_is_the_lowest_loss_and_the_highest_accuracy():
    loss, accuracy, _ = plots.learning_curves(history(), title="t").axes
    best = lines(loss)["best validation: 0.9, epoch 2"]
    assert (best.get_xdata()[0], best.get_ydata()[0]) == (2, 0.9)
    best = lines(accuracy)["best validation: 70.0 %, epoch 3"]
    assert (best.get_xdata()[0], best.get_ydata()[0]) == (3, 0.7)


def test_no_loss_of_two_rivals_is_said_to_be_better_low():
    one = plots.learning_curves({"loss": [1.0], "generator_loss": [1.0]}, title="t").axes
    two = plots.learning_curves({"loss": [1.0], "generator_loss": [1.0], "discriminator_loss": [1.0]}, title="t").axes
    assert {axes.get_title() for axes in one} == {"Loss: lower is better"}
    assert {axes.get_title() for axes in two} == {"Loss: neither low nor high is better"}


def test_the_saved_epoch_is_marked_in_every_panel_in_place_of_the_best_ones():
    loss, accuracy, _ = plots.learning_curves(history(), title="t", saved_epoch=3).axes
    assert lines(loss)["saved weights: 1.1, epoch 3"].get_xdata()[0] == 3
    assert lines(accuracy)["saved weights: 70.0 %, epoch 3"].get_xdata()[0] == 3
    with pytest.raises(ValueError, match=r"1\.\.3, the epochs of history; received 4"):
        plots.learning_curves(history(), title="t", saved_epoch=4)


def test_many_wrong_points_get_narrow_rings():
    few = plots.decision_surface(by_first_input, XOR, XOR_CLASSES, title="t", resolution=10)
    many = plots.decision_surface(
        by_first_input, np.tile(XOR, (30, 1)), np.tile(XOR_CLASSES, 30), title="t", resolution=10
    )
    rings = [a for figure in (few, many) for a in figure.axes[0].collections if a.get_label().startswith("wrong")]
    assert rings[1].get_linewidths()[0] < rings[0].get_linewidths()[0]


@pytest.mark.parametrize(("values", "scale"), [([2.0, 1.0, 0.5], "linear"), ([2.0, 0.5, 0.05], "log")])
def test_a_loss_that_spans_a_decade_gets_a_log_axis(values, scale):
    (axes,) = plots.learning_curves({"loss": values}, title="t").axes
    assert axes.get_yscale() == scale
    assert ("log" in axes.get_ylabel()) == (scale == "log")


@pytest.mark.parametrize(
    ("rates", "scale"),
    [
        (1e-3 * (1 + np.cos(np.pi * (np.arange(25) + 0.5) / 25)) / 2, "linear"),
        (np.repeat([1e-3, 1e-4, 1e-5], [10, 10, 5]), "log"),
        (np.r_[0.0, np.repeat([1e-3, 1e-4], [5, 10])], "linear"),
        (np.repeat(1e-3, 25), "linear"),
        (np.array([1e-3]), "linear"),
    ],
    ids=["cosine", "step", "step after a rate of 0", "constant", "one epoch"],
)
def test_a_learning_rate_that_falls_by_factors_gets_a_log_axis_and_a_cosine_none(rates, scale):
    figure = plots.learning_curves({"loss": np.ones(len(rates)), "learning_rate": rates}, title="t")
    draw(figure)
    assert figure.axes[-1].get_ylabel() == "learning rate"
    assert figure.axes[-1].get_yscale() == scale


def test_a_run_of_one_epoch_shows_its_points():
    figure = plots.learning_curves(history(epochs=1), title="t")
    draw(figure)
    for axes in figure.axes:
        assert axes.get_xlim() == (0.5, 1.5)
        assert [tick for tick in axes.get_xticks() if 0.5 <= tick <= 1.5] == [1]
        assert all(line.get_marker() not in (None, "None", "") for line in axes.lines if len(line.get_xdata()) == 1)


def test_epochs_that_are_not_numbers_are_shaded_and_said():
    figure = plots.learning_curves({"loss": [3.0, 2.0, float("nan"), float("inf")]}, title="t")
    draw(figure)
    (axes,) = figure.axes
    assert "not a finite number from epoch 3" in [text.get_text() for text in axes.get_legend().get_texts()]
    np.testing.assert_array_equal(lines(axes)["training"].get_ydata(), [3.0, 2.0, np.nan, np.nan])


def test_other_metrics_get_panels_without_a_best_epoch():
    figure = plots.learning_curves({"kl": [1.0, 2.0], "val_kl": [1.0, 3.0], "loss": [2.0, 1.0]}, title="t")
    loss, kl = figure.axes
    assert loss.get_ylabel() == "loss"
    assert list(lines(kl)) == ["training", "validation"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "non-empty dict"),
        ([1.0, 2.0], "received list"),
        ({"loss": []}, r"one number per epoch; received shape \(0,\)"),
        ({"loss": [1.0, 2.0], "val_loss": [1.0]}, r"'loss': 2, 'val_loss': 1"),
        ({"learning_rate": [0.1]}, "expected 'loss'"),
    ],
)
def test_curves_refuse_a_history_that_is_none(given, message):
    with pytest.raises(ValueError, match=message):
        plots.learning_curves(given, title="t")


# confusion_matrix


def test_cells_count_true_rows_against_predicted_columns():
    figure = plots.confusion_matrix([0, 0, 0, 1, 2], [0, 0, 1, 1, 1], ["a", "b", "c"], title="toy")
    draw(figure)
    axes = figure.axes[0]
    cells = {text.get_position(): text.get_text() for text in axes.texts}  # (column, row)
    assert cells[(0, 0)] == "2"
    assert cells[(1, 0)] == "1"
    assert cells[(0, 1)] == "0"
    assert cells[(1, 2)] == "1"
    np.testing.assert_allclose(
        pictures(axes)[0].get_array(), [[200 / 3, 100 / 3, 0], [0, 100, 0], [0, 100, 0]], rtol=1e-12
    )
    assert figure.get_suptitle() == "toy\naccuracy 60.0 % (3 of 5 right)"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "c"]


@pytest.mark.parametrize(("classes", "texts"), [(20, 400), (21, 0)])
def test_only_twenty_classes_or_fewer_get_their_counts_written(classes, texts):
    labels = np.arange(classes)
    figure = plots.confusion_matrix(labels, labels, [str(i) for i in labels], title="t")
    assert len(figure.axes[0].texts) == texts


def test_a_class_without_an_example_gives_an_empty_row():
    figure = plots.confusion_matrix([0, 0], [0, 1], ["a", "b", "c"], title="t")
    np.testing.assert_array_equal(pictures(figure.axes[0])[0].get_array()[1:], np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        ([0, 1], [0], "received 2 and 1"),
        ([0, 2], [0, 1], r"y_true must lie in 0\.\.1.* from 0 to 2"),
        ([0, -1], [0, 1], "from -1 to 0"),
        ([0, 1], [[0.1, 0.9], [0.3, 0.7]], r"y_pred .* received shape \(2, 2\) of float64.*argmax"),
        ([], [], "non-empty"),
    ],
)
def test_the_confusion_matrix_refuses_what_are_no_class_numbers(y_true, y_pred, message):
    with pytest.raises(ValueError, match=message):
        plots.confusion_matrix(y_true, y_pred, ["a", "b"], title="t")


# predictions

CHANCES = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])


@pytest.mark.parametrize("tail", [(), (1,), (3,)], ids=["h w", "h w 1", "h w 3"])
def test_each_picture_tells_truth_answer_and_chance_and_marks_the_wrong(tail):
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, *tail), dtype=np.uint8)
    figure = plots.predictions(images, np.array([0, 1, 1]), CHANCES, ["cat", "dog"], columns=2)
    draw(figure)
    assert len(figure.axes) == 3
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == [
        "true: cat\n✓ says: cat (90 %)",
        "true: dog\n✓ says: dog (80 %)",
        "true: dog\n✗ says: cat (70 %)",
    ]
    widths = [axes.spines["top"].get_linewidth() for axes in figure.axes]
    assert widths[2] > 3 * widths[0]
    assert figure.axes[2].title.get_fontweight() == "bold"
    assert figure.get_suptitle().startswith("2 of 3 right")
    shown = pictures(figure.axes[0])[0].get_array()
    expected = images[0] / 255 if tail == (3,) else images[0].reshape(8, 8)
    np.testing.assert_allclose(shown, expected, rtol=1e-12)


def test_colours_of_any_range_are_brought_into_zero_to_one():
    images = np.random.default_rng(0).normal(size=(1, 4, 4, 3))
    figure = plots.predictions(images, [0], [[1.0, 0.0]], ["a", "b"])
    shown = pictures(figure.axes[0])[0].get_array()
    assert shown.min() == 0
    assert shown.max() == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros((3, 8, 8, 2))}, r"\(n, h, w, 3\); received \(3, 8, 8, 2\)"),
        ({"images": np.zeros((300, 2, 2))}, "1 to 256 pictures; received 300"),
        ({"y_true": [0, 1]}, "one class per picture: 3; received 2"),
        ({"probabilities": CHANCES[:, :1]}, r"\(3, 2\); received \(3, 1\)"),
        ({"probabilities": np.array([[2.0, -1.0]] * 3)}, "softmax"),
        ({"columns": 0}, "at least 1; received 0"),
    ],
)
def test_predictions_refuse_arrays_that_do_not_fit(change, message):
    given = {"images": np.zeros((3, 8, 8)), "y_true": [0, 1, 1], "probabilities": CHANCES} | change
    with pytest.raises(ValueError, match=message):
        plots.predictions(class_names=["cat", "dog"], **given)


# feature_maps


def test_each_layer_is_a_row_of_its_first_channels_or_of_bars():
    rng = np.random.default_rng(0)
    maps, units = rng.random((6, 6, 12)), rng.normal(size=10)
    figure = plots.feature_maps({"conv": maps, "logits": units}, image=np.eye(6), max_channels=5)
    draw(figure)
    words = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert words == ["input\n6 x 6", "conv\n6 x 6 x 12\nchannels 0 to 4 of 12", "logits\n10 units"]
    shown = [image.get_array() for axes in figure.axes for image in pictures(axes)]
    assert len(shown) == 6
    np.testing.assert_array_equal(shown[0], np.eye(6))
    for channel in range(5):
        np.testing.assert_array_equal(shown[channel + 1], maps[..., channel])
    bars = [bar.get_height() for axes in figure.axes for bar in axes.patches if axes.get_xlabel() == "unit"]
    np.testing.assert_array_equal(bars, units)


def test_a_row_has_one_scale_and_white_is_zero_where_it_has_negative_values():
    maps = np.stack([np.full((2, 2), -1.0), np.full((2, 2), 4.0)], axis=-1)
    figure = plots.feature_maps({"tanh": maps, "relu": np.abs(maps)})
    limits = [image.get_clim() for axes in figure.axes for image in pictures(axes)]
    assert limits == [(-4, 4), (-4, 4), (1, 4), (1, 4)]


def test_a_layer_that_is_all_zero_is_drawn():
    draw(plots.feature_maps({"dead": np.zeros((3, 3, 2))}))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"activations": {}}, "non-empty dict"),
        (
            {"activations": {"conv": np.zeros((1, 4, 4, 2))}},
            r"'conv'.*without its batch axis.*\(1, 4, 4, 2\)",
        ),
        ({"activations": {"a": np.zeros(3)}, "image": np.zeros(3)}, r"image must be .*received \(3,\)"),
        ({"activations": {"a": np.zeros(3)}, "max_channels": 0}, "at least 1; received 0"),
    ],
)
def test_feature_maps_refuse_what_is_no_activation(given, message):
    with pytest.raises(ValueError, match=message):
        plots.feature_maps(**given)


# kernels


def test_filters_of_a_grey_input_fill_a_grid():
    weights = np.random.default_rng(0).normal(size=(3, 3, 1, 10))
    figure = plots.kernels(weights, title="first layer")
    draw(figure)
    shown = [(axes.get_title(), *pictures(axes)) for axes in figure.axes if pictures(axes) and axes.get_title()]
    assert [title for title, _ in shown] == [str(i) for i in range(10)]
    for index, (_, image) in enumerate(shown):
        np.testing.assert_array_equal(image.get_array(), weights[:, :, 0, index])
        low, high = image.get_clim()
        assert high == -low == np.abs(weights).max()
    assert figure.get_suptitle() == "first layer\n10 filters of 3 x 3"


def test_rows_are_input_channels_and_columns_filters():
    weights = np.random.default_rng(0).normal(size=(3, 5, 3, 4))
    figure = plots.kernels(weights, max_filters=2)
    shown = [pictures(axes)[0].get_array() for axes in figure.axes[:6]]
    for index, (row, column) in enumerate(np.ndindex(3, 2)):
        np.testing.assert_array_equal(shown[index], weights[:, :, row, column])
    assert "4 filters of 3 x 5, the first 2 shown" in figure.get_suptitle()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"weights": np.zeros((3, 3, 4))}, r"\(h, w, cin, cout\); received \(3, 3, 4\)"),
        ({"weights": np.zeros((3, 3, 1, 4)), "max_filters": 0}, "received 0, 8"),
    ],
)
def test_kernels_refuse_what_is_no_convolution(given, message):
    with pytest.raises(ValueError, match=message):
        plots.kernels(**given)


# decision_surface

XOR, XOR_CLASSES = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])


def by_first_input(points):
    """Class 1 right of x1 = 0.5: half of XOR is wrong."""
    return np.stack([0.5 - points[:, 0], points[:, 0] - 0.5], axis=1)


def test_the_surface_covers_the_points_and_says_how_many_are_right():
    figure = plots.decision_surface(by_first_input, XOR, XOR_CLASSES, title="XOR", margin=0.5, resolution=20)
    draw(figure)
    (axes,) = figure.axes
    assert axes.get_title() == "XOR\ntraining 50.0 % right"
    assert axes.get_xlim() == (-0.5, 1.5)
    (plane,) = pictures(axes)
    shades = plane.get_array()
    assert shades.shape == (20, 20, 3)
    # Left is class 0 and right class 1, whatever the row.
    assert len(np.unique(shades[:, :10].reshape(-1, 3), axis=0)) == 1
    assert len(np.unique(shades[:, 10:].reshape(-1, 3), axis=0)) == 1
    assert (shades[0, 0] != shades[0, -1]).any()
    sets = {artist.get_label(): artist.get_offsets() for artist in axes.collections}
    np.testing.assert_array_equal(sets["class 0, training"], [[0, 0], [1, 1]])
    np.testing.assert_array_equal(sets["class 1, training"], [[0, 1], [1, 0]])
    np.testing.assert_array_equal(sets["wrong, training (2)"], [[0, 1], [1, 1]])


def test_the_second_input_points_up_on_a_plane_that_is_no_square():
    def by_second_input(points):
        return np.stack([1.5 - points[:, 1], points[:, 1] - 1.5], axis=1)

    figure = plots.decision_surface(
        by_second_input, XOR * [1, 3], np.array([0, 1, 0, 1]), title="t", margin=0.5, resolution=10
    )
    (axes,) = figure.axes
    (plane,) = pictures(axes)
    assert (axes.get_xlim(), axes.get_ylim()) == ((-0.5, 1.5), (-0.5, 3.5))
    assert plane.get_extent() == [-0.5, 1.5, -0.5, 3.5]
    assert axes.get_title().endswith("100.0 % right")
    assert plane.origin == "lower"
    for row, winner in ((0, 0), (-1, 1)):
        pure = np.array([int(style.color(winner)[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        np.testing.assert_allclose(plane.get_array()[row, 0], 0.35 * pure + 0.65, atol=1e-12)


def test_probabilities_fade_where_the_answer_is_open_and_scores_do_not():
    def soft(points):
        right = 1 / (1 + np.exp(-4 * (points[:, 0] - 0.5)))
        return np.stack([1 - right, right], axis=1)

    shades = pictures(
        plots.decision_surface(soft, XOR, XOR_CLASSES, title="t", resolution=21).axes[0]
    )[0].get_array()  # fmt: skip
    assert shades[0, 10].min() > shades[0, 0].min()  # paler in the middle


def test_test_points_are_hollow_and_counted_apart():
    figure = plots.decision_surface(
        by_first_input, XOR, XOR_CLASSES, title="t", x_test=[[1.0, 0.2]], y_test=[1], resolution=10
    )
    draw(figure)
    (axes,) = figure.axes
    assert axes.get_title() == "t\ntraining 50.0 % right, test 100.0 % right"
    hollow = next(artist for artist in axes.collections if artist.get_label() == "class 1, test")
    np.testing.assert_array_equal(hollow.get_facecolor(), [[1, 1, 1, 1]])


def test_a_ring_marks_a_wrong_training_point_and_a_cross_a_wrong_test_point():
    figure = plots.decision_surface(
        by_first_input, XOR, XOR_CLASSES, title="t", x_test=XOR + 0.1, y_test=[0, 1, 0, 1], resolution=10
    )
    draw(figure)
    (axes,) = figure.axes
    marks = {artist.get_label(): artist for artist in axes.collections if artist.get_label().startswith("wrong")}
    assert list(marks) == ["wrong, training (2)", "wrong, test (2)"]
    ring, cross = marks.values()
    np.testing.assert_array_equal(ring.get_offsets(), [[0, 1], [1, 1]])
    np.testing.assert_allclose(cross.get_offsets(), [[0.1, 1.1], [1.1, 0.1]], rtol=1e-12)
    closed = [len(mark.get_paths()[0].to_polygons(closed_only=True)) for mark in (ring, cross)]
    assert closed == [1, 0]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        artist.get_label() for artist in axes.collections if artist.get_label()[0] != "_"
    ]


def test_classes_are_named_in_the_legend_as_in_the_other_figures():
    names = ["upper moon", "lower moon"]
    figure = plots.decision_surface(
        by_first_input, XOR, XOR_CLASSES, title="t", class_names=names, x_test=XOR, y_test=XOR_CLASSES, resolution=10
    )
    draw(figure)
    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    assert [text for text in shown if not text.startswith("wrong")] == [
        *("upper moon, training", "lower moon, training", "upper moon, test", "lower moon, test"),
    ]


def test_long_names_of_classes_take_no_room_from_the_plane():
    sides = []
    for names in (["a", "b"], ["a" * 60, "b" * 60]):
        figure = plots.decision_surface(by_first_input, XOR, XOR_CLASSES, title="t", class_names=names, resolution=10)
        draw(figure)
        sides.append(figure.axes[0].bbox.width)
    assert sides[1] == pytest.approx(sides[0], rel=0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"class_names": ["one"]}, r"one name for each of the 2 classes.*received 1: one\."),
        ({"x": np.zeros((4, 3))}, r"x must be of shape \(n, 2\); received \(4, 3\)"),
        ({"y": [0, 1]}, r"y must hold 4 integer classes.*received shape \(2,\)"),
        ({"y": [0.0, 1.0, 1.0, 0.0]}, "of float64"),
        ({"y": [0, 1, 2, 0]}, r"classes reach 2.*0\.\.1 only"),
        ({"x_test": XOR}, "go together"),
        ({"resolution": 1}, "received 1, 0.3"),
        ({"predict": lambda points: points[:, :1]}, r"received \(40000, 1\).*stack \[1 - p, p\]"),
        ({"predict": lambda points: np.full((len(points), 2), np.nan)}, "not finite"),
    ],
)
def test_the_surface_refuses_what_it_cannot_draw(change, message):
    given = {"predict": by_first_input, "x": XOR, "y": XOR_CLASSES, "title": "t"} | change
    with pytest.raises(ValueError, match=message):
        plots.decision_surface(**given)


# save_png


def test_a_figure_is_saved_as_png_and_leaves_nothing_else(tmp_path):
    figure = plots.learning_curves(history(), title="t")
    path = plots.save_png(figure, tmp_path / "new" / "curves.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    assert os.listdir(path.parent) == ["curves.png"]


def test_a_save_that_fails_keeps_the_old_file(tmp_path):
    class Broken:
        def savefig(self, path, **options):
            with open(path, "wb") as stream:
                stream.write(b"half")
            raise OSError("disk full")

    path = tmp_path / "curves.png"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="disk full"):
        plots.save_png(Broken(), path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["curves.png"]


def test_save_png_refuses_another_ending(tmp_path):
    with pytest.raises(ValueError, match=r"received the path .*curves\.pdf"):
        plots.save_png(Figure(), tmp_path / "curves.pdf")
