"""The SNN as a graph of NIR: there and back to the bit, by the command too, and read by snnTorch and Norse."""

import sys
import warnings

import numpy as np
import pytest

import kzoo
from kzoo.cli import main
from kzoo.errors import KzooError

nir = pytest.importorskip("nir")

from kzoo.convert import nir as convert  # noqa: E402
from kzoo.models import preset  # noqa: E402

SMALL = {
    "input_shape": (6,),
    "num_classes": 3,
    "hidden_dims": (20, 12),
    "steps": 60,
    "tau": 7.3,
    "integration": "euler",
    "readout": "spikes",
    "encoder": "rate",
}


def small(**changes):
    model = kzoo.create_model("snn", seed=1, **{**SMALL, **changes})
    rng = np.random.default_rng(0)
    for weight in model.trainable_variables:
        weight.assign(rng.normal(0.05, 0.5, weight.shape))
    return model


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"readout": "voltage", "encoder": "current", "integration": "exact"},
        {"input_shape": (3, 2, 1), "slope": 3.0, "surrogate": "fast_sigmoid"},
    ],
)
def test_there_and_back_the_model_is_the_same_to_the_bit(changes, tmp_path):
    model = small(**changes)
    convert.write(model, tmp_path / "model.nir")
    again = convert.read(tmp_path / "model.nir")
    assert {**again.get_config(), "name": ""} == {**model.get_config(), "name": ""}
    for own, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)
    x = model.sample_inputs(4)
    if model.encoder == "current":  # of random spikes the seed stays behind
        np.testing.assert_array_equal(model.predict(x, verbose=0), again.predict(x, verbose=0))


def test_the_file_says_how_long_a_step_lasts(tmp_path):
    convert.write(small(), tmp_path / "model.nir", dt=1e-3)
    graph = nir.read(tmp_path / "model.nir")
    assert graph.metadata["dt"] == 1e-3
    lif = graph.nodes["lif_1"]
    np.testing.assert_allclose(lif.tau, 7.3e-3, rtol=1e-6)
    np.testing.assert_allclose(lif.v_threshold / lif.r, 1 / 7.3, rtol=1e-6)
    # Given, it wins over what is written down: the same seconds are twice as many steps.
    assert convert.read(tmp_path / "model.nir", dt=5e-4).tau == pytest.approx(14.6, rel=1e-6)


def read_by_snntorch(graph):
    return pytest.importorskip("snntorch.import_nir").import_from_nir(graph)


def read_by_norse(graph):
    return pytest.importorskip("norse.torch").from_nir(graph, dt=convert.DT)


@pytest.mark.parametrize("read", [read_by_snntorch, read_by_norse])
def test_another_library_reads_the_graph_and_spikes_alike(read, capsys):
    torch = pytest.importorskip("torch")
    model = small()
    trains = model.spike_trains(model.sample_inputs(8))
    code, expected = trains["rate"].astype("float32"), trains["lif_out"]  # (b, t, d), (b, t, classes)
    assert 50 < expected.sum() < expected.size - 50
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        theirs, state, found = read(convert.to_nir(model)), None, []
        for t in range(code.shape[1]):
            spikes, state = theirs(torch.from_numpy(code[:, t]), state)
            found.append(spikes.numpy())
    np.testing.assert_array_equal(np.stack(found, axis=1), expected)


def test_resistances_and_thresholds_of_others_go_into_the_weights():
    model = small()
    graph = convert.to_nir(model)
    lif, product = graph.nodes["lif_1"], graph.nodes["dense_1"]
    stretch = np.linspace(0.5, 3, 20, dtype="float32")
    for name in ("v_threshold", "v_leak", "v_reset"):
        setattr(lif, name, getattr(lif, name) * stretch - 0.25)  # other volts, and another zero of them
    lif.r = lif.r * 2
    product.weight, product.bias = product.weight * stretch[:, None] / 2, product.bias * stretch / 2
    again = convert.from_nir(graph)
    for own, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(other, own, rtol=0, atol=2e-6)


@pytest.fixture
def ours(tmp_path):
    """A preset's folder, as text."""
    preset.save(small(), tmp_path / "ours", half=False)
    return str(tmp_path / "ours")


