"""Every demo in one app: a front page and a page for each family.

    python demos/app.py

A new family is one line in PAGES, and a picture in demos/emblems/ if it has one.
"""

import html
import importlib
from pathlib import Path

import gradio as gr
import kit

import kzoo

TITLE = "Live demos"
SUMMARY = "Small networks that learn, and show what is inside"

FILES = ("emblems/*.svg",)  # what `kzoo demo all --space` takes along beside the modules

# Module of demos/ -> its address. Its title and its one line are the module's own TITLE and SUMMARY.
PAGES = {
    "perceptron_app": "perceptron",
    "mlp_app": "mlp",
    "cnn_app": "cnn",
    "rnn_app": "rnn",
    "mtrnn_app": "mtrnn",
    "transformer_app": "transformer",
    "mamba_app": "mamba",
    "vae_app": "vae",
    "gan_app": "gan",
    "diffusion_app": "diffusion",
    "lif_app": "lif",
}

# Colours come from the theme, so that they follow it into the dark. The class is named three times over to win
# against Gradio's own rules for text.
STYLE = """
<style>
.hub.hub.hub {
  .cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 280px), 1fr)); gap: 20px;
    list-style: none; margin: 12px 0 24px !important; padding: 0; }
  li { display: flex; margin: 0 !important; }
  a { display: flex; flex-direction: column; width: 100%; padding: 0 0 20px; border-radius: 14px; text-align: left;
    border: 1px solid var(--border-color-primary); background: var(--block-background-fill); overflow: hidden;
    color: var(--body-text-color); text-decoration: none; transition: transform .15s, box-shadow .15s; }
  a:hover { transform: translateY(-2px); box-shadow: 0 6px 22px rgb(0 0 0 / 14%); }
  .picture { background: var(--background-fill-secondary); padding: 16px; }
  .picture svg { display: block; width: 100%; height: auto; max-height: 190px; }
  h2 { font-size: 1.15rem; font-weight: 650; margin: 16px 20px 4px; text-align: left; }
  p { margin: 0 20px; line-height: 1.5; font-size: .95rem; color: var(--kz-quiet); }
  p.note { margin: 0; max-width: 75ch; }
}
@media (prefers-reduced-motion: reduce) { .hub.hub.hub a, .hub.hub.hub a:hover { transition: none; transform: none; } }
</style>
"""

# Gradio's links to the pages are too pale to read on white.
kit.CSS += "nav a { color: var(--kz-quiet) !important; } nav a.active { font-weight: 600; }\n"


def card(title: str, summary: str, address: str, emblem: str) -> str:
    """The markup of one family's card, the whole of which is a link."""
    return (
        f'<li><a href="{html.escape(address)}"><div class="picture">{emblem}</div>'
        f"<h2>{html.escape(title)}</h2><p>{html.escape(summary)}</p></a></li>"
    )


def emblem(address: str) -> str:
    """The picture of a family as SVG, or nothing where demos/emblems/ has none."""
    file = Path(__file__).parent / "emblems" / f"{address}.svg"
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def front_page(modules: dict, backend: str) -> str:
    """The markup of the first page: a card a family, and what this is."""
    cards = "".join(
        card(module.TITLE, module.SUMMARY, PAGES[name], emblem(PAGES[name])) for name, module in modules.items()
    )
    return (
        f'{STYLE}<div class="hub"><nav aria-label="Demos"><ul class="cards">{cards}</ul></nav>'
        '<p class="note">Behind each page is a Keras model that runs here and now, on the backend '
        f"{html.escape(backend)}; nothing is sent anywhere else. Each page shows the code that gives what you see, and "
        "hands out the model to take home.</p></div>"
    )


def build() -> gr.Blocks:
    """The whole app."""
    modules = {name: importlib.import_module(name) for name in PAGES}
    # Built before the hub itself, since a page can only be rendered into it when it is whole.
    pages = {name: module.build() for name, module in modules.items()}
    with kit.blocks("kzoo") as hub:
        gr.Navbar(main_page_name="kzoo")
        kit.heading("Neural networks, live", "Small networks that you can train, poke and look into, page by page.")
        gr.HTML(front_page(modules, kzoo.backend.name()))
    for name, module in modules.items():
        with hub.route(module.TITLE, f"/{PAGES[name]}"):
            gr.Navbar(main_page_name="kzoo")
            pages[name].render()
    return hub


if __name__ == "__main__":
    kit.launch(build, "kzoo")
