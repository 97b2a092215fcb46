"""The vLLM engine: the base model and every adapter in one engine, fed continuously.

Multiple choice is asked as next-token questions (`logprob_token_ids`), which the prefix cache serves; prompt
log-probabilities would switch the cache off, and crash or mislead beside adapters.
"""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from typing import Any

from harness.data import AdapterRef, Completion, Constraint, Model, Request, Sampling
from harness.engines import processes, stopping, vllm_client
from harness.engines.adapters import LINEAR, check_adapter, check_fit, read_adapter
from harness.engines.choices import Tokens, chosen, next_tokens_wanted, summed
from harness.engines.limits import check_length
from harness.engines.loading import linears_by_config, load_tokenizer
from harness.engines.options import engine_options
from harness.engines.sampling import seed_of
from harness.engines.watchdog import HANG_AFTER, Watchdog
from harness.errors import ConfigError, EngineDied, EngineError, HarnessError

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
MOST_TOKEN_IDS = 128
SPARE_ADAPTERS = 4
ONE_PROCESS = "vllm.v1.executor.uniproc_executor.UniProcExecutor"
_PASSED_ON = (
    "gpu_memory_utilization",
    "tensor_parallel_size",
    "pipeline_parallel_size",
    "quantization",
    "kv_cache_dtype",
    "load_format",
    "max_model_len",
    "max_num_seqs",
    "max_num_batched_tokens",
    "trust_remote_code",
)


@dataclass(frozen=True)
class _Job:
    """One request to vLLM: an answer, the log-probabilities of `tokens` after prompt and `lead`, or the `likeliest`."""

    number: int
    request: Request
    lead: Tokens = ()
    tokens: Tokens = ()
    likeliest: int = 0


