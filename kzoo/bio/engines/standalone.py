"""C++ programs made by Brian2's standalone mode, run with any numbers.

Sizes, parameters, connections, currents, the seed, dt and the duration are read by a program when it starts. So it is
built once for a kind of network (building.py), in some twenty seconds, is kept (programs.py), and then runs without
Brian2, without a compiler and in any thread.
"""

import time

import numpy as np

from kzoo.bio.engines import plan, process, programs
from kzoo.bio.records import Recording


def simulate(parameters, current, dt, v_start, timeout=None, progress=None) -> Recording:
    """The voltages and spikes of n neurons. neuron.simulate checks the arguments and explains them.

    Arguments:
        parameters: `LIF`.
        current: float64 (t, n) [A].
        dt: [s].
        v_start: float64 (n,) [V].
        timeout: [s] for the run, or None.
        progress: a function of a sentence, called while a program is built, which takes seconds, and every second or so
            of a longer run.
    """
    made = run(plan.single(parameters, current, dt, v_start), timeout, progress)
    return Recording(dt, current, made.voltage, made.spikes(*current.shape), "brian-cpp")


def run(given, timeout=None, progress=None) -> plan.Run:
    """Runs a `Plan`; builds its program before, where that has not been done.

    Raises: building.BuildFailed, or process.Failed with what the program said, or after `timeout` seconds.
    """
    start = time.perf_counter()
    binary = programs.program(given.structure, progress)
    built = time.perf_counter()
    environment = {"KZOO_SIZE": str(given.size)}
    answer = process.call(
        [str(binary)], encoded(given), "The simulation", timeout, environment, binary.parent, progress
    )
    records = _records(answer, 1 if given.graded else 3)
    voltage = records[0].view(np.float64).reshape(given.steps, len(given.trace))
    if given.graded:
        steps = neurons = np.zeros(0, np.int64)
    else:
        steps = np.rint(records[1].view(np.float64) / given.dt).astype(np.int64)
        neurons = records[2].view(np.int32).astype(np.int64)
    seconds = {"build": built - start, "run": time.perf_counter() - built}
    return plan.Run(steps, neurons, voltage, seconds)


def encoded(given) -> bytes:
    """All that the program reads, in the order in which brian_worker.write lets it read."""
    records = []

    def put(values, dtype):
        values = np.ascontiguousarray(values, dtype)
        records.append(np.array([values.size, values.itemsize], np.int64).tobytes())
        records.append(values.tobytes())

    def put_all(values, count):
        put(np.broadcast_to(values, count), np.float64)

    put([given.dt], np.float64)
    put([given.steps], np.int64)
    for name in plan.PARAMETERS:
        if not given.graded or name in ("tau", "resistance", "v_rest"):
            put_all(given.parameters[name], given.size if given.own else 1)
    if not given.graded:
        put(np.broadcast_to(given.hold, given.size if given.own else 1), np.int32)
    put_all(given.v_start, given.size)
    if given.current is not None:
        put([given.current.shape[1]], np.int64)
        put(given.current, np.float64)
        put(given.column, np.int32)
    for channel in given.channels:
        put([channel.tau], np.float64)
        if channel.reversal is not None:
            put([channel.reversal], np.float64)
        put_all(0.0 if channel.start is None else channel.start, given.size)
    for wires in given.wires:
        put(wires.first, np.int64)
        put(wires.targets, np.int32)
        put(wires.weights, np.float64)
        if not given.graded:
            put(wires.delays * given.dt, np.float64)
    if given.drive is not None:
        tables = given.drive.tables
        put([given.drive.key], np.uint64)
        put(np.cumsum([0, *map(len, tables)]), np.int64)
        put(np.concatenate(tables), np.float64)
        put(given.drive.kind, np.int32)
        put(given.drive.weight, np.float64)
    put(given.trace, np.int32)
    return b"".join(records)


def _records(answer, count) -> list[np.ndarray]:
    """The records of an answer, as bytes."""
    found, at = [], 0
    for _ in range(count):
        number, width = np.frombuffer(answer, np.int64, 2, at)
        found.append(np.frombuffer(answer, np.uint8, number * width, at + 16).copy())
        at += 16 + number * width
    return found
