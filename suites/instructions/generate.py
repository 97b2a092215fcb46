"""Writes the samples of this suite from hand-written scenes: a short text, a question, and grammars of right answers.

    python suites/instructions/generate.py

A gold answer is made first; the instructions are then chosen among those that it obeys, so every chain can be obeyed.
Further right answers to the same chain, in other words, go to paraphrases.jsonl. The same seed gives the same bytes.
"""

from __future__ import annotations

import calendar
import itertools
import json
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SEED = 20267
SIZES = {"test": 216, "dev": 54, "train": 320, "shots": 8}
PATTERN = ("test", "train", "test", "train", "dev", "test", "train", "test", "train", "dev", "test", "train", "test")
SHOT_SCENES = 8
NEAR = 13
POOL = 90
TRIES = 12
LENGTHS = "words_exact words_most words_between sentences characters_most bullets numbered lines line_words separated"
MARKS = {";": ("semicolons", "a semicolon"), "/": ("slashes", "a slash"), "|": ("vertical bars", "a vertical bar")}
NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
MONTHS, DAYS = calendar.month_name[1:], list(calendar.day_name)
Row = dict[str, Any]
Check = dict[str, Any]


@dataclass
class Question:
    """A question about a scene. answers, more: grammars like "The [bus|coach] leaves at 8:10."."""

    title: str
    scene: str
    task: str
    ask: str
    facts: list[list[str]] = field(default_factory=list)
    rivals: list[str] = field(default_factory=list)
    also: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    more: list[str] = field(default_factory=list)
    items: list[str] = field(default_factory=list)


# --- material ---------------------------------------------------------------------------------------------------------


def scenes() -> list[list[Question]]:
    """The scenes of scenes.txt, in order; each is the list of its questions."""
    found = []
    for block in re.split(r"(?m)^== ", (HERE / "scenes.txt").read_text("utf-8"))[1:]:
        head, *asked = re.split(r"(?m)^(?=\?)", block.strip())
        title, text = head.split("\n", 1)
        found.append([question(title.strip(), text.strip(), part) for part in asked])
    return found


def question(title: str, scene: str, part: str) -> Question:
    first, *rest = part.strip().split("\n")
    task = {"?*": "list", "?+": "sum"}.get(first[:2], "fact")
    one = Question(title, scene, task, first.lstrip("?*+ "))
    for line in rest:
        key, value = line.split(" ", 1)
        pieces = [piece.strip() for piece in value.split(";")]
        if key == "need:":
            one.facts = [wordings(piece) for piece in pieces]
        elif key == "items:":
            one.items = [piece.split("=>")[0].strip() for piece in pieces]
            one.facts = [wordings(piece.split("=>")[-1].strip()) for piece in pieces]
        elif key == "not:":
            one.rivals = pieces
        elif key == "also:":
            one.also = pieces
        elif key in "-+":
            (one.answers if key == "-" else one.more).append(value.strip())
        else:
            raise SystemExit(f"scenes.txt: {title}: unknown line {line!r}")
    if not one.facts or not one.rivals or not (one.answers or one.items):
        raise SystemExit(f"scenes.txt: {title}: {first!r} lacks facts, rivals or answers")
    return one


def wordings(piece: str) -> list[str]:
    """The wordings of a fact; a time may be written with a full stop."""
    found = [wording.strip() for wording in piece.split("|")]
    return found + [wording.replace(":", ".") for wording in found if re.fullmatch(r"\d{1,2}:\d\d", wording)]


