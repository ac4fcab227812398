"""Texts as tokens, one a character: Shakespeare, and the pages of Python's own help.

`shakespeare` and `pydoc` give a text as the numbers of its characters. `windows` cuts one into pieces, each with the
same piece one character later, which is what a language model is asked for; `draw` takes pieces from anywhere.
"""

import numpy as np

from kzoo.data.files import RemoteFile, obtain
from kzoo.errors import DatasetUnavailable

# The concatenated works of char-rnn (Karpathy 2015), which nanoGPT and many others train on.
SHAKESPEARE = RemoteFile(
    "tinyshakespeare.txt",
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
    "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    instead="pydoc",
)

# What `pydoc` is written in: all that ASCII prints, used or not, so that every version of Python has one vocabulary.
PRINTABLE = ("\n", *map(chr, range(32, 127)))

# The last tenth of a text is its test part, as in nanoGPT, which calls it the validation part.
_TRAINING_SHARE = 0.9


def shakespeare():
    """Shakespeare's plays: 1,115,394 characters, 65 different ones.

    Returns: the text's tokens, int32 (n,), and its characters, sorted, in the order of their tokens.
    Raises: DatasetUnavailable if the file is not here and cannot be downloaded, or has another checksum.
    """
    text = obtain(SHAKESPEARE).read_bytes().decode("ascii")
    return encode(text, tuple(sorted(set(text))))


def pydoc():
    """What `help()` shows of Python's language and types, each paragraph once: 372,783 characters in Python 3.11.

    Topics in the order of the alphabet; some repeat whole sections of others, which would be a test part that was
    learned by heart, so a paragraph that came before is left out. So is what is not in `PRINTABLE`. Other versions of
    Python have other pages: a loss compares with that of the same version alone.

    Returns: the text's tokens, int32 (n,), and `PRINTABLE`.
    Raises: DatasetUnavailable if this Python comes without its help.
    """
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise DatasetUnavailable(
            f"The data set 'pydoc' is the help of Python, which this one comes without ({error}). Install the whole "
            "standard library, or use the text that is downloaded: --data shakespeare."
        ) from error
    known = set(PRINTABLE)
    help_text = "\n\n".join(topics[name] for name in sorted(topics))
    paragraphs = "".join(character for character in help_text if character in known).split("\n\n")
    return encode("\n\n".join(filter(None, dict.fromkeys(part.strip("\n") for part in paragraphs))), PRINTABLE)


def encode(text, characters):
    """A text's tokens, int32 (n,), each the place of its character in `characters`; and `characters`."""
    number = {character: token for token, character in enumerate(characters)}
    return np.fromiter((number[character] for character in text), np.int32, len(text)), characters


def split(tokens):
    """The first nine tenths of a text, to train on, and the last, to test on. Source: nanoGPT."""
    first = int(len(tokens) * _TRAINING_SHARE)
    return tokens[:first], tokens[first:]


def windows(tokens, window):
    """A text in pieces that do not overlap, each with the same piece one token later.

    Arguments:
        tokens: int32 (n,). What is left over at the end is dropped.
        window: t, from 1 to n - 1.

    Returns: x and y, int32 (m, t), where y[i, j] is the token after x[i, j].
    """
    count = (len(tokens) - 1) // window
    return tokens[: count * window].reshape(count, window), tokens[1 : count * window + 1].reshape(count, window)


def draw(rng, tokens, window, samples):
    """Pieces of a text that begin anywhere, each place as likely, each with the same piece one token later.

    Arguments:
        rng: `numpy.random.Generator`.
        tokens: int32 (n,).
        window: t, from 1 to n - 1.
        samples: m, 1 or more.

    Returns: x and y, int32 (m, t): two views of one array of (m, t + 1), so that they take little more than one.
    """
    every = np.lib.stride_tricks.sliding_window_view(tokens, window + 1)
    drawn = every[rng.integers(0, len(every), samples)]
    return drawn[:, :-1], drawn[:, 1:]
