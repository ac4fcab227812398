"""Draw a digit and watch a convolutional network read it: its input, its maps, one filter's sum, and where it looks.

    python demos/cnn_app.py

The network is the preset `cnn_mnist`. A drawing of 64 x 64 pixels is centred and scaled as MNIST's digits were, and
every picture on the page is made from what the model computes for it.
"""

import functools
import threading
from typing import NamedTuple

import cnn_markup as markup
import digit_pad
import digits
import gradio as gr
import kit
import link
import numpy as np
import pad
import validate
from digits import CLASSES, INK_LEVELS, SIDE

import kzoo

TITLE = "Convolutional network"
SUMMARY = "Draw a digit and watch a network read it, layer by layer"
PRESETS = ("cnn_mnist",)

FILTERED = SIDE - 2  # rows and columns of the first convolution's maps: 3 x 3, without a border
FILTERS = 32
CAM_LAYER = "relu_2_2"
LAYERS = (
    *(f"{kind}_1_{i}" for i in (1, 2) for kind in ("conv", "norm", "relu")),
    "pool_1",
    *(f"{kind}_2_{i}" for i in (1, 2) for kind in ("conv", "norm", "relu")),
    "pool_2",
    "flatten",
    "dense",
    "norm_dense",
    "relu_dense",
    "logits",
)

FIRST = "3"  # the example that the page opens with
NOTE = "An example; your first stroke starts a new drawing."


# --- what the network computes -------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=4)
def _probe(model):
    import keras

    return keras.Model(model.input, [model.get_layer(name).output for name in LAYERS])


def activations(model, image) -> dict[str, np.ndarray]:
    """The output of each of LAYERS for one image (28, 28): (h, w, c) or (units,). The same as `model.activations`.

    Compiled for a batch of one by the backends that compile; `model.activations` runs operation by operation.
    """
    found = _probe(model).predict_on_batch(np.asarray(image, np.float32)[None, :, :, None])
    return {name: np.asarray(value)[0] for name, value in zip(LAYERS, found, strict=True)}


def softmax(logits) -> np.ndarray:
    """Probabilities from logits (k,)."""
    powers = np.exp(np.asarray(logits, float) - np.max(logits))
    return powers / powers.sum()


class Step(NamedTuple):
    """One pixel of the first block's map: `value = relu(scale * (patch . kernel) + shift)`.

    Attributes:
        patch: (3, 3), the input under the window.
        kernel: (3, 3), the filter's weights.
        total: the sum of patch times kernel.
        scale, shift: what the norm layer multiplies by and adds; a bias of the convolution is in the shift.
        value: what comes out of relu.
    """

    patch: np.ndarray
    kernel: np.ndarray
    total: float
    scale: float
    shift: float
    value: float


def one_step(model, image, filter: int, row: int, column: int) -> Step:
    """The arithmetic of one output pixel of the first convolution, from the model's weights alone."""
    import keras

    layer, norm = model.get_layer("conv_1_1"), model.get_layer("norm_1_1")
    number = lambda weight: float(keras.ops.convert_to_numpy(weight)[filter])  # noqa: E731
    patch = np.asarray(image, float)[row : row + 3, column : column + 3]
    kernel = keras.ops.convert_to_numpy(layer.kernel)[:, :, 0, filter].astype(float)
    total = float((patch * kernel).sum())
    scale = number(norm.gamma) / np.sqrt(number(norm.moving_variance) + norm.epsilon)
    bias = number(layer.bias) if layer.use_bias else 0.0
    shift = number(norm.beta) + scale * (bias - number(norm.moving_mean))
    return Step(patch, kernel, total, float(scale), float(shift), max(0.0, float(scale * total + shift)))


def saliency(model, image, target: int) -> np.ndarray:
    """The gradient of the class's logit with respect to each input pixel, (28, 28)."""
    import keras

    x = keras.Variable(np.asarray(image, np.float32)[None, :, :, None], trainable=False)
    _, (gradient,) = kzoo.backend.value_and_grad(lambda: model(x.value, training=False)[0, target], [x])
    return keras.ops.convert_to_numpy(gradient)[0, :, :, 0]


