"""Watch a transformer write, character by character, and look into any of them: what it expected, where it looked.

    python demos/transformer_app.py

The model is the preset `transformer_shakespeare`. Every picture is made from what it computes for the text on screen:
the chances of the next character, what each layer would say, and the attention of every head.
"""

import functools

import gradio as gr
import kit
import numpy as np
import transformer_markup as markup
import validate
import writing
from writing import Seen, Settings

import kzoo

TITLE = "Transformer"
SUMMARY = "It writes: see what it expects, and where each head looks"
PRESETS = ("transformer_shakespeare",)

LAYERS = HEADS = ("all", "1", "2", "3", "4")
EXAMPLES = {
    "ROMEO": "ROMEO:\n",
    "A question": "First Citizen:\nWhat is ",
    "A name begun": "KING RICHARD III:\nMy lord of Buck",
    "A line's start": "\n",
}


# --- what the model computes ---------------------------------------------------------------------------------------


def softmax(logits) -> np.ndarray:
    """Probabilities from logits (..., v), in float64."""
    logits = np.asarray(logits, float)
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def chances(logits, temperature: float, top_k: int, top_p: float) -> np.ndarray:
    """The chance of each character to be drawn, (v,): temperature, then the likeliest `top_k`, then the nucleus.

    Args:
        logits: (v,) of the model.
        temperature: 0 leaves the likeliest alone.
        top_k: How many are kept, from 1; those as likely as the last one are kept, too.
        top_p: The fewest of these are kept that together have so much of their probability.
    """
    logits = np.asarray(logits, float)
    if temperature == 0:
        return np.eye(len(logits))[int(np.argmax(logits))]
    shares = softmax(logits / temperature)
    order = np.argsort(-shares, kind="stable")[:top_k]
    sums = np.cumsum(shares[order])
    last = order[int(np.sum(sums - shares[order] < top_p * sums[-1])) - 1]
    kept = np.where(shares >= shares[last], shares, 0)
    return kept / kept.sum()


def window(model, length: int, place: int) -> tuple[int, int]:
    """The places (first, last + 1) of a text that are read to look into one of them.

    The model's context ends at the place; in a short text, or near its beginning, it begins with the text.
    """
    first = max(0, place + 1 - model.context_length)
    return first, min(length, first + model.context_length)


def inside(model, text: str) -> tuple[np.ndarray, np.ndarray]:
    """Attention (l, h, t, t) and the logits before and after each layer (l + 1, t, v), for a text within the context.

    Raises:
        KzooError: for a character that the model does not know.
    """
    return _inside(model, tuple(kzoo.sampling.codec(model).encode(text)))


# A click on another head, or on another character of the same window, asks for nothing new.
@functools.lru_cache(maxsize=32)
def _inside(model, tokens):
    count = len(tokens)
    x = np.zeros((1, model.context_length), "int32")
    x[0, :count] = tokens  # what stands to the right is seen by none of them
    maps, lens = model.attention(x)[:, 0], model.logits_by_layer(x)[:, 0]
    return maps[..., :count, :count], lens[:, :count]


def cost(model, read: int) -> dict:
    """What the next character costs after `read` of them: multiplications, and the bytes of the cache.

    Multiplications with weights, and those of queries with keys and of shares with values; without a cache the whole
    text is read once more, all pairs of it.
    """
    import keras

    weights = sum(
        int(np.prod(keras.ops.shape(weight)))
        for weight in model.trainable_variables
        if weight.path.startswith("block_") and weight.path.endswith("kernel")
    )
    head = model.hidden_dim * model.num_outputs
    pairs = 2 * model.num_layers * model.hidden_dim  # for each pair of characters
    return {
        "cached": weights + head + pairs * read,
        "cached_attention": pairs * read,
        "anew": weights * read + head + pairs * read**2,
        "anew_attention": pairs * read**2,
        "bytes": 2 * model.num_layers * model.hidden_dim * read * 4,  # keys and values in float32
    }


# --- what is seen --------------------------------------------------------------------------------------------------


