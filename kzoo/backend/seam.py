"""What each function of the seam takes and does, once for all backends: see `kzoo.backend`."""

# ruff: noqa: N803 (A, B, C and D are the matrices of the equations)


def value_and_grad(fn, variables):
    """The scalar `fn()` and its gradients with respect to Keras variables.

    Every side effect of `fn` on any Keras variable (batch-normalisation statistics, seed generators,
    metrics) stands after the call, as if `fn()` had been called plainly. A variable that the loss does not
    depend on gets a gradient of zeros on every backend, and gradients are dense tensors. A variable is
    differentiated whether or not it is `trainable`: the caller lists what it wants. No gradient of any other
    variable is touched.

    Args:
        fn: a function of no arguments that returns a scalar tensor. The layers it calls must be built.
        variables: a list of Keras variables.

    Returns:
        The loss and a list of gradients, one for each of `variables`, all cut from the graph: they are numbers to an
        outer derivative, on every backend.
    """


def input_grad(fn, x):
    """The gradient of `fn` with respect to its argument, sample by sample, which can be differentiated again.

    For a penalty on gradients, such as WGAN-GP's: the penalty is a part of a loss that `value_and_grad` differentiates.
    Every side effect of `fn` on Keras variables stands, as in `value_and_grad`.

    Args:
        fn: a function of a tensor (b, ...) to a tensor whose first axis is b; each output depends on its own sample.
        x: (b, ...).

    Returns:
        d sum(fn(x)) / dx, of the shape of `x`: for each sample the gradient of the sum of its own outputs.
    """


def run_step(step, args, groups):
    """Runs the body of a training or test step as Keras calls it on this backend, and returns what Keras expects.

    Keras hands a step only the data on torch and TensorFlow; on JAX it hands over the values of all variables too, and
    wants the new ones back. Here the body is the same everywhere: a function of the data that reads and assigns Keras
    variables.

    Args:
        step: a function (data) -> logs.
        args: what Keras called `train_step` or `test_step` with.
        groups: lists of Keras variables, in the order in which JAX's trainer of Keras hands their values over.

    Returns:
        The logs; on JAX the logs and the new values, grouped as they came.
    """


def compiled(fn, variables):
    """`fn` compiled where the backend compiles: for answers, not for learning.

    JAX and TensorFlow trace `fn` once for each set of shapes and dtypes and compile it whole; torch runs it as it
    stands, in its inference mode. The variables are read anew at each call, so that what is loaded or learned
    meanwhile counts; none is a constant of the compiled code. No gradient goes through the results.

    Args:
        fn: a function of nests of tensors to a nest of tensors. It may read Keras variables and assigns none; the
            layers that it calls are built.
        variables: a list of all the Keras variables that it reads.

    Returns:
        A function of the same arguments, each a nest of tensors or NumPy arrays, to the same results.

    Raises:
        ValueError: when called, if `fn` assigns a variable, or reads one that is not listed.
    """


def conv2d(x, kernel, strides=1, padding="valid", data_format=None, dilation=1, groups=1):
    """2D convolution (cross-correlation, as in Keras): the same numbers as `keras.ops.conv`, up to rounding.

    Args:
        x: images, (b, h, w, c), or (b, c, h, w) if `data_format` is "channels_first".
        kernel: weights, (kernel h, kernel w, c / groups, filters).
        strides: an int or a pair.
        padding: "valid" or "same".
        data_format: "channels_last", "channels_first", or None for Keras's own setting.
        dilation: an int or a pair, the step between the taps of the kernel.
        groups: the number of groups of channels, each convolved with its own share of the filters.

    Returns:
        (b, h', w', filters), or (b, filters, h', w') if `data_format` is "channels_first".
    """


