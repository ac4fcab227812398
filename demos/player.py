"""Live training: how one family of models starts, learns step by step, looks and comes to an end.

    PLAYER = player.Player("mlp", "epochs", Settings, check, start, advance, frame, code, most=2000)

The player thinks of threads, so that an app need not: it calls `advance` and `frame` inside of `kit.alone`, and looks
at a flag of the visitor's session before each step. `live.Page` puts the buttons before it.
"""

import dataclasses
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import kit
import validate

LEARNING = "Learning \u2026"
AFTER_A_WHILE = "Paused after a while; press Play to go on."


@dataclass
class Run:
    """One model in training; an app's own run adds what it draws from.

    Attributes:
        settings: What it was made from.
        preset: Name of the preset that it is, or None for one that is trained here.
        model: The model. It is shared where it is a preset's.
        count: Steps of training so far.
        view: What the page's view controls say, as the player's `look` gave it.
        note: What the status line says of it.
        stop: A flag that ends the present Play, when it is set.
        gone: Whether another model has taken its place on the page.
    """

    settings: object
    preset: str | None
    model: object
    count: int = field(default=0, kw_only=True)
    view: object = field(default=None, kw_only=True)
    note: str = field(default="", kw_only=True)
    stop: threading.Event = field(default_factory=threading.Event, kw_only=True)
    gone: bool = field(default=False, kw_only=True)


def halt(run: Run | None) -> None:
    """Ends a run's training for good: another model takes its place, or its visitor has left."""
    if run is not None:
        run.gone = True
        run.stop.set()


def _nothing(run: Run) -> None:
    """Nothing stands in the way of a run, and nothing ends it."""


@dataclass(frozen=True)
class Player:
    """How one family of models is trained live.

    Attributes:
        name: Of the family, such as "mlp": events and the file to take home are called after it.
        unit: What is counted, such as "epochs": the name of the count in a link, too.
        settings: A frozen dataclass with a default for each of its fields.
        check: From a list of values, in the order of the fields, to settings; raises `gr.Error` for what is not
            allowed.
        start: From settings to an untrained `Run`.
        advance: Trains a run by one step; the player counts it.
        frame: From a run and a note to markup: the status line first, then the pictures.
        code: From a run to the lines that reproduce what is on screen.
        most: Steps that one model may be trained for.
        from_preset: From a shipped preset's name to its `Run`.
        obstacle: From a run to why it cannot be trained at all, or None.
        finished: From a run to why its training has come to an end by itself, or None. Asked before each step.
        look: From the list of the view controls' values to `Run.view`; raises `gr.Error` for what is not allowed.
        adjust: Field of the settings -> what to make of the settings once the visitor has moved that control.
        hint: What to do with an untrained model.
        stepped: What one step has done.
        per_play: Most steps of one press on Play; None for no such limit.
        seconds: Most seconds of one press on Play.
        pause: Seconds between two pictures, at least: more of them would only fill the visitor's line.
    """

    name: str
    unit: str
    settings: type
    check: Callable
    start: Callable
    advance: Callable
    frame: Callable
    code: Callable
    most: int = field(kw_only=True)
    from_preset: Callable = field(default=None, kw_only=True)
    obstacle: Callable = field(default=_nothing, kw_only=True)
    finished: Callable = field(default=_nothing, kw_only=True)
    look: Callable = field(default=list, kw_only=True)
    adjust: dict[str, Callable] = field(default_factory=dict, kw_only=True)
    hint: str = field(default="Press Play.", kw_only=True)
    stepped: str = field(default="One step more.", kw_only=True)
    per_play: int | None = field(default=None, kw_only=True)
    seconds: float = field(default=60.0, kw_only=True)
    pause: float = field(default=0.12, kw_only=True)

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the settings."""
        return tuple(spec.name for spec in dataclasses.fields(self.settings))

    def draw(self, run: Run, note: str = "") -> tuple[str, ...]:
        """Status line and pictures of a run as markup."""
        with kit.alone(run.model):
            return tuple(self.frame(run, note))

    def over(self, run: Run) -> str | None:
        """Why a run is trained no further, or None."""
        if (reason := self.finished(run)) is not None:
            return reason
        if run.count >= self.most:
            return f"This page stops after {self.most} {self.unit}. Take the code or the model with you."
        return None

    def step(self, run: Run) -> None:
        """Trains a run by one step, unless it is over."""
        if self.over(run) is None:
            with kit.alone(run.model):
                self.advance(run)
                run.count += 1

    def learn(self, run: Run, stop: threading.Event, pace: int | None, until: int):
        """Trains a run, picture by picture.

        Args:
            run: It.
            stop: Ends it at once, when it is set.
            pace: Steps a picture; None takes as many as go into the time of one.
            until: The count to stop at.

        Yields:
            LEARNING for each picture that is due; at last why it ended.
        """
        end = time.monotonic() + self.seconds
        while not stop.is_set():
            drawn, done = time.monotonic(), 0
            while not (stop.is_set() or self.over(run) or run.count >= until):
                self.step(run)
                done += 1
                if done == pace or (pace is None and time.monotonic() - drawn > self.pause):
                    break
            if stop.is_set():
                break
            if (reason := self.over(run)) is not None:
                yield reason
                return
            if run.count >= until or time.monotonic() > end:
                yield AFTER_A_WHILE
                return
            if pace is not None:
                stop.wait(max(0.0, self.pause - (time.monotonic() - drawn)))
            if not stop.is_set():
                yield LEARNING
        yield "Paused."

    def trained(self, settings, steps: int) -> Run:
        """A run of its own, trained for so many steps, or as many as go into the seconds of one Play: for the API.

        Raises:
            gr.Error: if these settings cannot be trained.
        """
        run = self.start(settings)
        if (reason := self.obstacle(run)) is not None:
            raise validate.refuse(reason)
        end = time.monotonic() + self.seconds
        while run.count < steps and time.monotonic() < end and self.over(run) is None:
            self.step(run)
        return run
