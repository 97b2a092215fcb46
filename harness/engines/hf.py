"""The transformers engine: the default without a GPU, and the reference that vLLM is held to.

Requests are grouped by adapter and by how they begin; a shared beginning is computed once. A row leaves the batch when
its answer ends. Answers can differ from another batch's in the last bits of a logit, as on every engine.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from harness.data import AdapterRef, Completion, Model, Request
from harness.engines import kv, stopping
from harness.engines.adapters import check_fit, read_adapter
from harness.engines.batching import Bucket, buckets
from harness.engines.choices import chosen
from harness.engines.forward import Batch, token_logprobs
from harness.engines.limits import check_length
from harness.engines.loading import linears_of, load_tokenizer, load_weights
from harness.engines.options import engine_options
from harness.engines.sampling import Row, next_tokens
from harness.errors import AdapterError, EngineError, EngineOutOfMemory

Answer = tuple[Request, Completion]
_NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory")


@dataclass(frozen=True)
class _Scored:
    """One sequence whose last `keep` next-token distributions are wanted, and who wants what of them."""

    ids: tuple[int, ...]
    keep: int
    wants: tuple[tuple[int, int, tuple[int, ...]], ...]  # request's place, choice's place, the choice's token ids


class TransformersEngine:
    """One base model in memory; adapters are loaded beside it by content digest and switched per group.

    weights: the model itself where it is in memory already; it stays where it is, in its own type.
    model.engine may hold dtype, device, batch_size, threads, max_model_len, trust_remote_code.
    Raises ConfigError where the model cannot be loaded, AdapterError where an adapter cannot.
    """

    name = "transformers"
    max_rank = 4096
    constrains = False

    def __init__(self, model: Model, adapters: Sequence[AdapterRef] = (), weights: Any = None) -> None:
        import torch
        import transformers

        options = engine_options(model)
        automatic = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = str(options.get("device") or automatic) if weights is None else str(weights.device)
        dtype = str(options.get("dtype") or ("float32" if self.device == "cpu" else "bfloat16"))
        if options.get("threads"):
            torch.set_num_threads(int(options["threads"]))
        self.tokenizer = load_tokenizer(model)
        self.model = load_weights(model, dtype) if weights is None else weights
        self.config = self.model.config.get_text_config()
        self.fast = kv.is_plain(self.config)
        if self.fast:
            kv.register()
            self.model.set_attn_implementation(kv.ATTENTION)
        self.model.to(self.device).eval()
        self.version = f"{transformers.__version__} torch {torch.__version__} {dtype} {self.device}"
        context = int(getattr(self.config, "max_position_embeddings", None) or 1 << 30)
        self.max_model_len = min(int(options.get("max_model_len") or context), context)
        self.at_once = int(options.get("batch_size") or 64)
        self.ends = _end_tokens(self.model, self.tokenizer)
        self.linears = linears_of(self.model)
        self._served = self.model
        self._loaded: set[str] = set()
        for ref in adapters:
            self._use(ref)

    # --- the protocol ---

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """See `Engine.generate`. A request too long for the context is a HarnessError before anything is computed."""
        groups: dict[str, list[Request]] = defaultdict(list)
        for request in requests:
            check_length(request, self.max_model_len)
            groups[request.adapter.digest if request.adapter else ""].append(request)
        with _memory():
            for group in groups.values():
                self._use(group[0].adapter)
                yield from self._choose([request for request in group if request.choices])
                yield from self._answer([request for request in group if not request.choices])

    def token_logprobs(
        self, prompt_ids: Sequence[int], continuation_ids: Sequence[int], adapter: AdapterRef | None
    ) -> list[float]:
        """See `Engine.token_logprobs`."""
        self._use(adapter)
        ids = (*prompt_ids, *continuation_ids)
        return token_logprobs(Batch(self._served, [ids[:-1]], len(continuation_ids)).logits[0], continuation_ids)

    def likeliest(self, prompts: Sequence[Sequence[int]], count: int) -> list[list[tuple[int, float]]]:
        """See `Engine.likeliest`."""
        import torch

        self._use(None)
        found: list[list[tuple[int, float]]] = []
        for part in _parts(list(range(len(prompts))), self.at_once):
            logits = Batch(self._served, [prompts[place] for place in part]).logits[:, -1].float()
            values, tokens = torch.log_softmax(logits, dim=-1).topk(count)
            found += [list(zip(*row, strict=True)) for row in zip(tokens.tolist(), values.tolist(), strict=True)]
        return found

    def close(self) -> None:
        """Frees the weights."""
        import torch

        self.model = self._served = None
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()

    # --- adapters ---

    def _use(self, ref: AdapterRef | None) -> None:
        """Makes the next forward passes go through this adapter, or through the bare base model."""
        if self.model is None:
            raise EngineError("the engine is closed. Open it again.")
        if ref is None:
            if self._loaded:
                self._served.base_model.disable_adapter_layers()
            return
        if ref.digest not in self._loaded:
            self._load_adapter(ref)
        self._served.base_model.enable_adapter_layers()
        self._served.set_adapter(ref.digest)

    def _load_adapter(self, ref: AdapterRef) -> None:
        from peft import PeftModel

        check_fit(ref.path, read_adapter(ref.path), self.linears)
        try:
            if self._loaded:
                self._served.load_adapter(ref.path, adapter_name=ref.digest)
            else:
                self._served = PeftModel.from_pretrained(self.model, ref.path, adapter_name=ref.digest)
        except (ValueError, TypeError, RuntimeError, KeyError) as error:
            if any(sign in str(error) for sign in _NO_MEMORY):
                raise EngineError(
                    f"adapter {ref.path}: the transformers engine ran out of memory when it loaded it. Free some, or "
                    "use a smaller batch_size in `engine:`."
                ) from error
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise AdapterError(
                f"adapter {ref.path}: PEFT cannot load it ({reason}). Train it on this base model again."
            ) from error
        self._loaded.add(ref.digest)
        self._served.eval()

    # --- answers ---

    def _answer(self, requests: Sequence[Request]) -> Iterator[Answer]:
        if not requests:
            return
        prompts = [request.prompt_ids for request in requests]
        for bucket in buckets(prompts, share=self.fast):
            prefix = self._prefix(prompts, bucket)
            for part in _parts(bucket.places, self.at_once):
                yield from self._batch([requests[place] for place in part], prefix, bucket.prefix)

    def _batch(self, requests: Sequence[Request], prefix: Batch | None, shared: int) -> Iterator[Answer]:
        """Decodes a batch until its last row ends; a row that ended is dropped once a quarter of the batch has."""
        start = time.perf_counter()
        rows = [Row(request) for request in requests]
        batch = Batch(self._served, [request.prompt_ids[shared:] for request in requests], 1, prefix)
        live = list(range(len(rows)))  # the row in each slot of the batch; -1 once it has ended
        while True:
            chosen = next_tokens(batch.logits[:, -1], [rows[row] if row >= 0 else None for row in live])
            for slot, token in enumerate(chosen):
                if live[slot] < 0:
                    continue
                row = rows[live[slot]]
                row.ids.append(token)
                completion = self._finished(row)
                if completion:
                    live[slot] = -1
                    yield row.request, replace(completion, seconds=time.perf_counter() - start)
            keep = [slot for slot, row in enumerate(live) if row >= 0]
            if not keep:
                return
            if len(keep) <= 0.75 * len(live):
                chosen, live = [chosen[slot] for slot in keep], [live[slot] for slot in keep]
                batch.select(keep)
            batch.step(chosen)

    def _finished(self, row: Row) -> Completion | None:
        """The completion (without its time) if the newest token ends the answer."""
        wanted, ids = row.request.sampling, row.ids
        reason, text = "", None
        if ids[-1] in self.ends:
            reason = "stop"
        elif wanted.stop:
            tail = stopping.decode(self.tokenizer, ids[-stopping.tail_length(wanted.stop) :])
            if stopping.cut(tail, wanted.stop) is not None:
                text = stopping.cut(stopping.decode(self.tokenizer, ids), wanted.stop)
                reason = "stop" if text is not None else ""
        if not reason and len(ids) < wanted.max_tokens:
            return None
        if text is None:
            text = stopping.decode(self.tokenizer, ids)
        return Completion(text, len(row.request.prompt_ids), len(ids), reason or "length")

    # --- choices ---

    def _choose(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Scores every choice by the sum of its tokens' log-probabilities; choices of one token share one pass."""
        if not requests:
            return
        scored = _sequences(requests)
        found: list[dict[int, float]] = [{} for _ in requests]
        for bucket in buckets([one.ids for one in scored], share=self.fast):
            shared = min([bucket.prefix, *(len(scored[place].ids) - scored[place].keep for place in bucket.places)])
            prefix = self._prefix([one.ids for one in scored], replace(bucket, prefix=shared))
            for part in _parts(bucket.places, self.at_once):
                start = time.perf_counter()
                rows = [scored[place] for place in part]
                keep = max(row.keep for row in rows)
                logits = Batch(self._served, [row.ids[shared:] for row in rows], keep, prefix).logits
                for row, own in zip(rows, logits, strict=True):
                    for place, choice, ids in row.wants:
                        request, logprobs = requests[place], found[place]
                        logprobs[choice] = sum(token_logprobs(own[-row.keep :][: len(ids)], ids))
                        if len(logprobs) == len(request.choices):
                            in_order = [logprobs[number] for number in range(len(logprobs))]
                            yield request, chosen(request, in_order, time.perf_counter() - start)

    def _prefix(self, prompts: Sequence[Sequence[int]], bucket: Bucket) -> Batch | None:
        """A bucket's shared beginning, computed once for all its batches; None where there is none."""
        return Batch(self._served, [prompts[bucket.places[0]][: bucket.prefix]]) if bucket.prefix else None


