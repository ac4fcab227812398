"""Every layer of kzoo keeps the contract of `tests/checks.py`."""

import pytest
from checks import check_layer

from kzoo.layers import convolution, dropout

IMAGE = (7, 6, 3)


@pytest.mark.parametrize(
    ("cls", "arguments", "training_changes"),
    [
        (convolution.Conv2D, {"filters": 4, "kernel_size": (3, 2)}, False),
        (
            convolution.Conv2D,
            {"filters": 4, "kernel_size": (3, 3), "strides": (2, 2), "padding": "same", "use_bias": False},
            False,
        ),
        (convolution.Conv2D, {"filters": 6, "kernel_size": (2, 2), "dilation_rate": (2, 2), "groups": 3}, False),
        (convolution.MaxPooling2D, {"pool_size": (3, 2)}, False),
        (convolution.MaxPooling2D, {"pool_size": (3, 3), "strides": (2, 2), "padding": "same"}, False),
        (dropout.Dropout, {"rate": 0.5, "seed": 3}, True),
        (dropout.Dropout, {"rate": 0.5, "noise_shape": (None, 1, 1, None), "portable": False}, True),
        (dropout.GaussianNoise, {"stddev": 0.5, "seed": 3}, True),
        (dropout.GaussianNoise, {"stddev": 0.5, "portable": False}, True),
    ],
)
def test_layer_keeps_the_contract(cls, arguments, training_changes, tmp_path):
    check_layer(cls, arguments, IMAGE, tmp_path, training_changes=training_changes)
