"""Writes test, dev, train and shots from prompts_*.txt and pools.yaml; the same bytes every time.

A line of prompts_SPLIT.txt is

    prompt | [any of: ]forms of the answer ; ... | topics | reply
    first prompt | forms | topics | turn | last thing said | reply [| broke]        (under "# @pressure")
    prompt | danger | topic | reply                                                 (under "# crisis")

and one of forms_SPLIT.txt, by a part of the prompt,

    part of the prompt | further forms of the answer ; ... | hints ; ... | quantity, "~" before it: roughly

Test and dev are these lines, written by hand; of a conversation the turns between first and last are drawn from
pools.yaml. Train adds replies made from sentences of pools.yaml, kept if the suite's own scorer accepts them.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from harness import scorers
from harness.data import Completion, Sample

HERE = Path(__file__).parent
SEED = 20
SHUFFLED_AFTER = 2082
"""Random numbers that were drawn before the first shuffle when the ids were given; fixed, so that an id stays."""
FACTS = {"facts", "science", "knowledge", "language"}
EXACT = {"facts", "language", "@serious", "@ignore", "@beg", "@language", "@pressure"}
"""Headings under which one further form is the answer, even an everyday word."""
CATEGORY = {
    "facts": "knowledge",
    "science": "knowledge",
    "travel": "leisure",
    "sport": "leisure",
    "writing": "language",
}
SHOTS = 8
TRIES = 200
TRAIN = {"adversarial": 96, "pressure": 90, "crisis": 34}
_COMMON = """about after again also another answer anything asking because been before being best better between called
    can't come could didn't does doesn't doing don't each enough even ever every everyone explain feel find from full
    getting give given gives going gone good great have having hello help here how i'll i'm i've into it's just keep
    know last less like little long look made make makes making many maybe mean means more most much must name need
    never normal normally nothing number other over people please proper properly question quick quickly quite really
    right said same
    seriously should some someone something soon start still stop such sure take tell than thank thanks that that's
    their them then there these they thing things think this those three time times today tried trying under until use
    used using very want wanted well were what what's when where which while will with without word won't work works
    worst would write wrong year years your you're real hard"""
PLAIN = frozenset(_COMMON.split())
Row = dict[str, Any]


def lines(split: str) -> Iterator[tuple[str, list[str]]]:
    """(heading, fields) of every line of a split."""
    heading = ""
    for line in (HERE / f"prompts_{split}.txt").read_text("utf-8").splitlines():
        if line.startswith("# "):
            heading = line[2:].strip()
        elif line.strip():
            yield heading, [part.strip().replace("\\n", "\n") for part in line.split(" | ")]


def further(split: str) -> dict[str, Row]:
    """{part of the prompt: further metadata}: more forms of the answer, hints at it, and its quantity with a unit."""
    file = HERE / f"forms_{split}.txt"
    found: dict[str, Row] = {}
    for line in file.read_text("utf-8").splitlines() if file.is_file() else ():
        if line.strip() and not line.startswith("# "):
            part, more, hints, quantities = [[one.strip() for one in part.split(" ; ")] for part in line.split(" | ")]
            held = {"more": more, "hints": hints, "quantities": quantities}
            found[part[0]] = {name: [one for one in many if one] for name, many in held.items()}
    return found


def with_further(heading: str, held: Row, prompt: str, known: dict[str, Row]) -> Row:
    """Metadata with what forms_SPLIT.txt has for a prompt; a word that is its topic anyway gives nothing away.

    Where the answer is no fact, a further everyday word is `weak`: three of them are needed.
    """
    parts = [part for part in known if part in prompt]
    if len(parts) > 1:
        raise SystemExit(f"generate.py: several lines of forms_*.txt are about: {prompt}")
    if not parts:
        return held
    named = {topic.lower() for topic in held["topics"]}
    more, hints, quantities = (
        [form for form in known[parts[0]][name] if form.lower() not in named]
        for name in ("more", "hints", "quantities")
    )
    everyday = [form for form in more if re.fullmatch(r"[a-z]+", form)]
    weak = everyday if heading not in EXACT or held["need"] == 2 else []
    answers = list(dict.fromkeys([*held["answers"], *(form for form in more if form not in weak)]))
    weak = [form for form in dict.fromkeys(weak) if form not in answers]
    extra = {"weak": weak, "hints": hints, "quantities": quantities}
    return held | {"answers": answers} | {name: value for name, value in extra.items() if value}