def test_the_command_goes_there_and_back_to_the_bit(ours, tmp_path, capsys):
    graph, again = str(tmp_path / "new" / "model.nir"), str(tmp_path / "again")
    assert main(["convert", ours, "--to", graph, "--dt", "1e-3"]) == 0
    assert nir.read(graph).metadata["dt"] == 1e-3
    assert main(["convert", graph, "--to", again]) == 0
    assert f'kzoo.from_preset("{again}")' in capsys.readouterr().out
    model, other = kzoo.from_preset(ours), kzoo.from_preset(again)
    assert {**other.get_config(), "name": ""} == {**model.get_config(), "name": ""}
    for weight, same in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, same)
    assert f"kzoo convert {graph} --to {again}" in (tmp_path / "again" / "README.md").read_text()
    for source, to in ((ours, graph), (graph, again)):
        assert main(["convert", source, "--to", to]) == 2
        assert "To replace it, add --force" in capsys.readouterr().err
        assert main(["convert", source, "--to", to, "--force"]) == 0


def test_what_the_command_refuses_is_one_message(ours, tmp_path, capsys):
    graph, broken, foreign = (str(tmp_path / f"{name}.nir") for name in ("model", "broken", "foreign"))
    (tmp_path / "broken.nir").write_text("no HDF5")
    (tmp_path / "folder.nir").mkdir()
    strange = convert.to_nir(small())
    strange.metadata.clear()
    nir.write(foreign, strange)
    to = str(tmp_path / "to")
    cases = [
        ([str(tmp_path / "none.nir"), "--to", to], "There is no file"),
        ([broken, "--to", to], "is damaged, or no graph of NIR"),
        ([foreign, "--to", to], "(--dt 0.0001)"),
        ([foreign, "--to", to, "--dt", "0"], "dt: got 0.0; expected seconds above 0"),
        ([ours, "--to", graph, "--dt", "nan"], "dt: got nan; expected seconds above 0"),
        ([ours, "--to", graph, "--half"], "--half does not go with a graph of NIR"),
        ([foreign, "--to", to, "--ignore", "a"], "--ignore does not go with a graph of NIR"),
        ([foreign, "--to", graph], "both end with .nir"),
        ([ours, "--to", str(tmp_path / "folder.nir")], "is a folder; or name another file"),
        (["mlp_digits", "--to", graph], "networks of spiking neurons; received a MLP"),
        ([ours, "--to", to, "--dt", "1"], "--dt is for a source or --to that ends with .nir"),
    ]
    for argv, words in cases:
        assert main(["convert", *argv]) == 2, argv
        assert words in capsys.readouterr().err
    assert not (tmp_path / "to").exists()
    assert not (tmp_path / "model.nir").exists()
    assert main(["convert", foreign, "--to", to, "--dt", "1e-4"]) == 0


def test_without_nirs_package_the_command_says_how_to_get_it(ours, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "nir", None)
    for argv in ([ours, "--to", str(tmp_path / "a.nir")], [str(tmp_path / "a.nir"), "--to", str(tmp_path / "b")]):
        assert main(["convert", *argv]) == 2
        assert "pip install nir" in capsys.readouterr().err


def test_a_step_that_no_number_of_seconds_is_is_refused(tmp_path):
    graph = convert.to_nir(small())
    for dt in ("fast", True, -1.0, np.nan):
        with pytest.raises(KzooError, match=r"dt: got .*; expected seconds above 0"):
            convert.from_nir(graph, dt=dt)
    graph.metadata["dt"] = "fast"
    with pytest.raises(KzooError, match="dt: got 'fast'"):
        convert.from_nir(graph)
    assert convert.from_nir(graph, dt=np.float32(1e-4)).tau == pytest.approx(7.3, rel=1e-6)


def test_what_nir_cannot_express_is_refused():
    with pytest.raises(KzooError, match=r"NIR has no refractory period; this model has t_ref=2\.0"):
        convert.to_nir(small(t_ref=2.0))
    with pytest.raises(KzooError, match="networks of spiking neurons; received a MLP"):
        convert.to_nir(kzoo.create_model("mlp:mu"))
    for dt in (0, -1e-4, float("nan"), "fast"):
        with pytest.raises(KzooError, match=r"dt: got .*; expected seconds above 0"):
            convert.to_nir(small(), dt=dt)


