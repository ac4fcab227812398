"""A model that writes before a visitor's eyes: prompt and knobs, the text as it comes, a character to look into.

    panel = writing.Panel("transformer", model, look, code, opening, EXAMPLES)
    with kit.blocks(TITLE) as demo:
        with gr.Column():
            panel.ask()                      # prompt, examples, Write and Stop, status, the text
        with gr.Column():
            panel.knobs()                    # length, temperature, top-k, top-p, seed
        lens = gr.HTML(panel.pictures[1])    # what else `look` draws; the first picture is the text itself
        panel.connect(demo, [lens], {"layer": layer})

What is on screen is a `Seen`: a text, the place of one of its characters, and the page's own views. `look` draws it and
`code` writes the lines that give the same; both are the app's, and so is `check_view`, which checks the views.
"""

import dataclasses
import functools
import html
import json
import statistics
import threading
import time
from dataclasses import dataclass
from typing import Any

import gradio as gr
import kit
import link
import live
import validate

import kzoo
from kzoo.errors import KzooError
from kzoo.sampling import stream_text

LONGEST = 300  # characters of a prompt
MOST = 500  # characters to write
# The characters of the shipped models, in the order of their tokens.
CHARACTERS = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
VOCABULARY = len(CHARACTERS)  # a top-k of all of them keeps all
UPDATES = 40  # of the page, about, while one text is written
WRITING = "Writing \u2026"
# Several visitors' texts side by side; others wait in the queue.
WRITE = {"concurrency_id": "write", "concurrency_limit": 3}
_QUIET = {"show_progress": "hidden", "preprocess": False, **kit.PRIVATE}

# Signs for what a reader would not see.
SIGNS = {" ": "\u2423", "\n": "\u21b5"}


@dataclass(frozen=True)
class Settings:
    """All that a text depends on.

    Attributes:
        prompt: What the model goes on from; an empty one stands for the beginning of a line.
        length: Characters to write.
        temperature: 0 for the likeliest character at each step, 1 for the model's own probabilities.
        top_k: Choose among so many likeliest characters.
        top_p: Choose among the fewest likeliest characters that together are so probable.
        seed: Decides the choices.
    """

    prompt: str = "ROMEO:\n"
    length: int = 200
    temperature: float = 0.8
    top_k: int = VOCABULARY
    top_p: float = 1
    seed: int = 0

    def sampling(self) -> dict:
        """The arguments of `kzoo.sampling.generate` that say how a character is chosen."""
        return {
            "temperature": self.temperature,
            "top_k": None if self.top_k >= VOCABULARY else self.top_k,
            "top_p": None if self.top_p >= 1 else self.top_p,
            "seed": self.seed,
        }


FIELDS = tuple(spec.name for spec in dataclasses.fields(Settings))


@dataclass(frozen=True)
class Seen:
    """What is on screen.

    Attributes:
        settings: What the text was asked for with.
        text: The prompt and what was written after it.
        begun: How many of its characters are the prompt.
        place: The place of the character that is looked into, from 0.
        view: What the app's `check_view` gave.
    """

    settings: Settings
    text: str
    begun: int
    place: int
    view: Any = None


def check(values) -> Settings:
    """The settings from what a page or a client sent, in the order of FIELDS.

    Raises:
        gr.Error: one line, for the first value that is not allowed.
    """
    given = dict(zip(FIELDS, values, strict=True))
    return Settings(
        # An empty prompt is the beginning of a line, and is seen as one.
        prompt=validate.text("prompt", given["prompt"], LONGEST) or "\n",
        length=validate.number("length", given["length"], 0, MOST, whole=True),
        temperature=validate.number("temperature", given["temperature"], 0, 2),
        top_k=validate.number("top-k", given["top_k"], 1, VOCABULARY, whole=True),
        top_p=validate.number("top-p", given["top_p"], 0.05, 1),
        seed=validate.number("seed", given["seed"], 0, 9999, whole=True),
    )