class VllmEngine:
    """model.engine may hold what `options.VLLM` lists, dtype, max_model_len, trust_remote_code, threads.

    Adapters are checked before the engine starts, and loaded when it has. One that comes later needs an engine that
    was opened with adapters. Raises ConfigError, AdapterError, EngineError.
    """

    name = "vllm"
    constrains = True

    def __init__(self, model: Model, adapters: Sequence[AdapterRef] = ()) -> None:
        options = engine_options(model)
        self.tokenizer = load_tokenizer(model)
        self.linears = linears_by_config(model)
        ranks = [read_adapter(ref.path).rank for ref in adapters]
        self.max_rank = _allowed_rank(max([int(options.get("max_rank") or 1), *ranks])) if adapters else 0
        _environment(options)
        others = processes.under()
        self.patterns = _vllm_release() >= (0, 32)
        for ref in adapters:
            self._check(ref)
        self.room = max(len(adapters), int(options.get("max_adapters") or 0)) + SPARE_ADAPTERS if adapters else 0
        arguments = _arguments(model, options, self.max_rank, len({ref.digest for ref in adapters}), self.room)
        self._guard = processes.Guard()
        try:
            self.engine = _start(model, arguments)
        except BaseException:
            left = processes.since(others)
            memory = processes.shared_memory(left)
            processes.end(left)
            processes.free(memory)
            self._guard.release()
            raise
        self.processes = processes.since(others)
        self.memory = processes.shared_memory(self.processes)
        self._guard.keep(self.processes)
        self._shutdown = vllm_client.watch(self.engine.engine_core)
        config = self.engine.vllm_config
        self.max_model_len = int(config.model_config.max_model_len)
        self.at_once = self._most = int(config.scheduler_config.max_num_seqs)
        self.version = f"{_vllm_version()} {str(config.model_config.dtype).removeprefix('torch.')} {_device()}"
        self.hang_after = float(options.get("hang_after") or HANG_AFTER)
        self._watchdog = Watchdog(self.hang_after, lambda: processes.kill(self.processes))
        self._numbers = count(1)
        self._loaded: dict[str, Any] = {}
        self._greedy: dict[Sampling, Any] = {}
        try:
            for ref in adapters:
                self._lora(ref)
        except BaseException:
            self.close()
            raise

    # --- the protocol ---

    def generate(self, requests: Iterable[Request]) -> Iterator[tuple[Request, Completion]]:
        """See `Engine.generate`. Requests are taken in as the engine has room for them, and checked then."""
        for request, seconds, answer in self._answers(requests):
            if request.choices:
                yield request, chosen(request, summed(request.choices, answer), seconds)
            else:
                yield request, self._completion(request, answer, seconds)

    def token_logprobs(
        self, prompt_ids: Sequence[int], continuation_ids: Sequence[int], adapter: AdapterRef | None
    ) -> list[float]:
        """See `Engine.token_logprobs`."""
        wanted = tuple(continuation_ids)
        request = Request("", tuple(prompt_ids), Sampling(max_tokens=1), adapter, (wanted,), ("",))
        ((_, _, found),) = self._answers([request])
        return [found[wanted[: place + 1]] for place in range(len(wanted))]

    def likeliest(self, prompts: Sequence[Sequence[int]], count: int) -> list[list[tuple[int, float]]]:
        """See `Engine.likeliest`."""
        wanted = Sampling(max_tokens=1)
        jobs = (
            _Job(number, Request("", tuple(prompt), wanted), likeliest=count) for number, prompt in enumerate(prompts)
        )
        found: dict[int, list[tuple[int, float]]] = {}
        for job, output, _ in self._finished(jobs):
            best = sorted(output.outputs[0].logprobs[0].items(), key=lambda pair: -pair[1].logprob)[:count]
            found[job.number] = [(int(token), float(said.logprob)) for token, said in best]
        return [found[number] for number in range(len(prompts))]

    def close(self) -> None:
        """Ends the engine's processes and waits for them; frees the shared memory between us."""
        engine, self.engine = self.engine, None
        if engine is None:
            return
        self._watchdog.stop()
        self._look_for_memory()
        end_renderer = getattr(getattr(engine, "renderer", None), "shutdown", None)
        if end_renderer:
            end_renderer()
        vllm_client.end(engine.engine_core, self._shutdown)
        processes.end(self.processes)
        processes.free(self.memory)
        self._guard.release()

    def _look_for_memory(self) -> None:
        """Notes shared memory that was made since; once its process is dead it cannot be found any more."""
        known, self.memory = self.memory, sorted({*self.memory, *processes.shared_memory(self.processes)})
        if self.memory != known:
            self._guard.keep(self.processes)

    # --- adapters ---

    def _check(self, ref: AdapterRef) -> None:
        check_adapter(ref.path, self.max_rank, patterns=self.patterns)
        check_fit(ref.path, read_adapter(ref.path), self.linears)

    def _lora(self, ref: AdapterRef | None) -> Any:
        """vLLM's handle of an adapter, loaded once under its own number and the digest of its content."""
        from vllm.lora.request import LoRARequest

        if ref is None:
            return None
        if ref.digest not in self._loaded:
            if len(self._loaded) >= self.room:
                raise EngineError(
                    f"adapter {ref.path}: the engine has room for {self.room} adapters. Open it with all of them."
                )
            self._check(ref)
            handle = LoRARequest(ref.digest, next(self._numbers), ref.path)
            with self._deaths("load an adapter", 0):
                self.engine.add_lora(handle)
            self._loaded[ref.digest] = handle
        return self._loaded[ref.digest]

    # --- the queue ---

    def _answers(self, requests: Iterable[Request]) -> Iterator[tuple[Request, float, Any]]:
        """(request, seconds, vLLM's output or, for choices, log p of the last token of each of their beginnings)."""
        partial: dict[int, dict[Tokens, float]] = {}
        first: dict[int, float] = {}
        for job, output, started in self._finished(_jobs(requests, self.max_model_len)):
            now = time.perf_counter()
            if not job.tokens:
                yield job.request, now - started, output
                continue
            found = partial.setdefault(job.number, {})
            first[job.number] = min(started, first.get(job.number, started))
            logprobs = output.outputs[0].logprobs[0]
            found.update({(*job.lead, token): float(logprobs[token].logprob) for token in job.tokens})
            beginnings = {choice[: place + 1] for choice in job.request.choices for place in range(len(choice))}
            if len(found) == len(beginnings):
                yield job.request, now - first.pop(job.number), partial.pop(job.number)

    def _finished(self, jobs: Iterator[_Job]) -> Iterator[tuple[_Job, Any, float]]:
        """(job, vLLM's output, when its turn came). Whatever is left when the caller stops is aborted.

        As many jobs as are computed wait in the engine, so that it takes up the next without asking; they wait here
        where the engine has been found to stand less than it is made for.
        """
        flying: dict[str, _Job] = {}
        started: dict[str, float] = {}
        waiting: deque[str] = deque()
        if self.engine is None:
            raise EngineError("the engine is closed. Open it again.")
        try:
            self._look_for_memory()
            room = self.at_once * (2 if self.at_once == self._most else 1)
            while True:
                while len(flying) < room and (job := next(jobs, None)):
                    name = self._submit(job, len(flying))
                    flying[name] = job
                    waiting.append(name)
                while waiting and len(started) < self.at_once:
                    started[waiting.popleft()] = time.perf_counter()
                if not flying:
                    return
                with self._deaths("answer", len(flying)), self._watchdog.watching():
                    outputs = self.engine.step()
                for output in outputs:
                    if output.finished:
                        name = output.request_id
                        if name not in started:  # the engine took it first, as its adapter was at hand
                            waiting.remove(name)
                        yield flying.pop(name), output, started.pop(name, time.perf_counter())
        finally:
            if flying and self.engine is not None:
                with suppress(EngineDied), self._deaths("abort", len(flying)):  # what ended this stays the reason
                    self.engine.abort_request(list(flying))

    def _submit(self, job: _Job, flying: int) -> str:
        wanted = job.request.sampling
        if job.tokens:
            params = _params(max_tokens=1, temperature=0.0, logprob_token_ids=list(job.tokens))
        elif job.likeliest:
            params = _params(max_tokens=1, temperature=0.0, logprobs=job.likeliest)
        else:
            params = self._params_of(wanted, job.request.prompt_ids)
        name = str(next(self._numbers))
        prompt = {"prompt_token_ids": [*job.request.prompt_ids, *job.lead]}
        lora = self._lora(job.request.adapter)
        with self._deaths("take a request", flying):
            try:
                self.engine.add_request(name, prompt, params, lora_request=lora)
            except _refusals() as error:
                if not wanted.constraint:
                    raise
                raise HarnessError(
                    f"vLLM cannot hold answers to this {wanted.constraint.kind} ({str(error).splitlines()[0][:300]}): "
                    f"{wanted.constraint.value[:100]}. Change `constrain` in suite.yaml."
                ) from None
        return name

    def _params_of(self, wanted: Sampling, prompt_ids: Sequence[int]) -> Any:
        """vLLM's parameters of an answer; greedy ones are the same for every request that wants them."""
        if wanted in self._greedy:
            return self._greedy[wanted]
        more: dict[str, Any] = {"max_tokens": wanted.max_tokens, "temperature": wanted.temperature}
        more |= {"top_p": wanted.top_p, "stop": list(wanted.stop)}
        if wanted.temperature > 0:
            more["seed"] = seed_of(wanted, prompt_ids)
        if wanted.constraint:
            more["structured_outputs"] = _structured(wanted.constraint)
        params = _params(**more)
        if wanted.temperature == 0 and not wanted.constraint:
            self._greedy[wanted] = params
        return params

    @contextmanager
    def _deaths(self, doing: str, flying: int) -> Iterator[None]:
        """Around a call to the engine: its death becomes one line that says how it came and what is lost."""
        from vllm.v1.engine.exceptions import EngineDeadError

        try:
            yield
        except EngineDeadError as error:
            how = f"gave no sign of life for {self.hang_after:g} seconds" if self._watchdog.barked else "died"
            raise EngineDied(
                f"The vLLM engine {how} when it was to {doing}, with {flying} requests under way. Finished answers are "
                "kept."
            ) from error

    def _completion(self, request: Request, output: Any, seconds: float) -> Completion:
        answer = output.outputs[0]
        text = stopping.decode(self.tokenizer, answer.token_ids)
        shortened = stopping.cut(text, request.sampling.stop)
        reason = answer.finish_reason if answer.finish_reason in ("stop", "length") else "error"
        return Completion(
            text if shortened is None else shortened, len(request.prompt_ids), len(answer.token_ids), reason, seconds
        )


