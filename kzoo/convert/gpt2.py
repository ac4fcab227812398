"""GPT-2 of Hugging Face and kzoo's transformer: one configuration as the other, and which weight is which tensor.

transformers keeps GPT-2's matrices as (in, out), as Keras does, so nothing is transposed but a head that is not tied.
"""

from kzoo.convert.settings import Settings
from kzoo.errors import KzooError

MODEL = "transformer"
TYPES = ("gpt2",)
# The name that transformers asks for, and others that it reads too.
ARCHITECTURES = {"gpt2": ("GPT2LMHeadModel", "GPT2Model")}

_DROPOUTS = ("resid_pdrop", "embd_pdrop", "attn_pdrop")


def arguments(settings: Settings) -> dict:
    """The arguments of kzoo's model from a config.json; every key of it is looked at.

    Raises:
        KzooError: if it asks for what the model cannot express.
    """
    vocabulary, width = settings.number("vocab_size"), settings.number("n_embd", "hidden_size")
    length = settings.number("n_positions", "n_ctx", "max_position_embeddings")
    found = {
        "input_shape": (length,),
        "num_outputs": vocabulary,
        "task": "tokens",
        "vocabulary": vocabulary,
        "hidden_dim": width,
        "num_layers": settings.number("n_layer", "num_hidden_layers"),
        "num_heads": settings.number("n_head", "num_attention_heads"),
        "tied": settings.flag("tie_word_embeddings", True),
    }
    settings.demand("n_inner", None, 4 * width)
    settings.demand("activation_function", "gelu_new", "gelu_pytorch_tanh")
    settings.demand("layer_norm_epsilon", 1e-5)
    settings.demand("scale_attn_weights", True)
    settings.demand("scale_attn_by_inverse_layer_idx", False)
    settings.demand("add_cross_attention", False)
    # Dropout changes no output, only a further training; kzoo drops no attention weights.
    settings.skip(*_DROPOUTS)
    # A way to compute in half precision, and what heads that are not for texts do.
    settings.skip("reorder_and_upcast_attn", "n_special", "predict_special_tokens")
    settings.skip(*(f"summary_{key}" for key in ("type", "use_proj", "activation", "proj_to_labels", "first_dropout")))
    return found


def config(model) -> dict:
    """What config.json says of a model of kzoo.

    Raises:
        KzooError: if GPT-2 has no such thing.
    """
    for key, only in (("task", "tokens"), ("positions", "learned"), ("use_bias", True)):
        if (value := getattr(model, key)) != only:
            raise KzooError(f"A transformer with {key}={value!r} is no GPT-2, which has {key}={only!r} and no other.")
    return {
        "model_type": "gpt2",
        "vocab_size": model.num_outputs,
        "n_positions": model.context_length,
        "n_embd": model.hidden_dim,
        "n_layer": model.num_layers,
        "n_head": model.num_heads,
        "n_inner": None,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5,
        **dict.fromkeys(_DROPOUTS, model.dropout),
        "tie_word_embeddings": model.tied,
    }


def canonical(name: str) -> str | None:
    """The name of a tensor as transformers writes it today; None for what is no weight."""
    # The published file has no prefix. Buffers: the causal mask, which older versions saved.
    name = name.removeprefix("transformer.")
    if name.startswith("h.") and name.endswith((".attn.bias", ".attn.masked_bias")):
        return None
    return name if name == "lm_head.weight" else f"transformer.{name}"


def tensors(given: dict) -> dict[str, tuple[str, str]]:
    """Name of each tensor -> path of kzoo's weight, and how one turns into the other.

    Args:
        given: Of `arguments`.
    """
    found = {
        "transformer.wte.weight": ("embedding/embeddings", "same"),
        "transformer.wpe.weight": ("positions/embeddings", "same"),
        **_pair("transformer.ln_f", "norm", "gamma", "beta"),
    }
    for i in range(given["num_layers"]):
        theirs, ours = f"transformer.h.{i}", f"block_{i + 1}"
        for part, norm in (("ln_1", "norm_1"), ("ln_2", "norm_2")):
            found |= _pair(f"{theirs}.{part}", f"{ours}/{norm}", "gamma", "beta")
        for part, dense in (
            ("attn.c_attn", "attention/qkv"),
            ("attn.c_proj", "attention/project"),
            ("mlp.c_fc", "expand"),
            ("mlp.c_proj", "contract"),
        ):
            found |= _pair(f"{theirs}.{part}", f"{ours}/{dense}", "kernel", "bias")
    if not given["tied"]:
        found["lm_head.weight"] = ("logits/kernel", "transposed")
    return found


def _pair(theirs, ours, weight, bias):
    return {f"{theirs}.weight": (f"{ours}/{weight}", "same"), f"{theirs}.bias": (f"{ours}/{bias}", "same")}
