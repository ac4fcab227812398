"""What a layer's constructor refuses."""


def positive(owner: str, key: str, value) -> int:
    """A positive whole number.

    Args:
        owner: The layer's class.
        key: The argument's name.
        value: What it got.

    Raises:
        ValueError: for anything else.
    """
    if type(value) is not int or value < 1:
        raise ValueError(f"{owner} needs a whole number of at least 1; received {key}={value!r}. Pass, for example, 4.")
    return value