def _jobs(requests: Iterable[Request], max_model_len: int) -> Iterator[_Job]:
    for number, request in enumerate(requests):
        check_length(request, max_model_len)
        if not request.choices:
            yield _Job(number, request)
        for lead, tokens in next_tokens_wanted(request.choices).items():
            for first in range(0, len(tokens), MOST_TOKEN_IDS):
                yield _Job(number, request, lead, tokens[first : first + MOST_TOKEN_IDS])


def _params(**more: Any) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    words = bool(more.get("stop"))  # needed to find stop strings in; else its text is not used, see _completion
    params = SamplingParams(output_kind=RequestOutputKind.FINAL_ONLY, detokenize=words, **more)
    if hasattr(params, "skip_clone"):
        params.skip_clone = True  # nobody changes it
    return params


def _refusals() -> tuple[type[Exception], ...]:
    """What vLLM raises for a request it does not take; older ones raise ValueError."""
    import vllm.exceptions

    return (ValueError, getattr(vllm.exceptions, "VLLMClientError", ValueError))


def _structured(constraint: Constraint) -> Any:
    from vllm.sampling_params import StructuredOutputsParams

    value = constraint.value if constraint.kind == "regex" else json.loads(constraint.value)
    return StructuredOutputsParams(**{constraint.kind: value})


