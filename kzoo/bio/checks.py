"""Parameters that are refused with their name, what was received in its unit, what is allowed, and what to type."""

import numbers
import operator

import numpy as np

from kzoo.errors import ParameterError, did_you_mean

# Display units and their size in SI units: what a message, a slider and an axis show.
FACTORS = {
    "": 1.0,
    "s": 1.0,
    "ms": 1e-3,
    "V": 1.0,
    "mV": 1e-3,
    "MΩ": 1e6,
    "A": 1.0,
    "nA": 1e-9,
    "pA": 1e-12,
    "Hz": 1.0,
    "rad": 1.0,
    "nA √s": 1e-9,
}
# In SI units: beyond, no neuron is meant, and products would leave what a float holds.
HUGE = 1e12
# Bounds of voltages [V]: models without units have theirs near 1, and -70 was meant in millivolts.
VOLTAGE = {"least": -10.0, "most": 10.0}
# And of the time constants of membranes and synapses, which are from tenths of a millisecond to some hundred [s]: a
# longer one was meant in milliseconds.
TIME_CONSTANT = {"above": 0.0, "most": 1.0}
# Programs in C++ count steps in 32 bits, those of a simulation and of a refractory period together.
MOST_STEPS = 2**30

_SI = {
    "s": "seconds",
    "V": "volts",
    "A": "amperes",
    "ms": "seconds",
    "mV": "volts",
    "MΩ": "ohms",
    "nA": "amperes",
    "pA": "amperes",
    "Hz": "hertz",
    "rad": "radians",
}


def quantity(name, value, unit="", *, above=None, least=None, below=None, most=None, hint=""):
    """`value` as a float in SI units, or a ParameterError that names it, its display unit and its bounds.

    Arguments:
        name: what the caller calls it.
        value: a finite real number in SI units.
        unit: the unit that the message shows, a key of `FACTORS`.
        above, least, below, most: bounds in SI units: value > above, >= least, < below, <= most. None is no bound but
            that of all quantities, `HUGE`.
        hint: what to do, one sentence; else the SI unit is said.
    """
    number = _real(value)
    inside = (
        number is not None
        and abs(number) <= HUGE
        and (above is None or number > above)
        and (least is None or number >= least)
        and (below is None or number < below)
        and (most is None or number <= most)
    )
    if inside:
        return number
    if number is not None and HUGE < abs(number) < np.inf and most is None:
        most = HUGE
    words = (("above", above), ("at least", least), ("below", below), ("at most", most))
    bounds = " and ".join(f"{word} {shown(bound, unit)}" for word, bound in words if bound is not None)
    raise ParameterError(
        f"{name}: got {shown(value, unit) if number is not None else repr(value)}; expected a finite number"
        f"{' ' + bounds if bounds else ''}.{' ' + hint if hint else _given_in(name, unit)}"
    )


def integer(name, value, least, most=None):
    """`value` as an int, or a ParameterError when it is no integer from `least` to `most`."""
    try:
        number = None if isinstance(value, bool | np.bool_) else operator.index(value)
    except TypeError:
        number = None
    if number is not None and number >= least and (most is None or number <= most):
        return number
    limits = f"of {least} or more" if most is None else f"from {least} to {most}"
    raise ParameterError(f"{name}: got {value!r}; expected an integer {limits}.")


def array(name, values, unit="", dims=(1,), most=HUGE, hint=""):
    """`values` as a float64 array of finite numbers of at most `most`, with one of `dims` dimensions, none empty.

    `hint` is one sentence on what to do where a number is refused.

    Raises: ParameterError with the shape, or with the first element that is not finite and where it stands.
    """
    try:
        made = np.asarray(values)
        kind = made.dtype.kind
    except ValueError:  # rows of unequal length
        kind = "O"
    if kind not in "iuf":
        raise ParameterError(f"{name}: got {values!r:.60}; expected an array of real numbers in {_unit(unit)}.")
    if made.ndim not in dims or made.size == 0:
        shapes = " or ".join({0: "()", 1: "(t,)", 2: "(t, n)"}[d] for d in dims)
        raise ParameterError(f"{name}: got an array of shape {made.shape}; expected shape {shapes}, not empty.")
    made = made.astype(np.float64, copy=False)
    wrong = ~(np.abs(made) <= most)  # and nan
    if wrong.any():
        where = np.argwhere(wrong)[0]
        index = f" at index {', '.join(map(str, where))}" if made.ndim else ""
        raise ParameterError(
            f"{name}: got {shown(made[tuple(where)], unit)}{index}; expected finite numbers of at most {most:g} "
            f"{_unit(unit)}.{' ' + hint if hint else ''}"
        )
    return made


def choice(name, value, allowed):
    """`value`, or a ParameterError that lists what is allowed."""
    if isinstance(value, str) and value in allowed:
        return value
    near = did_you_mean(value, allowed) if isinstance(value, str) else ""
    raise ParameterError(f"{name}: got {value!r}; expected one of {', '.join(allowed)}.{near}")


def num_steps(duration, dt):
    """How many steps of `dt` make `duration` (both in seconds): the nearest integer, 1 or more."""
    dt = quantity("dt", dt, "ms", above=0.0)
    steps = quantity("duration", duration, "ms", least=dt, hint="It holds at least one step of dt.") / dt
    if steps == np.inf:
        raise ParameterError(
            f"dt: got {shown(dt, 'ms')}; expected at least {shown(duration / MOST_STEPS, 'ms')}, so that the duration "
            f"of {shown(duration, 'ms')} has at most {MOST_STEPS:,} steps.{_given_in('dt', 'ms')}"
        )
    if round(steps) > MOST_STEPS:
        raise ParameterError(
            f"duration: got {shown(duration, 'ms')}, which is {steps:.3g} steps of dt = {shown(dt, 'ms')}; expected at "
            f"most {MOST_STEPS:,}. Simulate a shorter time, or take longer steps."
        )
    return round(steps)


def shown(value, unit):
    """`value`, given in SI units, as text in a display unit."""
    return f"{float(value) / FACTORS[unit]:.6g} {unit}".strip()


def _real(value):
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    return float(value) if isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_) else None


def _unit(unit):
    return _SI.get(unit, unit or "no unit")


def _given_in(name, unit):
    factor = FACTORS[unit]
    return f" It is given in {_unit(unit)}: {name}={20 * factor:g} is 20 {unit}." if factor != 1 and unit in _SI else ""
