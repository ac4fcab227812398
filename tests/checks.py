"""The contract that every model and every layer of the zoo keeps. Tests call these over the registry."""

import functools
import inspect
import json

import keras
import numpy as np
from keras import ops

from kzoo import registry
from kzoo.backend import compiled, value_and_grad
from kzoo.errors import RecipeError
from kzoo.seeds import seeded

# One model or layer on one backend: the same arithmetic in the same order.
SAME = {"rtol": 0, "atol": 1e-6}


def sample_inputs(model, count: int, seed: int = 0):
    """Random inputs and targets that fit a model."""
    rng = np.random.default_rng(seed)
    x = model.sample_inputs(count, seed)
    shape = model.compute_output_shape(keras.tree.map_structure(np.shape, x))
    if model.task == "regression":
        return x, rng.uniform(-0.5, 0.5, shape).astype("float32")
    return x, rng.integers(0, shape[-1], shape[:-1]).astype("int32")


def first(x, count: int):
    """The first samples of inputs, which may be a dictionary."""
    return keras.tree.map_structure(lambda part: part[:count], x)


def check_model(name: str, tmp_path) -> None:
    """Shapes, complete config, saving, presets, gradients, one step of `fit`, named activations, and learning.

    A model that makes images gives those in place of logits, and learns in the tests of its own page.

    All of it on the variant "mu". Whatever "mu" cannot have at once with the rest, such as an option that is
    either on or off, stands in further variants "mu-..."; shapes, config, saving and gradients hold for each.
    """
    cls = registry.model_info(name).load()
    variants = {key: given for key, given in inspect.getmodule(cls).PRESETS.items() if key.split("-")[0] == "mu"}
    assert "mu" in variants, f"{name} has no variant 'mu' for the tests"
    _check_variants(name, variants)
    if cls.task == "generation":
        _check_generative(name, variants, tmp_path)
        return

    for variant, given in variants.items():
        keras.utils.set_random_seed(7)
        model = registry.create_model(f"{name}:{variant}")
        _check_shapes(model)
        _check_config(name, model, given)
        _check_activations(model)
        _check_saving(model, tmp_path / variant)
        keras.utils.set_random_seed(7)
        _check_gradients(registry.create_model(f"{name}:{variant}"))
    _check_every_argument_shows(name, variants)
    _check_initial_weights(name)
    _check_learning(name)


def _logits(model, x):
    return ops.convert_to_numpy(_forward(model)(x))


# Compiled whole: op by op JAX compiles hundreds of pieces for each shape.
@functools.lru_cache(maxsize=2)
def _forward(model):
    return compiled(lambda x: model(x, training=False), model.variables)


def compiled_gradients(loss, variables):
    """`value_and_grad` of a loss without side effects; on JAX compiled whole, as in `fit`."""
    if keras.backend.backend() != "jax":
        return value_and_grad(loss, variables)
    import jax

    return jax.jit(lambda: value_and_grad(loss, variables))()


def _check_that_a_step_moves_every_weight(model, loss, x, y):
    before = [weight.numpy().copy() for weight in model.trainable_variables]
    # Adam's first step is as long for a small gradient as for a large one. TensorFlow's XLA would take long over what
    # is run once.
    optimizer = keras.optimizers.Adam(0.1, epsilon=1e-16)
    model.compile(optimizer, loss=loss, jit_compile=keras.backend.backend() == "jax")
    model.train_on_batch(x, y)
    for variable, old in zip(model.trainable_variables, before, strict=True):
        assert np.isfinite(variable.numpy()).all(), variable.path
        assert np.any(variable.numpy() != old), variable.path


