"""The process in which Brian2 lives: `python -m kzoo.bio.engines.brian_worker run|write`.

    run TARGET          reads a plan from stdin, runs it with code for "numpy" or "cython", writes what came of it to
                        stdout; both are npz files without pickles.
    write FOLDER        reads a structure (JSON) from stdin and writes the C++ program that runs such plans to FOLDER.

Brian2 keeps global state, and two of its simulations in threads of one process give wrong spikes without an error. So
kzoo never imports it anywhere else, and one process runs one simulation.
"""

import io
import json
import os
import signal
import sys

if __name__ == "__main__" and sys.platform == "linux":
    # Whoever started this process waits for it; where that one is killed, nobody will read the answer. Before all that
    # takes time, and asked once more, as it may be gone already.
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.environ.get("KZOO_PARENT", str(os.getppid())) != str(os.getppid()):
        sys.exit("kzoo: whoever started this process is gone")

# Only Brian2's imports: it warns of its own dependencies, and whoever reads stderr can do nothing about it.
import warnings

warnings.simplefilter("ignore")

import brian2  # noqa: E402
import numpy as np  # noqa: E402

from kzoo.bio.engines import brian_model, plan  # noqa: E402


def main(arguments, given: bytes) -> bytes:
    """The answer to one command."""
    command, argument = arguments
    brian2.prefs.reset_to_defaults()  # a user's own may ask for float32, or for threads
    if command == "write":
        write(given.decode(), argument)
        return b""
    with np.load(io.BytesIO(given), allow_pickle=False) as file:
        made = run(plan.from_arrays(dict(file)), argument)
    answer = io.BytesIO()
    np.savez(answer, steps=made.steps, neurons=made.neurons, voltage=made.voltage)
    return answer.getvalue()


def run(given, target) -> plan.Run:
    """Runs a plan with Brian2's runtime."""
    prefs = brian2.prefs
    prefs["codegen.target"] = target
    if cache := os.environ.get("KZOO_CYTHON_CACHE"):
        prefs["codegen.runtime.cython.cache_dir"] = cache
    brian2.defaultclock.dt = given.dt * brian2.second
    namespace = {}
    if given.current is not None:
        values = given.current * brian2.amp
        namespace["kzoo_current"] = brian2.TimedArray(values, dt=given.dt * brian2.second, name="kzoo_current")
    neurons, wires, spikes = brian_model.build(given.structure, given.size, namespace)
    for name in brian_model.UNITS:
        if name in neurons.variables:
            value = given.parameters[name]
            setattr(neurons, f"{name}_", value if given.own else value[0])
    neurons.v_ = given.v_start
    if given.current is not None:
        neurons.column = given.column
    objects = [neurons, *wires]
    if spikes is not None:
        objects.append(spikes)
    for c, channel in enumerate(given.channels):
        setattr(neurons, f"tau{c}_", channel.tau)
        if channel.reversal is not None:
            setattr(neurons, f"reversal{c}_", channel.reversal)
        if channel.start is not None:
            setattr(neurons, f"g{c}_", channel.start)
    for made, wire in zip(wires, given.wires, strict=True):
        if not len(wire.targets):
            made.active = False
            made.connect(False)
            continue
        made.connect(i=wire.sources, j=wire.targets)
        made.w_ = wire.weights if given.graded or len(wire.weights) > 1 else wire.weights[0]
        if not given.graded:
            made.delay_ = wire.delays * given.dt if len(wire.delays) > 1 else wire.delays[0] * given.dt
    if given.drive is not None:
        objects.append(drive(given, neurons))
    if len(given.trace):
        monitor = brian2.StateMonitor(neurons, "v", record=np.asarray(given.trace), name="trace")
        objects.append(monitor)
    # Explicit: what `brian2.run` would collect by itself depends on who else holds objects.
    brian2.Network(*objects).run(given.steps * given.dt * brian2.second, namespace={})
    # A copy: the memory of Brian2's own array goes with the monitor.
    voltage = np.array(monitor.v_).T if len(given.trace) else np.zeros((given.steps, 0))
    if spikes is None:
        return plan.Run(np.zeros(0, np.int64), np.zeros(0, np.int64), voltage)
    return plan.Run(in_steps(spikes.t_, given.dt), np.array(spikes.i, np.int64), voltage)


def in_steps(times, dt):
    """Times [s] as numbers of steps."""
    return np.rint(np.asarray(times) / dt).astype(np.int64)


def drive(given, neurons):
    """The Poisson spikes from outside, added where Brian2 delivers those of synapses."""
    counts = given.drive.counter()
    moves = neurons.variables["v"], neurons.variables["not_refractory"]
    clock = brian2.defaultclock.variables["timestep"]

    @brian2.network_operation(when="synapses", name="drive")
    def kick():
        v, free = (variable.get_value() for variable in moves)
        step = clock.get_value().item()
        v += np.where(free, given.drive.weight * counts(step), 0.0)

    return kick


