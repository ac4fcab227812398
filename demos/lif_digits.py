"""A trained network of spiking neurons reads a digit: what goes in at each step, who fires when, and how it decides.

The code of the input and the number of steps may be changed: the weights stay those that were learned with a constant
current, so that a visitor sees what the network makes of spikes at random, or of less time.
"""

import functools
import json
from typing import NamedTuple

import digit_pad
import kit
import lif_digits_markup as markup
import live
import numpy as np
import validate
from digits import CLASSES, INK_LEVELS

from kzoo.registry import preset_folder
from kzoo.seeds import seeded

NAME = "snn_mnist"
FIRST = "3"
CODES = {
    "constant current, as trained": "current", "random spikes (rate)": "rate", "one spike a pixel (latency)": "latency",
}  # fmt: skip
STEPS = (2, 30)


class Seen(NamedTuple):
    """What the network does with one image.

    Attributes:
        given: (t, 28, 28) what comes in at each step: the image itself, or spikes.
        spikes: Name of a layer -> (t, u) bool.
        voltages: (t, k) of the readout.
        logits: (k,) their mean over time.
    """

    given: np.ndarray
    spikes: dict
    voltages: np.ndarray
    logits: np.ndarray


@functools.lru_cache(maxsize=8)
def model(encoder: str, steps: int):
    """The shipped network with another code of its input, or another number of steps."""
    shipped = kit.preset(NAME)
    config = shipped.get_config()
    if (config["encoder"], config["steps"]) == (encoder, steps):
        return shipped
    # With a seed: the random spikes are the same for all who see them.
    with kit.alone(shipped), seeded(0):
        other = type(shipped).from_config({**config, "encoder": encoder, "steps": steps})
        for layer in shipped.layers:
            if layer.get_weights():
                other.get_layer(layer.name).set_weights(layer.get_weights())
    return other


def trained() -> tuple[str, int]:
    """The code and the steps with which the shipped network was trained."""
    config = kit.preset(NAME).get_config()
    return config["encoder"], config["steps"]


def quality() -> str:
    """The share of the test digits that the shipped network reads right, by its own figures."""
    figures = json.loads((preset_folder(NAME) / "metrics.json").read_text(encoding="utf-8"))
    return f"{100 * figures['test_accuracy']:.1f} %"


def read(network, image) -> Seen:
    """What the network does with an image (28, 28), ink from 0 to 1."""
    found = network.activations(np.asarray(image, "float32")[None, ..., None])
    spikes = {name: value[0] > 0.5 for name, value in found.items() if name.startswith("lif_")}
    if encoder_spikes(network):
        given = found[network.encoder][0].reshape(-1, 28, 28)
    else:
        given = np.repeat(np.asarray(image)[None], network.steps, axis=0)
    return Seen(given, spikes, found["voltages"][0], found["logits"][0])


def encoder_spikes(network) -> bool:
    """Whether the input comes as spikes."""
    return network.encoder != "current"


def answers(voltages) -> np.ndarray:
    """What the network would answer after each step, (t,): the class of the largest mean voltage so far."""
    return np.argmax(np.cumsum(voltages, axis=0), axis=1)


def shares(logits) -> np.ndarray:
    """Softmax of the logits."""
    odds = np.exp(logits - np.max(logits))
    return odds / odds.sum()


def check(drawing, encoder, steps) -> tuple[np.ndarray, str, int]:
    """The prepared image (28, 28), the code and the steps that a page or a client sent.

    Raises:
        gr.Error: one line, for the first that is not allowed.
    """
    image = digit_pad.prepared(drawing).image
    encoder = validate.choice("Code", encoder, CODES.values())
    return image, encoder, validate.number("Steps", steps, *STEPS, whole=True)


def look(image, encoder: str, steps: int) -> tuple[str, ...]:
    """The status line, the input, the layers and the readout over time, as markup."""
    network = model(encoder, steps)
    with kit.alone(network):
        seen = read(network, image)
    fired = {name: int(spikes.any(axis=0).sum()) for name, spikes in seen.spikes.items()}
    total = sum(int(spikes.sum()) for spikes in seen.spikes.values())
    count = sum(spikes.shape[1] for spikes in seen.spikes.values())
    best = int(np.argmax(seen.logits))
    if image.any():
        cells = [("is the answer", CLASSES[best]), ("sure", f"{100 * shares(seen.logits)[best]:.0f} %")]
        by_step = answers(seen.voltages)
        settled = int(np.flatnonzero(by_step != best)[-1]) + 2 if (by_step != best).any() else 1
        note = f"It says {CLASSES[best]} after step {settled} and after all later ones."
        if settled == steps:
            note = "It comes to this answer only with the last step."
        elif settled == 1:
            note = f"It says {CLASSES[best]} after every step."
    else:
        cells, by_step, note = [], None, "Draw a digit."
    cells += [("spikes", f"{total:,}"), (f"of {count} neurons fired", f"{sum(fired.values())}")]
    return (
        live.status(cells, note),
        markup.given_html(seen.given, spiking=encoder_spikes(network)),
        "".join(markup.layer_svg(spikes, name, number) for number, (name, spikes) in enumerate(seen.spikes.items(), 1)),
        markup.readout_svg(seen.voltages, by_step),
    )


def code(image, encoder: str, steps: int) -> str:
    """The lines that reproduce what is on screen for a drawing; they run as pasted."""
    rows = "\n".join(
        "".join("." if level == 0 else f"{level:x}" for level in line)
        for line in np.rint(np.asarray(image) * INK_LEVELS).astype(int)
    )
    changed = ""
    if (encoder, steps) != trained():
        changed = f"""
# The same weights, with another code of the input or another number of steps
config = {{**model.get_config(), "encoder": "{encoder}", "steps": {steps}}}
with seeds.seeded(0):  # the random spikes
    other = type(model).from_config(config)
for layer in model.layers:
    if layer.get_weights():
        other.get_layer(layer.name).set_weights(layer.get_weights())
model = other
"""
    return f'''import numpy as np

import kzoo  # before keras: it chooses the backend
from kzoo import seeds

# The drawing as the network gets it: ink from 0 (a dot) to f.
DRAWING = """
{rows}
"""
image = np.array([[int(ink.replace(".", "0"), 16) for ink in row] for row in DRAWING.split()], "float32") / {INK_LEVELS}
x = image[None, ..., None]  # (b, h, w, c)
model = kzoo.from_preset("{NAME}")
{changed}
spikes = {{name: train[0] for name, train in model.spike_trains(x).items()}}  # layer -> (t, u), true or false
found = model.activations(x)
voltages, logits = found["voltages"][0], found["logits"][0]  # (t, k); (k,) their mean over time
print("answer", logits.argmax(), "after each step", voltages.cumsum(axis=0).argmax(axis=1))
print({{name: f"{{train.any(axis=0).sum()}} of {{train.shape[1]}} fired" for name, train in spikes.items()}})
'''