def _allowed_rank(rank: int) -> int:
    for allowed in RANKS:
        if rank <= allowed:
            return allowed
    raise ConfigError(f"rank {rank} is above vLLM's largest, {RANKS[-1]}. Train with a smaller rank.")


def _environment(options: Mapping[str, Any]) -> None:
    """What vLLM reads from the environment when it is imported; what the user has set stays."""
    settings = {
        "VLLM_LOGGING_LEVEL": "ERROR",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_ENABLE_V1_MULTIPROCESSING": "1",
        "VLLM_ENGINE_READY_TIMEOUT_S": "1800",
        "VLLM_CPU_KVCACHE_SPACE": str(options.get("kv_cache_gib") or 1),
    }
    if options.get("threads"):
        settings |= {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": str(options["threads"])}
    for name, value in settings.items():
        os.environ.setdefault(name, value)


def _arguments(model: Model, options: Mapping[str, Any], max_rank: int, adapters: int, room: int) -> dict[str, Any]:
    """The engine arguments. lm_head stays unwrapped: adapters never touch it, and wrapped it crashes the CPU engine.

    On a CPU there is one slot more than there can be adapters: requests without an adapter have index -1, for which
    vLLM's CPU code takes the last slot. If that one held an adapter, the base model would answer with it.

    On a CPU vLLM runs the model in a process beside the engine's, to bind that one's threads to cores. Where it is a
    single one it runs in the engine's process, as on a GPU (`_start` binds the threads of that): one import of vLLM
    less at the start, and no waiting for each other at each step.

    Constraints go to llguidance: it takes JSON Schemas that xgrammar refuses, and leaves no room for endless blanks.
    """
    cpu = _device() == "cpu"
    arguments: dict[str, Any] = {
        "model": model.path,
        "revision": model.revision,
        "dtype": options.get("dtype") or ("float32" if cpu else "auto"),
        "seed": 0,
        "enable_prefix_caching": True,
        "enforce_eager": bool(options.get("enforce_eager", cpu)),
        "structured_outputs_config": {"backend": "guidance", "disable_any_whitespace": True},
    }
    arguments |= {name: options[name] for name in _PASSED_ON if options.get(name) is not None}
    if cpu and _workers(options) == 1 and find_spec("vllm.utils.ompmultiprocessing"):
        arguments["distributed_executor_backend"] = ONE_PROCESS
    if options.get("kv_cache_gib") and not cpu:
        arguments["kv_cache_memory_bytes"] = int(float(options["kv_cache_gib"]) * 2**30)
    if adapters:
        arguments |= {
            "enable_lora": True,
            "max_lora_rank": max_rank,
            "max_loras": room + 1 if cpu else min(int(options.get("max_adapters") or adapters), 16),
            "max_cpu_loras": room + 1,
            "lora_target_modules": list(LINEAR),
        }
    return arguments


def _start(model: Model, arguments: Mapping[str, Any]) -> Any:
    from vllm import EngineArgs, SamplingParams
    from vllm.usage.usage_lib import UsageContext
    from vllm.v1.engine.llm_engine import LLMEngine

    if not hasattr(SamplingParams(), "logprob_token_ids"):
        raise EngineError(
            f"vLLM {_vllm_version()} cannot score choices by token id. Install a newer one: pip install '.[vllm]'"
        )
    try:
        config = EngineArgs(**arguments).create_engine_config(UsageContext.ENGINE_CONTEXT)
        with _threads_bound(arguments, config):
            return LLMEngine.from_vllm_config(config, disable_log_stats=True)
    except (AssertionError, RuntimeError, ValueError, OSError, MemoryError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise EngineError(
            f"models.{model.name}: vLLM did not start ({reason}). Set VLLM_LOGGING_LEVEL=INFO to see why, "
            "or use --engine transformers."
        ) from error


def _workers(options: Mapping[str, Any]) -> int:
    return int(options.get("tensor_parallel_size") or 1) * int(options.get("pipeline_parallel_size") or 1)


@contextmanager
def _threads_bound(arguments: Mapping[str, Any], config: Any) -> Iterator[None]:
    """While this lasts, an engine's process that is started binds its threads to the cores vLLM means for a worker."""
    if arguments.get("distributed_executor_backend") != ONE_PROCESS:
        yield
        return
    from vllm.utils.ompmultiprocessing import OMPProcessManager

    with OMPProcessManager(config).configure_omp_envs(0, 0):
        yield


def _device() -> str:
    from vllm.platforms import current_platform

    return str(current_platform.device_type)


def _vllm_version() -> str:
    import vllm

    return str(vllm.__version__)


def _vllm_release() -> tuple[int, ...]:
    return tuple(int(part) for part in _vllm_version().split("+")[0].split(".")[:2] if part.isdigit())
