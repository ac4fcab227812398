"""A page of live training: Play, Pause, Step, Reset, settings that start anew, views, presets, code, download and link.

    def build():
        with kit.blocks(TITLE) as demo:
            kit.heading(TITLE, "One line on what is to be seen.")
            page = live.Page(PLAYER, opening(), "Press Play to watch one learn from scratch.")
            plane, curves = (gr.HTML(markup) for markup in page.pictures)
            seed = gr.Number(0, label="Seed (0 to 9999)", precision=0, minimum=0, maximum=9999)
            speed = gr.Slider(1, 20, 3, step=1, label="Speed (epochs a picture)")
            page.connect(demo, [plane, curves], {"seed": seed}, speed)

A model lives in its visitor's session and trains until a flag of that session is set: Gradio's own `cancels` leaves
error badges on the page.
"""

import dataclasses
import functools
import html
import threading

import gradio as gr
import kit
import link
import validate
from player import LEARNING, Player, Run, halt

import kzoo

# A visitor's model is forgotten after this many seconds without a click, so that memory stays flat.
STATE_LIFE = 1800
# Training of several visitors side by side; others wait in the queue.
TRAIN = {"concurrency_id": "train", "concurrency_limit": 3}
# Values come as they were sent: an app's `check` refuses them in words clearer than Gradio's own.
_QUIET = {"show_progress": "hidden", "preprocess": False, **kit.PRIVATE}
LIVE = {"trigger_mode": "always_last"}  # for a control that may move faster than the server answers

STATUS_CSS = """
.kz-status { display: flex; flex-wrap: wrap; gap: 4px 22px; align-items: baseline; color: var(--kz-quiet);
  font-size: 0.95rem; min-height: 1.9em; }
.kz-status b { color: var(--body-text-color); font-size: 1.2rem; font-weight: 650; font-variant-numeric: tabular-nums; }
.kz-status em { font-style: normal; }
"""


def status(cells, note: str = "") -> str:
    """The markup of the line above the pictures.

    Args:
        cells: Pairs of a name and its value, such as ("epoch", 12).
        note: One line on what goes on, or what to do.
    """
    numbers = "".join(f"<span><b>{html.escape(str(value))}</b> {html.escape(name)}</span>" for name, value in cells)
    return f'<div class="kz-status" role="status">{numbers}<em>{html.escape(note)}</em></div>'


