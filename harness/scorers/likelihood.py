"""Style by likelihood: is a reply more likely after worked examples in the style than after plain ones?"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

from harness.data import Completion, Grader, Message, Question, Sample, Score
from harness.errors import SuiteError

MAX_CHARACTERS = 600


def likelihood_ratio(
    *,
    suite_path: str,
    styled: str = "shots.jsonl",
    neutral: str = "neutral.jsonl",
    examples: int = 3,
    least: float = 0.0,
) -> Grader:
    """A grader: 1 if a reply is likelier, per character, after styled worked examples than after neutral ones.

    log p(reply | examples in the style, question) - log p(reply | plain examples, question), in nats, under the base
    model without any adapter, so that no candidate judges itself. styled, neutral: files of the suite with rows
    {"input", "target"}; the first `examples` of each are used, best with the same inputs. least: the ratio per
    character a styled reply has to exceed. Only the first 600 characters of a reply count.
    What is not covered: content; and a model too small to learn a style from its context tells little.
    """
    with_style, without = (_turns(Path(suite_path, file), examples) for file in (styled, neutral))

    def ask(sample: Sample, completion: Completion) -> tuple[Question, ...]:
        reply = completion.text.strip()[:MAX_CHARACTERS]
        if not reply:
            return ()
        asked = sample.input if isinstance(sample.input, str) else sample.input[-1]["content"]
        turn: Message = {"role": "user", "content": asked}
        return tuple(Question((*lead, turn), (reply,)) for lead in (with_style, without))

    def score(sample: Sample, completion: Completion, answers: Sequence[Completion]) -> Score:
        if not answers:
            return Score(0.0, "", "empty answer")
        in_style, plain = ((answer.choice_logprobs or (math.nan,))[0] for answer in answers)
        ratio = (in_style - plain) / len(completion.text.strip()[:MAX_CHARACTERS])
        value = 1.0 if ratio > least else 0.0
        return Score(value, "", f"{ratio:+.4f} nats per character likelier after examples in the style")

    return Grader(ask, score)


def _turns(path: Path, examples: int) -> tuple[Message, ...]:
    try:
        lines = [line for line in path.read_text("utf-8").split("\n") if line.strip()][:examples]
        rows = [json.loads(line) for line in lines]
        pairs = [(row["input"], row["target"]) for row in rows]
    except OSError:
        raise SuiteError(
            f"{path}: no such file. likelihood_ratio needs worked examples with and without the style."
        ) from None
    except (ValueError, KeyError, TypeError):
        raise SuiteError(f'{path}: every line must be {{"input": ..., "target": ...}} in JSON.') from None
    turns: list[Message] = []
    for asked, answered in pairs:
        text = asked if isinstance(asked, str) else asked[-1]["content"]
        turns += [{"role": "user", "content": text}, {"role": "assistant", "content": answered}]
    return tuple(turns)