def check_view(sent) -> tuple[str, str]:
    """Layer and head that are looked at, each a number from 1 or "all".

    Raises:
        gr.Error: one line, for the first value that is not allowed.
    """
    layer, head = sent
    return validate.choice("layer", layer, LAYERS), validate.choice("head", head, HEADS)


def look(seen: Seen) -> tuple[str, ...]:
    """The text, the next character, the layers' guesses, the attention maps and the costs, as markup."""
    model = _model()
    first, beyond = window(model, len(seen.text), seen.place)
    with kit.alone(model):
        maps, lens = inside(model, seen.text[first:beyond])
        costs = cost(model, seen.place + 1 - first)
    row = seen.place - first
    came = seen.text[seen.place + 1] if seen.place + 1 < len(seen.text) else None
    shown = markup.merged(maps, seen.view)
    shades = {first + i: float(share) for i, share in enumerate(shown[row] / shown[row].max())}
    knobs = seen.settings.temperature, seen.settings.top_k, seen.settings.top_p
    return (
        writing.text_html(seen, shades, (first, beyond), f'data-first="{first}" data-map="{markup.coded(shown)}"'),
        markup.next_html(
            seen.text[first : seen.place + 1],
            model.vocabulary,
            softmax(lens[-1, row]),
            chances(lens[-1, row], *knobs),
            came,
        ),
        markup.lens_html(model.vocabulary, softmax(lens[:, row]), came),
        markup.looks_html(maps, seen.text[first:beyond], first, row, seen.view),
        markup.costs_html(seen.place + 1 - first, costs),
    )


def code(seen: Seen) -> str:
    """Lines that reproduce what is on screen, runnable as pasted: `text`, `guesses`, `chances` and `shares`."""
    model = _model()
    first, beyond = window(model, len(seen.text), seen.place)
    layer, head = (":" if part == "all" else f"{int(part) - 1} : {part}" for part in seen.view)
    settings, row = seen.settings, seen.place - first
    return (
        writing.code(seen, PRESETS[0])
        + f"""
# The {beyond - first} characters that are read to look into the one at place {seen.place}, {seen.text[seen.place]!r}.
tokens = codec(model).encode(text[{first}:{beyond}])
x = np.zeros((1, model.context_length), "int32")
x[0, : len(tokens)] = tokens  # what stands to the right is seen by none of them

# What each layer would say of the next character: (layers + 1, vocabulary); the last row is the answer.
lens = model.logits_by_layer(x)[:, 0, {row}].astype("float64")
guesses = np.exp(lens - lens.max(axis=-1, keepdims=True))
guesses /= guesses.sum(axis=-1, keepdims=True)
for layer, one in enumerate(guesses):
    print("after layer", layer, [(model.vocabulary[i], round(float(one[i]), 3)) for i in np.argsort(-one)[:5]])

# The chances that it is drawn with: temperature, the likeliest top_k, the fewest with top_p of their probability.
temperature, top_k, top_p = {settings.temperature:g}, {settings.top_k}, {settings.top_p:g}
if temperature == 0:
    chances = np.eye(len(lens[-1]))[lens[-1].argmax()]
else:
    chances = np.exp((lens[-1] - lens[-1].max()) / temperature)
    likeliest = np.sort(chances)[::-1][:top_k]
    nucleus = np.cumsum(likeliest) - likeliest < top_p * likeliest.sum()
    chances = np.where(chances >= likeliest[nucleus][-1], chances, 0)
    chances /= chances.sum()
print("chances", [(model.vocabulary[i], round(float(chances[i]), 3)) for i in np.argsort(-chances)[:5]])

# Where the character looks: one share for each of those before it, and for itself.
maps = model.attention(x)[:, 0]  # (layers, heads, t, t)
shares = maps[{layer}, {head}].mean(axis=(0, 1))[{row}, : {row + 1}]
print("looks at", [(text[{first} + i], round(float(shares[i]), 3)) for i in np.argsort(-shares)[:5]])
"""
    )


# --- the page ------------------------------------------------------------------------------------------------------


def _model():
    return writing.model(PRESETS[0])


@functools.cache
def opening() -> tuple[Seen, float | None]:
    """What a visitor sees first, and the seconds that a character of it took."""
    settings = Settings()
    text, seconds = writing.whole(_model(), settings)
    return Seen(settings, text, len(settings.prompt), 40, ("all", "all")), seconds


