"""The SNN as a graph of NIR, the neuromorphic intermediate representation, and back; needs the package `nir`.

Pedersen et al., "Neuromorphic intermediate representation", Nature Communications 15, 2024,
doi:10.1038/s41467-024-52259-9. `nir.LIF` is tau dV/dt = (v_leak - V) + r I with a spike where V > v_threshold, then V =
v_reset: the equation of `kzoo.layers.lif`, but for the refractory period, which NIR does not have. NIR has no time step
either: most readers take Euler's steps of 0.1 ms. A model trained with `integration="euler"` spikes there as it does
here; one trained with "exact" has the same equation and is off by Euler's error.

The graph begins behind the code of the input and the flattening, and ends in the readout's voltages or spikes, whose
mean or sum over time are the logits. What lies outside of it is told in the graph's metadata, which other libraries do
not read: dt, and the model's arguments.
"""

import json
from pathlib import Path

import numpy as np

from kzoo import registry
from kzoo.errors import KzooError, RecipeError
from kzoo.files import replacing, replacing_folder, write_text
from kzoo.models import preset

__all__ = ["SUFFIX", "from_nir", "read", "to_nir", "to_preset", "write"]

SUFFIX = ".nir"

# Seconds that a step is taken to last, as snnTorch takes it.
DT = 1e-4
# Arguments of the model that no graph holds.
_OUTSIDE = ("input_shape", "steps", "encoder", "integration", "surrogate", "slope")

_CARD = """\
# {name}

An snn with {parameters:,} parameters, its weights those of {source}, a graph of NIR, converted by

    {command}

```python
import kzoo

model = kzoo.from_preset("{name}")
```
"""


def _nir():
    try:
        import nir
    except ImportError:
        raise KzooError("NIR's own package is not installed here. To install it, type:  pip install nir") from None
    return nir


def to_nir(model, dt: float = DT):
    """The graph of a `kzoo.models.snn.SNN`: Input, Affine, LIF, ..., Affine, LI or LIF, Output.

    Args:
        model: The model.
        dt: How long one of its steps is taken to last, in seconds: time constants become tau dt.

    Raises:
        KzooError: if the model is no SNN, NIR cannot express it, or `nir` is not installed.
    """
    nir = _nir()
    if type(model).__name__ != "SNN":
        raise KzooError(f"NIR describes networks of spiking neurons; received a {type(model).__name__}.")
    if model.t_ref > 0:
        raise KzooError(
            f"NIR has no refractory period; this model has t_ref={model.t_ref}. Train one with --model.t_ref 0."
        )
    _check_dt(dt)
    nodes, edges, before = {"input": nir.Input(np.array([model.get_layer("dense_1").kernel.shape[0]]))}, [], "input"
    for layer in model.layers:
        kind = type(layer).__name__
        if kind == "Dense":
            kernel, bias = (np.asarray(weight, "float32") for weight in layer.get_weights())
            node = nir.Affine(np.ascontiguousarray(kernel.T), bias)
        elif kind in ("LIF", "LeakyIntegrator"):
            values = {"tau": layer.tau * dt, "r": layer.resistance, "v_leak": 0}
            if kind == "LIF":
                # The same spikes of voltages so many times lower: some readers pass r by.
                values |= {"r": 1, "v_threshold": layer.v_threshold / layer.resistance, "v_reset": 0}
            make = nir.LIF if kind == "LIF" else nir.LI
            node = make(**{key: np.full(layer.units, value, "float32") for key, value in values.items()})
        else:
            continue  # the flattening, the code and the sum over time
        nodes[layer.name] = node
        edges.append((before, layer.name))
        before = layer.name
    nodes["output"] = nir.Output(np.array([model.num_classes]))
    config = model.get_config()
    told = {"dt": dt, "kzoo": json.dumps({key: config[key] for key in (*_OUTSIDE, "tau")})}
    return nir.NIRGraph(nodes, [*edges, (before, "output")], metadata=told)


