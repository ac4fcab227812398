"""The distance beside its closed form, neighbourhoods beside loops, and each fault of images beside the figure that
catches it."""

import json
import math
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import scipy.linalg

from kzoo.data import load_data
from kzoo.models.preset import from_preset
from kzoo.training import distances, image_reader
from kzoo.training import image_quality as quality
from kzoo.training.distances import frechet_distance, neighbourhoods
from kzoo.training.image_quality import ImageQuality
from kzoo.training.image_reader import Reader

# Digits of 8 x 8 in place of MNIST's: seconds become tenths.
COUNT = 350


@pytest.fixture(scope="module")
def digits():
    return load_data("digits", validation_fraction=0)


def exact_sample(mean, covariance, count=200, seed=0):
    """A sample whose mean and covariance are exactly those that are asked for."""
    drawn = np.random.default_rng(seed).normal(size=(count, len(mean)))
    drawn -= drawn.mean(axis=0)
    white = drawn @ np.linalg.inv(np.linalg.cholesky(np.cov(drawn.T))).T
    return white @ np.linalg.cholesky(covariance).T + mean


def covariance(size, seed):
    root = np.random.default_rng(seed).normal(size=(size, size))
    return root @ root.T + 0.1 * np.eye(size)


# The distance


def test_gaussians_of_the_same_axes_are_as_far_apart_as_their_means_and_deviations():
    deviations_a, deviations_b = np.array([1.0, 2.0, 0.5]), np.array([3.0, 1.0, 0.5])
    a = exact_sample([0.0, 1.0, -2.0], np.diag(deviations_a**2))
    b = exact_sample([1.0, 1.0, 1.0], np.diag(deviations_b**2), count=90, seed=1)
    assert frechet_distance(a, b) == pytest.approx(1 + 9 + 4 + 1, rel=1e-12)


@pytest.mark.parametrize("size", [2, 7])
def test_the_distance_of_gaussians_is_the_one_with_the_root_of_the_product(size):
    first, second = covariance(size, 1), covariance(size, 2)
    mean = np.linspace(-1, 2, size)
    expected = mean @ mean + np.trace(first + second - 2 * scipy.linalg.sqrtm(first @ second).real)
    a, b = exact_sample(np.zeros(size), first), exact_sample(mean, second, seed=3)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-10)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-10)


def test_covariances_without_an_inverse_are_measured_too():
    along = np.linspace(-1, 1, 11)
    a, b = np.zeros((11, 4)), np.zeros((11, 4))
    a[:, 0], b[:, 1] = 2 * along, 3 * along
    assert frechet_distance(a, b) == pytest.approx((4 + 9) * np.var(along, ddof=1), rel=1e-12)
    # Fewer samples than features, in one or in both.
    assert frechet_distance(a[[0, -1]], b) == pytest.approx(2 * 4 + 9 * np.var(along, ddof=1), rel=1e-12)
    assert frechet_distance(a[[0, -1]], b[[0, -1]]) == pytest.approx(2 * (4 + 9), rel=1e-12)


def test_a_sample_is_at_no_distance_from_itself_turned_about():
    sample = 1e3 + np.random.default_rng(0).normal(size=(50, 6)) * [1, 10, 100, 0, 1e-3, 1]
    distance = frechet_distance(sample, sample[::-1])
    assert 0 <= distance < 1e-18 * np.var(sample, axis=0).sum()


def test_the_distance_refuses_samples_that_do_not_fit():
    with pytest.raises(ValueError, match=r"shapes \(5, 3\) and \(5, 2\)"):
        frechet_distance(np.ones((5, 3)), np.ones((5, 2)))
    with pytest.raises(ValueError, match="each n at least 2"):
        frechet_distance(np.ones((1, 3)), np.ones((5, 3)))


# Neighbourhoods


def in_loops(real, generated, k):
    """Precision, recall, density and coverage as the papers write them, sample by sample."""

    def radius(points, i):
        return sorted(math.dist(points[i], other) for j, other in enumerate(points) if j != i)[k - 1]

    reach, own = ([radius(points, i) for i in range(len(points))] for points in (real, generated))
    inside = [[math.dist(y, x) <= r for x, r in zip(real, reach, strict=True)] for y in generated]
    back = [[math.dist(y, x) <= r for y, r in zip(generated, own, strict=True)] for x in real]
    return (
        sum(map(any, inside)) / len(generated),
        sum(map(any, back)) / len(real),
        sum(map(sum, inside)) / (k * len(generated)),
        sum(map(any, zip(*inside, strict=True))) / len(real),
    )


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("rows", [7, 500])
def test_neighbourhoods_are_those_of_plain_loops_in_blocks_of_any_size(k, rows, monkeypatch):
    monkeypatch.setattr(distances, "ROWS", rows)
    rng = np.random.default_rng(0)
    real, generated = rng.normal(size=(40, 3)), 0.4 + 0.8 * rng.normal(size=(33, 3))
    expected = in_loops(real, generated, k)
    assert len(set(expected)) == 4  # no figure can stand for another
    np.testing.assert_allclose(neighbourhoods(real, generated, k), expected, rtol=1e-12)