def write(structure, folder):
    """Writes the C++ sources of the program for all plans of a structure."""
    shape = json.loads(structure)
    brian2.set_device("cpp_standalone", build_on_run=False)
    device = brian2.get_device()
    insert = device.insert_code
    brian2.defaultclock.dt = 1e-4 * brian2.second  # the program reads its own
    namespace = {"kzoo_current": c_function("kzoo_current", "kzoo::current", ("t", "column"), brian2.amp)}
    neurons, wires, spikes = brian_model.build(structure, brian_model.SIZE, namespace, counted=True)
    objects = [neurons, *wires]
    if spikes is not None:
        objects.append(spikes)
    if shape["drive"]:
        kicks = c_function("kzoo_kicks", "kzoo::kicks", ("kind", "t", "i"), 1)
        code = "v += drive_weight*kzoo_kicks(drive_kind, t, i)"
        neurons.namespace["kzoo_kicks"] = kicks
        objects.append(neurons.run_regularly(code, when="synapses", name="drive"))
    for made in wires:
        # One synapse, of which only the code is wanted; then those of the plan take its place.
        made.connect(i=np.zeros(1, np.int32), j=np.zeros(1, np.int32))

    def array(owner, name):
        return device.get_array_name(owner.variables[name], access_data=False)

    def read(owner, name, count):
        return f"kzoo::read({array(owner, name)}, {count});"

    clock = brian2.defaultclock
    lines = [
        f"{read(clock, 'dt', 1)}",
        f"kzoo::dt = {array(clock, 'dt')}[0];",
        "kzoo::steps = kzoo::number<int64_t>();",
    ]
    count = "kzoo::size" if shape["own"] else 1
    lines += [read(neurons, name, count) for name in brian_model.UNITS if name in neurons.variables]
    if not shape["graded"]:
        lines.append(read(neurons, "hold", count))
    lines.append(read(neurons, "v", "kzoo::size"))
    if shape["current"]:
        lines += ["kzoo::read_currents();", read(neurons, "column", "kzoo::size")]
    for c, kind in enumerate(shape["channels"]):
        lines.append(read(neurons, f"tau{c}", 1))
        if kind == "conductance":
            lines.append(read(neurons, f"reversal{c}", 1))
        lines.append(read(neurons, f"g{c}", "kzoo::size"))
    for made, (_, own_weights, _own_delays) in zip(wires, shape["wires"], strict=True):
        sources, targets = array(made, "_synaptic_pre"), array(made, "_synaptic_post")
        total = f"{targets}.size()"
        lines += [f"kzoo::read_sources({sources});", f"kzoo::read({targets});"]
        lines += [f"{array(made, 'N')}[0] = {total};"]
        lines.append(f"kzoo::read({array(made, 'w')});" if own_weights else read(made, "w", 1))
        if not shape["graded"]:
            lines.append(f"kzoo::read({array(made.pre, 'delay')});")
    if shape["drive"]:
        lines += [
            "kzoo::read_drive();",
            read(neurons, "drive_kind", "kzoo::size"),
            read(neurons, "drive_weight", "kzoo::size"),
        ]
    v = array(neurons, "v")
    lines += ["kzoo::read(kzoo::traced);", f"kzoo::note({v});"]
    insert("before_start", "kzoo::start();")
    insert("main", "\n".join(lines))
    # The last of each step: what stands at its end stands at the start of the next.
    insert("before_network_run", f"network.add(&{clock.name}, []() {{ kzoo::note({v}); kzoo::step_done(); }});")
    brian2.Network(*objects, name="network").run(0 * brian2.second, namespace={})
    insert("main", "network.run(kzoo::steps * kzoo::dt, NULL, 10.0);")
    answer = ["kzoo::write(kzoo::trace.data(), kzoo::steps * kzoo::traced.size());"]
    if spikes is not None:
        times, who = array(spikes, "t"), array(spikes, "i")
        answer += [f"kzoo::write(brian::{name}.data(), brian::{name}.size());" for name in (times, who)]
    insert("before_end", "\n".join([*answer, "kzoo::end();"]))
    device.build(directory=folder, compile=False, run=False)


def c_function(name, body, arguments, unit):
    """A function for equations that calls one of standalone.h."""
    types = {"t": "double", "column": "int32_t", "kind": "int32_t", "i": "int32_t"}
    declared = ", ".join(f"{types[argument]} {argument}" for argument in arguments)
    code = f"static inline double {name}({declared}) {{ return {body}({', '.join(arguments)}); }}"

    units = [brian2.second if argument == "t" else 1 for argument in arguments]
    function = brian2.Function(None, arg_units=units, return_unit=unit)
    function.implementations.add_implementation("cpp", code)
    return function


if __name__ == "__main__":
    # What Brian2 or a compiler prints must not stand in the answer.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    answer.write(main(sys.argv[1:], sys.stdin.buffer.read()))
    answer.close()
