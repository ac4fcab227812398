"""The series of the page of rnn, lstm and gru: computed, or drawn by a visitor, cut into windows to foretell from."""

import math

import numpy as np
import validate

import kzoo

DATA = {"Mackey-Glass (chaotic)": "mackey_glass", "sine": "sine", "own curve": "own"}
TRAIN, TEST = 2000, 1000  # windows, as `kzoo.load_data("mackey_glass")` has them
AHEAD = 6  # steps from the end of a window to the value that is foretold
PERIOD = 25  # steps of the sine's period
LONGEST = 4000  # characters of a visitor's curve

# A slow rise and a double fall: no sum of few sines, and easy to tell from a forecast that only repeats.
OWN_CURVE = ", ".join(
    f"{value:g}"
    for value in np.round(np.interp(range(60), (0, 30, 36, 42, 48, 59), (-0.8, 0.9, -0.3, 0.5, -0.8, -0.8)), 2)
)


def read_curve(text: str) -> np.ndarray:
    """One period of a visitor's curve, (n,) float64 in [-1, 1], from numbers parted by commas or spaces.

    Raises:
        gr.Error: names the first that is no such number, or says how many there must be.
    """
    words = text.replace(",", " ").split()
    values = []
    for word in words:
        try:
            value = float(word)
        except ValueError:
            value = math.nan
        if not abs(value) <= 1:
            raise validate.refuse(f"curve: got {validate.shown(word)}; expected numbers from -1 to 1, such as 0, 0.5")
        values.append(value)
    if not 8 <= len(values) <= 200:
        raise validate.refuse(f"curve: got {len(values)} numbers; expected 8 to 200, the values of one period.")
    return np.array(values)


def windows(data: str, window: int, seed: int, curve: str):
    """Windows of a series in the order of time, and the values AHEAD steps after their last ones.

    Args:
        data: A value of DATA.
        window: t, values in a window.
        seed: Decides the beginning of Mackey and Glass's series.
        curve: Numbers of one period, where `data` is "own".

    Returns:
        x_train (TRAIN, t, 1), y_train (TRAIN, 1), x_test (TEST, t, 1), y_test (TEST, 1): float32.
    """
    if data == "mackey_glass":
        found = kzoo.load_data("mackey_glass", window=window, seed=seed, validation_fraction=0)
        return found.x_train, found.y_train, found.x_test, found.y_test
    count = TRAIN + TEST + window + AHEAD - 1
    series = np.sin(2 * np.pi * np.arange(count) / PERIOD) if data == "sine" else np.resize(read_curve(curve), count)
    x = np.lib.stride_tricks.sliding_window_view(series[:-AHEAD], window)[..., None].astype("float32")
    y = series[window + AHEAD - 1 :, None].astype("float32")
    return x[:TRAIN], y[:TRAIN], x[TRAIN:], y[TRAIN:]


def as_code(data: str, window: int, seed: int, curve: str) -> str:
    """Lines of Python that make what `windows` gives; they need kzoo, and NumPy as np."""
    if data == "mackey_glass":
        return f"""data = kzoo.load_data("mackey_glass", window={window}, seed={seed}, validation_fraction=0)
x_train, y_train, x_test, y_test = data.x_train, data.y_train, data.x_test, data.y_test
"""
    count = TRAIN + TEST + window + AHEAD - 1
    sine = f"np.sin(2 * np.pi * np.arange({count}) / {PERIOD})"
    return f"""series = {sine if data == "sine" else f"np.resize({read_curve(curve).tolist()}, {count})"}
x = np.lib.stride_tricks.sliding_window_view(series[:-{AHEAD}], {window})[..., None].astype("float32")
y = series[{window + AHEAD - 1}:, None].astype("float32")  # {AHEAD} steps after each window
x_train, y_train, x_test, y_test = x[:{TRAIN}], y[:{TRAIN}], x[{TRAIN}:], y[{TRAIN}:]
"""
