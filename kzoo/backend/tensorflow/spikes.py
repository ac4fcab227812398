"""Spiking neurons over time on TensorFlow, which compiles the scan and has no loop of its own."""


def integrate_and_fire(current, v, wait, neuron, steps, voltages):
    """A whole run of leaky integrate-and-fire neurons by the backend's own loop, or None where the scan is to run.

    torch has one in float32 and float64; JAX and TensorFlow, which compile the scan, have none.

    Args:
        current: (t, b, u), or (b, u) where `steps` says for how many steps it stays.
        v: the voltages to start from, (b, u).
        wait: for how many steps more each neuron is refractory, (b, u).
        neuron: a `kzoo.ops.spikes.Neuron`.
        steps: t for a constant current, else None.
        voltages: whether to give the voltages at the start of each step.

    Returns:
        Spikes (t, b, u), voltages (t, b, u) or None, the last v and the last wait, (b, u); or None.
    """
    return
