"""The Brian2 objects of a plan's structure: the one description that all targets of Brian2 are made from.

Only brian_worker imports this, in a process of its own. Names are fixed, since generated code and its cache go by them.

    tau dv/dt = -(v - v_rest) + resistance I + Σ g_c + Σ h_c (reversal_c - v)      (unless refractory)
    tau_c dg_c/dt = -g_c,  tau_c dh_c/dt = -h_c

with g_c [V] the channels of currents and h_c [no unit] those of conductances in units of the leak; without spikes

    tau dv_i/dt = -(v_i - v_rest) + resistance I_i + Σ_j w_ij (v_j - v_rest).

Integration is exact; with conductances it is Brian2's exponential Euler, which holds them constant during a step, and
the graded sum too is constant during a step. While a neuron is refractory, synapses and drive do not move its voltage.
"""

import json

import brian2

# Stands for the number of neurons in generated sources until building.py puts a variable there.
SIZE = 1000003
# What Brian2 calls the unit of each parameter.
UNITS = {
    "tau": "second",
    "resistance": "ohm",
    "v_rest": "volt",
    "v_threshold": "volt",
    "v_reset": "volt",
    "t_ref": "second",
}


def equations(structure, counted=False) -> str:
    """The equations of a neuron, in Brian2's notation; `counted` as in `build`."""
    flag = "(constant)" if structure["own"] else "(shared, constant)"
    units = {n: u for n, u in UNITS.items() if not structure["graded"] or n in ("tau", "resistance", "v_rest")}
    lines = [f"{name} : {unit} {flag}" for name, unit in units.items()]
    terms = ["-(v - v_rest)"]
    if structure["current"]:
        terms.append("resistance*I")
        lines += ["I = kzoo_current(t, column) : amp (constant over dt)", "column : integer (constant)"]
    if structure["graded"]:
        terms.append("coupled")
        lines.append("coupled : volt")
    if structure["drive"]:
        lines += ["drive_kind : integer (constant)", "drive_weight : volt (constant)"]
    for c, kind in enumerate(structure["channels"]):
        unit = "volt" if kind == "current" else "1"
        terms.append(f"g{c}" if kind == "current" else f"g{c}*(reversal{c} - v)")
        lines += [f"dg{c}/dt = -g{c}/tau{c} : {unit}", f"tau{c} : second (shared, constant)"]
        if kind == "conductance":
            lines.append(f"reversal{c} : volt (shared, constant)")
    if counted:
        lines += ["hold : integer (constant)" if structure["own"] else "hold : integer (shared, constant)"]
        lines += ["free_from : integer"]
    refractory = "" if structure["graded"] else " (unless refractory)"
    return "\n".join([f"dv/dt = ({' + '.join(terms)})/tau : volt{refractory}", *lines])


def build(structure, size, namespace, counted=False):
    """Objects of Brian2 without any values: neurons, one Synapses for each wires, spikes or None.

    Arguments:
        structure: JSON, `Plan.structure`.
        size: how many neurons.
        namespace: the functions `kzoo_current(t, column)` where there is a current.
        counted: whether a neuron is held for `hold` steps by a counter of its own, rather than by Brian2's
            `refractory="t_ref"`, which divides a time by dt for each neuron in each step. The steps are the same.
    """
    structure = json.loads(structure)
    counted = counted and not structure["graded"]
    spiking = {"threshold": "v > v_threshold", "reset": "v = v_reset", "refractory": "t_ref"}
    if counted:
        spiking["reset"] += "; free_from = t_in_timesteps + hold"
        spiking["refractory"] = "t_in_timesteps < free_from"
    neurons = brian2.NeuronGroup(
        size,
        equations(structure, counted),
        method="exponential_euler" if "conductance" in structure["channels"] else "exact",
        namespace=namespace,
        name="neurons",
        **({} if structure["graded"] else spiking),
    )
    wires = []
    for k, (channel, own_weights, own_delays) in enumerate(structure["wires"]):
        conducts = channel is not None and structure["channels"][channel] == "conductance"
        unit = "1" if conducts or structure["graded"] else "volt"
        weight = f"w : {unit} ({'' if own_weights else 'shared, '}constant)"
        if structure["graded"]:
            made = brian2.Synapses(
                neurons, neurons, f"{weight}\ncoupled_post = w*(v_pre - v_rest_pre) : volt (summed)", name=f"wires{k}"
            )
        else:
            made = brian2.Synapses(
                neurons,
                neurons,
                weight,
                on_pre=f"{'v' if channel is None else f'g{channel}'}_post += w",
                delay=None if own_delays else 0 * brian2.second,
                name=f"wires{k}",
            )
        wires.append(made)
    spikes = None if structure["graded"] else brian2.SpikeMonitor(neurons, name="spikes")
    return neurons, wires, spikes