def _check_shapes(model):
    for count in (1, 3):
        x, _ = sample_inputs(model, count)
        logits = _logits(model, x)
        expected = (count, *model.output_shape[1:])
        assert len(logits.shape) == len(expected)
        assert all(a in (None, b) for a, b in zip(expected, logits.shape, strict=True))
        assert np.isfinite(logits).all()
    # A sample's logits do not depend on its neighbours in the batch.
    np.testing.assert_allclose(_logits(model, first(x, 1)), logits[:1], rtol=0, atol=1e-5)


def _check_variants(name, variants):
    """An argument that no variant moves off its default could be forgotten, or set in stone, and pass every check."""
    for key, parameter in registry.model_arguments(name).items():
        values = [_plain(given[key]) for given in variants.values() if key in given]
        moved = [value for value in values if value != _plain(parameter.default)]
        assert moved, f"{name}: give {key} another value than its default in a variant 'mu'"


def _check_config(name, model, given):
    config = model.get_config()
    json.dumps(config)
    arguments = registry.model_arguments(name)
    assert set(arguments) <= set(config)
    for key, parameter in arguments.items():
        assert _plain(config[key]) == _plain(given.get(key, parameter.default)), key
    again = type(model).from_config(config)
    assert again.get_config() == config
    assert _structure(again) == _structure(model)


def _check_every_argument_shows(name, variants):
    """An argument taken back to its default changes the config in that key, and changes the layers."""
    for variant, given in variants.items():
        keras.utils.set_random_seed(7)
        model = registry.create_model(f"{name}:{variant}")
        if model.task == "generation":
            weights = model.get_weights()
            trained = _trained(model)
            assert not _acts_otherwise(trained, _trained(model))  # so that what follows means something
        for key, value in given.items():
            default = registry.model_arguments(name)[key].default
            if _plain(value) == _plain(default):
                continue
            try:
                other = registry.create_model(f"{name}:{variant}", **{key: default}, name=model.name)
            except RecipeError:
                continue  # refused beside the variant's other arguments: it shows
            differs = {k for k, v in model.get_config().items() if _plain(v) != _plain(other.get_config()[k])}
            assert differs == {key}
            changed = _structure(other) != _structure(model) or other.task != model.task  # the task chooses the loss
            if not changed and model.task == "generation":
                changed = _acts_otherwise(trained, _trained(other, weights))
            assert changed, f"{name}: {key} changes no layer"


def _structure(model):
    """What a model is made of: its layers' configs and the shapes of its weights, without names and seeds."""

    def lasting(value):
        if isinstance(value, dict):
            return {k: lasting(v) for k, v in value.items() if k not in ("seed", "name", "shared_object_id")}
        return [lasting(v) for v in value] if isinstance(value, (list, tuple)) else value

    layers = [lasting(layer.get_config()) for layer in model.layers]
    return repr(layers), [tuple(weight.shape) for weight in model.weights]


def _plain(value):
    return json.loads(json.dumps(value))


def _randomise(model):
    """New values for every weight, so that a weight that is not saved, or saved in another's place, shows."""
    rng = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(rng.uniform(0.5, 1.5, weight.shape))


def _check_saving(model, tmp_path):
    tmp_path.mkdir()
    _randomise(model)
    x, _ = sample_inputs(model, 3)
    expected = _logits(model, x)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_allclose(_logits(loaded, x), expected, **SAME)
    model.save_to_preset(tmp_path / "whole", half=False)
    loaded = load_folder(tmp_path / "whole")
    np.testing.assert_allclose(_logits(loaded, x), expected, **SAME)
    model.save_to_preset(tmp_path / "half")
    loaded = load_folder(tmp_path / "half")
    # Half precision rounds each weight by at most 2^-11 of itself.
    for weight, rounded in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_allclose(rounded.numpy(), weight.numpy(), rtol=2**-11, atol=1e-7)


def load_folder(folder):
    """A preset from a path."""
    import kzoo

    return kzoo.from_preset(str(folder))


