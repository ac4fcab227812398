"""Mamba: a state space whose input decides what it keeps, in place of attention; a token costs the same at any length.

Gu and Dao, "Mamba: linear-time sequence modeling with selective state spaces", 2023, arXiv:2312.00752; with
`version=2` Mamba-2, Dao and Gu, "Transformers are SSMs", 2024, arXiv:2405.21060.

Axis letters: b batch, t time, m width of the model, d inner width, n state, k classes, v vocabulary.

    tokens (b, t) or numbers (b, t, c) -> embedding (b, t, m) -> block 1 -> ... -> RMSNorm -> head
    block: x + mixer(RMSNorm(x)), the mixers in `kzoo.layers.mamba`

    task                            head                                    outputs
    tokens                          the embedding's table, or a linear one  (b, t, v), of steps up to t alone
    classification, regression      linear, of the mean over time           (b, k)

Weights are laid out as Hugging Face's Mamba and Mamba-2 have them. Of their configuration all that changes a number is
either an argument here or at the value that published checkpoints have: silu, norms with epsilon 1e-5, projections
without biases and a convolution with them, delta without limits.

Differs from the papers: heads for classes and numbers; numbers come in through a linear layer; an option without
selection; an embedding that is not the head, too, starts with a deviation of 1.
"""

import keras
import numpy as np
from keras import ops

from kzoo.layers.initializers import GlorotUniform
from kzoo.layers.mamba import EPSILON, MambaBlock
from kzoo.models.base import choice, count
from kzoo.models.residual import ResidualModel, embed, shares_table
from kzoo.models.sequence import head

PRESETS = {
    "mu": {
        "input_shape": (6,),
        "num_outputs": 9,
        "vocabulary": 9,
        "hidden_dim": 20,
        "num_layers": 2,
        "state_dim": 2,
        "expand": 3,
        "conv_width": 3,
        "tied": False,
    },
    "mu-2": {
        "input_shape": (7,),
        "num_outputs": 5,
        "vocabulary": "edcba",
        "hidden_dim": 8,
        "num_layers": 2,
        "version": 2,
        "state_dim": 3,
        "head_dim": 4,
        "groups": 2,
    },
    "mu-classes": {
        "input_shape": (5, 2),
        "num_outputs": 3,
        "task": "classification",
        "vocabulary": None,
        "hidden_dim": 8,
        "num_layers": 1,
        "selective": False,
        "statistics": [[0.25, 0.5], [0.5, 2.0]],
    },
}


