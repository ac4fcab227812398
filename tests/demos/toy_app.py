"""The smallest page of live training, for the tests of what all of them share: a ball rolls into a valley.

Nothing here is Keras: the player takes any model that can be held weakly.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2] / "demos"))

import gradio as gr
import kit
import live
import player
import validate


class Ball:
    """Where it is."""

    def __init__(self, place: float):
        self.place = place


@dataclass(frozen=True)
class Settings:
    """A slope to roll down, x <- x - rate * 2 x, from a place."""

    valley: str = "wide"
    rate: float = 0.01
    place: float = 1.0


def check(values) -> Settings:
    valley, rate, place = values
    return Settings(
        validate.choice("valley", valley, ("wide", "steep")),
        validate.number("rate", rate, 0, 1),
        validate.number("place", place, -1, 1),
    )


def start(settings: Settings) -> player.Run:
    return player.Run(settings, None, Ball(settings.place))


def advance(run: player.Run) -> None:
    run.model.place -= run.settings.rate * 2 * run.model.place


def frame(run: player.Run, note: str = "") -> tuple[str, str]:
    places = run.view[0] if run.view else 3
    return live.status([("steps", run.count)], note), f"<p id='ball'>{run.model.place:.{int(places)}f}</p>"


PLAYER = player.Player(
    "ball",
    "steps",
    Settings,
    check,
    start,
    advance,
    frame,
    lambda run: f"place = {run.model.place}",
    most=1000,
    obstacle=lambda run: "It lies at the bottom." if run.settings.place == 0 else None,
    finished=lambda run: "It has arrived." if abs(run.model.place) < 1e-3 else None,
    look=lambda values: [validate.number("decimals", value, 0, 9, whole=True) for value in values],
    adjust={"valley": lambda settings: Settings(settings.valley, {"wide": 0.01, "steep": 0.1}[settings.valley])},
)


def build() -> gr.Blocks:
    with kit.blocks("Ball") as demo:
        page = live.Page(PLAYER, start(Settings()), "Press Play.")
        picture = gr.HTML(page.pictures[0])
        valley = gr.Radio(["wide", "steep"], value="wide", label="Valley")
        rate = gr.Slider(0, 1, 0.01, step=0.01, label="Rate")
        place = gr.Slider(-1, 1, 1, step=0.1, label="Place")
        decimals = gr.Slider(0, 9, 3, step=1, label="Decimals")
        speed = gr.Slider(1, 20, 1, step=1, label="Speed")
        controls = {"valley": valley, "rate": rate, "place": place}
        page.connect(demo, [picture], controls, speed, views={"decimals": decimals})
    return demo


if __name__ == "__main__":
    kit.launch(build, "Ball")
