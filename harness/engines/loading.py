"""What both real engines read of a model's files: its tokenizer, its weights, the names and sizes of its layers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.data import Model
from harness.engines.options import engine_options
from harness.errors import ConfigError


def load_tokenizer(model: Model) -> Any:
    """The transformers tokenizer. Raises ConfigError where there is none."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(model.path, **_where(model))
    except (OSError, ValueError) as error:
        raise _not_loaded(model, error) from error


def load_weights(model: Model, dtype: str) -> Any:
    """The transformers model for generation, in a torch dtype. Raises ConfigError where it cannot be loaded."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    if not isinstance(getattr(torch, dtype, None), torch.dtype):
        raise ConfigError(
            f"models.{model.name}.engine.dtype: '{dtype}' is not a torch dtype. Use float32, bfloat16 or float16."
        )
    disable_progress_bar()
    try:
        return AutoModelForCausalLM.from_pretrained(model.path, dtype=getattr(torch, dtype), **_where(model))
    except (OSError, ValueError) as error:
        raise _not_loaded(model, error) from error


def linears_of(weights: Any) -> Mapping[str, tuple[int, int]]:
    """(out, in) features of every linear layer, by its name in the model."""
    from torch.nn import Linear

    return {
        name: (module.out_features, module.in_features)
        for name, module in weights.named_modules()
        if isinstance(module, Linear)
    }


def linears_by_config(model: Model) -> Mapping[str, tuple[int, int]]:
    """`linears_of` a model without loading its weights."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    where = _where(model)
    try:
        config = AutoConfig.from_pretrained(model.path, **where)
        with torch.device("meta"):
            return linears_of(AutoModelForCausalLM.from_config(config, trust_remote_code=where["trust_remote_code"]))
    except (OSError, ValueError) as error:
        raise _not_loaded(model, error) from error


def _where(model: Model) -> dict[str, Any]:
    """Arguments of `from_pretrained`; a folder is never looked up on the hub."""
    return {
        "revision": model.revision,
        "trust_remote_code": bool(engine_options(model).get("trust_remote_code")),
        "local_files_only": Path(model.path).is_dir(),
    }


def _not_loaded(model: Model, error: Exception) -> ConfigError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ConfigError(f"models.{model.name}: cannot load {model.path} ({reason}). Give a model folder or a hub id.")