def test_the_four_figures_of_points_on_a_line_are_those_found_by_hand():
    # The balls of the real points reach 1, 1, 1 and 8; those of the generated ones 1, 1 and 5.
    real, generated = np.array([[0.0], [1], [2], [10]]), np.array([[0.5], [1.5], [6.5]])
    found = neighbourhoods(real, generated, 1)
    assert found.precision == 1  # 6.5 lies within 8 of 10
    assert found.recall == 1  # 10 lies within 5 of 6.5
    assert found.density == pytest.approx((2 + 2 + 1) / 3)
    assert found.coverage == 1
    assert neighbourhoods(real[:3], generated, 1) == (2 / 3, 1, 4 / 3, 1)


def test_copies_of_a_few_reach_the_few_alone(monkeypatch):
    # Here the squares of a copy and of its original do not cancel to zero by themselves.
    monkeypatch.setattr(distances, "ROWS", 7)
    real = 1e3 * np.random.default_rng(37).random((61, 37)).astype("float32")
    learned = np.repeat(real[:20], 10, axis=0)
    found = neighbourhoods(real, learned, 5)
    assert (found.precision, found.recall) == (1, 20 / 61)
    assert found.coverage == in_loops(real, learned, 5)[3]


def test_neighbourhoods_refuse_too_few_samples_and_no_neighbour():
    with pytest.raises(ValueError, match="each n at least 6"):
        neighbourhoods(np.ones((5, 2)), np.ones((9, 2)))
    with pytest.raises(ValueError, match="neighbours: got 0"):
        neighbourhoods(np.ones((5, 2)), np.ones((9, 2)), 0)


# The classifier


def test_features_are_what_the_last_layer_is_given_and_classes_the_largest_logits(digits, monkeypatch):
    monkeypatch.setattr(image_reader, "BATCH", 8)
    model = from_preset("cnn_digits")
    answers = Reader(model)("images", digits.x_test[:21])
    looked = model.activations(digits.x_test[:21])
    np.testing.assert_allclose(answers.features, looked["relu_dense"], atol=1e-5)
    np.testing.assert_array_equal(answers.classes, looked["logits"].argmax(axis=-1))


def test_only_a_classifier_can_judge():
    with pytest.raises(ValueError, match="last layer is `logits`, such as the preset cnn_mnist"):
        Reader(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="outputs")]))


# The figures of images


def judged(images, digits, labels=None, **more):
    given = {"real": digits.x_train, "classifier": "cnn_digits", "count": COUNT} | more
    return quality.image_quality(images[: given["count"]], labels=labels, **given)


@pytest.fixture(scope="module")
def real_ones(digits):
    return judged(digits.x_test, digits, digits.y_test[:COUNT])


def test_the_figure_is_the_distance_over_the_trace_of_the_real_covariance(digits, real_ones):
    model = from_preset("cnn_digits")
    a, b = (model.activations(x)["relu_dense"].astype("float64") for x in (digits.x_test[:COUNT], digits.x_train))
    first, second = np.cov(a.T), np.cov(b.T)
    shift = a.mean(axis=0) - b.mean(axis=0)
    root = scipy.linalg.sqrtm(first @ second + 1e-9 * np.eye(len(first))).real
    expected = (shift @ shift + np.trace(first + second - 2 * root)) / np.trace(second)
    assert real_ones.nfcd == pytest.approx(expected, abs=1e-3)
    assert real_ones.nfcd > 5e-3


