"""The table of the data sets: what is to be known of each before it is loaded."""

from typing import NamedTuple


class DatasetInfo(NamedTuple):
    """What is to be known of a data set before it is loaded.

    Attributes:
        kind: "image", "points", "sequence", "text" or "movements".
        description: one line.
        size: samples and shape, and the size of the download if there is one.
        license: the terms of the data themselves.
        needs_network: whether the first use downloads it, when no copy is on this machine.
        arguments: the names of the arguments that `load_data` takes for this set alone.
        task: "classification", "regression" or "tokens": see `Dataset`.
    """

    kind: str
    description: str
    size: str
    license: str
    needs_network: bool
    arguments: tuple = ()
    task: str = "classification"


_COMPUTED = "none: computed by kzoo"

TABLE = {
    "digits": DatasetInfo(
        "image",
        "Scanned handwritten digits that come with scikit-learn (UCI, Alpaydin and Kaynak 1998)",
        "1,438 + 359 of 8x8x1",
        "CC BY 4.0",
        needs_network=False,
    ),
    "mnist": DatasetInfo(
        "image",
        "Handwritten digits (LeCun, Cortes and Burges 1998)",
        "60,000 + 10,000 of 28x28x1, 11 MB",
        "CC BY-SA 3.0",
        needs_network=True,
    ),
    "fashion_mnist": DatasetInfo(
        "image",
        "Articles of clothing (Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747)",
        "60,000 + 10,000 of 28x28x1, 31 MB",
        "MIT",
        needs_network=True,
    ),
    "cifar10": DatasetInfo(
        "image",
        "Small colour photographs of animals and vehicles (Krizhevsky 2009)",
        "50,000 + 10,000 of 32x32x3, 170 MB",
        "none stated by its authors",
        needs_network=True,
    ),
    "spirals": DatasetInfo(
        "points",
        "Interleaved spiral arms in the plane, one a class",
        "1,000 + 1,000 of 2, or as asked",
        _COMPUTED,
        needs_network=False,
        arguments=("samples", "noise", "turns", "classes"),
    ),
    "moons": DatasetInfo(
        "points",
        "Two interlocked half circles in the plane",
        "1,000 + 1,000 of 2, or as asked",
        _COMPUTED,
        needs_network=False,
        arguments=("samples", "noise"),
    ),
    "xor": DatasetInfo(
        "points",
        "Exclusive or: four clouds in the plane that no straight line parts",
        "1,000 + 1,000 of 2, or as asked",
        _COMPUTED,
        needs_network=False,
        arguments=("samples", "noise"),
    ),
    "ring": DatasetInfo(
        "points",
        "Clouds on a circle, one a class, of which a generator may forget some (Metz et al. 2016, arXiv:1611.02163)",
        "1,000 + 1,000 of 2, or as asked",
        _COMPUTED,
        needs_network=False,
        arguments=("samples", "noise", "clouds"),
    ),
    "digits_rows": DatasetInfo(
        "sequence",
        "The images of digits, read row by row",
        "1,438 + 359 of 8 steps of 8",
        "CC BY 4.0",
        needs_network=False,
    ),
    "mnist_rows": DatasetInfo(
        "sequence",
        "The images of mnist, read row by row",
        "60,000 + 10,000 of 28 steps of 28, 11 MB",
        "CC BY-SA 3.0",
        needs_network=True,
    ),
    "mnist_pixels": DatasetInfo(
        "sequence",
        "The images of mnist, read pixel by pixel (Le, Jaitly and Hinton 2015, arXiv:1504.00941)",
        "60,000 + 10,000 of 784 steps of 1, 11 MB",
        "CC BY-SA 3.0",
        needs_network=True,
    ),
    "mnist_permuted": DatasetInfo(
        "sequence",
        "The pixels of mnist in one shuffled order (Le, Jaitly and Hinton 2015, arXiv:1504.00941)",
        "60,000 + 10,000 of 784 steps of 1, 11 MB",
        "CC BY-SA 3.0",
        needs_network=True,
    ),
    "adding": DatasetInfo(
        "sequence",
        "The sum of two marked numbers in a long sequence (Hochreiter and Schmidhuber 1997)",
        "10,000 + 1,000 of 200 steps of 2, or as asked",
        _COMPUTED,
        needs_network=False,
        arguments=("samples", "length"),
        task="regression",
    ),
    "copying": DatasetInfo(
        "sequence",
        "Ten letters to recite after a delay (Arjovsky, Shah and Bengio 2016, arXiv:1511.06464)",
        "10,000 + 1,000 of 120 tokens, or as asked",
        _COMPUTED,
        needs_network=False,
        arguments=("samples", "delay"),
        task="tokens",
    ),
    "selective_copying": DatasetInfo(
        "sequence",
        "Letters scattered among blanks, to recite without them (Gu and Dao 2023, arXiv:2312.00752); drawn anew each "
        "epoch",
        "10,000 + 1,000 of 272 tokens, or as asked",
        _COMPUTED,
        needs_network=False,
        arguments=("samples", "length", "tokens"),
        task="tokens",
    ),
    "induction_heads": DatasetInfo(
        "sequence",
        "What came after the mark, when it came before? (Gu and Dao 2023, arXiv:2312.00752); drawn anew each epoch",
        "10,000 + 1,000 of 256 tokens, or as asked",
        _COMPUTED,
        needs_network=False,
        arguments=("samples", "length"),
        task="tokens",
    ),
    "mackey_glass": DatasetInfo(
        "sequence",
        "Windows of a chaotic series, to foretell it (Mackey and Glass 1977)",
        "2,000 + 1,000 of 50 steps of 1, or as asked",
        _COMPUTED,
        needs_network=False,
        arguments=("samples", "window", "ahead"),
        task="regression",
    ),
    "sunspots": DatasetInfo(
        "sequence",
        "The yearly numbers of sunspots, to foretell the next; comes with statsmodels, an extra: kzoo[series]",
        "226 + 53 of 30 steps of 1, or as asked",
        "public domain",
        needs_network=False,
        arguments=("window",),
        task="regression",
    ),
    "shakespeare": DatasetInfo(
        "text",
        "Shakespeare's plays, a character a token, to foretell the next (Karpathy 2015, char-rnn)",
        "1,003,854 + 111,540 characters in windows of 64, or as asked, 1.1 MB",
        "public domain",
        needs_network=True,
        arguments=("window", "samples"),
        task="tokens",
    ),
    "pydoc": DatasetInfo(
        "text",
        "Python's own help, a character a token, to foretell the next; differs between versions of Python",
        "335,504 + 37,279 characters in Python 3.11, in windows of 64, or as asked",
        "PSF-2.0",
        needs_network=False,
        arguments=("window", "samples"),
        task="tokens",
    ),
    "lissajous": DatasetInfo(
        "movements",
        "Closed curves in the plane, each walked again and again, to be learned by heart",
        "5 of 152 steps of 2, or as asked",
        _COMPUTED,
        needs_network=False,
        arguments=("samples", "cycles", "period", "rest", "noise", "repeats"),
        task="regression",
    ),
    "compositions": DatasetInfo(
        "movements",
        "Sequences of two such curves, after Yamashita and Tani 2008: one, many times, and then another",
        "3 of 328 steps of 2, or as asked",
        _COMPUTED,
        needs_network=False,
        arguments=("samples", "parts", "cycles", "period", "rest", "kinds", "noise", "repeats"),
        task="regression",
    ),
}


def list_datasets():
    """The data sets that `load_data` knows: a dict from the name to its `DatasetInfo`."""
    return dict(TABLE)
