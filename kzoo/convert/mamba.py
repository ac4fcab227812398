"""Mamba and Mamba-2 of Hugging Face and kzoo's mamba: one configuration as the other, and which weight is which tensor.

transformers keeps matrices as (out, in) where Keras has (in, out), and a convolution as (channels, 1, width) where
kzoo has (width, channels). The order of the columns is the same on both sides.
"""

import math

from kzoo.convert.settings import Settings
from kzoo.errors import KzooError

MODEL = "mamba"
TYPES = ("mamba", "mamba2")
# The name that transformers asks for, and others that it reads too.
ARCHITECTURES = {"mamba": ("MambaForCausalLM", "MambaModel"), "mamba2": ("Mamba2ForCausalLM", "Mamba2Model")}

# No limit, in the words of transformers today, of Python's JSON, and of older files.
_INFINITE = ({"__float__": "Infinity"}, math.inf, "inf", "Infinity")
# How initial weights are drawn.
_DRAWN = (
    *("time_step_scale", "time_step_min", "time_step_max", "time_step_floor", "time_step_init_scheme"),
    "rescale_prenorm_residual",
)


def arguments(settings: Settings) -> dict:
    """The arguments of kzoo's model from a config.json; every key of it is looked at.

    Raises:
        KzooError: if it asks for what the model cannot express.
    """
    version = TYPES.index(settings.take("model_type")) + 1
    vocabulary, width = settings.number("vocab_size"), settings.number("hidden_size", "d_model")
    expand = settings.number("expand", default=2)
    found = {
        "input_shape": (None,),
        "num_outputs": vocabulary,
        "task": "tokens",
        "vocabulary": vocabulary,
        "hidden_dim": width,
        "num_layers": settings.number("num_hidden_layers", "n_layer"),
        "version": version,
        "state_dim": settings.number("state_size"),
        "expand": expand,
        "conv_width": settings.number("conv_kernel", default=4),
        # What transformers assumes where nothing is said.
        "tied": settings.flag("tie_word_embeddings", version == 1),
    }
    for key in ("intermediate_size", "d_inner"):
        settings.demand(key, expand * width)
    settings.demand("hidden_act", "silu", "swish")
    settings.demand("layer_norm_epsilon", 1e-5)
    settings.demand("use_bias", False)
    settings.demand("use_conv_bias", True)
    settings.demand("rms_norm", True)
    settings.demand("ssm_cfg", {})
    rank = math.ceil(width / 16)
    if version == 1:
        settings.demand("time_step_rank", "auto", rank)
    else:
        found |= {"head_dim": settings.number("head_dim"), "groups": settings.number("n_groups")}
        settings.demand("num_heads", expand * width // found["head_dim"])
        settings.demand("time_step_limit", *([0.0, infinite] for infinite in _INFINITE))
        settings.demand("norm_before_gate", False)
        # Of no use in Mamba-2; and in how large pieces the scan is computed.
        settings.skip("time_step_rank", "chunk_size")
    settings.skip(*_DRAWN)
    # How kernels compute; and to a multiple of what the number of tokens was rounded up before.
    settings.skip(
        "residual_in_fp32", "fused_add_norm", "use_mambapy", "use_associative_scan", "pad_vocab_size_multiple"
    )
    return found


def config(model) -> dict:
    """What config.json says of a model of kzoo.

    Raises:
        KzooError: if neither Mamba has such a thing.
    """
    for key, only in (("task", "tokens"), ("selective", True)):
        if (value := getattr(model, key)) != only:
            raise KzooError(f"A mamba with {key}={value!r} is none of Hugging Face's, which have {key}={only!r} alone.")
    inner = model.expand * model.hidden_dim
    found = {
        "model_type": TYPES[model.version - 1],
        "vocab_size": model.num_outputs,
        "hidden_size": model.hidden_dim,
        "num_hidden_layers": model.num_layers,
        "state_size": model.state_dim,
        "expand": model.expand,
        "conv_kernel": model.conv_width,
        "hidden_act": "silu",
        "layer_norm_epsilon": 1e-5,
        "use_bias": False,
        "use_conv_bias": True,
        "tie_word_embeddings": model.tied,
    }
    if model.version == 1:
        return found | {"intermediate_size": inner, "time_step_rank": math.ceil(model.hidden_dim / 16)}
    return found | {"head_dim": model.head_dim, "num_heads": inner // model.head_dim, "n_groups": model.groups}


def canonical(name: str) -> str | None:
    """The name of a tensor as transformers writes it today; None for what is no weight."""
    # A model saved without its head has no prefix; the papers' own files have one table in the singular.
    name = name if name.startswith(("backbone.", "lm_head.")) else f"backbone.{name}"
    return name.replace("backbone.embedding.", "backbone.embeddings.")


def tensors(given: dict) -> dict[str, tuple[str, str]]:
    """Name of each tensor -> path of kzoo's weight, and how one turns into the other.

    Args:
        given: Of `arguments`.
    """
    found = {
        "backbone.embeddings.weight": ("embedding/embeddings", "same"),
        "backbone.norm_f.weight": ("norm/scale", "same"),
    }
    parts = {
        "in_proj.weight": ("in_proj/kernel", "transposed"),
        "conv1d.weight": ("conv_kernel", "convolution"),
        "conv1d.bias": ("conv_bias", "same"),
        "A_log": ("A_log", "same"),
        "D": ("D", "same"),
        "out_proj.weight": ("out_proj/kernel", "transposed"),
    }
    if given["version"] == 1:
        parts |= {
            "x_proj.weight": ("x_proj/kernel", "transposed"),
            "dt_proj.weight": ("dt_proj/kernel", "transposed"),
            "dt_proj.bias": ("dt_bias", "same"),
        }
    else:
        parts |= {"dt_bias": ("dt_bias", "same"), "norm.weight": ("norm/scale", "same")}
    for i in range(given["num_layers"]):
        theirs, ours = f"backbone.layers.{i}", f"block_{i + 1}"
        found[f"{theirs}.norm.weight"] = (f"{ours}/norm/scale", "same")
        found |= {f"{theirs}.mixer.{part}": (f"{ours}/mixer/{path}", turn) for part, (path, turn) in parts.items()}
    if not given["tied"]:
        found["lm_head.weight"] = ("logits/kernel", "transposed")
    return found
