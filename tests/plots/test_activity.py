"""A network's activity as an object that is played: what it holds, and its light."""

import json

import numpy as np
import pytest

from kzoo.plots import activity, activity_film

from .conftest import made


def test_the_object_survives_json_and_gives_back_every_spike():
    rng = np.random.default_rng(0)
    times, neurons = np.sort(rng.integers(0, 5000, 900)) * 1e-4, rng.integers(0, 200, 900)
    data = json.loads(json.dumps(activity.activity_data(times, neurons, 200, 0.5)))
    found, numbers = activity.activity_spikes(data)
    np.testing.assert_allclose(found, times, atol=1e-12)
    order = np.lexsort((neurons, np.round(times * 1e4)))
    again = np.lexsort((numbers, np.round(found * 1e4)))
    np.testing.assert_array_equal(numbers[again], neurons[order])
    assert data["count"] == 900
    assert (data["ticks_type"], data["neurons_type"]) == ("u2", "u2")


def test_times_are_rounded_to_ticks_and_long_records_have_wider_ones():
    data = activity.activity_data([0.00016, 7.0], [0, 0], 1, 8.0)
    assert data["ticks_type"] == "u4"
    np.testing.assert_allclose(activity.activity_spikes(data)[0], [0.0002, 7.0])
    assert activity.activity_data([0.0], [0], 1, 6.5535)["ticks_type"] == "u2"
    assert activity.activity_data([0.0], [0], 1, 6.5536)["ticks_type"] == "u4"


def test_spikes_out_of_order_come_in_order():
    found, numbers = activity.activity_spikes(activity.activity_data([0.03, 0.01], [1, 0], 2, 0.1))
    np.testing.assert_allclose(found, [0.01, 0.03])
    np.testing.assert_array_equal(numbers, [0, 1])


def test_each_group_begins_in_a_row_of_its_own():
    data = made()
    assert (data["columns"], data["rows"]) == (4, 3)
    assert [group["row"] for group in data["groups"]] == [0, 2]
    places = activity.activity_places(data)
    np.testing.assert_array_equal(places[[0, 3, 4, 6, 7, 9]], [[0, 0], [0, 3], [1, 0], [1, 2], [2, 0], [2, 2]])


def test_of_a_large_network_every_so_many_th_neuron_of_each_group_is_drawn_and_all_are_counted():
    data = made(max_neurons=4)
    assert (data["size"], data["of"], data["every"]) == (4, 10, 3)
    excitatory, inhibitory = data["groups"]
    assert (excitatory["start"], excitatory["stop"], excitatory["first"], excitatory["of"]) == (0, 3, 0, 7)
    assert (inhibitory["start"], inhibitory["stop"], inhibitory["first"], inhibitory["of"]) == (3, 4, 7, 3)
    _, numbers = activity.activity_spikes(data)
    np.testing.assert_array_equal(numbers, [0, 3, 1, 0])  # of 0, 3, 6 and 7; 7 spiked at 60 ms, 3 at 80
    rates = data["rate"]["values"]
    assert np.sum(rates["excitatory"]) * data["rate"]["bin"] * 7 == pytest.approx(5, rel=1e-3)
    assert np.sum(rates["inhibitory"]) * data["rate"]["bin"] * 3 == pytest.approx(3, rel=1e-3)


def test_the_rate_has_bins_of_a_millisecond_and_of_a_long_record_at_most_four_hundred():
    for duration, count in ((0.1, 100), (0.4, 400), (40.0, 400)):
        data = activity.activity_data([0.05], [0], 2, duration)
        assert len(data["rate"]["values"]["neurons"]) == count
        assert data["rate"]["bin"] == pytest.approx(duration / count)
        assert sum(data["rate"]["values"]["neurons"]) * data["rate"]["bin"] == pytest.approx(0.5, rel=0.1)


def test_a_full_network_of_brunels_size_fits_in_a_megabyte():
    rng = np.random.default_rng(0)
    count = 12_500 * 38 // 2  # half a second of regime C
    data = activity.activity_data(
        np.sort(rng.random(count)) * 0.5,
        rng.integers(0, 12_500, count),
        12_500,
        0.5,
        groups={"excitatory": (0, 10_000)},
    )
    assert data["size"] == 2000  # the other group is left out
    assert len(json.dumps(data)) < 1e6


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"neurons": [0, 1, 8, 9, 1, 7, 3, 10]}, "neurons must be 0 to 9"),
        ({"duration": 0.05}, "times must lie"),
        ({"tick": 0}, "tick must be above 0"),
        ({"tick": 1e-12}, "fewer than"),
        ({"max_neurons": 0}, "max_neurons"),
        ({"groups": {"a": (0, 5), "b": (4, 10)}}, "overlap"),
    ],
)
def test_what_makes_no_film_is_refused(broken, words):
    with pytest.raises(ValueError, match=words):
        made(**broken)


@pytest.mark.parametrize("data", [{}, [], {"format": "kzoo.activity", "version": 2}, made() | {"count": 5}])
def test_what_is_no_such_object_is_refused(data, tmp_path):
    with pytest.raises(ValueError, match="data"):
        activity.activity_spikes(data)
    with pytest.raises(ValueError, match="data"):
        activity_film.save_activity(data, tmp_path / "a.html")
    assert not list(tmp_path.iterdir())


# The light


def test_a_light_falls_exponentially_from_the_last_spike():
    times, neurons = np.array([0.0, 0.01, 0.02]), np.array([0, 1, 1])
    light = activity.afterglow(times, neurons, 3, 0.03, 0.01)
    np.testing.assert_allclose(light, [np.exp(-3), np.exp(-1), 0])
    np.testing.assert_allclose(activity.afterglow(times, neurons, 3, 0.01, 0.01), [np.exp(-1), 1, 0])
    np.testing.assert_array_equal(activity.afterglow(times, neurons, 3, 1.0, 0.01), [0, 0, 0])