def conv2d_transpose(x, kernel, strides=1, padding="valid", output_padding=None, data_format=None, dilation=1):
    """Transposed 2D convolution: the same numbers as `keras.ops.conv_transpose`, up to rounding.

    y[b, s i + p - m, s j + q - n, f] is the sum over i, j, p, q, c of kernel[p, q, f, c] x[b, i, j, c], where "same"
    padding cuts m rows and n columns off, so that the size is s times that of x.

    Args:
        x: images, (b, h, w, c), or (b, c, h, w) if `data_format` is "channels_first".
        kernel: weights, (kernel h, kernel w, filters, c).
        strides: an int or a pair, s.
        padding: "valid" or "same".
        output_padding: an int or a pair, rows and columns added below and to the right; None for the size as above.
        data_format: "channels_last", "channels_first", or None for Keras's own setting.
        dilation: an int or a pair, the step between the taps of the kernel.

    Returns:
        (b, h', w', filters), or (b, filters, h', w') if `data_format` is "channels_first".
    """


def max_pool2d(x, pool_size=2, strides=None, padding="valid", data_format=None):
    """2D max-pooling: the same numbers as `keras.ops.max_pool`.

    Args:
        x: images, (b, h, w, c), or (b, c, h, w) if `data_format` is "channels_first".
        pool_size: an int or a pair, the window.
        strides: an int or a pair; None for the window itself.
        padding: "valid" (a last row or column that fills no window is dropped) or "same".
        data_format: "channels_last", "channels_first", or None for Keras's own setting.

    Returns:
        The maximum of each window, in the layout of `x`.
    """


def random_bits(key, count):
    """`count` draws of two random 32-bit words: threefry2x32 with 20 rounds, the same bits on every backend.

    Draw i is the encryption of the counter (0, i) by the key (Salmon et al. 2011, as in Random123 and JAX).

    Args:
        key: two integers, a tensor (2,) such as `keras.random.SeedGenerator.next()` returns; only the lower
            32 bits of each count.
        count: the number of draws, an int, or a scalar int32 tensor on TensorFlow.

    Returns:
        The first words and the second words, an int32 tensor (2, count).
    """


def scan(step, carry, inputs=None, *, length=None, reverse=False, mask=None, checkpoint=None):
    """A loop over time, `carry, y = step(carry, x)` for each x: the same on every backend, backward at linear cost.

    Differentiable with respect to carry, inputs and whatever the step closes over, Keras variables included.
    Nests of any kind (tuples, lists, dicts, a bare tensor) stand for carry, inputs and y; None is a leaf that
    stays None.

    Args:
        step: a function (carry, x) -> (carry, y). The new carry has the structure, shapes and dtypes of the old
            one; y is free, and may be None. The step may be run more than once for one step of time, so it has no
            side effects: it assigns no variable, and noise comes in with the inputs.
        carry: the initial state, as a rule (b, ...).
        inputs: (t, b, ...) in every leaf, time first. None where the step needs none; then x is None.
        length: the number of steps; needed without inputs.
        reverse: whether to start at the last step. y at index i always belongs to x at index i.
        mask: (t, b), True where a sample has a step. Elsewhere its carry stays and its y is that of its last step
            before (zeros where there was none), as in Keras's recurrent layers. What the inputs hold there, nan
            included, reaches neither outputs nor gradients.
        checkpoint: how many steps the backward pass recomputes at a time. It then keeps the carry of every so
            many steps and the steps of one chunk, O(t / checkpoint + checkpoint), for the time of a second forward
            pass. None keeps what the backend keeps.

    Returns:
        The last carry, and y stacked: (t, ...) in every leaf.

    Raises:
        ValueError: for an empty sequence, lengths that disagree, a mask of another length, neither inputs nor
            length, a checkpoint below 1, and a step whose carry changes in structure, shape or dtype.
    """


