"""Tokens as figures write them: in signs that a reader sees, along an axis."""

from kzoo.plots.style import TICK

MAX_NAMED = 40  # tokens that are written along an axis; more would overlap
# What a reader would not see, in signs that the font, which comes with matplotlib, has. A text may hold dollars, too,
# and they are no mathematics.
TOKEN = {"fontfamily": "DejaVu Sans Mono", "parse_math": False}
SIGNS = {" ": "␣", "\n": "↵", "\t": "→", "": "∅"}


def tokens_of(text) -> list[str]:
    """The tokens of a text, its characters, or of a sequence of strings."""
    return [str(token) for token in text]


def names_of(tokens, length: int) -> list[str]:
    if tokens is None:
        return []
    names = tokens_of(tokens)
    if len(names) != length:
        raise ValueError(f"there must be one token for each of the {length} places; received {len(names)} tokens.")
    return names


def sign(token: str) -> str:
    """A token as it is written: with a sign for what a reader would not see."""
    return SIGNS.get(token) or "".join(SIGNS.get(character, character) for character in token)


def name_ticks(axis, names, size: float = TICK) -> None:
    """Write tokens along an axis of an axes, or along a secondary axes."""
    setter = axis.set_xticks if hasattr(axis, "set_xticks") else axis.set_ticks
    setter(range(len(names)), [sign(name) for name in names])
    ticks = axis.get_xticklabels() if hasattr(axis, "get_xticklabels") else axis.get_ticklabels()
    for tick in ticks:
        tick.set(fontsize=size, **TOKEN)
