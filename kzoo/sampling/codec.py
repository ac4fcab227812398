"""Text to a model's tokens and back: its own characters, or the tokenizer that came with its weights."""

import unicodedata

from kzoo.errors import KzooError

# So many tokens at most are held back until they make a whole character; UTF-8 has four bytes to one.
_HELD = 8


def codec(model):
    """What turns a text into the tokens of a model and back: it has `encode`, `decode`, `pieces` and `start`.

    A vocabulary of characters is one by itself. Otherwise it is the `tokenizer.json` beside the model's weights, which
    the package `tokenizers` reads.

    Raises:
        KzooError: if the model has neither, or `tokenizers` is missing or cannot read the file.
    """
    if isinstance(model.vocabulary, str):
        return Characters(model.vocabulary)
    file = getattr(model, "tokenizer_file", None)
    if file is None:
        raise KzooError(
            f"The model knows {model.vocabulary} tokens and not what they stand for: it has no characters, and no "
            "tokenizer.json lies beside its weights. Hand it tokens, an array (b, t) of whole numbers; or put the "
            "tokenizer.json of its weights into the preset's folder and load it again."
        )
    return Words(file)


class _Codec:
    """What both kinds share.

    Attributes:
        start: The tokens that stand for the beginning of a text, where a prompt is empty; None if there are none.
    """

    start = None

    def encode(self, text: str) -> list[int]:
        """The tokens of a text."""
        raise NotImplementedError

    def decode(self, tokens) -> str:
        """The text of tokens."""
        raise NotImplementedError

    def pieces(self, parts, before=()):
        """The texts of successive lists of tokens, each as soon as its characters are whole.

        Args:
            parts: An iterable of lists of tokens.
            before: The tokens before the first, on which spaces and characters of several tokens depend.
        """
        before, held = list(before)[-_HELD:], []
        for part in parts:
            held += [int(token) for token in part]
            text = self.decode(before + held)[len(self.decode(before)) :]
            # What the decoder writes for bytes that are no character: as a rule the next token brings the rest.
            if text.endswith("\ufffd") and len(held) < _HELD:
                continue
            yield text
            before, held = held[-_HELD:], []
        if held:
            yield self.decode(before + held)[len(self.decode(before)) :]


class Characters(_Codec):
    """A token a character.

    Args:
        characters: Each one once, in the order of the tokens.
    """

    def __init__(self, characters: str):
        self._characters = characters
        self._tokens = {character: token for token, character in enumerate(characters)}
        if "\n" in self._tokens:
            self.start = [self._tokens["\n"]]

    def encode(self, text: str) -> list[int]:
        """The tokens of a text.

        Raises:
            KzooError: for characters that the model has never seen, with the nearest ones that it knows.
        """
        unknown = sorted(set(text) - self._tokens.keys())
        if unknown:
            nearest = {character: self._nearest(character) for character in unknown[:10]}
            advice = [f"{near!r} for {character!r}" for character, near in nearest.items() if near]
            shown = ", ".join(map(repr, nearest)) + (" ..." if len(unknown) > 10 else "")
            raise KzooError(
                f"The model has no token for {shown}. "
                + (f"Write {', '.join(advice)}; leave the rest out. " if advice else "Leave that out. ")
                + f"It knows {len(self._tokens)} characters: {self._characters!r}."
            )
        return [self._tokens[character] for character in text]

    def decode(self, tokens) -> str:
        """The text of tokens.

        Raises:
            KzooError: for a number that is no token.
        """
        tokens = [int(token) for token in tokens]
        if wrong := [token for token in tokens if not 0 <= token < len(self._characters)]:
            raise KzooError(f"The tokens of this model go from 0 to {len(self._characters) - 1}; received {wrong[0]}.")
        return "".join(self._characters[token] for token in tokens)

    def _nearest(self, character: str) -> str:
        """The same letter without accents or in the other case, or the same sign in a plainer form; "" for none."""
        plain = unicodedata.normalize("NFKD", character)
        plain = "".join(part for part in plain if not unicodedata.combining(part))
        forms = [plain, plain.lower(), plain.upper(), _SIGNS.get(character, ""), " " if character.isspace() else ""]
        return next((form for form in forms if form and set(form) <= self._tokens.keys()), "")


# Signs of print for those of a typewriter.
_SIGNS = {
    "\u2018": "'",
    "\u2019": "'",
    "\u201c": '"',
    "\u201d": '"',
    "\u2013": "-",
    "\u2014": "-",
    "\u2212": "-",
    '"': "'",
}


class Words(_Codec):
    """The tokens of a `tokenizer.json`.

    Args:
        file: Its path.
    """

    def __init__(self, file):
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise KzooError(
                "This model's tokens are parts of words, which the package tokenizers reads.\n"
                "To install it, type:  pip install tokenizers"
            ) from error
        try:
            self._tokenizer = Tokenizer.from_file(str(file))
        except Exception as error:  # the package raises nothing narrower
            raise KzooError(f"{file} cannot be read as a tokenizer: {error}. Copy it anew.") from error
        end = self._tokenizer.token_to_id("<|endoftext|>")
        self.start = [end] if end is not None else self.encode("\n") or None

    def encode(self, text: str) -> list[int]:
        """The tokens of a text."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, tokens) -> str:
        """The text of tokens."""
        return self._tokenizer.decode([int(token) for token in tokens], skip_special_tokens=False)
