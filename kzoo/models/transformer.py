"""Transformer: a stack of attention blocks that reads a text, or a whole sequence at once.

Vaswani et al., "Attention is all you need", 2017 (arXiv:1706.03762), as the decoder of GPT-2: Radford et al., "Language
models are unsupervised multitask learners", 2019. Rotary positions: Su et al. 2021 (arXiv:2104.09864).

Axis letters: b batch, t time, d width, l layers, h heads, k classes or numbers, v vocabulary.

    tokens (b, t), or inputs (b, t, d') -> vectors (b, t, d) -> blocks -> norm -> head

    task                              blocks                        head
    tokens                            causal: see no later token    logits of the next token at each step, (b, t, v)
    classification and regression     see the whole sequence        of the mean over time, (b, k)

The weights of GPT-2 fit exactly: pre-norm, biases, gelu with tanh, epsilon 1e-5, learned positions, tied head.

Differs from the papers: no dropout of attention weights, only of the vectors that come in and of what each half of a
block adds; rotary pairs stand half a head apart; the encoder has neither a token of its own for the class nor
padding, and takes the mean.
"""

import keras
from keras import ops

from kzoo.layers.dropout import Dropout
from kzoo.layers.initializers import GlorotUniform, RandomNormal
from kzoo.layers.transformer import STDDEV, LearnedPositions, TransformerBlock, norm
from kzoo.models.base import choice, count, fraction
from kzoo.models.residual import ResidualModel, embed, shares_table
from kzoo.models.sequence import head

POSITIONS = ("learned", "rotary")
PRESETS = {
    "mu": {
        "input_shape": (6,),
        "num_outputs": 9,
        "vocabulary": 9,
        "hidden_dim": 8,
        "num_layers": 2,
        "num_heads": 2,
        "positions": "rotary",
        "dropout": 0.25,
        "use_bias": False,
        "tied": False,
        "portable_dropout": False,
    },
    "mu-tied": {
        "input_shape": (5,),
        "num_outputs": 3,
        "vocabulary": "abc",
        "hidden_dim": 6,
        "num_layers": 1,
        "num_heads": 3,
    },
    "mu-numbers": {
        "input_shape": (5, 2),
        "num_outputs": 3,
        "task": "classification",
        "vocabulary": None,
        "hidden_dim": 8,
        "num_layers": 1,
        "num_heads": 2,
        "statistics": [[0.25, 0.5], [0.5, 2.0]],
    },
    "mu-forecast": {
        "input_shape": (7, 3),
        "num_outputs": 2,
        "task": "regression",
        "vocabulary": None,
        "hidden_dim": 8,
        "num_layers": 1,
        "num_heads": 4,
        "positions": "rotary",
    },
    # Those of Radford et al. 2019, and the sizes that nanoGPT trains on characters.
    "gpt2": {
        "input_shape": (1024,),
        "num_outputs": 50257,
        "vocabulary": 50257,
        "hidden_dim": 768,
        "num_layers": 12,
        "num_heads": 12,
    },
    "characters": {"input_shape": (256,), "hidden_dim": 384, "num_layers": 6, "num_heads": 6, "dropout": 0.2},
}


