"""Arguments that are refused with what was received, what is allowed and, by that, what to pass instead."""

import numbers
import operator

import numpy as np


def check_integer(name, value, low, high=None):
    """`value` as an int, or a ValueError when it is no integer from `low` to `high`."""
    try:
        number = low - 1 if isinstance(value, bool | np.bool_) else operator.index(value)
    except TypeError:
        number = low - 1
    if number < low or (high is not None and number > high):
        limits = f"from {low} to {high}" if high is not None else f"of {low} or more"
        raise ValueError(f"`{name}` must be an integer {limits}. Received: {name}={value!r}.")
    return number


def check_number(name, value, inside, meaning):
    """`value`, or a ValueError when it is no real number or `inside(value)` is false, as it is for NaN."""
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not (number and inside(value)):
        raise ValueError(f"`{name}` must be {meaning}. Received: {name}={value!r}.")
    return value