@functools.lru_cache(maxsize=4)
def _head(model):
    import keras

    return keras.Model(model.get_layer(CAM_LAYER).output, model.output)


def grad_cam(model, maps, target: int) -> np.ndarray:
    """Grad-CAM (Selvaraju et al., arXiv:1610.02391) of the last convolution's maps, (8, 8), at least 0.

    cam = relu(sum over k of weight_k maps_k), weight_k the mean over the map of d logit / d maps_k.

    Args:
        model: the CNN.
        maps: the output of CAM_LAYER, (8, 8, 64).
        target: the class.
    """
    import keras

    head = _head(model)
    a = keras.Variable(np.asarray(maps, np.float32)[None], trainable=False)
    _, (gradient,) = kzoo.backend.value_and_grad(lambda: head(a.value, training=False)[0, target], [a])
    weights = keras.ops.convert_to_numpy(gradient)[0].mean(axis=(0, 1))
    return np.maximum(maps @ weights, 0)


def sight(model, name: str) -> tuple[float, int, int]:
    """What the pixels of a layer see of the input: the centre of the first, the step to the next, the width."""
    first, step, width = 0.0, 1, 1
    for layer in model.layers:
        taps = getattr(layer, "kernel_size", getattr(layer, "pool_size", (1,)))[0]
        first, width = first + step * (taps - 1) / 2, width + step * (taps - 1)
        step *= getattr(layer, "strides", (1,))[0]
        if layer.name == name:
            break
    return first, step, width


def spread(cam, first: float, step: int, width: int) -> np.ndarray:
    """A map laid over the input, (28, 28): each cell on the middle of what it sees, straight lines between them.

    Args:
        cam: (n, n).
        first: centre of what the first cell sees, in pixels.
        step: from one cell to the next, in pixels.
        width: of what a cell sees, in pixels. Outside the outermost centres the map falls to 0 over half of it.
    """
    cells, pixels = first + step * np.arange(len(cam)), np.arange(SIDE)
    cells = np.r_[first - width / 2, cells, cells[-1] + width / 2]
    weights = np.stack([np.interp(pixels, cells, np.r_[0, one, 0]) for one in np.eye(len(cam))], axis=1)
    return weights @ cam @ weights.T


def code(image, layer: str, filter: int, row: int, column: int, target: int) -> str:
    """The lines that reproduce what is on screen; they run as pasted."""
    levels = np.rint(np.asarray(image) * INK_LEVELS).astype(int)
    rows = "\n".join("".join("." if level == 0 else f"{level:x}" for level in line) for line in levels)
    return f'''import numpy as np

import kzoo  # before keras: it chooses the backend

import keras
from kzoo import plots

# The drawing as the network sees it: ink from 0 (a dot) to f.
ROWS = """
{rows}
"""
image = np.array([[int(ink.replace(".", "0"), 16) for ink in row] for row in ROWS.split()], "float32") / 15
x = image[None, :, :, None]  # (b, h, w, c)

model = kzoo.from_preset("cnn_mnist")

# The answer
probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(model(x, training=False)))[0]
print("answer:", probabilities.argmax(), "with", probabilities.max())

# Layer by layer: every map by its layer's name
activations = model.activations(x)
maps = activations["{layer}"][0]
print("{layer}:", maps.shape, "from", maps.min(), "to", maps.max())
figure = plots.feature_maps({{"{layer}": maps}}, image=image)  # figure.savefig("maps.png")

# One pixel of the first convolution: patch x kernel, then the norm layer, then relu
filter, row, column = {filter}, {row}, {column}
kernel = keras.ops.convert_to_numpy(model.get_layer("conv_1_1").kernel)[:, :, 0, filter]
total = (image[row : row + 3, column : column + 3] * kernel).sum()
norm = model.get_layer("norm_1_1")
gamma, beta, mean, variance = (
    keras.ops.convert_to_numpy(weight)[filter]
    for weight in (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance)
)
value = max(0, gamma * (total - mean) / np.sqrt(variance + norm.epsilon) + beta)
print("sum", total, "value", value, "of the model:", activations["relu_1_1"][0, row, column, filter])

# Where it looks, for the class {target}: the gradient of its score with respect to the input ...
target = {target}
pixels = keras.Variable(x)
_, (gradient,) = kzoo.backend.value_and_grad(lambda: model(pixels.value, training=False)[0, target], [pixels])
saliency = keras.ops.convert_to_numpy(gradient)[0, :, :, 0]

# ... and Grad-CAM: the last maps, weighted by the mean of their gradients
head = keras.Model(model.get_layer("{CAM_LAYER}").output, model.output)
last = activations["{CAM_LAYER}"]
places = keras.Variable(last)
_, (gradient,) = kzoo.backend.value_and_grad(lambda: head(places.value, training=False)[0, target], [places])
cam = np.maximum(last[0] @ keras.ops.convert_to_numpy(gradient)[0].mean(axis=(0, 1)), 0)
print("Grad-CAM, row by row:", cam.max(axis=1))
'''


