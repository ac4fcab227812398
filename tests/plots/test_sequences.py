"""The figures of sequences show the numbers that they were given, and refuse what they cannot draw."""

import numpy as np
import pytest

from kzoo import plots


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def test_a_forecast_draws_each_number_against_its_truth_and_states_the_error():
    true = np.array([[0.0], [1.0], [2.0]])
    foretold = np.array([[0.5], [1.0], [1.0]])
    figure = plots.forecast(true, foretold, title="rnn on waves", step_name="year")
    assert "0.417" in figure.get_suptitle()  # (0.25 + 0 + 1) / 3
    scatter, order = figure.axes
    points = next(line for line in scatter.lines if line.get_linestyle() == "None")
    np.testing.assert_array_equal(points.get_xydata(), [[0, 0.5], [1, 1], [2, 1]])
    np.testing.assert_array_equal(lines(order)["foretold"].get_ydata(), [0.5, 1, 1])
    assert order.get_xlabel() == "year"


def test_a_forecast_of_sequences_draws_them_over_time():
    true = np.random.default_rng(0).normal(size=(9, 20, 2))
    figure = plots.forecast(true, true + 0.1, title="mtrnn", step_name="sequence")
    assert len(figure.axes) == 6
    assert "0.01" in figure.get_suptitle()
    np.testing.assert_array_equal(lines(figure.axes[3])["true 2"].get_ydata(), true[3, :, 1])
    np.testing.assert_allclose(lines(figure.axes[3])["generated 2"].get_ydata(), true[3, :, 1] + 0.1)


@pytest.mark.parametrize("shapes", [((3, 1), (4, 1)), ((3,), (3,)), ((0, 1), (0, 1))])
def test_a_forecast_of_other_shapes_is_refused(shapes):
    with pytest.raises(ValueError, match=r"of one shape, \(n, d\) or \(n, t, d\)"):
        plots.forecast(np.zeros(shapes[0]), np.zeros(shapes[1]), title="x")


def test_accuracy_by_step_is_a_share_of_the_samples_at_each_step():
    figure = plots.accuracy_by_step([[True, False, True], [True, False, False]], title="lstm on copying")
    (line,) = figure.axes[0].lines
    np.testing.assert_allclose(line.get_ydata(), [100, 0, 50])
    assert "50.0 %" in figure.get_suptitle()


def test_steps_that_ask_for_nothing_are_left_out_of_the_accuracy():
    figure = plots.accuracy_by_step([[np.nan, 0, np.nan, 1], [np.nan, 1, np.nan, np.nan]], title="lstm on copying")
    (line,) = figure.axes[0].lines
    np.testing.assert_allclose(line.get_xydata(), [[1, 50], [3, 100]])
    assert "66.7 %" in figure.get_suptitle()


def test_the_loss_by_position_is_the_mean_over_windows_in_nats_and_bits():
    figure = plots.loss_by_position([[2.0, 1.0, np.nan], [3.0, 2.0, np.nan]], title="gru on pydoc")
    line, mean = figure.axes[0].lines
    np.testing.assert_allclose(line.get_xydata(), [[1, 2.5], [2, 1.5]])
    assert mean.get_ydata()[0] == 2
    assert "mean 2.0000 nats, 2.8854 bits a character" in figure.get_suptitle()


@pytest.mark.parametrize("draw", [plots.accuracy_by_step, plots.loss_by_position])
def test_what_asks_for_no_token_is_refused(draw):
    for values in (np.zeros((0, 3)), np.full((2, 3), np.nan), np.zeros(3)):
        with pytest.raises(ValueError, match="at least one token"):
            draw(values, title="x")


def test_states_stand_in_panels_and_gates_are_told_from_states():
    rng = np.random.default_rng(0)
    states = {"forget gate": rng.random((12, 5)), "cell state": rng.normal(size=(12, 5))}
    figure = plots.states_over_time(states, title="lstm", inputs=rng.normal(size=(12, 2)), step_names="abcdefghijkl")
    panels = [axes for axes in figure.axes if axes.images]
    np.testing.assert_array_equal(panels[0].images[0].get_array(), states["forget gate"].T)
    assert panels[0].images[0].get_clim() == (0, 1)
    low, high = panels[1].images[0].get_clim()
    assert low == -high == -np.abs(states["cell state"]).max()
    assert [text.get_text() for text in panels[-1].get_xticklabels()] == list("abcdefghijkl")


@pytest.mark.parametrize(
    "broken",
    [{"states": {}}, {"states": {"h": np.zeros(3)}}, {"states": {"h": np.zeros((3, 1)), "c": np.zeros((4, 1))}}],
)
def test_states_of_other_lengths_are_refused(broken):
    with pytest.raises(ValueError, match="of one length"):
        plots.states_over_time(**broken, title="x")
    with pytest.raises(ValueError, match="3 steps"):
        plots.states_over_time({"h": np.zeros((3, 1))}, inputs=np.zeros(4), title="x")


def test_the_reach_of_a_gradient_counts_steps_from_the_last_one():
    figure = plots.gradient_reach({"rnn": [1e-9, 1e-3, 1.0], "lstm": [0.0, 0.5, 1.0]}, title="t")
    axes = figure.axes[0]
    assert axes.get_yscale() == "log"
    np.testing.assert_array_equal(lines(axes)["rnn"].get_xydata(), [[2, 1e-9], [1, 1e-3], [0, 1]])
    assert lines(axes)["lstm"].get_ydata()[0] == 1e-30
    with pytest.raises(ValueError, match="at least 0"):
        plots.gradient_reach({"rnn": [np.nan, 1.0]}, title="t")


def test_a_phase_plot_keeps_distances_and_shares_of_the_variance():
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    plane = np.stack([3 * np.cos(t), np.sin(t)], axis=1)
    turned = plane @ np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0][:2]
    figure = plots.phase({"fast context": turned, "slow context": turned[:, :1]}, title="mtrnn")
    fast, slow = figure.axes[:2]
    path = fast.lines[0].get_xydata()
    np.testing.assert_allclose(np.linalg.norm(path, axis=1), np.linalg.norm(plane, axis=1), atol=1e-9)
    assert "90 %" in fast.get_xlabel()  # 9 / (9 + 1)
    assert "10 %" in fast.get_ylabel()
    assert "100 %" in slow.get_xlabel()
    with pytest.raises(ValueError, match="two steps"):
        plots.phase({"fast": np.zeros((1, 3))}, title="x")
