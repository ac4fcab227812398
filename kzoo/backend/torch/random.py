"""Random bits on PyTorch."""

import numpy as np
import torch


def random_bits(key, count):
    """See `kzoo.backend.random_bits`."""
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