# --- the page ------------------------------------------------------------------------------------------------------


def _model():
    """The network that answers."""
    return kit.preset(PRESETS[0])


def _slopes():
    """The same network for gradients: JAX compiles for seconds before the first, and drawings are read meanwhile."""
    return kit.preset(PRESETS[0], "gradients")


def _found(image) -> dict[str, np.ndarray]:
    """What the network computes for one image."""
    with kit.alone(_model()) as model:
        return activations(model, image)


@kit.in_float32
def classify(drawing: str):
    """The answer for a drawing and the network's input, as markup."""
    prepared = digit_pad.prepared(drawing)
    if not prepared.image.any():
        return markup.answer_html(), markup.input_html(prepared)
    return markup.answer_html(softmax(_found(prepared.image)["logits"])), markup.input_html(prepared)


class Settings(NamedTuple):
    """What a visitor chose, checked."""

    image: np.ndarray
    layer: str
    filter: int
    row: int
    column: int
    target: str


def _settings(drawing, layer, filter, row, column, target, event=None) -> Settings:
    """The state of the page, with what a click chose in place of the state's own.

    Raises:
        gr.Error: if a value is not allowed.
    """
    values = {"layer": layer, "filter": filter, "row": row, "column": column}
    clicked = getattr(event, "_data", None)
    if isinstance(clicked, dict):
        values.update({name: clicked[name] for name in values if name in clicked})
    return Settings(
        digit_pad.prepared(drawing).image,
        validate.choice("Layer", values["layer"], LAYERS),
        validate.number("Filter", values["filter"], 0, FILTERS - 1, whole=True),
        validate.number("Row", values["row"], 0, FILTERED - 1, whole=True),
        validate.number("Column", values["column"], 0, FILTERED - 1, whole=True),
        validate.choice("Class", target, ("answer", *CLASSES)),
    )


def _class(settings, found) -> int:
    return int(np.argmax(found["logits"])) if settings.target == "answer" else int(settings.target)


def _code(settings, found) -> str:
    return code(*settings[:-1], _class(settings, found))


def _layers(settings, found):
    image, layer = settings.image, settings.layer
    return markup.overview_html(image, found, layer), markup.maps_html(layer, found[layer])


def _filters(settings, found):
    import keras

    maps = found["relu_1_1"]
    place = settings.filter, settings.row, settings.column
    with kit.alone(_model()) as model:
        kernels = keras.ops.convert_to_numpy(model.get_layer("conv_1_1").kernel)
        step = one_step(model, settings.image, *place)
    return markup.kernels_html(kernels, maps, settings.filter), markup.step_html(settings.image, maps, step, *place)


def _attribution(settings, found):
    target = _class(settings, found)
    with kit.alone(_slopes()) as model:
        field = sight(model, CAM_LAYER)
        cam = spread(grad_cam(model, found[CAM_LAYER], target), *field)
        gradient = saliency(model, settings.image, target)
    share = softmax(found["logits"])[target]
    return markup.attribution_html(settings.image, gradient, cam, target, share, CAM_LAYER, field[2])


