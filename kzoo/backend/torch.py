"""The backend functions on PyTorch; the files beside this one define the same names, documented alike."""

import keras
import numpy as np
import torch


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
