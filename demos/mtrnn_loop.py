"""An MTRNN's closed loop at time constants that move with a slider: one compiled model for all networks of the page."""

import functools

import kit
import numpy as np


@functools.cache
def _loop(units: int, length: int):
    """A Keras model from initial potentials (n, units), matrix, biases and leaks to activities (n, length, units).

    The layer of a network with other time constants would be compiled anew for each place of a slider. Here they are
    inputs, as all weights are, so that one model serves all networks of the page; the layer's own arithmetic does it.
    """
    import keras
    from keras import ops

    from kzoo.ops.mtrnn import activate, potentials

    def walk(given):
        first, kernel, bias, leak = given
        teacher = ops.zeros_like(first[:, None, :2]) + ops.zeros((length, 2))
        return activate(potentials(teacher, first, kernel[0], bias[0], leak[0], 1), 2)

    shapes = ((None, units), (1, units, units), (1, units), (1, units))
    inputs = [keras.Input(batch_shape=shape) for shape in shapes]
    walked = keras.layers.Lambda(walk, output_shape=(length, units))(inputs)
    return keras.Model(inputs, walked)


def closed_loop(model, states, time_constants, length: int) -> dict[str, np.ndarray]:
    """What a network does from initial states alone, with its own weights and any time constants.

    Args:
        model: An MTRNN with two tanh outputs.
        states: (n, slow_units) potentials that the slow units begin with.
        time_constants: Of outputs, fast and slow units, in steps.
        length: t, how many steps. It is compiled once for each length and number of states.

    Returns:
        {"outputs": (n, t, 2), "fast": (n, t, fast_units), "slow": (n, t, slow_units)}.
    """
    from keras import ops

    dynamics = model.get_layer("dynamics")
    bias = {name: ops.convert_to_numpy(value) for name, value in dynamics.biases.items()}
    ends = np.cumsum([0, *map(len, bias.values())])
    place = {name: slice(a, b) for name, a, b in zip(bias, ends[:-1], ends[1:], strict=True)}
    kernel, first = np.zeros((ends[-1], ends[-1]), "float32"), np.zeros((len(states), ends[-1]), "float32")
    for name, value in dynamics.kernels.items():
        source, to = name.split("_to_")
        kernel[place[source], place[to]] = ops.convert_to_numpy(value)
    first[:, place["slow"]] = states
    leak = np.repeat(dynamics.dt / np.array(time_constants, "float32"), np.diff(ends))
    loop = _loop(int(ends[-1]), length)
    with kit.alone(loop):
        found = loop.predict_on_batch([first, kernel[None], np.concatenate([*bias.values()])[None], leak[None]])
    return {name: found[..., part] for name, part in place.items()}