@kit.in_float32
def explain(drawing: str, layer: str, filter: float, row: float, column: float, target: str):
    """What is inside, as markup: overview, a layer's maps, filters, one pixel's sum; and the code."""
    settings = _settings(drawing, layer, filter, row, column, target)
    found = _found(settings.image)
    return *_layers(settings, found), *_filters(settings, found), _code(settings, found)


@kit.in_float32
def attribute(drawing: str, layer: str, filter: float, row: float, column: float, target: str):
    """Where the network looks, as markup, and the code."""
    settings = _settings(drawing, layer, filter, row, column, target)
    found = _found(settings.image)
    return _attribution(settings, found), _code(settings, found)


@kit.in_float32
def show_layer(drawing, layer, filter, row, column, target, event: gr.EventData):
    """The layer that was chosen in the list or clicked in the overview."""
    settings = _settings(drawing, layer, filter, row, column, target, event)
    found = _found(settings.image)
    return settings.layer, *_layers(settings, found), _code(settings, found)


@kit.in_float32
def show_filter(drawing, layer, filter, row, column, target, event: gr.EventData):
    """The filter or the pixel that was chosen by a slider, a click, or the arrows."""
    settings = _settings(drawing, layer, filter, row, column, target, event)
    found = _found(settings.image)
    return settings.filter, settings.row, settings.column, *_filters(settings, found), _code(settings, found)


def choose_example(event: gr.EventData):
    """The drawing of the example that was clicked, and a note."""
    name = digit_pad.chosen(event)
    note = NOTE if name in CLASSES else f"This is {name}. A network of ten digits names one all the same, however sure."
    return digits.example(name), kit.caption_html(note)


@kit.in_float32
def upload(path):
    """A visitor's picture on the pad, and a note on what was done to it."""
    if path is None:
        return gr.skip(), gr.skip()
    try:
        drawing, note = digits.read_picture(path)
    except ValueError as error:
        raise validate.refuse(str(error)) from None
    return pad.encode(drawing), kit.caption_html(note)


def take_home() -> str:
    """The path of the model as a `.keras` file."""
    return kit.download(_model(), PRESETS[0])


def _html(markup: str = "", **options) -> gr.HTML:
    return gr.HTML(markup, apply_default_css=False, **options)