def _check_activations(model):
    x, _ = sample_inputs(model, 3)
    found = model.activations(x)
    last = "outputs" if model.task == "regression" else "logits"
    assert list(found)[-1] == last
    np.testing.assert_allclose(found[last], ops.convert_to_numpy(model(x, training=False)), **SAME)
    assert all(len(value) == 3 for value in found.values())


def _check_initial_weights(name):
    def weights(seed):
        keras.utils.set_random_seed(seed)
        return [w.numpy() for w in registry.create_model(f"{name}:mu").weights]

    first, second, other = weights(3), weights(3), weights(4)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    random = [i for i, value in enumerate(first) if np.unique(value).size > 2]
    assert all(not np.array_equal(first[i], other[i]) for i in random)


def _check_gradients(model):
    x, y = sample_inputs(model, 8)
    _check_that_a_step_moves_every_weight(model, model.training_loss(), x, y)


def _check_learning(name):
    """It tells four samples apart, and a step of `fit` moves every trainable weight."""
    keras.utils.set_random_seed(5)
    overrides = {"dropout": 0.0} if "dropout" in registry.model_arguments(name) else {}
    model = registry.create_model(f"{name}:mu", **overrides)
    x, y = sample_inputs(model, 4)
    if model.task == "classification":
        y = (np.arange(4) % model.output_shape[-1]).astype("int32")
    before = [w.numpy().copy() for w in model.trainable_variables]
    model.compile(
        keras.optimizers.Adam(0.05),
        model.training_loss(),
        metrics=["mae" if model.task == "regression" else "accuracy"],
    )
    first_loss = model.fit(x, y, epochs=1, verbose=0).history["loss"][0]
    for variable, old in zip(model.trainable_variables, before, strict=True):
        assert np.any(variable.numpy() != old), variable.path
    last_loss = model.fit(x, y, epochs=60, verbose=0).history["loss"][-1]
    if model.task != "classification":
        # Targets at random, another at every step: most of it can be learned by heart, not all in 60 steps.
        assert last_loss < 0.5 * first_loss
        return
    # In training mode: the moving averages of batch normalisation need more steps than this to settle.
    assert (ops.convert_to_numpy(model(x, training=True)).argmax(axis=-1) == y).all()


def _check_generative(name, variants, tmp_path):
    for variant, given in variants.items():
        keras.utils.set_random_seed(7)
        model = registry.create_model(f"{name}:{variant}")
        _check_images(model)
        _check_config(name, model, given)
        _check_saving_of_images(model, tmp_path / variant)
        keras.utils.set_random_seed(7)
        model = registry.create_model(f"{name}:{variant}")
        x, y = _labelled(model, 8)
        _check_that_a_step_moves_every_weight(model, None, x, y)
        history = model.fit(x, y, batch_size=3, validation_data=(x, y), verbose=0).history  # the last batch is of two
        assert {"loss", "val_loss"} <= set(history)
        assert np.isfinite(list(history.values())).all()
    _check_every_argument_shows(name, variants)
    _check_initial_weights(name)


def _labelled(model, count):
    """Images and their classes, None for a model that is told none."""
    return model.sample_inputs(count), None if model.num_classes is None else np.arange(count) % model.num_classes


def _check_images(model):
    _, labels = _labelled(model, 3)
    images = model.sample(3, labels, seed=5)
    assert images.shape == (3, *model.input_shape[1:])
    assert images.dtype == "float32"
    assert images.min() >= 0
    assert images.max() <= 1
    # An image does not depend on its neighbours in the batch, and another seed gives others.
    one = model.sample(1, None if labels is None else labels[:1], seed=5)
    np.testing.assert_allclose(one, images[:1], rtol=0, atol=1e-5)
    assert not np.array_equal(model.sample(3, labels, seed=6), images)


