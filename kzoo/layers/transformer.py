"""The transformer's layers: attention, the pre-norm block and learned positions.

Vaswani et al. 2017 (arXiv:1706.03762), arranged as in GPT-2 (Radford et al., "Language models are unsupervised
multitask learners", 2019): each half of a block normalises what it reads and adds to what it found. The arithmetic of
attention is in `kzoo.ops.attention`.

Axis letters: b batch, t time, s places of a cache, d width, h heads, p width of a head.

Each layer reads a whole sequence when called, and a piece of it with `stream`, whose state is handed on.
"""

import math

import keras
from keras import ops

from kzoo.layers.checks import positive
from kzoo.layers.dropout import Dropout
from kzoo.layers.initializers import RandomNormal
from kzoo.ops import attention

__all__ = ["Attention", "LearnedPositions", "TransformerBlock", "norm"]

# Of GPT-2: the deviation of its initial weights, and what its normalisation adds to a variance.
STDDEV = 0.02
EPSILON = 1e-5


def norm(use_bias: bool, **arguments):
    """Layer normalisation over d, as GPT-2 has it; without its shift where biases are left out."""
    return keras.layers.LayerNormalization(epsilon=EPSILON, center=use_bias, **arguments)


@keras.saving.register_keras_serializable("kzoo.layers")
class Attention(keras.layers.Layer):
    """Self-attention with h heads, (b, t, d) to (b, t, d).

        q | k | v = x W_qkv + b_qkv,   each (b, t, d), head i in its columns i p to (i + 1) p, p = d / h
        y = (the heads' `attend(q, k, v)` side by side) W_o + b_o

    Weights: `qkv.kernel` (d, 3 d), `project.kernel` (d, d), and their biases.

    Args:
        num_heads: h, a divisor of d.
        causal: Whether a step sees no later one.
        rotary: Whether queries and keys are turned by their time; then p must be even.
        use_bias: Whether the two products have biases.
        output_stddev: Deviation of the initial W_o.

    Raises:
        ValueError: for a number of heads that is no divisor of d, or an odd p with rotary positions.
    """

    def __init__(
        self,
        num_heads: int,
        causal: bool = True,
        rotary: bool = False,
        use_bias: bool = True,
        output_stddev: float = STDDEV,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_heads = positive("Attention", "num_heads", num_heads)
        self.causal = causal
        self.rotary = rotary
        self.use_bias = use_bias
        self.output_stddev = output_stddev
        # Made here and not in build, so that the seeds are drawn in the order of construction.
        self._initializers = RandomNormal(stddev=STDDEV), RandomNormal(stddev=output_stddev)

    def build(self, input_shape):
        width = input_shape[-1]
        if width % self.num_heads:
            raise ValueError(
                f"num_heads of Attention: got {self.num_heads}, which does not divide the width {width}; take a "
                f"divisor of {width}."
            )
        if self.rotary and width // self.num_heads % 2:
            raise ValueError(
                f"num_heads of Attention: got {self.num_heads}, and rotary positions need heads of an even width, not "
                f"{width} / {self.num_heads} = {width // self.num_heads}; take another number of heads, or learned "
                "positions."
            )
        for_qkv, for_output = self._initializers
        arguments = {"use_bias": self.use_bias, "dtype": self.dtype_policy}
        # One product for all three is faster than three.
        self.qkv = keras.layers.Dense(3 * width, kernel_initializer=for_qkv, name="qkv", **arguments)
        self.project = keras.layers.Dense(width, kernel_initializer=for_output, name="project", **arguments)
        self.qkv.build(input_shape)
        self.project.build(input_shape)

    def _heads(self, x, start=0):
        """Queries, keys and values, each (b, h, t, p)."""
        # ops.split and not slices: the gradient of a slice is as large as what it was cut from.
        queries, keys, values = (attention.split_heads(part, self.num_heads) for part in ops.split(self.qkv(x), 3, -1))
        if self.rotary:
            queries, keys = attention.rotary(queries, start), attention.rotary(keys, start)
        return queries, keys, values

    def _mask(self, length):
        return attention.causal_mask(length, length) if self.causal else None

    def call(self, x):
        found = attention.attend(*self._heads(x), self._mask(ops.shape(x)[1]))
        return self.project(attention.merge_heads(found))

    def weights_of(self, x):
        """How much each step takes of each other one: (b, t, d) to (b, h, t, t), each row of which sums to 1."""
        queries, keys, _ = self._heads(x)
        return attention.attention_weights(queries, keys, self._mask(ops.shape(x)[1]))

    def stream(self, x, cache, start):
        """Reads a piece.

        Args:
            x: (b, t, d).
            cache: Keys and values so far, each (b, h, s, p).
            start: How many of the s places hold something, a number or a scalar int32 tensor.

        Returns:
            (b, t, d), and the cache with t more places in use.

        Raises:
            ValueError: if the layer is not causal: each step would have to see those that have not come yet.
        """
        if not self.causal:
            raise ValueError("A layer that is not causal reads whole sequences only; make it with causal=True.")
        queries, keys, values = self._heads(x, start)
        keys, values = attention.write(cache[0], keys, start), attention.write(cache[1], values, start)
        # What lies beyond the text's end is later than each query, and so not seen.
        mask = attention.causal_mask(ops.shape(x)[1], keys.shape[2], start)
        found = attention.attend(queries, keys, values, mask)
        return self.project(attention.merge_heads(found)), (keys, values)

    def empty_cache(self, batch_size, length, width):
        """Zeros for the keys and values of `length` places, each (b, h, s, p)."""
        shape = (batch_size, self.num_heads, length, width // self.num_heads)
        return ops.zeros(shape, self.compute_dtype), ops.zeros(shape, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "causal": self.causal,
            "rotary": self.rotary,
            "use_bias": self.use_bias,
            "output_stddev": self.output_stddev,
        }


@keras.saving.register_keras_serializable("kzoo.layers")
class TransformerBlock(keras.layers.Layer):
    """A pre-norm block, (b, t, d) to (b, t, d).

        x = x + dropout(attention(norm_1(x)))
        x = x + dropout(contract(gelu(expand(norm_2(x)))))

    `expand` is (d, 4 d), `contract` (4 d, d), gelu the approximation with tanh, as in GPT-2.

    Args:
        num_heads, causal, rotary, use_bias: As in `Attention`; without biases the norms have none either.
        dropout: Share of what each half adds that is dropped in training.
        num_blocks: How many blocks stand one upon another. The products that add to x begin with a deviation of
            0.02 / sqrt(2 num_blocks), so that the sum does not grow with their number (GPT-2).
        portable_dropout: Whether dropout draws the same bits on every backend.

    Raises:
        ValueError: as `Attention`, or for a number of blocks below 1.
    """

    def __init__(
        self,
        num_heads: int,
        causal: bool = True,
        rotary: bool = False,
        use_bias: bool = True,
        dropout: float = 0.0,
        num_blocks: int = 1,
        portable_dropout: bool = True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.causal = causal
        self.rotary = rotary
        self.use_bias = use_bias
        self.dropout = dropout
        self.num_blocks = positive("TransformerBlock", "num_blocks", num_blocks)
        self.portable_dropout = portable_dropout
        stddev = STDDEV / math.sqrt(2 * num_blocks)
        policy = self.dtype_policy
        self.norm_1, self.norm_2 = (norm(use_bias, name=f"norm_{i}", dtype=policy) for i in (1, 2))
        self.attention = Attention(num_heads, causal, rotary, use_bias, stddev, name="attention", dtype=policy)
        self._initializers = RandomNormal(stddev=STDDEV), RandomNormal(stddev=stddev)
        self._dropouts = [
            Dropout(dropout, portable=portable_dropout, name=f"dropout_{i}", dtype=policy) for i in (1, 2)
        ]

    def build(self, input_shape):
        width = input_shape[-1]
        for_expand, for_contract = self._initializers
        arguments = {"use_bias": self.use_bias, "dtype": self.dtype_policy}
        self.expand = keras.layers.Dense(4 * width, kernel_initializer=for_expand, name="expand", **arguments)
        self.contract = keras.layers.Dense(width, kernel_initializer=for_contract, name="contract", **arguments)
        for layer in (self.norm_1, self.attention, self.norm_2, self.expand):
            layer.build(input_shape)
        self.contract.build((*input_shape[:-1], 4 * width))

    def _perceptron(self, x):
        return self.contract(ops.gelu(self.expand(self.norm_2(x)), approximate=True))

    def call(self, x, training=False):
        first, second = self._dropouts
        x = x + first(self.attention(self.norm_1(x)), training=training)
        return x + second(self._perceptron(x), training=training)

    def attention_weights(self, x):
        """The attention's weights where the block reads x: (b, t, d) to (b, h, t, t)."""
        return self.attention.weights_of(self.norm_1(x))

    def stream(self, x, cache, start):
        """Reads a piece, as `Attention.stream` does."""
        found, cache = self.attention.stream(self.norm_1(x), cache, start)
        x = x + found
        return x + self._perceptron(x), cache

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "causal": self.causal,
            "rotary": self.rotary,
            "use_bias": self.use_bias,
            "dropout": self.dropout,
            "num_blocks": self.num_blocks,
            "portable_dropout": self.portable_dropout,
        }


@keras.saving.register_keras_serializable("kzoo.layers")
class LearnedPositions(keras.layers.Layer):
    """Adds a learned vector for each time: y_t = x_t + table_t, (b, t, d) to (b, t, d).

    Args:
        length: How many times have a vector; no sequence may be longer.

    Raises:
        ValueError: for a length below 1, or a sequence that is longer.
    """

    def __init__(self, length: int, **kwargs):
        super().__init__(**kwargs)
        self.length = positive("LearnedPositions", "length", length)
        self._initializer = RandomNormal(stddev=STDDEV)

    def build(self, input_shape):
        self.table = self.add_weight(
            shape=(self.length, input_shape[-1]), initializer=self._initializer, name="embeddings"
        )

    def call(self, x):
        steps = ops.shape(x)[1]
        if isinstance(steps, int) and steps > self.length:
            raise ValueError(
                f"LearnedPositions has vectors for {self.length} steps; received a sequence of {steps}. Cut it, or "
                "make the layer longer."
            )
        return x + ops.cast(self.table, x.dtype)[:steps]

    def stream(self, x, start):
        """The same for a piece whose first step stands at time `start`, a number or a scalar int32 tensor."""
        times = ops.arange(x.shape[1], dtype="int32") + start
        return x + ops.cast(ops.take(self.table, ops.minimum(times, self.length - 1), axis=0), x.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "length": self.length}