def from_nir(graph, *, dt: float | None = None, **arguments):
    """The `kzoo.models.snn.SNN` of a graph, a chain of Affine or Linear and LIF that ends in LI or LIF.

    Neurons may differ in resistance and threshold, which go into the weights. They have one time constant, and are
    reset to where they rest: the model knows no other.

    Args:
        graph: A `nir.NIRGraph`.
        dt: Seconds of one step; None for what the graph's metadata says.
        **arguments: Of the model, for what no graph holds: steps, encoder, integration, surrogate, slope, input_shape.
            What is left out is taken from the metadata of a graph that kzoo wrote; else `integration` is "euler" and
            the rest the model's default.

    Raises:
        KzooError: if no SNN is the graph's network, or dt is not known.
    """
    nir = _nir()
    told = graph.metadata if isinstance(graph.metadata, dict) else {}
    dt = told.get("dt") if dt is None else dt
    if dt is None:
        raise KzooError(
            f"The graph does not say how long a step lasts, and NIR does not either: give dt={DT} seconds (--dt {DT})."
        )
    dt = _check_dt(dt)
    chain = _chain(nir, graph)
    products, membranes = chain[::2], chain[1::2]
    taus = np.concatenate([np.ravel(node.tau) for _, node in membranes]) / dt
    if np.ptp(taus) > 1e-6 * taus[0]:
        raise KzooError(
            f"The neurons of the graph have time constants from {taus.min():g} to {taus.max():g} steps; kzoo's snn has "
            "one for all."
        )
    try:
        known = dict(json.loads(told["kzoo"])) if "kzoo" in told else {"integration": "euler"}
    except (TypeError, ValueError):
        raise KzooError(f"The graph's metadata are damaged: got kzoo={told['kzoo']!r}; expected JSON.") from None
    exact = known.pop("tau", None)
    # Single precision wrote it; where the metadata says the same, they say it whole.
    tau = exact if exact is not None and abs(exact - taus[0]) < 1e-6 * exact else float(taus[0])
    try:
        model = registry.create_model(
            "snn",
            seed=0,
            **{
                "input_shape": (products[0][1].weight.shape[1],),
                **known,
                **arguments,
                "num_classes": products[-1][1].weight.shape[0],
                "hidden_dims": tuple(node.weight.shape[0] for _, node in products[:-1]),
                "readout": "voltage" if isinstance(membranes[-1][1], nir.LI) else "spikes",
                "tau": tau,
            },
        )
    except RecipeError as error:
        raise KzooError(f"The graph is no snn of kzoo: {error}") from error
    layers = [layer for layer in model.layers if type(layer).__name__ == "Dense"]
    own = next(layer for layer in model.layers if type(layer).__name__ == "LIF")
    for layer, (name, product), (other, membrane) in zip(layers, products, membranes, strict=True):
        weight, bias = product.weight, getattr(product, "bias", np.zeros(len(product.weight), "float32"))
        if tuple(weight.T.shape) != tuple(layer.kernel.shape) or not np.isfinite(weight).all():
            raise KzooError(f"{name}: got weights {weight.shape}; expected {layer.kernel.shape[::-1]}, all finite.")
        scale = _scale(name=other, membrane=membrane, resistance=own.resistance)
        if (scale != 1).any():
            weight, bias = weight * scale[:, None], bias * scale
        layer.set_weights([weight.T.astype("float32"), bias.astype("float32")])
    return model


def write(model, path, dt: float = DT, *, overwrite: bool = False) -> None:
    """Writes `to_nir(model, dt)` into a file of NIR's, .nir.

    Raises:
        KzooError: as `to_nir`, or if there is something at that path; `overwrite` replaces a file.
    """
    path = Path(path)
    if path.is_dir() or (path.exists() and not overwrite):
        what = "is a folder" if path.is_dir() else "is already there, and was not touched. To replace it, add --force"
        raise KzooError(f"{path} {what}; or name another file.")
    graph = to_nir(model, dt)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        _nir().write(str(temporary), graph)


