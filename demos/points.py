"""A visitor's own points in a plane: by a click, or typed as lines "x, y, class".

    own = points.OwnPoints(now.points)      # beneath the plane's picture
    ...
    page.connect(demo, pictures, {"data": data, ..., "points": own.text}, speed)
    own.connect(page, plane, data)

For settings with the fields `data`, of which one value is "own", and `points`.
"""

import dataclasses

import gradio as gr
import kit
import numpy as np
import validate

MOST_POINTS = 200  # that a visitor may place in a plane
LONGEST = 8000  # characters of their lines
# Stands in an app's status line where there is nothing to learn from.
PLACE_BOTH = "Place at least one point of each class: click into the plane, or type a line below it."


def read(text: str) -> tuple[np.ndarray, np.ndarray]:
    """A visitor's points: x (n, 2) float32 in [-1, 1] and y (n,) int32 from lines "x, y, class".

    Raises:
        gr.Error: names the first line that is not of that form, or says that there are too many.
    """
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            across, up, kind = (float(part) for part in line.split(","))
        except ValueError:
            raise validate.refuse(
                f"points, line {number}: got {validate.shown(line)}; expected x, y, class, such as 0.3, -0.5, 1"
            ) from None
        if not (abs(across) <= 1 and abs(up) <= 1 and kind in (0, 1)):
            raise validate.refuse(
                f"points, line {number}: got {validate.shown(line)}; expected x and y from -1 to 1 and class 0 or 1."
            )
        rows.append((across, up, kind))
        if len(rows) > MOST_POINTS:
            raise validate.refuse(f"points: got more than {MOST_POINTS}; this page takes {MOST_POINTS} at most.")
    array = np.array(rows, dtype=np.float64).reshape(-1, 3)
    return array[:, :2].astype(np.float32), array[:, 2].astype(np.int32)


def obstacle(y) -> str | None:
    """What to do where the classes `y` (n,) are not both there, or None where they are."""
    return None if len(set(np.asarray(y).tolist())) == 2 else PLACE_BOTH


def as_code(text: str, names: tuple[str, str] = ("x", "y")) -> str:
    """Lines of Python that make the points' arrays, called `names`; they need NumPy as np."""
    rows = "".join(
        f"    ({across:.9g}, {up:.9g}, {kind}),\n"
        for (across, up), kind in zip(*(part.tolist() for part in read(text)), strict=True)
    )
    return f"""points = np.array([  # x, y, class
{rows}]).reshape(-1, 3)
{names[0]}, {names[1]} = points[:, :2].astype("float32"), points[:, 2].astype("int32")
"""


class OwnPoints:
    """The panel in which a visitor places points, and the events behind it.

    Attributes:
        text: The box with their lines, a control of the page.
    """

    def __init__(self, text: str):
        """Puts the panel on the page, folded up, with these lines in it."""
        with gr.Accordion("Own points", open=False) as self._panel:
            self._kind = gr.Radio(
                [("blue circle: class 0", "0"), ("orange square: class 1", "1")],
                value="1",
                label="A click into the plane places a",
            )
            with gr.Row():
                self._undo = gr.Button("Undo", size="sm", min_width=80)
                self._clear = gr.Button("Clear", size="sm", min_width=80)
                self._use = gr.Button("Use the points below", size="sm", min_width=150)
            self.text = gr.Textbox(
                text,
                label="Points, one a line: x, y, class (x and y from -1 to 1, class 0 or 1)",
                lines=4,
                max_lines=4,
                max_length=LONGEST,
            )

    def connect(self, page, plane, data) -> None:
        """Lets clicks and buttons start a new model on the points that are then there.

        Args:
            page: The `live.Page`, connected.
            plane: The picture that is clicked; its script is `drawing.CLICK`.
            data: The control of the data sets. The panel opens where its value is "own".
        """
        page.anew(plane.click, _placed, "place", [self._kind])
        page.anew(self._undo.click, _undone, "undo")
        page.anew(self._use.click, lambda settings, event: dataclasses.replace(settings, data="own"), "use")
        page.anew(self._clear.click, lambda settings, event: _own(settings, ""), "clear")
        name = f"{page.player.name}_own"
        data.change(
            lambda chosen: gr.update(open=chosen == "own"), data, self._panel,
            api_name=name, show_progress="hidden", preprocess=False, **kit.PRIVATE,
        )  # fmt: skip


def _own(settings, text: str):
    return dataclasses.replace(settings, data="own", points=text)


def _placed(settings, event, kind):
    kind = validate.choice("class", kind, ("0", "1"))
    if settings.data != "own":
        gr.Info("To place points, choose \u201cown points\u201d as the data first.")
        return None
    sent = event._data if isinstance(event._data, dict) else {}
    across, up = (validate.number(name, sent.get(name), -1, 1) for name in ("x", "y"))
    return _own(settings, (settings.points.rstrip() + f"\n{across:.2f}, {up:.2f}, {kind}").lstrip())


def _undone(settings, event):
    return _own(settings, "\n".join(settings.points.rstrip().splitlines()[:-1]))