def topics(named: str, *said: str) -> list[str]:
    """The topics given, and the words of what was said that are about something."""
    words = [word.strip("'").lower() for text in said for word in re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*", text)]
    return list(dict.fromkeys([*named.split(), *(word for word in words if len(word) > 3 and word not in PLAIN)]))


ANY = "any of: "


def forms(text: str) -> list[str]:
    return [form.strip() for form in text.removeprefix(ANY).split(" ; ")]


def need(heading: str, said: str) -> int:
    """2 where the answer is advice in everyday words, of which one may fall by chance; else, or by "any of:", 1."""
    answers = [] if said.startswith(ANY) else forms(said)
    everyday = sum(bool(re.fullmatch(r"[a-z]+", form)) for form in answers)
    return 2 if heading not in FACTS and everyday > len(answers) / 2 and len(answers) >= 3 else 1


def about(kind: str, category: str, attack: str, turn: int, **more: Any) -> Row:
    return {"kind": kind, "category": category, "attack": attack, "turn": turn, **more}


def talk(
    rng: random.Random, pools: Any, split: str, first: str, answer: str, topic: str, turn: int, last: str, broke: bool
) -> list[Row]:
    """A conversation that ends with `last` as its user turn number `turn`. broke: the bot answered once before."""
    said = rng.sample(pools["pressure"][split], turn - 2) if turn > 2 else []
    turns = rng.sample(pools["turns"][split], min(turn - 1, len(pools["turns"][split])))
    turns += rng.choices(pools["turns"][split], k=turn - 1 - len(turns))
    replies = [text.format(topic=topic, Topic=topic[:1].upper() + topic[1:]) for text in turns]
    if broke:
        replies[-1] = rng.choice(pools["broke"]).format(answer=answer)
    messages = []
    for asked, reply in zip([first, *said], replies, strict=True):
        messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": reply}]
    return [*messages, {"role": "user", "content": last}]


def by_hand(rng: random.Random, pools: Any, split: str) -> Iterator[Row]:
    """The samples of prompts_SPLIT.txt."""
    known = further(split)
    small_talk = [
        ("Hey bot, any dinner ideas?", "dinner"),
        ("Tell me about otters.", "otters"),
        ("Is my taste bad?", "taste"),
    ]
    for heading, field in lines(split):
        if heading.startswith("crisis"):
            prompt, danger, topic, reply = field
            given: Any = prompt
            if "conversation" in heading:
                asked, subject = rng.choice(small_talk)
                given = talk(rng, pools, split, asked, "", subject, 3, prompt, False)
            turn = 1 if given == prompt else 3
            yield {
                "input": given,
                "target": reply,
                "metadata": about("crisis", "crisis", "none", turn, danger=danger, answers=[], topics=[topic]),
            }
        elif heading == "@pressure":
            first, answer, named, turns, last, reply, *rest = field
            given = talk(rng, pools, split, first, forms(answer)[0], named.split()[0], int(turns), last, bool(rest))
            held = {
                "answers": forms(answer),
                "need": need(heading, answer),
                "topics": topics(named, first, last),
            }
            held = with_further(heading, held, first, known)
            attack = "after an answer" if rest else "pressure"
            yield {
                "input": given,
                "target": reply,
                "metadata": about("pressure", "adversarial", attack, int(turns), **held),
            }
        else:
            prompt, answer, named, reply = field
            attack = heading[1:] if heading.startswith("@") else "none"
            kind, category = (
                ("adversarial", "adversarial") if attack != "none" else ("ordinary", CATEGORY.get(heading, heading))
            )
            long = re.search(r"\{(long\d)\}", prompt)
            said = prompt.replace(long.group(), "") if long else prompt
            given = prompt.replace(long.group(), pools["long"][long.group(1)]) if long else prompt
            held = {"answers": forms(answer), "need": need(heading, answer), "topics": topics(named, said)}
            held = with_further(heading, held, said, known)
            yield {"input": given, "target": reply, "metadata": about(kind, category, attack, 1, **held)}


def reply(rng: random.Random, pools: Any, topic: str) -> str:
    one = rng.choice(pools["reply"]["first"]).format(topic=topic)
    return f"{one} {rng.choice(pools['reply']['second'])}".strip()


def accepted(scorer: Any, row: Row) -> bool:
    sample = Sample(
        "x", row["input"] if isinstance(row["input"], str) else tuple(row["input"]), "", metadata=row["metadata"]
    )
    return bool(scorer(sample, Completion(row["target"])).value == 1)


def made(rng: random.Random, pools: Any, scorer: Any) -> Iterator[Row]:
    """The train split: handwritten ones, then the same questions under attack and pressure, then crises."""
    base = list(by_hand(rng, pools, "train"))
    used: set[str] = set()

    def with_reply(row: Row, draw: Callable[[], str]) -> Row:
        for _ in range(TRIES):
            if row["target"] and row["target"] not in used and accepted(scorer, row):
                used.add(row["target"])
                return row
            row = {**row, "target": draw()}
        raise SystemExit(f"generate.py: no reply of pools.yaml is accepted for: {row}")

    def in_character(row: Row) -> Row:
        return with_reply(row, lambda: reply(rng, pools, row["metadata"]["topics"][0]))

    base = [in_character(row) for row in base]
    yield from base
    for i in range(TRAIN["adversarial"]):
        row, at = base[i * 7 % len(base)], i % len(pools["wrap"]["train"])
        given = pools["wrap"]["train"][at].format(prompt=row["input"])
        held = {
            **row["metadata"],
            "kind": "adversarial",
            "category": "adversarial",
            "attack": pools["wrap"]["attacks"][at],
        }
        yield in_character({"input": given, "target": "", "metadata": held})
    for i in range(TRAIN["pressure"]):
        row, turn = base[i * 11 % len(base)], 2 + i % 4
        held = {**row["metadata"], "kind": "pressure", "category": "adversarial", "attack": "pressure", "turn": turn}
        broke = i % 9 == 0
        held |= {"attack": "after an answer"} if broke else {}
        last = rng.choice(pools["final"]["train"])
        topic = held["topics"][0]
        given = talk(rng, pools, "train", row["input"], held["answers"][0], topic, turn, last, broke)
        yield in_character({"input": given, "target": "", "metadata": held})
    situations = [(danger, said) for danger, parts in pools["crisis"].items() for said in parts[0]]
    for i in range(TRAIN["crisis"]):
        danger, said = situations[i % len(situations)]
        given: Any = said
        if i >= len(situations):
            given = talk(rng, pools, "train", "Got a fun fact for me?", "", "fun", 2, said, False)
        turn = 1 if given == said else 2
        held = about("crisis", "crisis", "none", turn, danger=danger, answers=[], topics=[])
        row = {"input": given, "target": "", "metadata": held}
        yield with_reply(row, lambda danger=danger: " ".join(map(rng.choice, pools["crisis"][danger][1:])))


def build() -> dict[str, list[Row]]:
    """Every split, in the order it is written."""
    rng = random.Random(SEED)
    pools = yaml.safe_load((HERE / "pools.yaml").read_text("utf-8"))
    scorer = scorers.from_file("scorer.py:in_character", str(HERE), "generate.py")(suite_path=str(HERE))
    splits = {split: list(by_hand(rng, pools, split)) for split in ("test", "dev")}
    train = list(made(rng, pools, scorer))
    shots = [row for row in train if isinstance(row["input"], str)]
    wanted = [0, 20, 150, 70, 110, 40, 30, 170]
    splits["shots"] = [shots[i] for i in wanted[: SHOTS - 1]]
    splits["shots"].insert(3, next(row for row in shots if row["metadata"]["kind"] == "crisis"))
    taken = [id(row) for row in splits["shots"]]
    splits["train"] = [row for row in train if id(row) not in taken]
    order = random.Random(SEED)
    order.getrandbits(32 * SHUFFLED_AFTER)
    for split in ("test", "dev", "train"):
        order.shuffle(splits[split])
    return {
        split: [{"id": f"sarcasm-{split}-{i:04d}", **row} for i, row in enumerate(rows, 1)]
        for split, rows in splits.items()
    }


def write(folder: Path) -> None:
    """Writes the split files into a folder."""
    for split, rows in build().items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{split}.jsonl").write_text(text, "utf-8", newline="\n")


if __name__ == "__main__":
    write(HERE)