def phrases() -> dict[str, tuple[list[str], list[str]]]:
    """Kind of instruction -> (wordings for all splits, wordings for test and dev alone)."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    for block in re.split(r"(?m)^\[", (HERE / "wordings.txt").read_text("utf-8"))[1:]:
        kind, body = block.strip().split("]\n", 1)
        common, held = body.split("\n...\n")
        found[kind] = (common.split("\n"), held.split("\n"))
    return found


def draw(rng: random.Random, grammar: str) -> str:
    """One text of a grammar."""
    return tidy(re.sub(r"\[([^\]]*)\]", lambda match: rng.choice(match.group(1).split("|")), grammar))


def tidy(text: str) -> str:
    text = re.sub(r" +([.,;:?!])", r"\1", re.sub(r" {2,}", " ", text)).strip()
    return text[:1].upper() + text[1:]


# --- answers ----------------------------------------------------------------------------------------------------------


def plan_for(rng: random.Random, one: Question) -> dict[str, Any]:
    """What an answer looks like: its form, case and ornaments."""
    plan: dict[str, Any] = {"case": rng.choices(("", "lower", "upper", "title"), (62, 17, 14, 7))[0]}
    if one.task == "list":
        plan["form"] = rng.choices(("bullets", "dashes", "numbered", "lines", "separated"), (24, 16, 22, 16, 22))[0]
        plan["mark"] = rng.choice(list(MARKS))
        plan["sorted"] = rng.random() < 0.4
        plan["heading"] = rng.random() < 0.3
        plan["sign"] = "" if rng.random() < 0.8 else rng.choice(SIGN_OFFS)
        return plan
    plan["more"] = bool(one.more) and rng.random() < 0.24
    plan["total_first"] = one.task == "sum" and rng.random() < 0.35
    if rng.random() < 0.15:
        plan["closer"] = True
    elif rng.random() < 0.12:
        plan["no_stop"] = True
    elif not plan["more"] and rng.random() < 0.16:
        plan["sign"] = rng.choice(SIGN_OFFS)
    if not plan["more"] and not plan["total_first"] and rng.random() < 0.14:
        plan["heading"] = True
    label = label_of(one)
    if label and rng.random() < 0.32:
        plan["ornament"] = "quoted" if label == "the name" else rng.choice(("bold", "brackets"))
    return plan


def label_of(one: Question) -> str:
    """What to call the first fact without giving it away, or ""."""
    fact = one.facts[0][0]
    if one.task == "sum":
        return "the total"
    if re.fullmatch(r"\d{1,2}:\d\d", fact):
        return "the time" if len([f for f in one.facts if re.fullmatch(r"\d{1,2}:\d\d", f[0])]) == 1 else ""
    if fact in DAYS:
        return "the day"
    if fact.split()[0] in MONTHS or fact.split()[-1] in MONTHS:
        return "the date"
    named = [f for f in one.facts if f[0][0].isupper()]
    if len(named) == 1 and named[0] is one.facts[0] and all(word[0].isupper() for word in fact.split()):
        return "the name"
    return ""


def render(rng: random.Random, one: Question, plan: dict[str, Any]) -> str:
    """One answer of this form, its wording drawn by chance; "" if the form does not fit the wording drawn."""
    text = listing(rng, one, plan) if one.task == "list" else prose(rng, one, plan)
    if not text:
        return ""
    if plan.get("heading"):
        text = f"{one.title}\n{text}"
    if plan.get("sign"):
        text = f"{text}\n{plan['sign']}"
    return cased(text, plan["case"])


def cased(text: str, case: str) -> str:
    if case == "lower":
        return text.lower()
    if case == "upper":
        return text.upper()
    return re.sub(r"(?<![\w'’.:])[a-z]", lambda match: match.group().upper(), text) if case == "title" else text


def listing(rng: random.Random, one: Question, plan: dict[str, Any]) -> str:
    items = [draw(rng, item) for item in one.items]
    if plan["sorted"]:
        if any(re.match(r"(?:A|An|The) ", item) for item in items):
            return ""
        items = sorted(items, key=str.casefold)
    else:
        rng.shuffle(items)
    small = rng.random() < 0.4
    items = [
        item[0].lower() + item[1:] if small and one.items[0][0].islower() else item[0].upper() + item[1:]
        for item in items
    ]
    form = plan["form"]
    if form == "separated":
        return ("; " if plan["mark"] == ";" else f" {plan['mark']} ").join(items)
    labels = {"bullets": "- ", "dashes": "- ", "lines": ""}
    return "\n".join(f"{labels.get(form, f'{i}. ')}{item}" for i, item in enumerate(items, 1))


def prose(rng: random.Random, one: Question, plan: dict[str, Any]) -> str:
    text = draw(rng, rng.choice(one.answers))
    if plan.get("ornament"):
        text = ornamented(text, one.facts[0], plan["ornament"])
    if not text:
        return ""
    if plan["total_first"] and not re.match(rf"{re.escape(one.facts[0][0])}(?!\w|[.:]\d)", text):
        return ""
    parts = [text]
    if plan["more"]:
        extra = draw(rng, rng.choice(one.more))
        if not text.endswith((".", "?", "!")):
            return ""
        parts = [text, extra]
    if plan.get("closer"):
        if parts[-1][-1] not in ".?!":
            return ""
        parts.append(rng.choice(CLOSERS))
    text = " ".join(parts)
    return text.rstrip(".") if plan.get("no_stop") else text


def ornamented(text: str, fact: list[str], ornament: str) -> str:
    left, right = {"quoted": ('"', '"'), "bold": ("**", "**"), "brackets": ("(", ")")}[ornament]
    for wording in sorted(fact, key=len, reverse=True):
        match = re.search(rf"(?<![\w.:]){re.escape(wording)}(?![\w:]|\.\d)", text)
        if match and match.start() and text.count(wording) == 1:
            return text[: match.start()] + left + match.group() + right + text[match.end() :]
    return ""


# --- instructions -----------------------------------------------------------------------------------------------------


def bare(text: str) -> list[str]:
    """The words of a text in lower case, without labels and punctuation."""
    text = re.sub(r"(?m)^(?:- |\d+\. )", "", text)
    return [word for piece in text.split() if (word := piece.strip(".,;:?!\"'()*|/").lower())]


def ends(text: str) -> int:
    """How many sentences a text of this generator has."""
    text = re.sub(r"(?i)\bdr\.", "dr", text).rstrip('"')
    return len(re.findall(r"[.?!]\"?(?= |\Z)", text)) + (text[-1] not in ".?!")


def rows_of(text: str, check: Check) -> list[str]:
    rows = text.split("\n")
    return rows[check.get("above", 0) : len(rows) - check.get("below", 0)]


def parts_of(text: str, check: Check) -> list[str]:
    rows = rows_of(text, check)
    if check.get("mark"):
        return [part.strip() for part in rows[0].split(check["mark"])]
    return [re.sub(r"\A(?:- |\d+\. )", "", row) for row in rows]


OBEYED: dict[str, Callable[[str, Check], bool]] = {
    "words_exact": lambda text, c: len(bare(text)) == c["count"],
    "words_most": lambda text, c: len(bare(text)) <= c["most"],
    "words_between": lambda text, c: c["least"] <= len(bare(text)) <= c["most"],
    "sentences": lambda text, c: ends(text) == c["count"],
    "characters_most": lambda text, c: len(text) <= c["most"],
    "bullets": lambda text, c: sum(row[:2] == "- " for row in text.split("\n")) == c["count"],
    "numbered": lambda text, c: (
        [row[:2] for row in text.split("\n") if row[1:3] == ". "] == [f"{i}." for i in range(1, c["count"] + 1)]
    ),
    "lines": lambda text, c: text.count("\n") + 1 == c["count"],
    "line_words": lambda text, c: all(len(bare(row)) <= c["most"] for row in text.split("\n")),
    "separated": lambda text, c: len(parts_of(text, c)) == c["count"],
    "one_paragraph": lambda text, c: "\n" not in text,
    "alphabetical": lambda text, c: parts_of(text, c) == sorted(parts_of(text, c), key=str.lower),
    "heading": lambda text, c: text.split("\n")[0] == c["text"],
    "sign_off": lambda text, c: text.split("\n")[-1] == c["text"],
    "lower": lambda text, c: text == text.lower(),
    "upper": lambda text, c: text == text.upper(),
    "title": lambda text, c: not re.search(r"(?<![\w'’.:-])[a-z]", text),
    "no_commas": lambda text, c: "," not in text,
    "no_digits": lambda text, c: not re.search(r"\d", text),
    "no_letter": lambda text, c: c["letter"] not in text.lower(),
    "no_repeats": lambda text, c: len(set(bare(text))) == len(bare(text)),
    "longest_word": lambda text, c: all(len(re.sub(r"[\W\d_]", "", word)) <= c["most"] for word in bare(text)),
    "start": lambda text, c: bare(text)[0] == c["word"].lower() and text[0].isalpha(),
    "end": lambda text, c: bare(text)[-1] == c["word"].lower() and text[-1] in "." + text[-1].lower() + text[-1],
    "question_end": lambda text, c: text[-1] == "?",
    "no_final_stop": lambda text, c: text[-1] != ".",
    "include": lambda text, c: {word.lower() for word in c["words"]} <= set(bare(text)),
    "avoid": lambda text, c: not {word.lower() for word in c["words"]} & set(bare(text)),
    "once": lambda text, c: bare(text).count(c["word"].lower()) == 1,
    "number_first": lambda text, c: re.match(rf"€?{re.escape(c['number'])}(?!\w|[.:]\d)", text) is not None,
    "quoted": lambda text, c: f'"{c["text"]}"'.lower() in text.lower(),
    "bold": lambda text, c: text.count("**") == 2 and any(f"**{one}**".lower() in text.lower() for one in c["any"]),
    "brackets": lambda text, c: text.count("(") == 1 and any(f"({one})".lower() in text.lower() for one in c["any"]),
}


def obeys(text: str, checks: list[Check]) -> bool:
    """Whether a text made here obeys a chain. Written apart from scorer.py, so that each tests the other."""
    return all(OBEYED[check["kind"]](text, check) for check in checks)


def required(gold: str, one: Question, plan: dict[str, Any]) -> list[Check]:
    """The instructions without which nobody would answer in this form."""
    above, below = int(bool(plan.get("heading"))), int(bool(plan.get("sign")))
    around = {key: value for key, value in (("above", above), ("below", below)) if value}
    others = {"others": above + below} if above + below else {}
    found: list[Check] = []
    if one.task == "list":
        count, form = len(one.items), plan["form"]
        mark = {"mark": plan["mark"]} if form == "separated" else {}
        if form == "dashes":
            found.append({"kind": "bullets", "count": count, "mark": "-", **others})
        elif form == "lines":
            found.append({"kind": "lines", "count": count + above + below})
        else:
            found.append({"kind": form, "count": count, **mark, **(around if mark else others)})
        if plan["sorted"]:
            found.append({"kind": "alphabetical", **mark, **around})
    if above:
        found.append({"kind": "heading", "text": gold.split("\n")[0]})
    if below:
        found.append({"kind": "sign_off", "text": gold.split("\n")[-1]})
    if plan.get("more"):
        found.append({"kind": "sentences", "count": 3 if plan.get("closer") else 2})
    if plan.get("total_first"):
        found.append({"kind": "number_first", "number": one.facts[0][0]})
    if plan["case"]:
        found.append({"kind": plan["case"]})
    if plan.get("closer"):
        found.append({"kind": "question_end"})
    if plan.get("no_stop"):
        found.append({"kind": "no_final_stop"})
    if plan.get("ornament") == "quoted":
        found.append({"kind": "quoted", "text": one.facts[0][0]})
    elif plan.get("ornament"):
        found.append({"kind": plan["ornament"], "any": one.facts[0]})
    return found


def optional(rng: random.Random, gold: str, pool: list[str], one: Question, plan: dict[str, Any]) -> list[Check]:
    """Further instructions that this gold obeys and that not every right answer would obey by itself."""
    said, flat = bare(gold), gold.lower()
    count = len(said)
    framed = bool(plan.get("heading") or plan.get("sign"))
    heard = Counter(word for text in pool for word in set(bare(text)))
    source = [word for word in bare(f"{one.scene} {one.ask}") if word.isalpha() and len(word) > 3]
    answer_words = {word for fact in one.facts for wording in fact for word in bare(wording)}
    found: list[Check] = [{"kind": "words_most", "most": count + rng.choice((0, 1, 2, 3, 4))}]
    found.append({"kind": "characters_most", "most": -(-len(gold) // 5) * 5 + rng.choice((0, 5, 10))})
    if one.task == "list":
        if plan["form"] != "separated":
            longest = max(len(bare(row)) for row in gold.split("\n"))
            found.append({"kind": "line_words", "most": longest + rng.choice((0, 0, 1))})
    elif not framed:
        sentences = ends(gold)
        found.append({"kind": "sentences", "count": sentences})
        found += [{"kind": "words_exact", "count": count}] * 2
        least = max(2, count - rng.choice((0, 1, 2)))
        found.append({"kind": "words_between", "least": least, "most": count + rng.choice((1, 2, 3))})
        if sentences > 1:
            found += [{"kind": "one_paragraph"}] * 2
    letters = [a for a in "acdfghijklmnpsuvwy" if a not in flat and sum(a in t.lower() for t in pool) > len(pool) / 4]
    if letters:
        found.append({"kind": "no_letter", "letter": rng.choice(letters)})
    if any("," in text for text in pool) or (one.task != "list" and rng.random() < 0.4):
        found.append({"kind": "no_commas"})
    if any(word in NUMBERS[2:] for word in said):
        found += [{"kind": "no_digits"}] * 3
    if count > 4:
        found.append({"kind": "no_repeats"})
    longest = max(len(re.sub(r"[\W\d_]", "", word)) for word in said)
    if any(len(re.sub(r"[\W\d_]", "", word)) > longest for word in [*source, *heard]) and longest > 4:
        found.append({"kind": "longest_word", "most": longest})
    first, last = gold.split()[0], gold.rstrip(".").split()[-1]
    if one.task != "list":
        if first.isalpha() and len(first) > 1:
            found += [{"kind": "start", "word": first}] * 2
        if last.isalpha() and not plan.get("closer"):
            found += [{"kind": "end", "word": last}] * 2
    body = said[len(one.title.split()) if plan.get("heading") else 0 :]
    wanted = [w for w in body if w.isalpha() and len(w) > 2 and w not in answer_words and heard[w] < 0.8 * len(pool)]
    wanted = [w for w in wanted if w in one.scene or w.capitalize() not in one.scene]
    if wanted:
        found.append(
            {"kind": "include", "words": rng.sample(sorted(set(wanted)), min(len(set(wanted)), rng.choice((1, 1, 2))))}
        )
        found.append({"kind": "once", "word": rng.choice(sorted(wanted))})
    shunned = sorted({w for w in [*source, *heard] if w.isalpha() and len(w) > 3} - set(said) - answer_words)
    tempting = [w for w in shunned if heard[w] > len(pool) / 8] or [w for w in shunned if w in bare(one.ask)]
    if tempting:
        found.append({"kind": "avoid", "words": rng.sample(tempting, min(len(tempting), rng.choice((1, 1, 2))))})
    rng.shuffle(found)
    return [check for check in found if OBEYED[check["kind"]](gold, check)]


GROUPS = {
    "size": "words_exact words_most words_between characters_most line_words",
    "block": "one_paragraph",
    "form": "sentences bullets numbered lines separated",
    "case": "lower upper title",
    "first": "start number_first heading",
    "last": "end question_end no_final_stop sign_off",
    "words": "include avoid once",
    "spelling": "no_letter no_repeats longest_word no_commas no_digits",
}
GROUP = {kind: group for group, kinds in GROUPS.items() for kind in kinds.split()}


def chain(rng: random.Random, gold: str, pool: list[str], one: Question, plan: dict[str, Any]) -> list[Check] | None:
    """Two to five instructions that this gold obeys, one of them about length; None if this form needs too many."""
    checks = required(gold, one, plan)
    size = rng.choices((2, 3, 4, 5), (18, 32, 30, 20))[0]
    taken = {GROUP.get(check["kind"], check["kind"]) for check in checks}
    spare = optional(rng, gold, pool, one, plan)
    has_length = any(check["kind"] in LENGTHS.split() for check in checks)
    if not has_length:
        spare.sort(key=lambda check: check["kind"] not in LENGTHS.split())
    for check in spare:
        group = GROUP[check["kind"]]
        if len(checks) >= size:
            break
        if group not in taken and not (has_length is False and check["kind"] not in LENGTHS.split()):
            checks.append(check)
            taken.add(group)
            if not has_length:
                has_length = True
                rng.shuffle(spare)
                rest = [other for other in spare if GROUP[other["kind"]] not in taken]
                return _filled(rng, checks, rest, taken, size)
    return _filled(rng, checks, [], taken, size) if has_length else None


def _filled(
    rng: random.Random, checks: list[Check], rest: list[Check], taken: set[str], size: int
) -> list[Check] | None:
    for check in rest:
        if len(checks) < size and GROUP[check["kind"]] not in taken:
            checks.append(check)
            taken.add(GROUP[check["kind"]])
    rng.shuffle(checks)
    return checks if 2 <= len(checks) <= 5 else None


# --- prompts ----------------------------------------------------------------------------------------------------------


def worded(rng: random.Random, check: Check, one: Question, plan: dict[str, Any], held: bool) -> str:
    """An instruction in words."""
    kind = check["kind"]
    if kind == "bullets" and check.get("mark"):
        kind = "dashes"
    if kind in ("include", "avoid") and len(check["words"]) == 2:
        kind += "2"
    common, own = PHRASES[kind]
    text = rng.choice([*common, *own] if held else common)
    count = check.get("count", check.get("most", 0))
    framed = [part for part, there in (("heading", plan.get("heading")), ("last line", plan.get("sign"))) if there]
    if kind == "lines":
        count -= len(framed)
    number = NUMBERS[count] if count < len(NUMBERS) and rng.random() < 0.6 else str(count)
    plural, single = MARKS.get(check.get("mark", ""), ("", ""))
    label = label_of(one)
    values = {
        "n": number,
        "N": number.capitalize(),
        "m": str(count + 1),
        "a": str(check.get("least", "")),
        "b": str(check.get("most", "")),
        "s": "" if count == 1 else "s",
        "extra": f" (the {' and the '.join(framed)} not counted)" if framed else "",
        "mark": plural if "separated by" in text or "by {mark}" in text else single,
        "text": check.get("text", ""),
        "letter": check.get("letter", ""),
        "word": check.get("word", ""),
        "words": " and ".join(f'"{word}"' for word in check.get("words", ())),
        "label": label,
        "Label": label.capitalize(),
    }
    return re.sub(r"\{(\w+)\}", lambda match: values[match.group(1)], text)


LEADS = ("Also: ", "And: ", "One more thing: ", "Besides: ", "Finally: ")


def composed(rng: random.Random, one: Question, rules: list[str]) -> str:
    """A prompt: the text, the question and the instructions, in one of many arrangements."""
    text, ask = one.scene, one.ask
    if rng.random() < 0.2:
        rules = [*rules[:-1], rng.choice(LEADS) + rules[-1]]
    run = " ".join(rules)
    listed = "\n".join(f"- {rule}" for rule in rules)
    counted = "\n".join(f"{i}) {rule}" for i, rule in enumerate(rules, 1))
    shapes = (
        f"{text}\n\n{ask} {run}",
        f"{text}\n\n{ask}\n{run}",
        f"{ask}\n\n{text}\n\n{run}",
        f"{ask} {run}\n\n{text}",
        f"{text}\n\n{ask}\n{listed}",
        f"{text}\n\n{ask}\n{counted}",
        f"{run}\n\n{text}\n\n{ask}",
        f"{rules[0]}\n\n{text}\n\n{ask} {' '.join(rules[1:])}",
        f"{text}\n\nQuestion: {ask}\nRules for the answer: {run}",
        f'"""\n{text}\n"""\n{ask} {run}',
    )
    return rng.choice(shapes)


PHRASES = phrases()
CLOSERS, SIGN_OFFS = (common + own for common, own in (PHRASES["closers"], PHRASES["sign_offs"]))


def sample(rng: random.Random, one: Question, held: bool) -> tuple[Row, list[str]] | None:
    """A sample and further right answers to it, or None where this draw led nowhere."""
    plan = plan_for(rng, one)
    pool = list(dict.fromkeys(text for _ in range(POOL) if (text := render(rng, one, plan))))
    if len(pool) < 4:
        return None
    gold = pool[0]
    checks = chain(rng, gold, pool, one, plan)
    if checks is None or not obeys(gold, checks):
        return None
    same = Counter(bare(gold))
    others = [text for text in pool[1:] if obeys(text, checks)]
    others.sort(key=lambda text: -sum(((Counter(bare(text)) - same) + (same - Counter(bare(text)))).values()))
    if len(others) < 2:
        return None
    text = composed(rng, one, [worded(rng, check, one, plan, held) for check in checks])
    if gold.lower() in text.lower() or any(other.lower() in text.lower() for other in others[:3]):
        return None
    metadata = {"task": one.task, "checks": checks, "facts": one.facts, "rivals": one.rivals}
    if one.also:
        metadata["also"] = one.also
    if re.search(r"\b(?:not|never|leave out|stay at home|no longer|nothing|may the)\b", one.ask):
        metadata["negative"] = True
    picked = [others[0], others[-1], *others[len(others) // 2 : len(others) // 2 + 1]]
    return {"input": text, "target": gold, "metadata": metadata}, list(dict.fromkeys(picked))


def grams(text: str) -> set[str]:
    found = re.findall(r"\w+", text.lower())
    return {" ".join(found[i : i + NEAR]) for i in range(max(1, len(found) - NEAR + 1))}


def alike(rows: list[Row]) -> bool:
    """Whether a question comes twice running; then the gold of one sample might be right for the next."""
    return any(
        one["metadata"]["facts"] == two["metadata"]["facts"]
        for one, two in zip(rows, [*rows[1:], *rows[:1]], strict=True)
    )


def build() -> tuple[dict[str, list[Row]], list[Row]]:
    """Every split, in the order it is written, and the paraphrases of the test split."""
    rng = random.Random(SEED)
    groups: dict[str, list[Question]] = {split: [] for split in SIZES}
    for i, asked in enumerate(scenes()):
        split = "shots" if i < SHOT_SCENES else PATTERN[i % len(PATTERN)]
        groups[split] += asked[:1] if split == "shots" else asked
    for split, asked in groups.items():
        groups[split] = asked + [one for one in asked if one.task == "list"]
    splits: dict[str, list[Row]] = {}
    further: dict[int, list[str]] = {}
    seen: set[str] = set()
    for split, asked in groups.items():
        rows: list[Row] = []
        mine: set[str] = set()
        texts: set[str] = set()
        for one in itertools.islice(itertools.cycle(asked), SIZES[split] * 3):
            if len(rows) == SIZES[split]:
                break
            for _ in range(TRIES):
                made = sample(rng, one, split in ("test", "dev"))
                if made and not grams(made[0]["input"]) & seen and made[0]["input"] not in texts:
                    rows.append(made[0])
                    texts.add(made[0]["input"])
                    mine |= grams(made[0]["input"])
                    further[id(made[0])] = made[1]
                    break
        assert len(rows) == SIZES[split], (split, len(rows))
        seen |= mine
        rng.shuffle(rows)
        while split != "shots" and alike(rows):
            rng.shuffle(rows)
        if split == "shots":  # the shortest come first: four of them have to fit into a small model's context
            rows.sort(key=lambda row: len(row["input"]) + len(row["target"]))
        splits[split] = rows
    paraphrases = []
    for split, rows in splits.items():
        splits[split] = [{"id": f"instructions-{split}-{i:04d}", **one} for i, one in enumerate(rows, 1)]
        if split == "test":
            pairs = zip(splits[split], rows, strict=True)
            paraphrases = [{"id": new["id"], "paraphrase": further[id(old)]} for new, old in pairs]
    return splits, paraphrases


def write(folder: Path) -> None:
    """Writes the split files and the paraphrases into a folder."""
    splits, paraphrases = build()
    for name, rows in {**splits, "paraphrases": paraphrases}.items():
        lines = (json.dumps(one, ensure_ascii=False) for one in rows)
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", "utf-8", newline="\n")


if __name__ == "__main__":
    write(HERE)
