"""What proves the primary scorer: for a test sample, further right answers and answers with one defect each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

Check = Mapping[str, Any]
HERE = Path(__file__).parent
TALK = "Please let me know if you need anything further about this matter."


def answers(sample: Any) -> Mapping[str, Sequence[str]]:
    """{"paraphrase": right answers to the same chain, from the scene's grammar, "corrupted": the gold with a defect}.

    One corrupted answer for every instruction of the chain (it alone is broken, or another falls with it), and up to
    five whose answer is wrong: the fact replaced, left out, denied, given beside another, or a number changed.
    """
    gold, metadata = str(sample.target), sample.metadata
    broken = [BREAK[check["kind"]](gold, check) for check in metadata["checks"]]
    found = [text for text in (*broken, *wrong(gold, metadata)) if text != gold]
    if len(found) < 5:
        found += [_like(f"{rival}.", gold) for rival in metadata["rivals"]] + [_like("That is not said.", gold)]
    return {"paraphrase": _paraphrases()[sample.id], "corrupted": list(dict.fromkeys(found))[:10]}


@cache
def _paraphrases() -> dict[str, list[str]]:
    lines = (HERE / "paraphrases.jsonl").read_text("utf-8").splitlines()
    return {str(row["id"]): list(row["paraphrase"]) for row in map(json.loads, lines)}


# --- the answer is wrong ----------------------------------------------------------------------------------------------


def wrong(gold: str, metadata: Mapping[str, Any]) -> list[str]:
    """The gold with another fact, without it, with a second answer, a denied answer or an item that does not belong."""
    rival = str(metadata["rivals"][0])
    found = []
    for fact in metadata["facts"][-2:]:
        wording, at = _place(gold, fact)
        if at < 0:
            continue
        said = gold[at : at + len(wording)]
        alike = _like(rival, said)
        before, after = gold[:at], gold[at + len(wording) :]
        found += [before + other + after for other in (alike, "something", *map(str, metadata["rivals"][1:2]))]
        if metadata["task"] == "list":
            found.append(before + said + " and " + alike + after)
        elif fact is metadata["facts"][0]:
            found.append(before + said + _like(" or ", said) + alike + after)
            found += [] if metadata.get("negative") else [before + _like("not ", said) + said + after]
    return found


def _place(gold: str, fact: Sequence[str]) -> tuple[str, int]:
    """The longest wording of a fact that stands in the gold, and where; ("", -1) if it is inflected there."""
    for wording in sorted(fact, key=len, reverse=True):
        match = re.search(rf"(?<![\w.:]){re.escape(wording)}(?![\w:]|[.]\d)", gold, re.IGNORECASE)
        if match:
            return wording, match.start()
    return "", -1


def _like(text: str, model: str) -> str:
    """A text in the case of another."""
    if model.islower():
        return text.lower()
    return text.upper() if model.isupper() and len(model) > 1 else text


# --- an instruction is broken -----------------------------------------------------------------------------------------


def _one_word_more(gold: str, check: Check) -> str:
    """A filler word before the last word of the last line."""
    head, last = re.fullmatch(r"(.*?)(\S+)", gold, re.DOTALL).groups()  # type: ignore[union-attr]
    return f"{head}{_like('then', last)} {last}"


def _long_winded(gold: str, check: Check) -> str:
    """Talk after the answer, as much as it takes to go over the limit."""
    text, limit = gold, int(check["most"])
    while _length(text, check["kind"]) <= limit + 5:
        text = f"{text} {_like(TALK, gold)}"
    return text


def _length(text: str, kind: str) -> int:
    return len(text) if kind == "characters_most" else len(text.split("\n")[-1].split())


def _one_sentence_more(gold: str, check: Check) -> str:
    return f"{gold} {_like('I hope this helps.', gold)}" if gold[-1] in ".?!" else f"{gold}. I hope this helps."


def _one_line_less(gold: str, check: Check) -> str:
    """Two lines of the list run together."""
    rows = gold.split("\n")
    at = next((i for i, row in enumerate(rows[:-1]) if re.match(r"- |\d\. ", row)), 0)
    return "\n".join([*rows[:at], f"{rows[at]}, {rows[at + 1]}", *rows[at + 2 :]])


def _other_labels(gold: str, check: Check) -> str:
    return re.sub(r"(?m)^\d+\. ", "- ", gold)


def _mark_swapped(gold: str, check: Check) -> str:
    return re.sub(rf" ?{re.escape(check['mark'])}", ",", gold)


def _line_broken(gold: str, check: Check) -> str:
    return re.sub(r"([.?!]) ", r"\1\n", gold, count=1)


def _backwards(gold: str, check: Check) -> str:
    """The first two items change places."""
    mark = check.get("mark")
    rows = gold.split("\n")
    above = int(check.get("above", 0))
    if mark:
        parts = [part.strip() for part in rows[above].split(mark)]
        rows[above] = f" {mark} ".join([parts[1], parts[0], *parts[2:]])
        return "\n".join(rows)
    one, two = rows[above : above + 2]
    label = re.compile(r"\A(?:- |\d+\. )?")
    first, second = label.match(one), label.match(two)
    assert first is not None
    assert second is not None
    rows[above : above + 2] = [first.group() + two[second.end() :], second.group() + one[first.end() :]]
    return "\n".join(rows)


def _ordinary_case(gold: str, check: Check) -> str:
    """The one letter or word that slips back: a capital in small letters, small letters among capitals."""
    word = str(re.findall(r"[^\W\d_]{2,}", gold)[-1])
    at = gold.rindex(word)
    other = word.capitalize() if check["kind"] == "lower" else word.lower()
    return gold[:at] + other + gold[at + len(word) :]


def _word_put_in(word: str) -> Callable[[str, Check], str]:
    return lambda gold, check: re.sub(r"(\S+)\Z", rf"{_like(word, gold)} \1", gold)


def _without(gold: str, check: Check) -> str:
    return re.sub(rf"(?i)(?<!\w){re.escape(check['words'][0])}(?!\w)", "that", gold)


def _twice(gold: str, check: Check) -> str:
    word = check["word"]
    return re.sub(
        rf"(?i)(?<!\w){re.escape(word)}(?!\w)", lambda match: f"{match.group()} {match.group()}", gold, count=1
    )


def _avoided_used(gold: str, check: Check) -> str:
    return _word_put_in(check["words"][-1])(gold, check)


def _letter_used(gold: str, check: Check) -> str:
    word = next(word for word in WORDS.split() if check["letter"] in word)
    return _word_put_in(word)(gold, check)


def _word_repeated(gold: str, check: Check) -> str:
    """The first word of the gold once more, before the last."""
    said = re.findall(r"\w+(?:[:.]\w+)*", re.sub(r"(?m)^\d+\. ", "", gold))
    return _word_put_in(said[0])(gold, check)


def _digits_used(gold: str, check: Check) -> str:
    numbers = dict(zip(DIGITS.split(), [*map(str, range(2, 11)), "40"], strict=True))
    return re.sub(rf"(?i)\b({'|'.join(numbers)})\b", lambda match: numbers[match.group().lower()], gold, count=1)


DIGITS = "two three four five six seven eight nine ten forty"
WORDS = "always clearly definitely formally going just kindly likely maybe now perhaps quickly simply usually very why"
BREAK: dict[str, Callable[[str, Check], str]] = {
    "words_exact": _one_word_more,
    "words_most": _long_winded,
    "words_between": _long_winded,
    "sentences": _one_sentence_more,
    "characters_most": _long_winded,
    "bullets": _one_line_less,
    "numbered": _other_labels,
    "lines": _one_line_less,
    "line_words": _long_winded,
    "separated": _mark_swapped,
    "one_paragraph": _line_broken,
    "alphabetical": _backwards,
    "heading": lambda gold, check: gold.split("\n", 1)[1],
    "sign_off": lambda gold, check: gold.rsplit("\n", 1)[0],
    "lower": _ordinary_case,
    "upper": _ordinary_case,
    "title": _ordinary_case,
    "no_commas": lambda gold, check: re.sub(r"(\w) (\w)", r"\1, \2", gold, count=1) if " " in gold else f"{gold},",
    "no_digits": _digits_used,
    "no_letter": _letter_used,
    "no_repeats": _word_repeated,
    "longest_word": _word_put_in("straightforwardly"),
    "start": lambda gold, check: f"{_like('Answer:', gold)} {gold}",
    "end": lambda gold, check: re.sub(r"(\W*)\Z", rf" {_like('indeed', gold)}\1", gold, count=1),
    "question_end": lambda gold, check: gold.rstrip("?") + ".",
    "no_final_stop": lambda gold, check: f"{gold}.",
    "include": _without,
    "avoid": _avoided_used,
    "once": _twice,
    "number_first": lambda gold, check: f"{_like('Total:', gold)} {gold}",
    "quoted": lambda gold, check: gold.replace('"', ""),
    "bold": lambda gold, check: gold.replace("**", ""),
    "brackets": lambda gold, check: gold.replace("(", "").replace(")", ""),
}
