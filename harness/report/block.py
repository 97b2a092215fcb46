"""The samples as the page carries them: a small index, and the texts in shards that are unpacked when looked at.

Every block is JSON, gzipped without a clock, in base64: it cannot hold a "<", and the same run gives the same bytes.

Index: {"arms": [name], "folders": [run folder per arm], "suites": [{name, title, candidate, reference, start}],
"shard": n, "ids": [id], "anchors": {place: permalink where it is not suite/id}, "values": [[score or null per sample]
per arm], "text": false without shards}; candidate and reference are places in "arms", start is the place of a suite's
first sample.
Shard: {"texts": [str], "left": {place in texts: characters beyond HELD}, "cases": [{q, t, m, a: [[arm, text, finish,
tokens, seconds, value, read, why, others, prompt, passages, thinking?]]} or null where the texts are left out]}; q, t,
text, read, why and the prompt's turns are places in "texts", so that a system prompt is stored once per shard.
thinking, where there is any: [place in texts, tokens].
"""

from __future__ import annotations

import base64
import gzip
import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from harness.report.cases import RIGHT, Answer, Case
from harness.report.text import harmless, number, one_line, visible

SHARD = 100
"""Samples per shard: few, as the rows on a screen may come from as many shards; many, for gzip to see repetitions."""
BUDGET = 25_000_000
"""Bytes of packed texts that a page carries unless told otherwise."""
HELD = 100_000
"""Characters of one text that a page carries; of more than text.PREVIEW it shows the rest when asked."""
PACKS = 8
"""Characters of text in a byte of the page, at most: a browser has to hold what it unpacks."""
PACKERS = 2
"""Threads that pack."""
_PROBED = 8
"""Shards that are packed to see how small the texts of a large run become."""


def pack(record: Any) -> str:
    """JSON, gzip, base64; deterministic.

    >>> unpack(pack({"a": ["<script>"]}))
    {'a': ['<script>']}
    """
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode("utf-8"), compresslevel=6, mtime=0)).decode("ascii")


def unpack(block: str) -> Any:
    """What `pack` packed."""
    return json.loads(gzip.decompress(base64.b64decode(block)))


def index(
    cases: Sequence[Case],
    arms: Sequence[str],
    suites: Sequence[Mapping[str, str | int]],
    text: bool = True,
    folders: Sequence[str] = (),
) -> dict[str, Any]:
    """What filters need to know about every sample without unpacking a text. folders: the run of every arm."""
    first: dict[str, int] = {}
    for place, case in enumerate(cases):
        first.setdefault(one_line(case.suite), place)
    ids = [one_line(case.sample) for case in cases]
    plain = [f"{one_line(case.suite)}/{name}" for case, name in zip(cases, ids, strict=True)]
    return {
        "arms": [one_line(arm) for arm in arms],
        "folders": list(folders),
        "suites": [{**suite, "start": first[str(suite["name"])]} for suite in suites],
        "shard": SHARD,
        "ids": ids,
        "anchors": {place: case.anchor for place, case in enumerate(cases) if case.anchor != plain[place]},
        "values": [[_rounded(case.value(arm)) for case in cases] for arm in arms],
        "text": text,
    }


def shards(cases: Sequence[Case], arms: Sequence[str], left_out: frozenset[int] = frozenset()) -> Iterator[str]:
    """The packed texts of all samples, SHARD samples at a time, invisible characters drawn and texts cut to HELD.

    left_out: places of samples whose texts stay out.
    """
    waiting: deque[Future[str]] = deque()
    with ThreadPoolExecutor(PACKERS) as packers:  # zlib, half of the work, leaves the interpreter to others
        for start in range(0, len(cases), SHARD):
            record = _shard(cases, range(start, min(start + SHARD, len(cases))), arms, left_out)
            waiting.append(packers.submit(pack, record))
            if len(waiting) > 2 * PACKERS:
                yield waiting.popleft().result()
        yield from (packed.result() for packed in waiting)


