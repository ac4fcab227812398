"""Brian2's runtime, with generated code for NumPy ("numpy") or compiled by Cython ("cython").

Each simulation has a process of its own: Brian2 keeps global state, and two simulations in threads of one process
give wrong spikes without an error. That costs the start of Python and the import of Brian2, a second or two.
"""

import io
import time

import numpy as np

from kzoo.bio.engines import cache, plan, process
from kzoo.bio.records import Recording


def simulate(parameters, current, dt, v_start, target="numpy", timeout=None) -> Recording:
    """The voltages and spikes of n neurons. neuron.simulate checks the arguments and explains them.

    Arguments:
        parameters: `LIF`.
        current: float64 (t, n) [A].
        dt: [s].
        v_start: float64 (n,) [V].
        target: "numpy" or "cython".
        timeout: [s], or None.
    """
    made = run(plan.single(parameters, current, dt, v_start), target, timeout)
    return Recording(dt, current, made.voltage, made.spikes(*current.shape), f"brian-{target}")


def run(given, target="numpy", timeout=None, progress=None) -> plan.Run:
    """Runs a `Plan` in a process of its own.

    Raises: process.Failed with what Brian2 said, or after `timeout` seconds.
    """
    if progress:
        progress(f"Brian2 generates code for {target}" + (", and compiles it if it is new" * (target == "cython")))
    file = io.BytesIO()
    np.savez(file, **plan.to_arrays(given))
    start = time.perf_counter()
    folder = cache.folder() / "cython"
    if target == "cython":
        folder.mkdir(parents=True, exist_ok=True)
    answer = process.brian(["run", target], file.getvalue(), timeout, {"KZOO_CYTHON_CACHE": str(folder)})
    with np.load(io.BytesIO(answer), allow_pickle=False) as arrays:
        made = dict(arrays)
    return plan.Run(**made, seconds={"build": 0.0, "run": time.perf_counter() - start})
