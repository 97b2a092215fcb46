"""What was trained is what vLLM serves: candidates trained together, their log-probabilities held to the trainer's."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path

from tiny_models import make_model

from harness.data import Model, TrainSpec
from harness.digests import EMBEDDED
from harness.train.data import TrainRow
from harness.train.loop import Wanted, train
from harness.train.served import served_nats

OPTIONS = {"dtype": "float32", "max_num_seqs": 16, "kv_cache_gib": 1, "threads": 1}


def test_candidates_trained_together_are_served_as_they_were_trained(tmp_path: Path) -> None:
    base = EMBEDDED if (EMBEDDED / "config.json").is_file() else make_model(tmp_path / "base")
    draw = random.Random(0)
    rows = [
        TrainRow(tuple(draw.choices(range(5, 60), k=draw.randint(5, 20))), (*draw.choices(range(5, 60), k=4), 2))
        for _ in range(16)
    ]
    wanted = [
        Wanted(
            TrainSpec(("s",), rank=rank, alpha=2 * rank, learning_rate=5.0e-3, batch_size=4, max_steps=6, seed=rank),
            rows,
            (),
            tmp_path / f"rank{rank}",
        )
        for rank in (16, 4, 12)
    ]
    results = train(wanted, Model("m", str(base), engine=OPTIONS), served=partial(served_nats, engine="vllm"))
    for result in results:
        assert result.card["served"]["tokens"] == 8 * 5
        assert result.card["served"]["max_nats"] <= 3e-5  # rounding; processors differ in it
        assert result.card["losses"][-1][1] < result.card["losses"][0][1], "else there was nothing to serve"