def left_out(
    cases: Sequence[Case], arms: Sequence[str], pairs: Mapping[str, tuple[str, str]], budget: int
) -> frozenset[int]:
    """Places of the samples whose texts do not fit into `budget` bytes, about; none where all of them fit.

    First come the samples that a reader looks for: those whose score changed between the reference and the candidate
    of their suite (pairs), and those that no arm answers; then an even selection of the others.
    """
    sizes = [_size(case) for case in cases]
    if sum(sizes) <= budget:
        return frozenset()
    starts = range(0, len(cases), SHARD)
    tried = list(starts)[:: max(1, len(starts) // _PROBED)]
    packed = sum(len(pack(_shard(cases, range(s, min(s + SHARD, len(cases))), arms, frozenset()))) for s in tried)
    rate = max(packed / (sum(sum(sizes[s : s + SHARD]) for s in tried) or 1), 1 / PACKS)
    if rate * sum(sizes) <= budget:
        return frozenset()
    wanted = [place for place, case in enumerate(cases) if _looked_for(case, arms, pairs.get(one_line(case.suite)))]
    rest = sorted(set(range(len(cases))) - set(wanted), key=_scattered)
    kept, room = set(), budget / rate
    for place in (*sorted(wanted, key=_scattered), *rest):
        room -= sizes[place]
        if room < 0:
            break
        kept.add(place)
    return frozenset(range(len(cases))) - kept


def _looked_for(case: Case, arms: Sequence[str], pair: tuple[str, str] | None) -> bool:
    values = [value for arm in arms if (value := case.value(arm)) is not None]
    return bool(pair and case.change(*pair)) or all(value < RIGHT for value in values)


def _scattered(place: int) -> int:
    """Places in an order of which every beginning is spread evenly (Weyl's sequence with the golden ratio)."""
    return place * 0x9E3779B1 % 2**32


def _size(case: Case) -> int:
    """About how many characters of text the page would hold of a sample."""
    lengths = [len(case.question), len(case.target)]
    for answer in case.answers.values():
        lengths += [len(answer.row.completion.text), len(answer.row.completion.reasoning)]
    return (sum(lengths) if max(lengths) <= HELD else sum(min(length, HELD) for length in lengths)) + 200


def _shard(
    every: Sequence[Case], places: Sequence[int], arms: Sequence[str], missing: frozenset[int]
) -> dict[str, Any]:
    texts: dict[str, int] = {}

    def place(text: str) -> int:
        return texts.setdefault(text, len(texts))

    def answer(arm: int, given: Answer) -> list[Any]:
        completion, score = given.row.completion, given.primary.score if given.primary else None
        return [
            arm,
            place(completion.text),
            one_line(completion.finish_reason),
            [completion.prompt_tokens, completion.completion_tokens],
            round(completion.seconds, 4),
            _rounded(given.value),
            place(score.answer if score else ""),
            place(score.explanation if score else "not scored"),
            [[one_line(o.scorer), _rounded(o.score.value), one_line(o.score.explanation)] for o in given.others],
            [[one_line(turn["role"]), place(turn["content"])] for turn in given.row.messages],
            [one_line(name) for name in given.row.passages],
            *([[place(completion.reasoning), completion.reasoning_tokens]] if completion.reasoning else []),
        ]

    def entry(case: Case) -> dict[str, Any]:
        return {
            "q": place(case.question),
            "t": place(case.target),
            "m": [[one_line(str(key)), number(value)] for key, value in case.metadata.items()],
            "a": [answer(place_, case.answers[arm]) for place_, arm in enumerate(arms) if arm in case.answers],
        }

    packed = [None if at in missing else entry(every[at]) for at in places]
    left = {place: len(text) - HELD for text, place in texts.items() if len(text) > HELD}
    shown = [text[:HELD] for text in texts]
    if not harmless("".join(shown)):
        shown = [visible(text) for text in shown]
    return {"texts": shown, "left": left, "cases": packed}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