@keras.saving.register_keras_serializable("kzoo")
class Transformer(ResidualModel):
    """Embedding, positions, pre-norm blocks, a last norm and a linear head.

    Args:
        input_shape: Shape of one sequence, (t,) for tokens or (t, d') for numbers; t may be None with rotary positions.
        num_outputs: Tokens of the vocabulary, classes, or numbers to foretell.
        task: "tokens", "classification" or "regression": see above.
        vocabulary: How many tokens there are, or the characters themselves; None where the inputs are numbers.
        hidden_dim: d. A block's perceptron is four times as wide.
        num_layers: How many blocks.
        num_heads: Heads of each block, a divisor of d.
        positions: One of `POSITIONS`: vectors added to what comes in, or turned queries and keys.
        dropout: Share of the vectors and of what a block adds that is dropped in training.
        use_bias: Whether the products and norms of the blocks have biases.
        tied: Whether the head of the task "tokens" is the table of the embedding, where there is one.
        portable_dropout: Whether dropout draws the same bits on every backend.
        statistics: [mean, deviation] per channel to standardise with, or None.

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
        num_layers: int = 4,
        num_heads: int = 4,
        positions: str = "learned",
        dropout: float = 0.0,
        use_bias: bool = True,
        tied: bool = True,
        portable_dropout: bool = True,
        statistics: list[list[float]] | None = None,
        **kwargs,
    ):
        for key, value in (("hidden_dim", hidden_dim), ("num_layers", num_layers), ("num_heads", num_heads)):
            count(key, value)
        choice("positions", positions, POSITIONS)
        fraction("dropout", dropout)
        for key, value in (("use_bias", use_bias), ("tied", tied)):
            if not isinstance(value, bool):
                raise ValueError(f"model.{key}: got {value!r}; expected true or false.")
        causal = task == "tokens"
        kernel = RandomNormal(stddev=STDDEV) if causal else GlorotUniform()
        own_head = head(task, num_outputs, kernel_initializer=kernel, use_bias=not causal)
        _check(input_shape, hidden_dim, num_heads, positions)
        tie = shares_table(tied, task, vocabulary, num_outputs)
        inputs, x, table = embed(input_shape, vocabulary, hidden_dim, statistics, STDDEV)
        vectors = x  # (b, t, d)
        if positions == "learned":
            x = LearnedPositions(input_shape[0], name="positions")(x)
        if dropout:
            x = Dropout(dropout, portable=portable_dropout, name="dropout")(x)
        for i in range(1, num_layers + 1):
            x = TransformerBlock(
                num_heads,
                causal,
                positions == "rotary",
                use_bias,
                dropout,
                num_layers,
                portable_dropout,
                name=f"block_{i}",
            )(x)
        x = norm(use_bias, name="norm")(x)
        if not causal:
            x = keras.layers.GlobalAveragePooling1D(name="mean")(x)  # (b, d)
        super().__init__(
            inputs,
            vectors,
            table(x, reverse=True) if tie else own_head(x),
            num_outputs=num_outputs,
            task=task,
            vocabulary=vocabulary,
            statistics=statistics,
            **kwargs,
        )
        self.hidden_dim = hidden_dim
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.positions = positions
        self.dropout = dropout
        self.use_bias = use_bias
        self.tied = tied
        self.portable_dropout = portable_dropout

    @property
    def context_length(self) -> int | None:
        """How many tokens the model reads at most, and its state holds; None where it takes any number."""
        return self.input_shape[1]

    def attention(self, x):
        """How much each step takes of each other one, in every head of every block, while it reads `x`.

        Args:
            x: Tokens (b, t), with learned positions t at most `context_length`; or numbers (b, t, d').

        Returns:
            (l, b, h, t, t) in float32: row i of a map are the weights of step i, which sum to 1.
        """
        found = self._probe(x)[: self.num_layers]
        maps = [block.attention_weights(vectors) for block, vectors in zip(self._blocks(), found, strict=True)]
        return ops.convert_to_numpy(ops.stack(maps))

    def logits_by_layer(self, x):
        """What the head would say of the vectors before the first block and after each one: the last are the outputs.

        Args:
            x: Tokens (b, t), with learned positions t at most `context_length`; or numbers (b, t, d').

        Returns:
            (l + 1, b, t, v), or (l + 1, b, k) where the head reads the mean over time.
        """
        return ops.convert_to_numpy(ops.stack([self._read_out(vectors) for vectors in self._probe(x)]))

    def initial_state(self, batch_size: int, max_length: int | None = None):
        """What `stream` begins with: keys and values of no token, and how many there are.

        Args:
            batch_size: b.
            max_length: How many tokens it holds, which also decides what a step costs; None for `context_length`.

        Returns:
            (position, ((keys, values), ...)): int32 (), and for each block keys and values, each (b, h, max_length, p).

        Raises:
            ValueError: if the model does not go from tokens to tokens, or a length is out of range.
        """
        self._check_reads_text()
        length = self.context_length if max_length is None else max_length
        bound = self.context_length if self.positions == "learned" else None
        if type(length) is not int or length < 1 or (bound is not None and length > bound):
            allowed = "a whole number of at least 1" + (f" and at most {bound}, the learned positions" if bound else "")
            raise ValueError(f"max_length: got {max_length!r}; expected {allowed}, such as {bound or 64}.")
        self._check_batch(batch_size)
        caches = [block.attention.empty_cache(batch_size, length, self.hidden_dim) for block in self._blocks()]
        return ops.zeros((), "int32"), tuple(caches)

    def stream(self, tokens, state):
        """Reads a piece of a text: the same logits as at the same place of the whole text.

        Args:
            tokens: (b, t), t at least 1.
            state: Of `initial_state`, or of the piece before.

        Returns:
            Logits (b, t, v) and the state to go on with. In compiled code, where nothing can be raised, the logits of
            a piece that the state has no place for are nan.

        Raises:
            ValueError: if the model does not go from tokens to tokens, there is none, or the state has no place for so
                many, or is that of another number of texts or layers.
        """
        start, caches = (None, None) if state is None else state
        self._check_piece(tokens, "b t", [block.name for block in self._blocks()], caches)
        length, places = tokens.shape[1], caches[0][0].shape[2]
        known = _number(start)
        if length > places or (known is not None and known + length > places):
            raise ValueError(
                f"The state holds {places} tokens, {'some' if known is None else known} of them read; received "
                f"{length} more. Begin a new one, initial_state(batch_size), and let it read the end of the text; or "
                "make one with a greater max_length."
            )
        x = self.get_layer("embedding")(tokens)
        if self.positions == "learned":
            x = self.get_layer("positions").stream(x, start)
        found = []
        for block, cache in zip(self._blocks(), caches, strict=True):
            # A plain number where there is one: on torch a tensor would be written to place by place.
            x, cache = block.stream(x, cache, start if known is None else known)
            found.append(cache)
        logits, position = self._read_out(x), start + length
        if known is None:
            logits = ops.where(position <= places, logits, float("nan"))
        return logits, (position, tuple(found))

    def _probe(self, x):
        """The vectors before the first block and after each one, l + 1 times (b, t, d)."""
        x = self._embedded(x)
        found = [self.get_layer("positions")(x) if self.positions == "learned" else x]
        for block in self._blocks():
            found.append(block(found[-1], training=False))
        return found


def _number(scalar):
    """A scalar tensor's number; None in compiled code, which has none yet."""
    try:
        return int(scalar)
    except (TypeError, RuntimeError):
        return None


def _check(input_shape, hidden_dim, num_heads, positions) -> None:
    if hidden_dim % num_heads:
        raise ValueError(f"model.num_heads: got {num_heads}; expected a divisor of hidden_dim, {hidden_dim}.")
    if positions == "rotary" and hidden_dim // num_heads % 2:
        raise ValueError(
            f"model.num_heads: got {num_heads}, whose heads are {hidden_dim // num_heads} wide; rotary positions need "
            "an even width. Take another number of heads, or positions=learned."
        )
    if positions == "learned" and isinstance(input_shape, (list, tuple)) and input_shape and input_shape[0] is None:
        raise ValueError(
            "model.positions: got 'learned', which needs to know how long a sequence is; give input_shape a length, or "
            "take positions=rotary."
        )