@keras.saving.register_keras_serializable("kzoo")
class Mamba(ResidualModel):
    """Blocks of Mamba's or Mamba-2's mixer, and a head for the task.

    Args:
        input_shape: Shape of one sequence, (t,) for tokens, (t, c) for numbers; t may be None.
        num_outputs: Tokens of the vocabulary, classes, or numbers to foretell.
        task: "tokens", "classification" or "regression".
        vocabulary: How many tokens there are, or the characters themselves, or None for numbers.
        hidden_dim: m.
        num_layers: Blocks.
        version: 1 for Mamba, 2 for Mamba-2.
        state_dim: n.
        expand: d / m.
        conv_width: How many steps a mixer's convolution sees.
        head_dim, groups: Of Mamba-2 the channels of a head, and how many B and C there are.
        selective: Whether the input decides delta, B and C. Without it Mamba's mixers are time-invariant state spaces.
        tied: Whether the head of the task "tokens" is the embedding's table, where there is one.
        statistics: [mean, deviation] per channel to standardise numbers with, or None.

    Raises:
        ValueError: if an argument is out of range, or two of them contradict each other.
    """

    def __init__(
        self,
        input_shape=(64,),
        num_outputs=65,
        *,
        task: str = "tokens",
        vocabulary: int | str | None = 65,
        hidden_dim: int = 128,
        num_layers: int = 7,
        version: int = 1,
        state_dim: int = 16,
        expand: int = 2,
        conv_width: int = 4,
        head_dim: int = 64,
        groups: int = 1,
        selective: bool = True,
        tied: bool = True,
        statistics: list[list[float]] | None = None,
        **kwargs,
    ):
        for key, value in (
            ("hidden_dim", hidden_dim),
            ("num_layers", num_layers),
            ("state_dim", state_dim),
            ("expand", expand),
            ("conv_width", conv_width),
            ("head_dim", head_dim),
            ("groups", groups),
        ):
            count(key, value)
        choice("version", version, (1, 2))
        choice("selective", selective, (True, False))
        choice("tied", tied, (True, False))
        _check_version(version, hidden_dim * expand, head_dim, groups, selective)
        tie = shares_table(tied, task, vocabulary, num_outputs)
        # A head starts narrow, for logits near zero. What is no head starts wide: else Adam's first steps bury what
        # tells the tokens apart, and induction heads of 256 tokens take more than 2,200 steps of batch 8 for 1,600.
        inputs, x, table = embed(input_shape, vocabulary, hidden_dim, statistics, stddev=0.02 if tie else 1.0)
        vectors = x
        of_version = {"selective": selective} if version == 1 else {"head_dim": head_dim, "groups": groups}
        for i in range(1, num_layers + 1):
            x = MambaBlock(
                version,
                name=f"block_{i}",
                state_dim=state_dim,
                expand=expand,
                conv_width=conv_width,
                depth=num_layers,
                **of_version,
            )(x)
        x = keras.layers.RMSNormalization(epsilon=EPSILON, name="norm")(x)
        if task != "tokens":
            x = keras.layers.GlobalAveragePooling1D(name="mean")(x)
        own_head = head(task, num_outputs, kernel_initializer=GlorotUniform(), use_bias=task != "tokens")
        outputs = table(x, reverse=True) if tie else own_head(x)
        super().__init__(
            inputs,
            vectors,
            outputs,
            num_outputs=num_outputs,
            task=task,
            vocabulary=vocabulary,
            statistics=statistics,
            **kwargs,
        )
        self.hidden_dim = hidden_dim
        self.num_layers = num_layers
        self.version = version
        self.state_dim = state_dim
        self.expand = expand
        self.conv_width = conv_width
        self.head_dim = head_dim
        self.groups = groups
        self.selective = selective
        self.tied = tied

    def initial_state(self, batch_size: int, max_length: int | None = None):
        """The state of a model that has read nothing: for each block (b, conv_width - 1, c) and (b, d, n) of zeros.

        Raises:
            ValueError: if the model does not go from tokens to tokens, or the batch size is no positive whole number.
        """
        self._check_reads_text()
        self._check_batch(batch_size)
        return [block.mixer.initial_state(batch_size) for block in self._blocks()]

    def stream(self, tokens, state):
        """Reads a piece of a text: the same logits as at the same place of the whole text.

        Args:
            tokens: (b, t), t at least 1.
            state: Of `initial_state`, or of the piece before.

        Returns:
            Logits (b, t, v) and the state to go on with.

        Raises:
            ValueError: if the model does not go from tokens to tokens, there is none, or the state is that of another
                number of texts or layers.
        """
        return self._read_on(tokens, "b t", state, lambda block, x, before: block(x, before, return_state=True))

    def step(self, token, state):
        """Reads one token, at a cost that does not depend on how much was read before.

        Args:
            token: (b,).
            state: Of `initial_state`, or of the step before.

        Returns:
            Logits (b, v) of the token after it, and the state to go on with.

        Raises:
            ValueError: as `stream`.
        """
        return self._read_on(token, "b", state, lambda block, x, before: block.step(x, before))

    def trace(self, x, state=None) -> dict[str, dict[str, np.ndarray]]:
        """What every block's scan is made of while the model reads `x`.

        Args:
            x: Tokens (b, t) or numbers (b, t, c).
            state: A channel whose state is wanted too, or "mean" over the channels.

        Returns:
            Block name -> "inputs" (b, t, d), "delta" (b, t, d), "A" (d, n), "B" and "C" (b, t, n), and with `state`
            "state" (b, t, n). Of Mamba-2 "delta" is (b, t, h), "A" (h,), "B" and "C" (b, t, g, n); of a model without
            selection "B" and "C" are (d, n).

        Raises:
            ValueError: if there is no such channel.
        """
        return {
            block.name: {key: ops.convert_to_numpy(value) for key, value in block.mixer.trace(given, state).items()}
            for block, given in self._mixed_inputs(x, self._blocks())
        }

    def implied_attention(self, x, layer: int, channel: int) -> np.ndarray:
        """How much each step of a scan's inputs adds to each of its outputs: y = M u, D and the gate aside.

        Args:
            x: Tokens (b, t) or numbers (b, t, c).
            layer: Of which block, from 1 to `num_layers`.
            channel: Of which inner channel; those of one head of Mamba-2 have the same matrix.

        Returns:
            M, (b, t, t), lower triangular.

        Raises:
            ValueError: if there is no such layer or channel.
        """
        if type(layer) is not int or not 1 <= layer <= self.num_layers:
            raise ValueError(f"`layer` must be from 1 to {self.num_layers}. Received: layer={layer!r}.")
        ((block, given),) = self._mixed_inputs(x, self._blocks()[layer - 1 : layer])
        return ops.convert_to_numpy(block.mixer.implied_attention(given, channel))

    def _mixed_inputs(self, x, blocks):
        """Pairs of a block and what its mixer reads."""
        x = self._embedded(x)
        found = []
        for block in self._blocks():
            if block in blocks:
                found.append((block, block.norm(x)))
            if block is blocks[-1]:
                break
            x = block(x)
        return found

    def _read_on(self, tokens, axes, state, advance):
        blocks = self._blocks()
        self._check_piece(tokens, axes, [block.name for block in blocks], state)
        x, after = self.get_layer("embedding")(tokens), []
        for block, before in zip(blocks, state, strict=True):
            x, last = advance(block, x, before)
            after.append(last)
        return self._read_out(x), after


def _check_version(version, inner, head_dim, groups, selective):
    if version == 1 and (head_dim, groups) != (64, 1):
        raise ValueError(
            f"model.head_dim, model.groups: got {head_dim}, {groups}; Mamba's first version has neither. Leave them "
            "out, or take version=2."
        )
    if version == 2 and not selective:
        raise ValueError("model.selective: got False; Mamba-2 allows only True. Without selection take version=1.")
    if version == 2 and (inner % head_dim or inner // head_dim % groups):
        raise ValueError(
            f"model.head_dim, model.groups: got {head_dim}, {groups}; expand * hidden_dim = {inner} channels share out "
            f"evenly among heads of head_dim, and the heads among groups. Take a head_dim that divides {inner}."
        )