@contextmanager
def _memory() -> Iterator[None]:
    """Turns what torch says when there is no more memory into an EngineOutOfMemory, without the tensors it holds."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        said = str(error).strip().splitlines()[:1]
        if not isinstance(error, MemoryError) and not any(sign in str(error) for sign in _NO_MEMORY):
            raise
        reason = said[0] if said else "out of memory"
    else:
        return
    raise EngineOutOfMemory(f"The transformers engine ran out of memory ({reason[:200]}).")


def _end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """Every token that ends an answer: the generation config's and the tokenizer's."""
    ends = getattr(model.generation_config, "eos_token_id", None)
    listed = ends if isinstance(ends, list) else [ends]
    return frozenset(int(end) for end in [*listed, tokenizer.eos_token_id] if end is not None)


def _parts(places: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(places), size):
        yield places[start : start + size]


def _sequences(requests: Sequence[Request]) -> list[_Scored]:
    """What must run: the prompt and all but the last token of a choice, once per distinct sequence of a request."""
    made = []
    for place, request in enumerate(requests):
        wants: dict[tuple[int, ...], list[tuple[int, int, tuple[int, ...]]]] = defaultdict(list)
        for number, choice in enumerate(request.choices):
            wants[choice[:-1]].append((place, number, choice))
        for lead, wanted in wants.items():
            made.append(_Scored((*request.prompt_ids, *lead), len(lead) + 1, tuple(wanted)))
    return made