def read(path, *, dt: float | None = None, **arguments):
    """`from_nir` of a file of NIR's.

    Raises:
        KzooError: as `from_nir`, or if the file is missing or damaged.
    """
    nir = _nir()
    if not Path(path).is_file():
        raise KzooError(f"There is no file {path}.")
    try:
        graph = nir.read(str(path))
    except Exception as error:  # whatever h5py and nir come upon in a file of others
        raise KzooError(f"{path} is damaged, or no graph of NIR: {error}") from error
    return from_nir(graph, dt=dt, **arguments)


def to_preset(path, to, *, command: str, dt: float | None = None, half: bool = False, overwrite: bool = False) -> None:
    """Converts a file of NIR's into a preset folder.

    Args:
        path, dt: As for `read`.
        to: The preset folder; it is made where it is missing.
        command: How it was converted: for the model card.
        half: Whether to store weights as float16, which rounds them.
        overwrite: Whether to replace a preset that the folder holds.

    Raises:
        KzooError: as `read`, or if the folder is not free.
    """
    to = Path(to)
    preset.check_free(to, overwrite, "To replace it, add --force (in Python: overwrite=True); or name another folder.")
    model = read(path, dt=dt)
    with replacing_folder(to) as temporary:
        preset.write(model, temporary, half=half)
        name, parameters = to.resolve().name, model.count_params()
        card = _CARD.format(name=name, parameters=parameters, source=path, command=command)
        write_text(temporary / "README.md", card)


def _check_dt(dt):
    dt = dt.item() if isinstance(dt, np.generic) else dt  # as a file's metadata hold it
    if isinstance(dt, bool) or not isinstance(dt, (int, float)) or not 0 < dt < float("inf"):
        raise KzooError(f"dt: got {dt!r}; expected seconds above 0, such as {DT}.")
    return dt


def _chain(nir, graph):
    """(name, node) from the input to the output, these two left out: a product and a membrane in turns."""
    after, found = {}, []
    for source, to in graph.edges:
        if source in after:
            raise KzooError(f"The node {source} goes to {after[source]} and to {to}; kzoo's snn is a chain.")
        after[source] = to
    starts = [name for name, node in graph.nodes.items() if isinstance(node, nir.Input)]
    if len(starts) != 1:
        raise KzooError(f"The graph has {len(starts)} inputs; kzoo's snn has one.")
    name = after.get(starts[0])
    while name is not None and not isinstance(graph.nodes[name], nir.Output) and len(found) < len(graph.nodes):
        found.append((name, graph.nodes[name]))
        name = after.get(name)
    if name is None or not isinstance(graph.nodes[name], nir.Output) or len(found) != len(graph.nodes) - 2:
        raise KzooError("The graph is no chain from its input to its output.")
    for i, (name, node) in enumerate(found):
        allowed = (nir.Affine, nir.Linear) if i % 2 == 0 else (nir.LIF,)
        if i == len(found) - 1 and i % 2:
            allowed = (nir.LIF, nir.LI)
        if not isinstance(node, allowed):
            words = " or ".join(kind.__name__ for kind in allowed)
            raise KzooError(f"{name}: got {type(node).__name__}, where kzoo's snn has {words}.")
    if len(found) < 4 or len(found) % 2:
        raise KzooError("kzoo's snn has a product and spiking neurons at least twice; the graph has fewer.")
    return found


def _scale(name, membrane, resistance):
    """By what each neuron's weights are multiplied, so that its threshold is 1 and its resistance the model's, (u,)."""
    height = np.ones_like(membrane.tau)
    if hasattr(membrane, "v_threshold"):
        if np.any(membrane.v_reset != membrane.v_leak):
            raise KzooError(f"{name}: got a v_reset that is not v_leak; kzoo's snn is reset to where it rests.")
        height = membrane.v_threshold - membrane.v_leak
        if np.any(height <= 0):
            raise KzooError(f"{name}: got a v_threshold at or below v_leak, where a neuron never rests.")
    elif np.any(membrane.v_leak != 0):
        raise KzooError(f"{name}: got a v_leak that is not 0, with which kzoo's logits would not begin.")
    scale = np.ravel(membrane.r / resistance / height)
    # Single precision wrote the resistance down: what is 1 but for that is 1, and leaves the weights' bits as they are.
    return np.where(abs(scale - 1) < 1e-6, 1.0, scale)
