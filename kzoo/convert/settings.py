"""A config.json of Hugging Face's, read key by key: what nobody asked for is refused rather than overlooked."""

import shlex

from kzoo.errors import KzooError

# Of every model: how it was saved and how transformers is to run it. None of it changes a logit in float32.
_ANY = {
    *("architectures", "model_type", "transformers_version", "_name_or_path", "_commit_hash", "_attn_implementation"),
    *("dtype", "torch_dtype", "initializer_range", "use_cache", "return_dict", "torchscript", "gradient_checkpointing"),
    *("output_attentions", "output_hidden_states", "problem_type", "finetuning_task", "task_specific_params"),
    *("tokenizer_class", "bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "decoder_start_token_id"),
    *("prefix", "id2label", "label2id", "num_labels"),
}


class Settings:
    """The keys of a config.json, each to be taken, demanded or passed over by name; `finish` refuses the rest.

    Args:
        config: The object in config.json.
        file: The file's name, for messages.
        ignore: Keys that the user takes it upon himself to pass over. What is known is read all the same.
    """

    def __init__(self, config: dict, file, ignore=()):
        self._file = file
        self._config = dict(config)
        self._left = set(config) - _ANY - set(ignore)

    def take(self, *keys, default=None):
        """The value under a key, which may have several names: those that are there must agree.

        Raises:
            KzooError: if they do not, or there is none and no default.
        """
        self.skip(*keys)
        given = {key: self._config[key] for key in keys if self._config.get(key) is not None}
        values = list(given.values()) or [default]
        if any(value != values[0] for value in values):
            raise KzooError(f"{self._file} contradicts itself: {_shown(given)} are one and the same. Mend the file.")
        if values[0] is None:
            raise KzooError(f"{self._file} lacks {keys[0]}. Copy it anew from where it came from.")
        return values[0]

    def flag(self, key: str, default: bool) -> bool:
        """True or false, as `take`.

        Raises:
            KzooError: if it is neither.
        """
        value = self.take(key, default=default)
        if not isinstance(value, bool):
            raise KzooError(f"{self._file}: got {key}: {value!r}; expected true or false.")
        return value

    def number(self, *keys, default: int | None = None) -> int:
        """A whole number of at least 1, as `take`.

        Raises:
            KzooError: if it is none.
        """
        value = self.take(*keys, default=default)
        if type(value) is not int or value < 1:
            raise KzooError(f"{self._file}: got {keys[0]}: {value!r}; expected a whole number of at least 1.")
        return value

    def demand(self, key: str, *allowed) -> None:
        """Refuses a value that kzoo's model cannot express. The first that is allowed is the key's default.

        Raises:
            KzooError: names the key, its value and what is allowed.
        """
        self.skip(key)
        value = self._config.get(key, allowed[0])
        if value not in allowed:
            raise KzooError(
                f"{self._file}: got {key}: {value!r}; kzoo's model has {' or '.join(map(repr, allowed))} there and can "
                "do nothing else, so its outputs would be wrong. It cannot be converted."
            )

    def skip(self, *keys) -> None:
        """Passes over keys that change no number, knowingly."""
        self._left -= set(keys)

    def finish(self) -> None:
        """Refuses what is left.

        Raises:
            KzooError: names each key and its value.
        """
        if self._left:
            left = {key: self._config[key] for key in sorted(self._left)}
            flags = " ".join(f"--ignore {shlex.quote(key)}" for key in left)
            raise KzooError(
                f"{self._file} has settings that kzoo does not know: {_shown(left)}. If they change no number of the "
                f"model, pass over them with:  {flags}"
            )


def _shown(settings: dict) -> str:
    return ", ".join(f"{key}: {str(value)[:80]!r}" for key, value in settings.items())