def test_each_fault_is_caught_by_a_figure(digits, real_ones):
    rng = np.random.default_rng(0)
    x = digits.x_test[:COUNT]
    assert min(real_ones.precision, real_ones.recall, real_ones.coverage) > 0.8
    assert min(real_ones.class_shares) > 0.08
    noisy = judged(np.clip(x + 0.3 * rng.normal(size=x.shape), 0, 1), digits)
    assert noisy.nfcd > 3 * real_ones.nfcd
    assert noisy.recall < real_ones.recall - 0.2
    lacking = judged(digits.x_train[digits.y_train != 9], digits)
    assert lacking.class_shares[9] < 0.01
    assert lacking.coverage < real_ones.coverage - 0.05
    learned = judged(digits.x_train[:7].repeat(50, axis=0), digits)
    assert learned.recall < 0.05
    means = np.stack([digits.x_train[digits.y_train == k].mean(axis=0) for k in range(10)])
    likeliest = judged(means.repeat(COUNT // 10, axis=0), digits)
    assert likeliest.precision == 1
    assert likeliest.coverage < 0.4
    assert likeliest.recall < 0.02


def test_the_share_that_is_read_as_its_class_counts_the_classes_that_were_asked_for(digits, real_ones):
    wrong = digits.y_test[:COUNT].copy()
    wrong[: COUNT // 2] = (wrong[: COUNT // 2] + 1) % 10
    assert real_ones.recognised > 0.97
    assert judged(digits.x_test, digits, wrong).recognised == pytest.approx(0.5, abs=0.03)
    assert judged(digits.x_test, digits).recognised is None


def test_the_order_of_the_images_does_not_choose_the_ones_that_are_looked_at(digits, monkeypatch):
    monkeypatch.setattr(quality, "NEAREST_COUNT", 100)
    order = np.argsort(digits.y_test[:COUNT], kind="stable")
    sorted_ones = judged(digits.x_test[:COUNT][order], digits)
    assert sorted_ones.recall > 0.7
    assert sorted_ones.nfcd == pytest.approx(judged(digits.x_test, digits).nfcd, rel=1e-6)


def test_the_floor_is_that_of_as_many_real_images(digits, real_ones):
    held = {"held_out": digits.x_test[:COUNT], "held_out_labels": digits.y_test[:COUNT]}
    found = judged(digits.x_train, digits, **held).floor
    assert found.nfcd == pytest.approx(real_ones.nfcd, rel=1e-6)
    assert (found.recognised, found.class_shares) == (real_ones.recognised, real_ones.class_shares)
    found = judged(digits.x_train, digits, count=50, **held).floor
    assert found.count == 50
    assert found.nfcd > 3 * real_ones.nfcd
    # Those 50 are from all over.
    assert found.nfcd != judged(digits.x_test, digits, count=50).nfcd
    assert found.recognised > 0.9
    assert real_ones.floor is None


def test_images_stand_beside_mnist_by_default(monkeypatch):
    rng = np.random.default_rng(0)
    data = SimpleNamespace(
        x_train=rng.random((80, 28, 28, 1), "float32"),
        y_train=np.arange(80) % 10,
        x_test=rng.random((40, 28, 28, 1), "float32"),
        y_test=np.arange(40) % 10,
    )
    loaded = []
    monkeypatch.setattr(quality, "load_data", lambda *a, **k: loaded.append((a, k)) or data)
    monkeypatch.setattr(quality, "COUNT", 50)
    quality._mnist.cache_clear()
    found = quality.image_quality(data.x_test, count=40)
    again = quality.image_quality(data.x_test, count=40)
    quality._mnist.cache_clear()
    assert loaded == [(("mnist",), {"validation_fraction": 0})]
    assert found == again
    assert found.floor.nfcd == pytest.approx(found.nfcd, rel=1e-6)
    assert found.recognised is None
    assert found.floor.recognised is not None
    assert len(quality.reference_indices(data.y_train)) == 50


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros((9, 8, 8, 1))}, "got 9; expected 350.*or say count=9"),
        ({"images": np.zeros((COUNT, 28, 28, 1))}, r"images: got the shape .* takes \(None, 8, 8, 1\)"),
        ({"images": np.zeros((COUNT, 8, 8, 1), "uint8")}, "divide by 255"),
        ({"images": np.full((COUNT, 8, 8, 1), -1.0)}, r"from -1 to -1; .*\(images \+ 1\) / 2"),
        ({"images": np.full((COUNT, 8, 8, 1), np.nan)}, "values from nan"),
        ({"real": np.zeros((20, 8, 8, 1))}, "real: got 20 images; expected at least .* 350"),
        ({"real": None, "held_out": np.zeros((COUNT, 8, 8, 1))}, "Give real="),
        ({"labels": np.zeros(3, int)}, r"labels: got int64 of shape \(3,\)"),
        ({"labels": np.full(COUNT, 10)}, "labels: got 10 to 10; .*classes 0 to 9"),
        ({"labels": np.zeros(COUNT)}, "got float64"),
        ({"count": 5}, "count: got 5"),
    ],
)
def test_what_cannot_be_judged_is_refused_with_the_remedy(digits, change, message):
    given = {"images": digits.x_test[:COUNT], "real": digits.x_train, "classifier": "cnn_digits", "count": COUNT}
    with pytest.raises(ValueError, match=message):
        quality.image_quality(**given | change)


def test_the_table_has_a_row_for_each_figure_and_a_column_for_the_floor():
    floor = ImageQuality(10000, 0.0014, 0.94, 0.924, 1.04, 0.968, (0.5, 0.5), 0.9955)
    found = ImageQuality(10000, 0.0213, 0.87, 0.801, 0.84, 0.777, (0.25, 0.75), None, floor)
    table = [line.split("   ") for line in str(found).splitlines()]
    cells = {line[0].strip(): [cell.strip() for cell in line[1:] if cell.strip()] for line in table}
    assert cells[""] == ["10,000 images", "real ones"]
    assert cells["nFCD"][:2] == ["0.0213", "0.0014"]
    assert cells["recall"][:2] == ["80.1 %", "92.4 %"]
    assert cells["class 1"] == ["75.0 %", "50.0 %"]
    assert "recognised" not in cells
    assert str(floor).splitlines()[0].split() == ["10,000", "images"]
    assert json.loads(json.dumps(found.as_dict()))["floor"]["recognised"] == 0.9955
