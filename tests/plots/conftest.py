"""What the tests of several figures share."""

from kzoo.plots import activity

GROUPS = {"excitatory": (0, 7), "inhibitory": (7, 10)}  # 7 do not fill their two rows of 4


def lines(axes) -> dict:
    """The lines of an axes by their name in the legend."""
    return {line.get_label(): line for line in axes.lines}


def drawn(figure):
    """Runs the whole layout; a warning of it fails a test."""
    figure.draw_without_rendering()
    return figure


def words(labels) -> list[str]:
    """What tick labels say."""
    return [label.get_text() for label in labels]


def made(**options):
    """Ten neurons, eight spikes in 100 ms."""
    times = [0.0, 0.01, 0.02, 0.02, 0.05, 0.06, 0.08, 0.1]
    neurons = [0, 1, 8, 9, 1, 7, 3, 0]
    given = {"times": times, "neurons": neurons, "size": 10, "duration": 0.1, "groups": GROUPS} | options
    return activity.activity_data(**given)
