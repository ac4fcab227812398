"""The backend functions on PyTorch; the files beside this one define the same names, documented alike."""

import keras
import numpy as np
import torch
import torch.utils.checkpoint
from torch.nn import functional

from kzoo.backend import loops, selective, torch_spikes
from kzoo.backend.torch_selective import selective_loop


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
    tensors = [variable.value for variable in variables]
    frozen = [tensor for tensor in tensors if tensor.is_leaf and not tensor.requires_grad]
    for tensor in frozen:
        tensor.requires_grad_(True)
    try:
        # Keras evaluates under no_grad.
        with torch.enable_grad():
            loss = fn()
        if not loss.requires_grad:
            return loss, [torch.zeros_like(tensor) for tensor in tensors]
        # Not loss.backward(): it would add to the .grad of every network that the loss runs through.
        gradients = torch.autograd.grad(loss, tensors, materialize_grads=True)
    finally:
        for tensor in frozen:
            tensor.requires_grad_(False)
    return loss.detach(), list(gradients)


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

    def call(*arguments):
        with torch.inference_mode(), loops.ReadOnly(variables):
            return fn(*keras.tree.map_structure(keras.ops.convert_to_tensor, arguments))

    return call


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
    # Keras evaluates under no_grad.
    with torch.enable_grad():
        given = x if x.requires_grad else x.detach().requires_grad_(True)
        return torch.autograd.grad(fn(given).sum(), given, create_graph=True, materialize_grads=True)[0]


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
    # Optimizers and averages assign to leaves of the graph; `value_and_grad` turns gradients on for itself.
    with torch.no_grad():
        return step(*args)


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
    return keras.ops.conv(x, kernel, strides, padding, data_format, dilation)


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
    # Keras computes the rows that "same" cuts off, and copies the rest.
    x = x if keras.utils.is_keras_tensor(x) else keras.ops.convert_to_tensor(x)
    doubles = (
        not keras.utils.is_keras_tensor(x)
        and tuple(kernel.shape[:2]) == (4, 4)
        and strides in (2, (2, 2))
        and dilation in (1, (1, 1))
        and padding == "same"
        and output_padding is None
        and (data_format or keras.config.image_data_format()) == "channels_last"
        and x.device.type != "meta"
    )
    if doubles:
        x = x.permute(0, 3, 1, 2)
        kernel = keras.ops.convert_to_tensor(kernel).permute(3, 2, 0, 1)
        return functional.conv_transpose2d(x, kernel, stride=2, padding=1).permute(0, 2, 3, 1)
    return keras.ops.conv_transpose(x, kernel, strides, padding, output_padding, data_format, dilation)


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
    return keras.ops.max_pool(x, pool_size, strides, padding, data_format)


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
    if key.device.type == "meta":
        # Keras infers shapes on this device, where a tensor has no values.
        return torch.empty((2, count), dtype=torch.int32, device="meta")
    if key.device.type == "cpu" and not torch.compiler.is_compiling():
        return torch.from_numpy(_random_bits_cpu(*key.tolist(), count))
    key0, key1 = key.to(torch.int32)
    keys = (key0, key1, key0 ^ key1 ^ 0x1BD11BDA)
    word0 = key0.expand(count)
    word1 = torch.arange(count, dtype=torch.int32, device=key.device) + key1
    for group in range(5):
        for left in _ROTATIONS[group % 2]:
            word0 = word0 + word1
            # The shift to the right copies the sign; the mask removes it.
            rotated = (word1 << left) | ((word1 >> (32 - left)) & ((1 << left) - 1))
            word1 = rotated ^ word0
        word0 = word0 + keys[(group + 1) % 3]
        word1 = word1 + keys[(group + 2) % 3] + (group + 1)
    return torch.stack([word0, word1])


