"""The film of a network on the page: the player of `kzoo.plots.activity_page` in a component of Gradio; its clicks.

film = gr.HTML(film_html(activity_data(...)), js_on_load=script(), css_template=CSS)
film.pick(handler, ...)  # its gr.EventData has {"cell": the number of the neuron that was clicked}
"""

import html
import json

from kzoo.plots import activity_page

CSS = """
.kz-film { min-height: 200px; }
.kz-film .kzoo-activity { max-width: none !important; color: var(--body-text-color); }
.kz-film button, .kz-film select { border: 1px solid var(--border-color-primary); border-radius: 6px;
  background: var(--button-secondary-background-fill); color: var(--body-text-color); }
.kz-film .empty { color: var(--kz-quiet); padding: 60px 10px; text-align: center; }
"""

# The film runs while it is seen, and from new only when it is another one.
_SHOW = r"""
let player = null, shown = null, seen = false, wanted = true;
function show() {
  const place = element.querySelector('.kz-film[data-film]');
  if (!place || (place.dataset.film === shown && place.querySelector('canvas'))) return;
  if (player) { wanted = wanted && (player.playing() || !seen); player.destroy(); }
  shown = place.dataset.film;
  player = kzooActivity(place, JSON.parse(shown), {
    seconds: 12, play: false, onNeuron: (drawn, number) => trigger('pick', { cell: number }),
  });
  watching.disconnect();
  watching.observe(place);
}
const watching = new IntersectionObserver(entries => {
  const visible = entries[entries.length - 1].isIntersecting;
  if (!visible) { if (seen) wanted = player.playing(); player.pause(); }
  else if (wanted && !matchMedia('(prefers-reduced-motion: reduce)').matches) player.play();
  seen = visible;
});
new MutationObserver(show)
  .observe(element, { childList: true, subtree: true, attributes: true, attributeFilter: ['data-film'] });
show();
"""


def script() -> str:
    """What `js_on_load` takes."""
    return activity_page.player() + _SHOW


def film_html(film: dict | None = None) -> str:
    """The place of a film, and the film with it; without one a word on how to get it."""
    if film is None:
        return '<div class="kz-film"><p class="empty">Choose a regime.</p></div>'
    return f'<div class="kz-film" data-film="{html.escape(json.dumps(film), quote=True)}"></div>'
