import dataclasses
import math

import numpy as np
import pytest

from kzoo.bio import LIF, checks
from kzoo.bio.parameters import UNITS
from kzoo.errors import KzooError, ParameterError

NAN, INF = float("nan"), float("inf")


def test_every_field_has_a_display_unit_that_messages_know():
    assert list(UNITS) == [field.name for field in dataclasses.fields(LIF)]
    assert all(checks.FACTORS[unit] == factor for unit, factor in UNITS.values())


def test_fields_become_floats_whatever_number_they_came_as():
    neuron = LIF(tau=1, resistance=np.float32(2), v_rest=np.int64(0), v_threshold=np.array(3.0), v_reset=0, t_ref=0)
    assert dataclasses.astuple(neuron) == (1.0, 2.0, 0.0, 3.0, 0.0, 0.0)
    assert {type(value) for value in dataclasses.astuple(neuron)} == {float}


def test_a_model_without_units_and_one_whose_currents_are_volts_have_any_resistance_and_one_ohm():
    assert LIF(resistance=100, v_rest=0, v_threshold=1, v_reset=0).resistance == 100
    assert LIF(resistance=1).resistance == 1


def test_a_neuron_may_rest_above_its_threshold():
    assert LIF(v_rest=-49e-3, v_threshold=-50e-3).v_rest == -49e-3


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"tau": 0},
            "tau: got 0 ms; expected a finite number above 0 ms and at most 1000 ms. It is given in seconds: tau=0.02 "
            "is 20 ms.",
        ),
        ({"tau": 20}, "tau: got 20000 ms; expected a finite number above 0 ms and at most 1000 ms. It is given in"),
        (
            {"t_ref": 2},
            "t_ref: got 2000 ms; expected a finite number at least 0 ms and at most 1000 ms. It is given in",
        ),
        ({"tau": -1e-3}, "tau: got -1 ms"),
        ({"tau": NAN}, "tau: got nan ms"),
        ({"tau": "20 ms"}, "tau: got '20 ms'; expected a finite number"),
        ({"tau": True}, "tau: got True"),
        ({"tau": 20e-3 + 0j}, "tau: got (0.02+0j)"),
        ({"tau": [1, 2]}, "tau: got [1, 2]"),
        ({"tau": None}, "tau: got None"),
        ({"resistance": 0}, "resistance: got 0 MΩ; expected a finite number above 0 MΩ. It is given in ohms"),
        (
            {"resistance": 100},
            "resistance: got 0.0001 MΩ; expected at least 0.001 MΩ where v_rest is -70 mV. It is given in ohms: "
            "resistance=1e+08 is 100 MΩ.",
        ),
        ({"resistance": INF}, "resistance: got inf MΩ"),
        (
            {"v_rest": -70},
            "v_rest: got -70000 mV; expected a finite number at least -10000 mV and at most 10000 mV. It is given in "
            "volts: v_rest=0.02 is 20 mV.",
        ),
        ({"v_rest": NAN}, "v_rest: got nan mV; expected a finite number"),
        ({"v_threshold": INF}, "v_threshold: got inf mV"),
        ({"v_reset": -45e-3}, "v_reset: got -45 mV; expected below v_threshold = -50 mV."),
        ({"v_reset": -50e-3}, "v_reset: got -50 mV; expected below v_threshold = -50 mV."),
        ({"t_ref": -1e-3}, "t_ref: got -1 ms; expected a finite number at least 0 ms and at most 1000 ms."),
        ({"t_ref": INF}, "t_ref: got inf ms"),
    ],
)
def test_nonsense_is_refused_with_name_value_unit_and_bounds(wrong, message):
    with pytest.raises(ParameterError) as caught:
        LIF(**wrong)
    assert message in str(caught.value)
    assert isinstance(caught.value, KzooError)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("dt", [0, 1e-320, -1e-4, NAN, 0.021, "1e-4", None])
def test_a_step_is_above_zero_and_no_longer_than_tau(dt):
    for use in (LIF().decay, LIF().refractory_steps, LIF().check_dt):
        with pytest.raises(
            ParameterError, match=r"dt: got .*; expected a finite number at least 1e-09 ms and at most 20 ms"
        ):
            use(dt)


def test_decay_is_the_exponential_of_a_step():
    assert LIF(tau=10e-3).decay(1e-3) == math.exp(-0.1)


@pytest.mark.parametrize(
    ("t_ref", "dt", "steps"),
    # 0.3 / 0.1 and 2.1 / 0.1 are below 3 and 21 in binary.
    [(0, 1e-4, 0), (1e-4, 1e-4, 1), (0.5e-4, 1e-4, 0), (0.3, 0.1, 3), (2.1e-3, 1e-4, 21), (2.09e-3, 1e-4, 20)],
)
def test_the_refractory_time_is_counted_in_whole_steps_as_brian_does(t_ref, dt, steps):
    assert LIF(tau=1, t_ref=t_ref).refractory_steps(dt) == steps


@pytest.mark.parametrize(
    ("current", "message"),
    [
        ([0, NAN, 1], "current: got nan A at index 1;"),
        ([[0, 1e-9], [INF, 0]], "current: got inf A at index 1, 0;"),
        ([], "current: got an array of shape (0,);"),
        (1e-9, "current: got an array of shape (); expected shape (t,) or (t, n)"),
        (np.zeros((2, 2, 2)), "current: got an array of shape (2, 2, 2);"),
        ("step", "current: got 'step'; expected an array of real numbers in amperes."),
        ([1j], "expected an array of real numbers in amperes"),
        ([True], "expected an array of real numbers in amperes"),
        ([[1, 2], [3]], "expected an array of real numbers in amperes"),
        (None, "current: got None"),
        ([0.0, -1e305], "current: got -1e+305 A at index 1; expected finite numbers of at most 1e-05 amperes"),
    ],
)
def test_a_current_is_finite_real_and_of_one_or_two_dimensions(current, message):
    with pytest.raises(ParameterError) as caught:
        LIF().check_current(current)
    assert message in str(caught.value)


def test_an_integer_and_a_name_are_checked():
    assert checks.integer("seed", np.int64(3), 0) == 3
    for wrong in (-1, 1.0, True, "1", None):
        with pytest.raises(ParameterError, match=r"seed: got .*; expected an integer of 0 or more"):
            checks.integer("seed", wrong, 0)
    with pytest.raises(ParameterError, match="from 1 to 3"):
        checks.integer("n", 4, 1, 3)
    assert checks.choice("engine", "numpy", ("auto", "numpy")) == "numpy"
    with pytest.raises(
        ParameterError, match=r"engine: got 'nunpy'; expected one of auto, numpy\. Did you mean 'numpy'"
    ):
        checks.choice("engine", "nunpy", ("auto", "numpy"))
    with pytest.raises(ParameterError, match="engine: got None"):
        checks.choice("engine", None, ("auto", "numpy"))
