"""A page's state in its address: the button that writes the link, and what a link that comes in brings back.

Controls are named by a dictionary, name in the link -> component; a name, once given, stays: links are kept for years.
"""

import json
import math

import gradio as gr
import kit


def button(controls: dict, defaults: dict | None = None) -> gr.Button:
    """A button that writes the page's state into a link, shows it and copies it.

    Args:
        controls: Name in the link -> component. The browser alone does the work: no event reaches the server.
        defaults: Name -> value that a link need not mention, since `restore`'s caller takes it by itself.
    """
    with gr.Row(elem_classes="kz-link"):
        button = gr.Button("Copy link to this state", size="sm", scale=0, min_width=200)
        box = gr.Textbox(show_label=False, container=False, interactive=False, placeholder="the link appears here",
                         elem_classes="kz-link-box", scale=1, min_width=160, label="Link to this state")  # fmt: skip
    script = f"""(...values) => {{
        const names = {json.dumps(list(controls))};
        const defaults = {json.dumps({name: str(value) for name, value in (defaults or {}).items()})};
        const query = new URLSearchParams();
        names.forEach((name, i) => {{
            if (String(values[i]) === defaults[name]) return;
            if (values[i] !== null && values[i] !== undefined && values[i] !== "") query.set(name, String(values[i]));
        }});
        const link = window.location.origin + window.location.pathname + "?" + query.toString();
        if (navigator.clipboard) navigator.clipboard.writeText(link).catch(() => {{}});
        return link;
    }}"""
    button.click(None, list(controls.values()), box, js=script, show_progress="hidden", **kit.PRIVATE)
    return button


def foot(text: str, controls: dict, take_home=None) -> gr.Code:
    """What stands at the foot of a page or a tab: the code, the link, and the model to take home.

    Args:
        text: The code that the panel opens with.
        controls: As in `button`; a value that the page opens with is not mentioned in the link.
        take_home: Makes the path of the model's file; None where there is no model.
    """
    panel = kit.code_panel(text)
    with gr.Row():
        button(controls, {name: component.value for name, component in controls.items()})
        if take_home is not None:
            kit.download_button("Download the model (.keras)", take_home, [])
    return panel


def read_query(controls: dict, query) -> tuple[dict, list[str]]:
    """The values that an address asks for, checked against their controls.

    Args:
        controls: Name -> component, as in `button`.
        query: Mapping of the address's parameters, text to text.

    Returns:
        Name -> value for each good one, and the names of the bad ones.
    """
    good, bad = {}, []
    for name, component in controls.items():
        if name not in query:
            continue
        try:
            good[name] = _parse(component, str(query[name]))
        except ValueError:
            bad.append(name)
    return good, bad


def _parse(component, text: str):
    """The value of a control from its text.

    Raises:
        ValueError: if the control does not allow it.
    """
    if isinstance(component, (gr.Slider, gr.Number)):
        value = float(text) if len(text) < 40 else math.nan
        low, high = component.minimum, component.maximum
        if not math.isfinite(value) or (low is not None and value < low) or (high is not None and value > high):
            raise ValueError(text)
        whole = getattr(component, "precision", None) == 0
        step = getattr(component, "step", None)
        if whole or (isinstance(component, gr.Slider) and isinstance(step, int) and isinstance(low, int)):
            if value != int(value):
                raise ValueError(text)
            return int(value)
        return value
    if isinstance(component, gr.Checkbox):
        if text not in ("true", "false"):
            raise ValueError(text)
        return text == "true"
    if isinstance(component, (gr.Dropdown, gr.Radio)):
        for choice in component.choices:
            value = choice[1] if isinstance(choice, (tuple, list)) else choice
            if text == str(value):
                return value
        raise ValueError(text)
    if isinstance(component, gr.Textbox):
        if len(text) > (component.max_length or 10_000):
            raise ValueError(text)
        return text
    raise ValueError(text)


def restore(controls: dict, request: gr.Request | None) -> dict:
    """Name -> value for what the page's address asks for; a bad value is ignored, and a note names its key.

    To be called in a handler of `demo.load`, whose `gr.Request` it is given.
    """
    query = request.query_params if request is not None else {}
    good, bad = read_query(controls, query)
    for name in bad:
        gr.Info(f"The link's value of {name!r} is not allowed here and was left out.")
    return good


def reopen(demo, tabs, tab: str, controls: dict, work, outputs) -> None:
    """Lets a tab show what the page's address asks for.

    Args:
        demo: The `gr.Blocks`.
        tabs: Its `gr.Tabs`, and `tab` the id of the one that is to be seen then.
        controls: As in `button`; one that the address does not name has the value that the page opens with.
        work: From the controls' values to the outputs.
        outputs: Components.
    """

    @kit.in_float32
    def restored(request: gr.Request):
        good = restore(controls, request)
        if not good:
            return [gr.skip()] * (1 + len(controls) + len(outputs))
        given = [good.get(name, component.value) for name, component in controls.items()]
        return [gr.Tabs(selected=tab), *given, *work(*given)]

    demo.load(restored, None, [tabs, *controls.values(), *outputs], show_progress="hidden", **kit.PRIVATE)
