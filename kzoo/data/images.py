"""The four sets of images: the stored bytes, in their official training and test parts.

A loader returns a `RawData` of uint8 images (n, h, w, c) from 0 to `scale`. `load_data` divides by `scale`
after it has chosen and split, because bytes take a quarter of the memory.
"""

import gzip
import hashlib
import tarfile

import numpy as np

from kzoo.data.dataset import RawData, complement, stratified_indices
from kzoo.data.files import RemoteFile, download, find, obtain, refusal, sha256_of
from kzoo.data.seeds import generator

_KERAS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"

# The sha256 that keras/src/datasets/mnist.py holds for this file.
MNIST = RemoteFile(
    "mnist.npz",
    f"{_KERAS}/mnist.npz",
    "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
)
# See `_content_digest`. Taken from arrays whose IDX files (header and bytes) have the md5 published for the
# four files of Y. LeCun's page: 6bbc9ace..., a25bea73..., 2646ac64..., 27ae3e4e....
MNIST_CONTENT = "b8370d4157fa0b022fbe73e37bdbd58bf6ba70dc85345002838ce9b2e3868914"

# tensorflow_datasets/url_checksums/fashion_mnist.txt; the md5 of the same files is on the authors' page
# (github.com/zalandoresearch/fashion-mnist) and in torchvision. Keras serves them under the same names, and
# MNIST's own four files share those names, hence the folder.
FASHION_MNIST = {
    part: RemoteFile(f"fashion-mnist/{name}", f"{_KERAS}/{name}", sha256)
    for part, name, sha256 in (
        (
            "x_train",
            "train-images-idx3-ubyte.gz",
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        (
            "y_train",
            "train-labels-idx1-ubyte.gz",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        (
            "x_test",
            "t10k-images-idx3-ubyte.gz",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        (
            "y_test",
            "t10k-labels-idx1-ubyte.gz",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    )
}

# tensorflow_datasets/url_checksums/cifar10.txt; the authors' page gives its md5, c32a1d4a.... The binary
# version, because the python version is a pickle, which runs whatever code is put into it.
CIFAR10 = RemoteFile(
    "cifar-10-binary.tar.gz",
    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
)

_TEN_DIGITS = tuple("0123456789")


def digits():
    """scikit-learn's 1,797 scanned digits, 8x8, with 17 levels of grey; a fixed fifth is the test part."""
    from sklearn.datasets import load_digits

    stored = load_digits()
    x, y = stored.images.astype(np.uint8)[..., None], stored.target
    # scikit-learn has no official split. This one ignores the user's seed, so that all runs compare.
    test = stratified_indices(y, round(len(y) / 5), generator("test part"))
    train = complement(test, len(y))
    return RawData(x[train], y[train], x[test], y[test], 16, _TEN_DIGITS)


def mnist():
    """MNIST from Keras's `mnist.npz`, or from any archive with the same arrays."""
    path = find(MNIST) or download(MNIST)
    try:
        # Opened here, because NumPy leaves a path open when its archive is broken.
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in ("x_train", "y_train", "x_test", "y_test")}
    except Exception as error:  # a broken zip fails in zipfile, zlib, struct or NumPy
        found = f"its sha256 is {sha256_of(path)}, expected {MNIST.sha256}"
        raise refusal(path, MNIST, f"it does not hold the arrays of MNIST ({error}), and {found}") from error
    # Repacked archives with the same arrays go about, so the arrays are compared and not the file.
    found = _content_digest(arrays)
    if found != MNIST_CONTENT:
        raise refusal(path, MNIST, f"the sha256 of its arrays is {found}, expected {MNIST_CONTENT}")
    x_train, x_test = arrays["x_train"][..., None], arrays["x_test"][..., None]
    return RawData(x_train, arrays["y_train"], x_test, arrays["y_test"], 255, _TEN_DIGITS)


def fashion_mnist():
    """Fashion-MNIST from its four gzipped IDX files."""
    arrays = {part: _read_idx(obtain(file)) for part, file in FASHION_MNIST.items()}
    names = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat")
    names += ("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
    x_train, x_test = arrays["x_train"][..., None], arrays["x_test"][..., None]
    return RawData(x_train, arrays["y_train"], x_test, arrays["y_test"], 255, names)


def cifar10():
    """CIFAR-10 from its binary version, read without unpacking it to disk."""
    # One pass: the names of a compressed archive can only be looked up by reading through it again.
    with tarfile.open(obtain(CIFAR10), "r|gz") as archive:
        batches = {
            member.name: _read_cifar_batch(archive.extractfile(member).read())
            for member in archive
            if member.name.endswith(".bin")
        }
    train = [batches[f"cifar-10-batches-bin/data_batch_{i}.bin"] for i in range(1, 6)]
    x_train, y_train = (np.concatenate(arrays) for arrays in zip(*train, strict=True))
    x_test, y_test = batches["cifar-10-batches-bin/test_batch.bin"]
    names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    return RawData(x_train, y_train, x_test, y_test, 255, names)


def _content_digest(arrays):
    """One sha256 over the name, dtype, shape and bytes of each array, in the order given."""
    digest = hashlib.sha256()
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def _read_idx(path):
    """A gzipped IDX file: bytes 0, 0, 8 (for uint8) and number of axes, big-endian sizes, then the data."""
    with gzip.open(path) as stream:
        content = stream.read()
    axes = content[3]
    shape = np.frombuffer(content, ">i4", count=axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)


def _read_cifar_batch(content):
    """Records of 1 byte of label and 3,072 bytes of pixels: 32x32 of red, then of green, then of blue."""
    records = np.frombuffer(content, np.uint8).reshape(-1, 3073)
    return records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), records[:, 0]