def leaky(units, **changes):
    """A membrane that sends no spikes, as slow as those of `small`."""
    values = {"tau": 7.3 * convert.DT, "r": 1.0, "v_leak": 0.0, **changes}
    return nir.LI(**{name: np.full(units, value, "float32") for name, value in values.items()})


def shorten(graph, *names):
    """Takes nodes out of a chain."""
    for name in names:
        ((before, _),) = [edge for edge in graph.edges if edge[1] == name]
        ((_, after),) = [edge for edge in graph.edges if edge[0] == name]
        graph.edges[:] = [edge for edge in graph.edges if name not in edge] + [(before, after)]
        del graph.nodes[name]


def test_a_product_may_have_no_bias_and_a_readout_its_own_resistance():
    model = small(readout="voltage")
    graph = convert.to_nir(model)
    graph.nodes["dense_1"] = nir.Linear(graph.nodes["dense_1"].weight)
    last = graph.nodes["voltages"]
    last.r = last.r * np.array([0.5, 1.0, 4.0], "float32")
    again = convert.from_nir(graph)
    expected = model.get_weights()
    expected[1] = np.zeros(20)
    expected[4], expected[5] = expected[4] * [0.5, 1.0, 4.0], expected[5] * [0.5, 1.0, 4.0]
    for own, other in zip(expected, again.get_weights(), strict=True):
        np.testing.assert_allclose(other, own, rtol=1e-6, atol=0)
    assert again.readout == "voltage"


def test_a_graph_that_is_no_such_network_is_refused():
    def changed(change):
        graph = convert.to_nir(small())
        change(graph)
        return graph

    def other(name, **values):
        return lambda graph: [
            setattr(graph.nodes[name], key, np.full_like(getattr(graph.nodes[name], key), v))
            for key, v in values.items()
        ]

    cases = [
        (lambda graph: graph.metadata.clear(), "does not say how long a step lasts"),
        (lambda graph: graph.metadata.update(kzoo="{"), "metadata are damaged: got kzoo='{'; expected JSON"),
        (other("lif_2", tau=1.0), "time constants from 7.3 to 10000 steps"),
        (other("lif_2", tau=7.4e-4), "time constants from 7.3 to 7.4 steps"),
        (other("lif_1", v_reset=-1.0), "lif_1: got a v_reset that is not v_leak"),
        (other("lif_1", v_threshold=0.0), "lif_1: got a v_threshold at or below v_leak"),
        (other("dense_2", weight=np.nan), "dense_2: got weights .*; expected .*, all finite"),
        (lambda graph: graph.edges.append(("lif_1", "readout")), "lif_1 goes to dense_2 and to readout"),
        (lambda graph: graph.edges.remove(("lif_1", "dense_2")), "no chain from its input to its output"),
        (lambda graph: graph.nodes.update(dense_2=graph.nodes["lif_2"]), "dense_2: got LIF, where .* Affine or Linear"),
        (lambda graph: graph.nodes.update(lif_1=leaky(20)), "lif_1: got LI, where kzoo's snn has LIF"),
        (lambda graph: graph.nodes.update(more=nir.Input(np.array([6]))), "The graph has 2 inputs; kzoo's snn has one"),
        (lambda graph: graph.nodes.update(apart=leaky(3)), "no chain from its input to its output"),
        (lambda graph: graph.edges.__setitem__(-1, ("lif_out", "dense_1")), "no chain from its input to its output"),
        (
            lambda graph: shorten(graph, "dense_2", "lif_2", "readout", "lif_out"),
            "at least twice; the graph has fewer",
        ),
        (lambda graph: shorten(graph, "lif_out"), "at least twice; the graph has fewer"),
        (lambda graph: graph.nodes.update(lif_out=leaky(3, v_leak=0.5)), "lif_out: got a v_leak that is not 0"),
    ]
    for change, words in cases:
        with pytest.raises(KzooError, match=words):
            convert.from_nir(changed(change))


def test_a_foreign_graph_takes_eulers_steps_and_what_it_is_told():
    graph = convert.to_nir(small())
    assert convert.from_nir(graph, steps=9).steps == 9  # over what kzoo wrote down
    graph.metadata.clear()
    model = convert.from_nir(graph, dt=1e-4, steps=9, encoder="latency")
    assert (model.integration, model.steps, model.encoder, model.input_shape) == ("euler", 9, "latency", (None, 6))
    assert model.tau == pytest.approx(7.3, rel=1e-6)