def build() -> gr.Blocks:
    """The page."""
    start = digits.example(FIRST)
    first = _settings(start, "relu_1_2", 2, 0, 0, "answer")
    answer, seen = classify(start)
    found = _found(first.image)
    # Where the filter finds most, the sum is worth a look.
    row, column = np.unravel_index(np.argmax(found["relu_1_1"][:, :, first.filter]), (FILTERED, FILTERED))
    first = first._replace(row=int(row), column=int(column))
    overview, maps = _layers(first, found)
    kernels, step = _filters(first, found)
    with kit.blocks(TITLE) as demo:
        _html(markup.STYLE)
        kit.heading(
            "Draw a digit, watch a network read it",
            "A small convolutional network, trained on the 60,000 handwritten digits of MNIST; it runs here, on "
            f"{kzoo.backend.name()}.",
        )
        with gr.Row(elem_classes="kz-cnn"):
            with gr.Column(min_width=280, elem_classes="kz-draws"):
                _html("<h2>You draw</h2>")
                drawing = pad.build_pad(start, label="Drawing pad")
                note = kit.caption(NOTE)
            with gr.Column(min_width=280, elem_classes="kz-sees"):
                _html("<h2>The network sees</h2>")
                sees = _html(seen)
                kit.caption(
                    "28 x 28 pixels, made as MNIST was: cropped to the ink, scaled to fit 20 x 20 (dashed), its "
                    "centre of mass moved to the middle (cross). So it matters little where and how large you draw."
                )
            with gr.Column(min_width=280, elem_classes="kz-says"):
                _html("<h2>It answers</h2>")
                says = _html(answer)
                kit.caption("Probability of each class, in %: the softmax of the network's scores.")
        with gr.Row(elem_classes="kz-more"):
            with gr.Column(scale=4, min_width=320):
                examples = _html(markup.examples_html(), js_on_load=markup.PICK)
            with gr.Column(scale=1, min_width=200):
                picture = gr.UploadButton("Upload a picture of a digit", file_types=["image"], size="sm")
        with kit.tabs():
            with gr.Tab("Layers"):
                kit.caption("Four maps of each stage on the way to the answer; bright is strong. Click a stage.")
                ways = _html(overview, js_on_load=markup.PICK)
                layer = gr.Dropdown(list(LAYERS), value=first.layer, label="Layer", info="in the order of computation")
                all_maps = _html(maps)
            with gr.Tab("One filter"):
                summed = _html(step, js_on_load=markup.PICK)
                with gr.Row():
                    filter = gr.Slider(0, FILTERS - 1, value=first.filter, step=1, label="Filter", info="its number")
                    row = gr.Slider(0, FILTERED - 1, value=first.row, step=1, label="Row", info="in pixels")
                    column = gr.Slider(0, FILTERED - 1, value=first.column, step=1, label="Column", info="in pixels")
                kit.caption(
                    f"The {FILTERS} filters of the first layer: their weights (orange adds, purple subtracts, white is "
                    "0), and beneath them what they find in your drawing. Click one."
                )
                tiles = _html(kernels, js_on_load=markup.PICK)
            with gr.Tab("Where it looks"):
                target = gr.Radio([("its answer", "answer"), *CLASSES], value=first.target, label="Explain the class")
                where = _html()
        panel = kit.code_panel(_code(first, found))
        controls = {"layer": layer, "filter": filter, "row": row, "column": column, "class": target}
        with gr.Row():
            link.button({"drawing": drawing, **controls})
            kit.download_button("Download the model (.keras)", take_home, [])

        state = [drawing, *controls.values()]
        # Values come as they were sent: _settings checks them, in words clearer than Gradio's own.
        quick = {"show_progress": "hidden", "trigger_mode": "always_last", "preprocess": False}
        drawing.change(classify, drawing, [says, sees], api_name="classify", **quick)
        inside = [ways, all_maps, tiles, summed, panel]
        drawing.settled(explain, state, inside, api_name="explain", **quick)
        # By itself: gradients take longer, and the rest need not wait for them.
        drawing.settled(attribute, state, [where, panel], api_name="attribute", **quick)
        drawing.own(None, None, note, js="() => ''", **kit.PRIVATE)
        # What is clicked or dragged has data, which Gradio keeps of each event alone; see pictures.DRAGGED.
        each = {**quick, "trigger_mode": "multiple", "concurrency_limit": 1}
        for listen, mode in ((layer.input, quick), (ways.pick, each)):
            listen(show_layer, state, [layer, ways, all_maps, panel], **mode, **kit.PRIVATE)
        sliders, clicks = (filter.input, row.input, column.input), (tiles.pick, summed.pick)
        for listen, mode in (*((one, quick) for one in sliders), *((one, each) for one in clicks)):
            listen(show_filter, state, [filter, row, column, tiles, summed, panel], **mode, **kit.PRIVATE)
        target.input(attribute, state, [where, panel], **quick, **kit.PRIVATE)
        examples.pick(choose_example, None, [drawing, note], **each, **kit.PRIVATE)
        picture.upload(upload, picture, [drawing, note], show_progress="hidden", **kit.PRIVATE)

        def restore(request: gr.Request):
            good = link.restore(controls, request)
            values = [good.get(name, gr.skip()) for name in controls]
            text = digit_pad.linked(request)
            return text or gr.skip(), "" if text else gr.skip(), *values

        # Hidden: what shows progress covers its outputs, and nobody could draw yet.
        opened = demo.load(restore, None, [drawing, note, *controls.values()], show_progress="hidden", **kit.PRIVATE)
        opened.then(explain, state, inside, **quick, **kit.PRIVATE)
        opened.then(attribute, state, [where, panel], **quick, **kit.PRIVATE)
    # The gradients are compiled while the visitor looks at the answer. No daemon: JAX aborts where one is cut off.
    threading.Thread(target=kit.in_float32(_attribution), args=(first, found), daemon=False).start()
    return demo


if __name__ == "__main__":
    kit.launch(build, TITLE)