def cells(seen: Seen) -> list[tuple[str, str]]:
    """What the status line says beside the time: the size of the cache that the text was written with."""
    model = _model()
    return [("kB of cache at most", f"{cost(model, model.context_length)['bytes'] / 1000:.0f}")]


def write_client(
    prompt: str = "ROMEO:\n",
    length: int = 200,
    temperature: float = 0.8,
    top_k: int = 65,
    top_p: float = 1.0,
    seed: int = 0,
) -> dict:
    """Writes, and gives the text, the chances of the character after it, what each layer would say, and the code."""
    settings = writing.check((prompt, length, temperature, top_k, top_p, seed))
    text, _ = writing.whole(_model(), settings)
    seen = Seen(settings, text, len(settings.prompt), len(text) - 1, ("all", "all"))
    model = _model()
    first, beyond = window(model, len(text), seen.place)
    with kit.alone(model):
        _, lens = inside(model, text[first:beyond])
    likely = chances(lens[-1, -1], settings.temperature, settings.top_k, settings.top_p)
    return {
        "text": text,
        "next": {model.vocabulary[i]: float(likely[i]) for i in np.argsort(-likely)[:5]},
        "layers": [model.vocabulary[i] for i in lens[:, -1].argmax(axis=-1)],
        "code": code(seen),
    }


def build() -> gr.Blocks:
    """The page."""
    first, seconds = opening()
    panel = writing.Panel(
        "transformer", _model, look, code, first, EXAMPLES, check_view=check_view, cells=cells, seconds=seconds
    )
    style, context = {"css_template": markup.CSS}, _model().context_length
    with kit.blocks(TITLE) as demo:
        kit.heading(
            "A transformer writes, letter by letter",
            f"A small model that has read Shakespeare, {_model().count_params():,} weights; it runs here, on "
            f"{kzoo.backend.name()}. Press Write; then click any letter to see what the model expected, and where it "
            "looked.",
        )
        with gr.Row():
            with gr.Column(scale=6, min_width=320, elem_classes="kz-tight"):
                panel.ask(markup.HOVER)
                kit.caption(
                    "Bold: your prompt. Framed: the letter you look into. Tinted: where it looks, the stronger the "
                    "more; point at another letter to see where that one looks. Grey: outside of the "
                    f"{context} letters that are read at once."
                )
                gr.HTML('<p class="kz-title">What each layer would say next</p>', **style)
                lens = gr.HTML(panel.pictures[2], elem_id="transformer-lens", **style)
                kit.caption(
                    "The five likeliest next letters, were the model to stop there. A green frame: the one that came."
                )
            with gr.Column(scale=4, min_width=300, elem_classes="kz-tight"):
                following = gr.HTML(panel.pictures[1], elem_id="transformer-next", **style)
                kit.caption(
                    "Blue: the chance to be drawn, with the knobs below. Orange mark: the model's own probability."
                )
                panel.knobs()
                costs = gr.HTML(panel.pictures[4], elem_id="transformer-costs", **style)
                kit.caption(
                    f"The cache keeps keys and values of what was read, {context} letters at most; when it is full, "
                    "the model reads the last half of them anew and goes on."
                )
        gr.HTML('<p class="kz-title">Where each letter looks, by layer and head: choose a map</p>', **style)
        looks = gr.HTML(panel.pictures[3], elem_id="transformer-looks", js_on_load=writing.PICK + markup.READ, **style)
        kit.caption(
            "A row is a letter, and shares its look out among the letters up to itself, the columns: empty is none, "
            "full orange is all of it. Click a row to look into its letter."
        )
        with gr.Row():
            layer = gr.Radio(LAYERS, value=first.view[0], label="Layer of the map", min_width=280)
            head = gr.Radio(HEADS, value=first.view[1], label="Head of the map", min_width=280)
        panel.connect(demo, [following, lens, looks, costs], {"layer": layer, "head": head}, picks=[looks])
        gr.api(kit.in_float32(write_client), api_name="write_transformer", **writing.WRITE)
    return demo


if __name__ == "__main__":
    kit.launch(build, TITLE)