class Page:
    """What every page of live training has: made where it is to stand, connected once the rest of the page is there.

    Attributes:
        player: The family's.
        first: The run that the page opens with; all visitors see the same one, and nobody trains it.
        pictures: Its pictures as markup, to make the page's components from.
        state: The visitor's run, or None for one who has not touched anything yet.
    """

    def __init__(self, player: Player, first: Run, note: str):
        """Puts state, buttons and status line on the page.

        Args:
            player: The family's.
            first: What a visitor sees first.
            note: What stands in the status line of a preset.
        """
        self.player, self.first, self.note = player, first, note
        line, *self.pictures = player.draw(first, note)
        self.state = gr.State(None, time_to_live=STATE_LIFE, delete_callback=halt)
        with gr.Row(elem_classes="kz-buttons"):
            self._play = gr.Button("\u25b6 Play", variant="primary", min_width=84, scale=0)
            self._pause = gr.Button("Pause", min_width=76, scale=0)
            self._step = gr.Button("Step", min_width=76, scale=0)
            self._reset = gr.Button("Reset", min_width=76, scale=0)
            self._status = gr.HTML(line, css_template=STATUS_CSS, scale=1, min_width=300)

    def connect(
        self, demo, pictures, controls: dict, speed, *, views: dict | None = None, presets: dict | None = None
    ) -> None:
        """Puts code, presets, download and link below what is there, and lets everything work.

        Args:
            demo: The `gr.Blocks`.
            pictures: A component for each of `self.pictures`.
            controls: Field of the settings -> component, in the fields' order. Moving one starts a new model, but for
                a text box, which waits for a button of the app's own; see `anew`.
            speed: Slider of the steps a picture.
            views: Name in the link -> component of what changes the picture alone. The training goes on.
            presets: Name of a preset -> the word on its button; those that do not ship are left out.

        Raises:
            ValueError: if the controls are not the settings' fields, or the pictures not those of `frame`.
        """
        player, first = self.player, self.first
        if tuple(controls) != player.fields:
            raise ValueError(f"controls: got {list(controls)}; expected {list(player.fields)}, in this order.")
        if len(pictures) != len(self.pictures):
            raise ValueError(f"pictures: got {len(pictures)} components; frame gives {len(self.pictures)}.")
        self._controls, self._views = controls, views or {}
        panel = kit.code_panel(player.code(first))
        count = gr.Number(0, visible="hidden", precision=0, minimum=0, maximum=player.most, label=player.unit)
        views = [*self._views.values()]
        values = [*controls.values(), *views]
        self._inputs = [self.state, *values]
        self._outputs = [self.state, self._status, *pictures, panel, count]
        self._everything = [*self._outputs, *values]

        def on(trigger, handler, inputs, outputs, what, **options):
            named = {"api_name": f"{player.name}_{what}", **_QUIET}
            trigger(kit.in_float32(handler), inputs, outputs, **named, **options)

        on(self._play.click, self._on_play(speed), [self.state, speed, *values], self._outputs, "play", **TRAIN)
        on(self._pause.click, self._on_pause, self.state, None, "pause", queue=False)
        on(self._step.click, self._on_step, self._inputs, self._outputs, "step")
        on(self._reset.click, self._on_change, self._inputs, self._outputs, "reset")
        moved = [
            control.input
            for key, control in controls.items()
            if key not in player.adjust and not isinstance(control, gr.Textbox)
        ]
        if moved:
            on(functools.partial(gr.on, moved), self._on_change, self._inputs, self._outputs, "change", **LIVE)
        for key, adjust in player.adjust.items():
            self.anew(controls[key].input, lambda settings, event, adjust=adjust: adjust(settings), key, **LIVE)
        if views:
            moved = [view.input for view in views]
            on(functools.partial(gr.on, moved), self._on_view, self._inputs, self._outputs, "view", **LIVE)
        linked = {**controls, **self._views, player.unit: count}
        on(demo.load, self._on_load(linked), None, self._everything, "load", **TRAIN)
        with gr.Row():
            for name, word in (presets or {}).items():
                if name in kzoo.list_presets():
                    button = gr.Button(f"Show the trained {word}", size="sm", scale=0, min_width=200)
                    show = kit.in_float32(self._on_preset(name))
                    button.click(show, [self.state, *views], self._everything, api_name=f"show_{name}", **_QUIET)
            kit.download_button("Download the model (.keras)", kit.in_float32(self._on_download), self.state)
        link.button(linked, self._defaults())

    def anew(self, trigger, change, what: str, extra=(), **options) -> None:
        """Lets an event start a new model.

        Args:
            trigger: Such as `button.click`.
            change: From the page's settings, the `gr.EventData` and the values of `extra` to the settings of the new
                model, or to None where all stays as it is.
            what: One word for the event's name.
            extra: Components.
            options: Further ones of the trigger's.
        """
        player, size = self.player, len(self._inputs) - 1

        @kit.in_float32
        def handler(event: gr.EventData, run, *sent):
            given, more = sent[:size], sent[size:]
            settings, view = self._read(given)
            settings = change(settings, event, *more)
            if settings is None:
                return [gr.skip()] * len(self._everything)
            settings = player.check([getattr(settings, key) for key in player.fields])
            return [*self._fresh(run, settings, view), *self._moved(settings, given)]

        inputs = [*self._inputs, *extra]
        trigger(handler, inputs, self._everything, api_name=f"{player.name}_{what}", **_QUIET, **options)

    def look(self, trigger, change, what: str, quick=None) -> None:
        """Lets an event change the view: the picture becomes another one, the training goes on.

        What is dragged is one event again and again, whose data say `moving` until it rests. Its script sends the next
        one when the answer is there: Gradio's own `always_last` would send the data of the first again.

        Args:
            trigger: Such as `plane.pick`.
            change: From the `gr.EventData` to a dictionary of the view controls' new values, or some of them.
            what: One word for the event's name.
            quick: While it moves, from the run and its new view to its pictures, `gr.skip()` for one that stays; it
                is not called inside of `kit.alone`, so that a drag waits for no training. None draws everything.
        """

        @kit.in_float32
        def handler(event: gr.EventData, run, *sent):
            size = len(self._controls)
            views = list({**dict(zip(self._views, sent[size:], strict=False)), **change(event)}.values())
            still = [gr.skip()] * size
            if quick is not None and isinstance(event._data, dict) and event._data.get("moving") is True:
                view = self.player.look(views)
                if run is not None:
                    run.view = view
                pictures = quick(self.first if run is None else run, view)
                return [gr.skip(), gr.skip(), *pictures, gr.skip(), gr.skip(), *still, *views]
            return [*self._on_view(run, *sent[:size], *views), *still, *views]

        named = {"api_name": f"{self.player.name}_{what}", "trigger_mode": "multiple", **_QUIET}
        trigger(handler, self._inputs, self._everything, **named)

    # What the handlers are made of.

    def _defaults(self) -> dict:
        views = {key: component.value for key, component in self._views.items()}
        return {**dataclasses.asdict(self.player.settings()), **views}

    def _read(self, given):
        """Settings and view from what the page sent."""
        size = len(self._controls)
        return self.player.check(given[:size]), self.player.look(list(given[size:]))

    def _moved(self, settings, given=None) -> list:
        """What controls and views are to show: nothing new for those that show it already."""
        wanted = [getattr(settings, key) for key in self._controls]
        if given is not None:
            wanted = [gr.skip() if have == want else want for have, want in zip(given, wanted, strict=False)]
        return [*wanted, *[gr.skip()] * len(self._views)]

    def _start(self, settings, view) -> Run:
        run = self.player.start(settings)
        run.view = view
        return run

    def _standing(self, run: Run, note: str = "") -> list:
        """The outputs for a run that stands still."""
        run.note = note
        return [run, *self.player.draw(run, note), self.player.code(run), run.count]

    def _moving(self, run: Run) -> list:
        """The outputs for a run that learns: its code is written when it stands still."""
        run.note = LEARNING
        return [gr.skip(), *self.player.draw(run, LEARNING), gr.skip(), run.count]

    def _fresh(self, run, settings, view) -> list:
        halt(run)
        new = self._start(settings, view)
        return self._standing(new, self.player.obstacle(new) or self.player.hint)

    def _ready(self, run, given) -> Run:
        """The run to go on with: a preset or a forgotten state makes way for an untrained model.

        Raises:
            gr.Error: if it cannot be trained.
        """
        settings, view = self._read(given)
        if run is None or run.preset or run.settings != settings:
            halt(run)
            run = self._start(settings, view)
        run.view = view
        if (reason := self.player.obstacle(run)) is not None:
            raise validate.refuse(reason)
        run.stop.set()  # an earlier Play of the same model
        run.stop = threading.Event()
        return run

    # The handlers.

    def _on_play(self, speed):
        def on_play(run, pace, *given):
            pace = validate.number("speed", pace, speed.minimum, speed.maximum, whole=True)
            run = self._ready(run, given)
            mine = run.stop  # Step, Pause and another Play put a flag of their own in its place
            yield [run, *self._moving(run)[1:]]
            note, until = "", min(run.count + (self.player.per_play or self.player.most), self.player.most)
            for note in self.player.learn(run, mine, pace, until):
                if note == LEARNING:
                    yield self._moving(run)
            if not run.gone and run.stop is mine:  # else something else is on the page by now
                yield self._standing(run, note)

        return on_play

    def _on_step(self, run, *given):
        run = self._ready(run, given)
        self.player.step(run)
        return self._standing(run, self.player.over(run) or self.player.stepped)

    @staticmethod
    def _on_pause(run):
        if run is not None:
            run.stop.set()

    def _on_change(self, run, *given):
        return self._fresh(run, *self._read(given))

    def _on_view(self, run, *given):
        """Another picture of the same model. That of the first page is shared by all: the view goes to a copy."""
        view = self.player.look(list(given[len(self._controls) :]))
        if run is None:
            settings, _ = self._read(given)
            if self.first.preset and settings == self.first.settings:
                run = dataclasses.replace(self.first, stop=threading.Event(), note=self.note)
            else:
                run = self._start(settings, view)
                run.note = self.player.hint
        run.view = view
        return self._standing(run, run.note)

    def _on_preset(self, name):
        def load(run, *views):
            view = self.player.look(list(views))
            halt(run)
            new = self.player.from_preset(name)
            new.view = view
            return [*self._standing(new, self.note), *self._moved(new.settings)]

        return load

    def _on_load(self, controls):
        def load(request: gr.Request):
            """The state that the address asks for: its settings at once, its training before the eyes."""
            asked = link.restore(controls, request)
            if not asked:
                yield [gr.skip()] * len(self._everything)
                return
            wanted = asked.pop(self.player.unit, 0)
            given = [asked.get(key, default) for key, default in self._defaults().items()]
            settings, view = self._read(given)
            run = self._start(settings, view)
            mine, note = run.stop, "Restored from the link."
            yield [*self._standing(run, self.player.obstacle(run) or (LEARNING if wanted else note)), *given]
            still = [gr.skip()] * len(given)
            if wanted and self.player.obstacle(run) is None:
                for why in self.player.learn(run, mine, None, wanted):
                    if why == LEARNING:
                        yield [*self._moving(run), *still]
                if not run.gone and run.stop is mine:
                    yield [*self._standing(run, note if run.count >= wanted else why), *still]

        return load

    def _on_download(self, run):
        return kit.download((run or self.first).model, self.player.name)