# Threefry2x32: by how many bits the four rounds of a group rotate, in turn.
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def _random_bits_cpu(key0, key1, count):
    """The same on a CPU in NumPy, in place and in blocks that fit the cache: half the time of torch's ops."""
    keys = [np.uint32(key & 0xFFFFFFFF) for key in (key0, key1, key0 ^ key1 ^ 0x1BD11BDA)]
    words = np.empty((2, count), np.uint32)
    words[0] = keys[0]
    words[1] = np.arange(count, dtype=np.uint32)
    words[1] += keys[1]
    block = 16384
    spare = np.empty(min(block, count), np.uint32)
    for start in range(0, count, block):
        word0, word1 = words[:, start : start + block]
        carried = spare[: len(word0)]
        for group in range(5):
            for left in _ROTATIONS[group % 2]:
                word0 += word1
                np.right_shift(word1, 32 - left, out=carried)
                np.left_shift(word1, left, out=word1)
                word1 |= carried
                word1 ^= word0
            word0 += keys[(group + 1) % 3]
            word1 += keys[(group + 2) % 3]
            word1 += group + 1
    return words.view(np.int32)


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
    initial, inputs, mask, length = loops.prepare(carry, inputs, length, mask, checkpoint)
    body, carry = loops.checked(step, every=False), initial
    if mask is not None:
        inputs = loops.fill(inputs, mask)
        body, carry, inputs = loops.hold(body, torch.where), (carry, None), (inputs, mask)
    given = loops.leaves(inputs)
    if any(leaf.is_meta for leaf in [*loops.leaves(initial), *given]):
        # Keras infers shapes on this device, where nothing is computed: one step tells the shapes of all.
        carry, y = body(carry, loops.pack(inputs, [leaf[0] for leaf in given]))
        y = keras.tree.map_structure(lambda leaf: None if leaf is None else leaf.new_empty((length, *leaf.shape)), y)
        return (carry[0] if mask is not None else carry), y

    # Not leaf[t]: the backward pass of an index fills the whole tensor with zeros, that of unbind stacks once.
    xs = loops.slices(inputs, length, torch.unbind)
    if reverse:
        xs.reverse()
    if checkpoint is None or not torch.is_grad_enabled():
        carry, ys = loops.walk(body, carry, xs)
    else:
        ys = []
        for start in range(0, length, checkpoint):
            carry, part = torch.utils.checkpoint.checkpoint(
                loops.walk, body, carry, xs[start : start + checkpoint], use_reentrant=False
            )
            ys += part
    if reverse:
        ys.reverse()
    carry = loops.check_carry(carry[0] if mask is not None else carry, initial)
    return carry, loops.stacked(ys, torch.stack)


def selective_scan(u, delta, A, B, C, D=None, z=None, initial_state=None, return_state=False):  # noqa: N803
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
    return selective.around(selective_loop, u, delta, A, B, C, D, z, initial_state, return_state)


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
    return keras.ops.matmul(x, kernel) + bias, lambda projected: projected


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
    if x.is_meta or x.dtype not in (torch.float32, torch.float64):
        return None
    if kind == "gru":
        kernel, recurrent_kernel, bias = (_reset_first(weight) for weight in (kernel, recurrent_kernel, bias))
        biases = bias.unbind()
    else:
        biases = bias, torch.zeros_like(bias)
    weights = [kernel.t(), recurrent_kernel.t(), *biases]
    hx = [h[None] for h in state]
    kernels = {"rnn_tanh": torch.rnn_tanh, "rnn_relu": torch.rnn_relu, "lstm": torch.lstm, "gru": torch.gru}
    # One layer, no dropout, one direction, time first. The flag for training is for the sake of cuDNN.
    y, *last = kernels[kind](
        x, hx if kind == "lstm" else hx[0], weights, True, 1, 0.0, torch.is_grad_enabled(), False, False
    )
    return y, [h[0] for h in last]


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
    kinds = (torch.float32, torch.float64)
    if v.is_meta or v.dtype not in kinds or neuron.surrogate not in torch_spikes.SURROGATES:
        return None
    found = torch_spikes.IntegrateAndFire.apply(current, v, wait, neuron, steps, voltages)
    # A voltage that is nan stays so: the last ones tell. No comparison does, and so the scan is to say when.
    return None if found[2].isnan().any() else found


def _reset_first(weight):
    """Keras's columns z r n in torch's order r z n."""
    z, r, n = weight.chunk(3, dim=-1)
    return torch.cat([r, z, n], dim=-1)


def devices() -> list[str]:
    """The devices that the backend found, for a reader: `["cpu:0"]`, `["cuda:0 (NVIDIA H200)"]`."""
    found = ["cpu:0"]
    found += [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("mps:0")
    return found


def thread_count() -> int:
    """The number of CPU threads that one operation of the backend may use."""
    return torch.get_num_threads()
