"""Spiking neurons: one under a current of your own, the same on three engines, a network of them, and one that learned.

    python demos/lif_app.py

The neuron is the leaky integrate-and-fire one of `kzoo.bio`, in SI units, with theory beside what is measured.
"""

import gradio as gr
import kit
import lif_digits_tab
import lif_engines_tab
import lif_network_tab
import lif_neuron_tab

TITLE = "Spiking neurons"
SUMMARY = "Integrate, fire, reset: a neuron, a network, a classifier"
PRESETS = ("snn_mnist",)


def build() -> gr.Blocks:
    """The page."""
    with kit.blocks(TITLE) as demo:
        kit.heading(
            TITLE,
            "A neuron sums up its current, leaks, and fires above a threshold: "
            "\u03c4 dV/dt = \u2212(V \u2212 V_rest) + R I. Every picture is simulated here and now, with the "
            "formula beside what was measured.",
        )
        with kit.tabs() as tabs:
            with gr.Tab("Neuron", id="neuron"):
                controls = lif_neuron_tab.build(demo, tabs)
            with gr.Tab("Engines", id="engines"):
                lif_engines_tab.build(controls)
            with gr.Tab("Network", id="network") as tab:
                lif_network_tab.build(demo, tabs, tab)
            with gr.Tab("Trained", id="trained"):
                lif_digits_tab.build(demo, tabs)
    return demo


if __name__ == "__main__":
    kit.launch(build, TITLE)
