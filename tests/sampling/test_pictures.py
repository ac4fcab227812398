"""Pictures of what a model makes: which images are asked for, what is drawn of them, and what is refused."""

import numpy as np
import pytest

import kzoo
from kzoo import plots
from kzoo.cli import main
from kzoo.errors import KzooError
from kzoo.sampling import diffusion, pictures
from kzoo.sampling.pictures import picture


@pytest.fixture(scope="module")
def gan():
    return kzoo.create_model("gan:mu", seed=0, input_shape=(4, 6, 1))


@pytest.fixture(scope="module")
def denoiser():
    return kzoo.create_model("diffusion:mu", seed=0, input_shape=(8, 4, 1))


@pytest.fixture
def drawn(monkeypatch):
    """What reached the plots: a list of (name, positional arguments, keywords)."""
    found = []

    def watch(name):
        plain = getattr(plots, name)

        def keep(*args, **kwargs):
            found.append((name, args, kwargs))
            return plain(*args, **kwargs)

        monkeypatch.setattr(pictures.plots, name, keep)

    for name in ("sample_grid", "interpolation", "latent_plane", "denoising_strip"):
        watch(name)
    return found


def test_a_grid_is_of_each_class_in_turn_or_of_one(gan, drawn):
    picture(gan, title="GAN", count=5, seed=3)
    picture(gan, title="GAN", count=2, label=1)
    (_, (each,), told), (_, (one,), told_one) = drawn
    np.testing.assert_array_equal(each, gan.sample(5, [0, 1, 2, 0, 1], seed=3))
    np.testing.assert_array_equal(one, gan.sample(2, 1))
    assert told["labels"].tolist() == [0, 1, 2, 0, 1]
    assert told_one["labels"].tolist() == [1, 1]


def test_a_way_leads_from_one_code_to_another_of_the_same_length(gan, drawn):
    picture(gan, "ways", title="GAN", count=2, seed=3)
    ((name, (images,), _),) = drawn
    assert name == "interpolation"
    assert images.shape == (2, 11, 4, 6, 1)
    codes = gan.noise(4, 3)
    np.testing.assert_allclose(images[:, 0], gan.decode(codes[:2], [0, 1]), atol=1e-6)
    np.testing.assert_allclose(images[:, -1], gan.decode(codes[2:], [0, 1]), atol=1e-6)
    np.testing.assert_allclose(images[:, 5], gan.decode((codes[:2] + codes[2:]) / np.sqrt(2), [0, 1]), atol=1e-5)


def test_the_plane_has_an_image_at_each_of_its_codes(drawn):
    model = kzoo.create_model("vae:mu", seed=0, latent_dim=2)
    picture(model, "plane", title="VAE", label=None if model.num_classes is None else 1)
    ((_, (images, across, up), _),) = drawn
    codes = np.array([[across[20], up[0]], [across[0], up[20]]], "float32")
    expected = model.decode(codes, None if model.num_classes is None else [1, 1])
    np.testing.assert_allclose(np.stack([images[0, 20], images[20, 0]]), expected, atol=1e-6)
    assert across[-1] == -across[0] == 2.5


def test_a_strip_goes_from_the_noise_to_the_image_and_shows_what_is_seen_on_the_way(denoiser, drawn):
    picture(denoiser, "strip", title="Diffusion", count=2, seed=1, steps=4, sampler="dpm_solver")
    ((_, (states, timesteps), told),) = drawn
    way = diffusion.denoising(denoiser, 2, [0, 1], seed=1, steps=4, sampler="dpm_solver")
    assert states.shape == told["guesses"].shape == (2, 5, 8, 4, 1)
    assert timesteps.tolist() == [*way.timesteps.tolist(), 0]
    np.testing.assert_allclose(states[:, 0], np.clip((denoiser.noise(2, 1) + 1) / 2, 0, 1), atol=1e-6)
    np.testing.assert_allclose(states[:, 1], np.clip((way.states[0] + 1) / 2, 0, 1), atol=1e-6)
    np.testing.assert_allclose(told["guesses"][:, 1], np.clip((way.guesses[1] + 1) / 2, 0, 1), atol=1e-6)
    for last in (states[:, -1], told["guesses"][:, -1]):
        np.testing.assert_allclose(last, way.images, atol=1e-6)


@pytest.mark.parametrize(
    ("model", "kind", "options", "words"),
    [
        ("gan", "grids", {}, "expected one of grid, ways, plane, strip"),
        ("gan", "strip", {}, "GAN makes an image at one stroke"),
        ("gan", "plane", {}, "no plane of codes; one with latent_dim 2"),
        ("denoiser", "ways", {}, "Diffusion has no codes"),
        ("gan", "grid", {"steps": 3}, "steps: this GAN has no such options"),
        ("denoiser", "grid", {"steps": 21}, "21"),
        ("denoiser", "strip", {"sampler": "euler"}, "euler"),
        ("denoiser", "grid", {"guidance_scale": -1.0}, "guidance_scale: got -1.0"),
        ("denoiser", "strip", {"count": 0}, "count: got 0"),
        ("gan", "ways", {"count": 0}, "count: got 0"),
        ("gan", "ways", {"label": 3}, "a class from 0 to 2"),
    ],
)
def test_what_a_model_cannot_show_is_named(request, model, kind, options, words):
    with pytest.raises(KzooError, match=words):
        picture(request.getfixturevalue(model), kind, title="", **options)


def test_the_flags_of_diffusion_reach_the_images(denoiser, tmp_path, capsys, monkeypatch):
    # Loaded anew each time, it would be compiled anew.
    monkeypatch.setattr("kzoo.models.preset.load_model", lambda _: denoiser)
    out, found = tmp_path / "images.png", []
    plain = ["generate", "tiny", "--out", str(out), "--count", "3", "--steps", "4"]
    for flags in ([], ["--steps", "3"], ["--sampler", "dpm_solver"], ["--guidance", "3"], ["--show", "strip"]):
        assert main([*plain, *flags]) == 0
        found.append(out.read_bytes())
    assert len(set(found)) == len(found)
    assert "Wrote" in capsys.readouterr().out
    for flag, value, words in (
        ("--sampler", "euler", "--sampler: got 'euler'"),
        ("--guidance", "-1", "--guidance: got -1.0"),
        ("--class", "7", "--class: got 7; expected a class from 0 to 2"),
        ("--show", "film", "--show: got 'film'; expected one of grid"),
    ):
        assert main([*plain, flag, value]) == 2
        assert words in capsys.readouterr().err