def _check_saving_of_images(model, tmp_path):
    tmp_path.mkdir()
    rng = np.random.default_rng(1)
    for weight in model.weights:
        # Small ones, so that no pixel is quite black or white; above 0, as variances have to be.
        weight.assign(rng.uniform(0.01, 0.1, weight.shape) if "float" in weight.dtype else np.full(weight.shape, 2))
    expected = model.probe()
    assert 0 < expected.min() < expected.max() < 1
    model.save(tmp_path / "model.keras")
    model.save_to_preset(tmp_path / "whole", half=False)
    model.save_to_preset(tmp_path / "half")
    loaded = [keras.saving.load_model(tmp_path / "model.keras", safe_mode=True), load_folder(tmp_path / "whole")]
    for other in loaded:
        for weight, same in zip(model.weights, other.weights, strict=True):
            assert np.array_equal(same.numpy(), weight.numpy()), weight.path
        np.testing.assert_allclose(other.probe(), expected, **SAME)
    for weight, rounded in zip(model.weights, load_folder(tmp_path / "half").weights, strict=True):
        np.testing.assert_allclose(rounded.numpy(), weight.numpy(), rtol=2**-11, atol=1e-7)


def _trained(model, weights=None):
    """A twin of a model after three steps from these weights, or from the model's own, always on the same images."""
    twin = _twin(model)
    twin.set_weights(model.get_weights() if weights is None else weights)
    x, y = _labelled(twin, 6)
    # Each model would be compiled anew; run piece by piece, all but the first find the pieces compiled.
    twin.compile(keras.optimizers.Adam(0.1), run_eagerly=True)
    twin.fit(x, y, batch_size=2, shuffle=False, verbose=0)
    return twin


def _acts_otherwise(trained, other):
    """Whether three steps left two models with other weights, or other images."""
    if any(not np.array_equal(a, b) for a, b in zip(trained.get_weights(), other.get_weights(), strict=True)):
        return True
    _, labels = _labelled(trained, 2)
    return not np.array_equal(trained.sample(2, labels), other.sample(2, labels))


def check_layer(cls, arguments: dict, input_shape: tuple[int, ...], tmp_path, *, training_changes: bool = False):
    """Shapes, complete config, saving, gradients and symbolic construction of one layer.

    Args:
        cls: The layer's class.
        arguments: Constructor arguments, none at its default; every one must come back from `get_config`.
        input_shape: Shape of one sample.
        training_changes: Whether `training=True` gives other outputs, as in dropout.
    """
    keras.utils.set_random_seed(0)
    layer = cls(**arguments)
    config = layer.get_config()
    json.dumps(keras.saving.serialize_keras_object(layer))
    for key, value in arguments.items():
        assert _plain(config[key]) == _plain(value), key
    for key, parameter in inspect.signature(cls.__init__).parameters.items():
        if key in arguments and parameter.default is not inspect.Parameter.empty:
            assert _plain(arguments[key]) != _plain(parameter.default), f"{key} is at its default"
    inputs = keras.Input(input_shape)
    model = keras.Model(inputs, layer(inputs))
    rng = np.random.default_rng(0)
    for count in (1, 5):
        x = rng.normal(size=(count, *input_shape)).astype("float32")
        outputs = _logits(model, x)
        assert outputs.shape == (count, *model.output_shape[1:])
        assert layer.compute_output_spec(keras.KerasTensor((count, *input_shape))).shape == outputs.shape
    _randomise(model)
    model.save(tmp_path / "layer.keras")
    loaded = keras.saving.load_model(tmp_path / "layer.keras", safe_mode=True)
    np.testing.assert_allclose(_logits(loaded, x), _logits(model, x), **SAME)
    in_training, outside = (ops.convert_to_numpy(model(x, training=flag)) for flag in (True, False))
    assert np.array_equal(in_training, outside) != training_changes
    if model.trainable_variables:
        _check_that_a_step_moves_every_weight(model, "mse", x, np.zeros_like(outside))


def _twin(model):
    """A model of the same arguments, whose noise is that of each other twin."""
    with seeded(7):
        return type(model).from_config(model.get_config())