def selective_scan(u, delta, A, B, C, D=None, z=None, initial_state=None, return_state=False):
    """The selective state space of Mamba (Gu and Dao 2023, arXiv:2312.00752, equation 2), at cost linear in time.

        h_t = exp(delta_t A) h_{t-1} + delta_t B_t u_t
        y_t = C_t h_t + D u_t,   and y_t silu(z_t) where there is a gate z

    A differs from channel to channel, B and C are shared by the channels. Axis letters: b batch, t time, d width,
    n state. Differentiable with respect to every tensor, the initial state included, and from the last state too. The
    gradient is exact, and has no gradient of its own on torch and TensorFlow: asking for one raises an error.

    One form serves all shapes and devices: step by step within chunks of time, never in logarithms or with quotients.
    The backward pass keeps the state at the start of each chunk, and recomputes the others of the chunk that it is at.
    JAX and TensorFlow take chunks of 16 steps in loops that XLA compiles, on TensorFlow also where the code around is
    not compiled. torch takes 16 to 128, the more the smaller the state, and has one operation a step for the states
    of a chunk, and one for all of its steps for whatever else there is to compute.

    Args:
        u: the input, (b, t, d).
        delta: the step size, after the softplus, above 0, (b, t, d).
        A: the decay of each state, below 0, (d, n).
        B: how the input enters the state, (b, t, n).
        C: how the state is read, (b, t, n).
        D: the skip connection, (d,), or None for none.
        z: the gate before its silu, (b, t, d), or None for none.
        initial_state: h_0, (b, d, n), or None for zeros.
        return_state: whether to return the last state too.

    Returns:
        y, (b, t, d), in the dtype of u; with `return_state` also h_t of the last step, (b, d, n). The state is
        float32 whatever the dtype of u, but float64 where one of the tensors is.

    Raises:
        ValueError: for shapes that do not go together, an empty sequence, and placeholders of the functional API.
    """


def projection(x, kernel, bias):
    """Where the product x W + b of a recurrent layer belongs: before the loop over time, or into its steps.

    torch and TensorFlow multiply all steps at once. XLA on a CPU is faster with small products that stay in the cache.

    Args:
        x: (t, b, d).
        kernel: (d, u).
        bias: (u,).

    Returns:
        The inputs of the loop, and a function that makes x W + b, (b, u), of one step of them.
    """


def recurrence(kind, x, state, kernel, recurrent_kernel, bias):
    """A whole standard recurrence by the backend's own kernel, or None where it has none and the scan is to run.

    torch has one for each kind in float32 and float64; JAX and TensorFlow have none here.

    Args:
        kind: "rnn_tanh", "rnn_relu", "lstm" or "gru".
        x: (t, b, d).
        state: the initial states, each (b, u): [h], for "lstm" [h, c].
        kernel: in Keras's layout, (d, u), (d, 4u) with the gates i f g o, or (d, 3u) with z r n.
        recurrent_kernel: (u, u), (u, 4u) or (u, 3u).
        bias: (u,), (4u,) or (2, 3u).

    Returns:
        The outputs (t, b, u) and the list of the last states; or None.
    """


def integrate_and_fire(current, v, wait, neuron, steps, voltages):
    """A whole run of leaky integrate-and-fire neurons by the backend's own loop, or None where the scan is to run.

    torch has one in float32 and float64; JAX and TensorFlow, which compile the scan, have none.

    Args:
        current: (t, b, u), or (b, u) where `steps` says for how many steps it stays.
        v: the voltages to start from, (b, u).
        wait: for how many steps more each neuron is refractory, (b, u).
        neuron: a `kzoo.ops.spikes.Neuron`.
        steps: t for a constant current, else None.
        voltages: whether to give the voltages at the start of each step.

    Returns:
        Spikes (t, b, u), voltages (t, b, u) or None, the last v and the last wait, (b, u); or None.
    """


def devices() -> list[str]:
    """The devices that the backend found, for a reader: `["cpu:0"]`, `["cuda:0 (NVIDIA H200)"]`."""


def thread_count() -> int:
    """The number of CPU threads that one operation of the backend may use."""