def check_text(text, begun, place) -> tuple[str, int, int]:
    """A text that was written, how many of its characters are the prompt, and the place that is looked at.

    Raises:
        gr.Error: one line, for the first value that is not allowed.
    """
    text = validate.text("text", text, LONGEST + MOST)
    if not text:
        raise validate.refuse("text: got nothing; expected at least one character.")
    begun = validate.number("prompt's length", begun, 0, LONGEST, whole=True)
    # A click on a text may arrive after a shorter one has taken its place.
    place = validate.number("place", place, 0, LONGEST + MOST - 1, whole=True)
    return text, min(begun, len(text)), min(place, len(text) - 1)


def model(preset: str):
    """A shipped model, such as that of "transformer_shakespeare"; an untrained one of its kind where it is missing."""
    return kit.preset(preset) or _untrained(preset.partition("_")[0])


@functools.cache
def _untrained(name: str):
    return kzoo.create_model(name, seed=0, num_outputs=VOCABULARY, vocabulary=CHARACTERS)


# --- writing -------------------------------------------------------------------------------------------------------


def write(model, settings: Settings, stop=None, most: int | None = None):
    """Writes, and yields what there is so far, prompt included, about UPDATES times.

    The model is held while a piece is written, and no longer: visitors take turns.

    Args:
        model: Of the task "tokens", with characters.
        settings: What to write.
        stop: A `threading.Event` that ends the writing before the next piece, or None.
        most: End after so many characters, the same ones; None for all of them.

    Yields:
        The text, and the median of the seconds a character has taken so far; None after the first piece, which reads
        the prompt and may compile.

    Raises:
        KzooError: for a character that the model does not know.
    """
    length = settings.length if most is None else min(most, settings.length)
    piece = max(4, -(-length // UPDATES))
    pieces = stream_text(model, settings.prompt, length, piece=piece, **settings.sampling()) if length else iter(())
    text, times = settings.prompt, []
    while stop is None or not stop.is_set():
        with kit.alone(model):
            began = time.perf_counter()
            part = next(pieces, None)
            seconds = time.perf_counter() - began
        if part is None:
            return
        text += part
        times.append(seconds / max(len(part), 1))
        yield text, statistics.median(times[1:]) if len(times) > 1 else None


def whole(model, settings: Settings) -> tuple[str, float | None]:
    """The text that `write` comes to, and the median of the seconds a character took, or None."""
    return list(write(model, settings))[-1] if settings.length else (settings.prompt, None)


def code(seen: Seen, preset: str) -> str:
    """Lines that write the text that is on screen: `model`, `text`."""
    asked = {**seen.settings.sampling(), "length": len(seen.text) - seen.begun}
    knobs = ", ".join(f"{name}={asked[name]!r}" for name in ("length", "temperature", "top_k", "top_p", "seed"))
    written = f"prompt + generate(model, prompt, {knobs})" if asked["length"] else "prompt"
    return f"""import kzoo  # first: it chooses the backend that Keras runs on
import keras
import numpy as np
from kzoo.sampling import codec, generate

model = kzoo.from_preset("{preset}")
prompt = {seen.text[: seen.begun]!r}
text = {written}
print(text)
"""


# --- the text as markup --------------------------------------------------------------------------------------------

# A template's rules hold inside of its component, and cannot tell a dark page: these stand on the page itself.
kit.CSS += """
:root { --kz-shade: #e69f00; --kz-guess: #7cc4ee; } .dark { --kz-shade: #a86400; --kz-guess: #0a5f93; }
"""

CSS = """
.kz-text { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: 0.98rem; line-height: 1.62;
  white-space: pre-wrap; overflow-wrap: anywhere; max-height: 27em; overflow-y: auto; padding: 10px 12px;
  border: 1px solid var(--border-color-primary); border-radius: 8px; background: var(--kz-paper);
  color: var(--body-text-color); }
.kz-text i { font-style: normal; cursor: pointer; border-radius: 3px;
  background: color-mix(in srgb, var(--kz-shade) calc(100% * var(--s, 0)), transparent); }
.kz-text i.prompt { font-weight: 700; }
.kz-text i.far { color: var(--kz-quiet); }
.kz-text i.end { color: var(--kz-quiet); font-weight: 400; }
.kz-text i:hover { box-shadow: 0 0 0 2px var(--kz-quiet); }
.kz-text i.chosen { box-shadow: 0 0 0 2px var(--body-text-color); }
.kz-sampling { gap: 8px !important; }
"""

# A click on a character, or on anything with data-pick, and the arrow keys in the text. A new text takes the place of
# the one that had the focus: it gets the focus back, so that the next key works too.
PICK = r"""
let latest = null;
function say(what, again) { latest = again; trigger('pick', what); }
element.addEventListener('click', event => {
  const found = event.target.closest('[data-pick]');
  if (found) return say(JSON.parse(found.dataset.pick), `[data-pick='${found.dataset.pick}']`);
  const text = event.target.closest('.kz-text'), one = event.target.closest('.kz-text i');
  if (one && text.dataset.place) say({ place: [...text.children].indexOf(one) }, '.kz-text');
});
element.addEventListener('keydown', event => {
  const text = event.target.closest('.kz-text'), steps = { ArrowLeft: -1, ArrowRight: 1 };
  if (!text || !text.dataset.place || !steps[event.key]) return;
  event.preventDefault();
  const place = Number(text.dataset.place) + steps[event.key];
  if (place < 0 || place >= text.children.length) return;
  text.dataset.place = place;
  say({ place }, '.kz-text');
});
new MutationObserver(() => {
  if (latest && document.activeElement === document.body) element.querySelector(latest)?.focus({ preventScroll: true });
}).observe(element, { childList: true, subtree: true });
"""


def sign(character: str) -> str:
    """A character as it stands by itself, with a sign for what a reader would not see; not escaped."""
    return SIGNS.get(character, character)


def text_html(seen: Seen, shades=None, near=None, data: str = "") -> str:
    """A text, character by character, to click on.

    Args:
        seen: The text, its prompt and the place that is framed.
        shades: Place -> shade from 0 to 1, or a list of them; None for none.
        near: (first, last + 1) of the places that are told from the rest; None for all.
        data: Further attributes of the box, escaped.
    """
    first, beyond = near or (0, len(seen.text))
    shades = dict(enumerate(shades)) if isinstance(shades, (list, tuple)) else dict(shades or {})
    parts = []
    for place, character in enumerate(seen.text):
        kinds = [
            kind
            for kind, holds in (
                ("prompt", place < seen.begun),
                ("far", not first <= place < beyond),
                ("chosen", place == seen.place),
                ("end", character == "\n"),
            )
            if holds
        ]
        named = f' class="{" ".join(kinds)}"' if kinds else ""
        shade = shades.get(place, 0)
        tint = f' style="--s:{shade:.3g}"' if shade > 0.004 else ""
        shown = SIGNS["\n"] + "\n" if character == "\n" else html.escape(character, quote=False)
        parts.append(f"<i{named}{tint}>{shown}</i>")
    label = f"The text, {len(seen.text)} characters; the arrow keys choose one"
    return (
        f'<div class="kz-text" tabindex="0" role="group" aria-label="{label}" data-place="{seen.place}" {data}>'
        f"{''.join(parts)}</div>"
    )


def growing_html(text: str, begun: int) -> str:
    """A text that is still being written: nothing in it can be chosen yet."""
    ends = [html.escape(part.replace("\n", SIGNS["\n"] + "\n"), quote=False) for part in (text[:begun], text[begun:])]
    return f'<div class="kz-text" aria-busy="true"><i class="prompt">{ends[0]}</i><span>{ends[1]}</span></div>'


def pick(**chosen) -> str:
    """The attribute of a button that PICK tells the page of."""
    return f"data-pick='{html.escape(json.dumps(chosen), quote=True)}'"


# --- the page ------------------------------------------------------------------------------------------------------


class _Turn:
    """A visitor's latest writing: Stop ends it, a newer one takes its place."""

    def __init__(self):
        self.stop = threading.Event()
        self.replaced = False

    def replace(self):
        self.replaced = True
        self.stop.set()


def _end(turn) -> None:
    if turn is not None:
        turn.replace()


class Panel:
    """What every page of a writing model has: made where it is to stand, connected once the rest is there.

    Attributes:
        first: The `Seen` that the page opens with.
        pictures: What `look` draws of it, to make the page's components from; the first is the text.
        shown: The hidden components of the text on screen and of its prompt's length, once the panel is connected.
    """

    def __init__(
        self, name, model, look, code, first: Seen, examples: dict, *, check_view=tuple, cells=None, seconds=None
    ):
        """Draws what the page opens with.

        Args:
            name: Of the app, for the events' names and the file to take home.
            model: A function that gives the model.
            look: From a `Seen` to markup: the text (see `text_html`), then one a further picture.
            code: From a `Seen` to the lines that give it.
            first: What the page opens with, its text written.
            examples: Word on a button -> prompt.
            check_view: From the views' values as they were sent to what a `Seen` holds; raises `gr.Error`.
            cells: From a `Seen` to pairs (name, value) that stand in the status line, or None.
            seconds: A character took when `first` was written, or None.
        """
        self.name, self.model, self.look, self.code = name, model, look, code
        self.first, self.examples = first, examples
        self.check_view, self.cells, self.seconds = check_view, cells or (lambda seen: []), seconds
        self.pictures = list(look(first))
        self._buttons, self._views = {}, {}
        # Of what is drawn, and of that with session, status, text, prompt's length and count before it.
        self._drawn_outputs = len(self.pictures) + 2
        self._written_outputs = 5 + self._drawn_outputs

    def status(self, seen: Seen, seconds=None, note: str = "") -> str:
        """The markup of the line above the text."""
        cells = [("characters written", len(seen.text) - seen.begun)]
        if seconds is not None:
            cells.append(("ms a character", f"{1000 * seconds:.1f}"))
        return live.status([*cells, *self.cells(seen)], note)

    def ask(self, script: str = "") -> None:
        """Puts prompt, examples, buttons, status and text on the page.

        Args:
            script: JavaScript for the text, beside PICK.
        """
        now = self.first.settings
        self.prompt = gr.Textbox(
            now.prompt,
            label=f"Prompt: the model goes on from here (at most {LONGEST} characters)",
            lines=2,
            max_lines=4,
            max_length=LONGEST,
            elem_id=f"{self.name}-prompt",
        )
        with gr.Row():
            for word in self.examples:
                self._buttons[word] = gr.Button(word, size="sm", scale=0, min_width=120)
        with gr.Row(elem_classes="kz-buttons"):
            self._write = gr.Button("\u25b6 Write", variant="primary", min_width=96, scale=0)
            self._stop = gr.Button("Stop", min_width=76, scale=0)
            self._status = gr.HTML(
                self.status(self.first, self.seconds), css_template=live.STATUS_CSS, scale=1, min_width=300
            )
        self.text = gr.HTML(self.pictures[0], elem_id=f"{self.name}-text", css_template=CSS, js_on_load=PICK + script)

    def knobs(self) -> None:
        """Puts length, temperature, top-k, top-p and seed on the page."""
        now, plain = self.first.settings, {"buttons": []}
        with gr.Group(elem_classes="kz-sampling"):
            self.temperature = gr.Slider(
                0, 2, now.temperature, step=0.05, label="Temperature (0 takes the likeliest; default 0.8)", **plain
            )
            with gr.Row():
                self.top_k = gr.Slider(
                    1, VOCABULARY, now.top_k, step=1, label="Top-k (likeliest characters kept)", min_width=150, **plain
                )
                self.top_p = gr.Slider(
                    0.05, 1, now.top_p, step=0.05, label="Top-p (probability kept)", min_width=150, **plain
                )
            with gr.Row():
                self.length = gr.Slider(
                    0, MOST, now.length, step=10, label="Length (characters)", min_width=150, **plain
                )
                self.seed = gr.Number(
                    now.seed, label="Seed (0 to 9999)", precision=0, minimum=0, maximum=9999, min_width=150
                )

    def connect(self, demo, pictures, views: dict | None = None, picks=()) -> None:
        """Puts code, download and link below what is there, and lets everything work.

        Args:
            demo: The `gr.Blocks`.
            pictures: A component for each of `self.pictures` but the text.
            views: Name in the link, and in what a click tells -> component.
            picks: Components beside the text whose clicks choose a place or a view, made with PICK.
        """
        self._views = views or {}
        panel = kit.code_panel(self.code(self.first))
        hidden = {"visible": "hidden", "precision": 0, "minimum": 0}
        text = gr.Textbox(self.first.text, visible="hidden", max_length=LONGEST + MOST, label="The text")
        begun = gr.Number(self.first.begun, maximum=LONGEST, label="The prompt's length", **hidden)
        place = gr.Number(self.first.place, maximum=LONGEST + MOST - 1, label="Place", **hidden)
        count = gr.Number(len(self.first.text) - self.first.begun, maximum=MOST, label="Written", **hidden)
        self.shown = text, begun
        self._controls = {field: getattr(self, field) for field in FIELDS}
        state = gr.State(None, time_to_live=live.STATE_LIFE, delete_callback=_end)
        drawn = [self.text, *pictures, panel, place]
        written = [state, self._status, text, begun, count, *drawn]
        values = [*self._controls.values(), place, *self._views.values()]

        def on(trigger, handler, inputs, outputs, what, **options):
            named = {"api_name": f"{self.name}_{what}", **_QUIET}
            return trigger(kit.in_float32(handler), inputs, outputs, **named, **options)

        with gr.Row():
            kit.download_button("Download the model (.keras)", kit.in_float32(self._on_download), [])
        linked = {**self._controls, **self._views, "place": place, "written": count}
        link.button(linked, self._defaults())

        starts = [self._write.click, self.prompt.submit]
        on(functools.partial(gr.on, starts), self._on_write, [state, *values], written, "write", **WRITE)
        on(self._stop.click, self._on_stop, state, None, "stop", queue=False)
        for number, (word, button) in enumerate(self._buttons.items()):
            chosen = {"inputs": [state, *values], "outputs": [self.prompt, *written]}
            on(button.click, self._on_example(word), chosen["inputs"], chosen["outputs"], f"example_{number}", **WRITE)
        asked = [text, begun, *values]
        moved = [part.input for part in (self.temperature, self.top_k, self.top_p, *self._views.values())]
        on(functools.partial(gr.on, moved), self._on_look, asked, drawn, "look", **live.LIVE)
        for number, part in enumerate((self.text, *picks)):
            outputs = [*drawn, *self._views.values()]
            # Each with its own data, one after another: of the last one alone, Gradio forgets what was clicked.
            one_by_one = {"trigger_mode": "multiple", "concurrency_limit": 1}
            on(part.pick, self._on_pick, asked, outputs, f"pick_{number}", **one_by_one)
        opened = [*written, *self._controls.values(), *self._views.values()]
        on(demo.load, self._on_load(linked), None, opened, "load", **WRITE)

    # The handlers.

    def _defaults(self) -> dict:
        first = self.first
        views = {key: component.value for key, component in self._views.items()}
        count = len(first.text) - first.begun
        return {**dataclasses.asdict(first.settings), **views, "place": first.place, "written": count}

    def _read(self, values):
        """Settings, place and view from what the page sent."""
        settings, place, views = values[: len(FIELDS)], values[len(FIELDS)], values[len(FIELDS) + 1 :]
        place = validate.number("place", place, 0, LONGEST + MOST - 1, whole=True)
        return check(settings), place, self.check_view(list(views))

    def _drawn(self, seen: Seen) -> list:
        return [*self.look(seen), self.code(seen), seen.place]

    def _writing(self, turn, settings, place, view, most=None):
        """The outputs while a text is written, and at its end those of what is seen in it."""
        resting = [gr.skip()] * (self._drawn_outputs - 1)
        begun, text, seconds = len(settings.prompt), settings.prompt, None
        try:
            for text, seconds in write(self.model(), settings, turn.stop, most):
                line = self.status(Seen(settings, text, begun, 0), seconds, WRITING)
                yield [turn, line, gr.skip(), gr.skip(), gr.skip(), growing_html(text, begun), *resting]
        except KzooError as error:
            # A character that the model does not know. Raised, it would put a badge on every picture.
            yield [turn, live.status([], str(error)), *[gr.skip()] * (self._written_outputs - 2)]
            return
        if turn.replaced:  # something else is on the page by now
            return
        seen = Seen(settings, text, begun, min(place, len(text) - 1), view)
        note = "Stopped." if turn.stop.is_set() else ""
        line = self.status(seen, seconds, note)
        yield [turn, line, text, begun, len(text) - begun, *self._drawn(seen)]

    def _on_write(self, turn, *values):
        settings, place, view = self._read(values)
        _end(turn)
        turn = _Turn()
        # First of all the session learns of its turn, so that Stop finds it.
        yield [turn, live.status([], WRITING), *[gr.skip()] * (self._written_outputs - 2)]
        yield from self._writing(turn, settings, place, view)

    def _on_example(self, word):
        def start(turn, *values):
            prompt = self.examples[word]
            for outputs in self._on_write(turn, prompt, *values[1:]):
                yield [prompt, *outputs]

        return start

    @staticmethod
    def _on_stop(turn):
        if turn is not None:
            turn.stop.set()

    def _on_look(self, text, begun, *values):
        settings, place, view = self._read(values)
        return self._drawn(Seen(settings, *check_text(text, begun, place), view))

    def _on_pick(self, event: gr.EventData, text, begun, *values):
        """A place or views that were clicked in a picture."""
        clicked = event._data if isinstance(event._data, dict) else {}
        names = ("place", *self._views)
        size = len(FIELDS)
        moved = [clicked.get(name, value) for name, value in zip(names, values[size:], strict=True)]
        settings, place, view = self._read([*values[:size], *moved])
        return [*self._drawn(Seen(settings, *check_text(text, begun, place), view)), *moved[1:]]

    def _on_load(self, linked):
        def load(request: gr.Request):
            """The state that the address asks for: written anew before the eyes, as far as it had come."""
            asked = link.restore(linked, request)
            still = [gr.skip()] * (len(self._controls) + len(self._views))
            if not asked:
                yield [*[gr.skip()] * self._written_outputs, *still]
                return
            given = {**self._defaults(), **asked}
            values = [given[name] for name in (*FIELDS, "place", *self._views)]
            settings, place, view = self._read(values)
            # A link that names a length and no count asks for the whole.
            most = asked.get("written", None if "length" in asked else given["written"])
            turn = _Turn()
            moved = [getattr(settings, field) for field in FIELDS] + values[len(FIELDS) + 1 :]
            yield [turn, *[gr.skip()] * (self._written_outputs - 1), *moved]
            for outputs in self._writing(turn, settings, place, view, most):
                yield [*outputs, *still]

        return load

    def _on_download(self):
        return kit.download(self.model(), self.name)
