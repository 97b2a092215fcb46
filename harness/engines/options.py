"""The keys of `engine:` in models.yaml. One entry serves every engine; each reads its own and leaves the others'."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.data import Model
from harness.errors import ConfigError, did_you_mean

COMMON = ("dtype", "max_model_len", "trust_remote_code")
TRANSFORMERS = ("device", "batch_size", "threads")
VLLM = (
    "gpu_memory_utilization",
    "tensor_parallel_size",
    "pipeline_parallel_size",
    "quantization",
    "kv_cache_dtype",
    "kv_cache_gib",
    "load_format",
    "enforce_eager",
    "max_num_seqs",
    "max_num_batched_tokens",
    "max_rank",
    "max_adapters",
    "hang_after",
)
ENDPOINT = ("concurrency", "timeout", "retries", "requests_per_minute", "leave_out")
FAKE = ("answers", "default", "delay", "die_after", "ignore_adapters", "max_rank", "dies_every", "kills", "memory")


def engine_options(model: Model) -> Mapping[str, Any]:
    """The model's `engine:` entry. A key that no engine knows, or no endpoint, is a ConfigError."""
    known = {*ENDPOINT} if model.endpoint else {*COMMON, *TRANSFORMERS, *VLLM, *FAKE}
    for key in model.engine:
        if key not in known:
            raise ConfigError(f"models.{model.name}.engine: unknown key '{key}'.{did_you_mean(key, known)}")
    return model.engine
