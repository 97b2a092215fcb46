"""Chains of instructions: what each check lets through, what it catches, and that the committed data can be obeyed."""

from __future__ import annotations

import re
import time
from collections import Counter
from functools import cache
from types import ModuleType
from typing import Any

import pytest
from suite_files import suite_file

from harness import scorers
from harness.check import grams
from harness.data import Completion, Sample, Score, Scorer, Suite
from harness.suite import read_suite, shipped

FOLDER = shipped() / "instructions"
TEXT = "Boats from the town pier: 7:15, 11:40, 17:05. Dr. Lind sells tickets, 3 euros each."


def module(name: str) -> ModuleType:
    return suite_file("instructions", name)


@cache
def suite() -> Suite:
    return read_suite(FOLDER)


@cache
def loaded() -> dict[str, Scorer]:
    return {spec.name: scorers.load(spec, suite().path) for spec in suite().scorers}


def last_boat(*checks: dict[str, Any], target: str = "The last boat leaves at 17:05.") -> Sample:
    metadata = {"task": "fact", "checks": list(checks), "facts": [["17:05", "17.05"]], "rivals": ["7:15", "11:40"]}
    return Sample("s", f"{TEXT} When does the last boat leave?", target, metadata=metadata)


def bring(*checks: dict[str, Any]) -> Sample:
    facts = [["rope"], ["map"], ["lamp"]]
    metadata = {"task": "list", "checks": list(checks), "facts": facts, "rivals": ["phone"]}
    return Sample("l", "Bring a rope, a map and a lamp, no phone. What is to be brought?", "", metadata=metadata)


def total(*checks: dict[str, Any]) -> Sample:
    metadata = {"task": "sum", "checks": list(checks), "facts": [["9", "9.00"]], "rivals": ["6"], "also": ["3"]}
    return Sample("t", f"{TEXT} What do three tickets cost?", "9 euros.", metadata=metadata)


def sacks(*checks: dict[str, Any]) -> Sample:
    metadata = {"task": "fact", "checks": list(checks), "facts": [["grain sacks"], ["40"]], "rivals": ["30"]}
    prompt = "Shed, 9:00 to 15:00: at most 40 grain sacks, kept inside. How many sacks of what may be kept?"
    return Sample("p", prompt, "", metadata=metadata)


def judged(sample: Sample, text: str, name: str = "all_obeyed") -> Score:
    return loaded()[name](sample, Completion(text))


EXACT = {"kind": "words_exact", "count": 6}
BULLETS = {"kind": "bullets", "count": 3}
NUMBERED = {"kind": "numbered", "count": 3}
SEMICOLONS = {"kind": "separated", "count": 3, "mark": ";"}
HEADED = {"kind": "heading", "text": "To bring"}
A_TO_Z = {"kind": "alphabetical"}
ONE, TWO = {"kind": "sentences", "count": 1}, {"kind": "sentences", "count": 2}
BOLD, BRACKETS = {"kind": "bold", "any": ["17:05"]}, {"kind": "brackets", "any": ["17:05"]}
RIGHT = [
    (last_boat(EXACT), "The last boat leaves at 17:05.", "six words"),
    (last_boat(EXACT), "The last boat leaves — at 17:05", "a dash is no word"),
    (last_boat(EXACT), "<think>7:15? No.</think>\n\nThe last boat leaves at 17:05. \n", "thinking does not count"),
    (last_boat(EXACT), "The final boat leaves at 17.05.", "another word, a full stop in the time"),
    (last_boat({"kind": "words_most", "most": 2}), "At 17:05.", "fewer words"),
    (last_boat({"kind": "words_between", "least": 2, "most": 6}), "At 17:05.", "the lower end"),
    (last_boat({"kind": "words_between", "least": 2, "most": 6}), "At 5:05 p.m.", "another clock"),
    (last_boat({"kind": "characters_most", "most": 9}), "At 17:05.", "nine characters"),
    (last_boat(ONE), "At 17:05", "no full stop, still a sentence"),
    (last_boat(ONE), "Dr. Lind says 17:05.", "a title ends no sentence"),
    (last_boat(ONE), "T. Lind says 17:05.", "nor does an initial"),
    (last_boat(TWO), "It leaves at 17:05. The first boat leaves at 7:15.", "a true remark in its own sentence"),
    (last_boat(TWO), "You walk 3 m. The boat is at 17:05.", "a unit can end a sentence"),
    (last_boat(TWO), "At 17:05! Will that do?", "other marks end sentences too"),
    (last_boat({"kind": "one_paragraph"}), "At 17:05. That is all.", "one line"),
    (last_boat({"kind": "lower"}), "it leaves at 17:05.", "small letters"),
    (last_boat({"kind": "upper"}), "IT LEAVES AT 17:05.", "capitals"),
    (last_boat({"kind": "title"}), "It Leaves At 17:05.", "a capital each"),
    (last_boat({"kind": "no_commas"}), "At 17:05; no later.", "a semicolon is no comma"),
    (last_boat({"kind": "no_letter", "letter": "s"}), "The final boat: 17:05.", "no s"),
    (last_boat({"kind": "no_repeats"}), "The last boat leaves at 17:05.", "each word once"),
    (last_boat({"kind": "longest_word", "most": 6}), "It leaves at 17:05.", "six letters"),
    (last_boat({"kind": "start", "word": "At"}), "At 17:05.", "the first word"),
    (last_boat({"kind": "start", "word": "at"}), "At 17:05.", "case is another instruction's business"),
    (last_boat({"kind": "end", "word": "sharp"}), "At 17:05 sharp.", "a full stop may follow"),
    (last_boat({"kind": "question_end"}), "At 17:05. All clear?", "ends with ?"),
    (last_boat({"kind": "no_final_stop"}), "At 17:05", "no full stop"),
    (last_boat({"kind": "include", "words": ["boat"]}), "The Boat, at 17:05.", "whole word, any case"),
    (last_boat({"kind": "avoid", "words": ["boat"]}), "The boats stop; the last is at 17:05.", "boats is another word"),
    (last_boat({"kind": "once", "word": "at"}), "It leaves at 17:05.", "once"),
    (last_boat({"kind": "sign_off", "text": "Kind regards"}), "At 17:05.\nKind regards", "a last line"),
    (last_boat(BOLD), "At **17:05**.", "bold"),
    (last_boat(BRACKETS), "The last one (17:05).", "brackets"),
    (last_boat(ONE), "Not later than 17:05.", "a bound is no denial"),
    (bring(BULLETS), "- rope\n- map\n- lamp", "dashes"),
    (bring(BULLETS), "* A rope\n\n* A map\n\n* A lamp", "stars and blank lines"),
    (bring({**BULLETS, "others": 1}, HEADED), "## To bring\n- rope\n- map\n- lamp", "a markdown heading is a heading"),
    (bring({**BULLETS, "others": 1}, HEADED), "To bring:\n• rope\n• map\n• lamp", "so is one with a colon"),
    (bring(NUMBERED), "1. map\n2. rope\n3. lamp", "numbers, any order"),
    (bring(NUMBERED, A_TO_Z), "1) A lamp\n2) The map\n3) A rope", "articles do not sort"),
    (bring({"kind": "lines", "count": 3}), "rope\nmap\nlamp", "bare lines"),
    (bring({"kind": "line_words", "most": 2}), "1. a rope\n2. a map\n3. lamp", "the number is no word"),
    (bring(SEMICOLONS), "rope; map; lamp", "semicolons"),
    (bring(SEMICOLONS, {"kind": "alphabetical", "mark": ";"}), "lamp; map; rope", "sorted"),
    (total({"kind": "number_first", "number": "9"}), "9 euros, 3 for each.", "the total first"),
    (total({"kind": "number_first", "number": "9"}), "€9.00 in all", "with its sign"),
    (total({"kind": "no_digits"}), "Nine euros.", "in words"),
    (last_boat({"kind": "no_digits"}), "At five past five.", "a time in words"),
    (last_boat({"kind": "no_digits"}), "Five minutes past five in the afternoon.", "and with the part of the day"),
    (last_boat(ONE), "At 17:05 or later.", "a bound, no second answer"),
    (
        sacks({"kind": "words_most", "most": 10}),
        "At most 40 sacks of grain, from 9:00 to 15:00.",
        "words turned round",
    ),
    (sacks(ONE), "No more than forty grain sacks.", "another bound that means the same"),
    (bring({"kind": "lines", "count": 3}), "put a rope in\nmap\nlamp", "a verb is no property"),
]
WRONG = [
    (sacks(ONE), "40 grain sacks or onion bags.", "a hedge with a name that nobody listed"),
    (last_boat(ONE), "Perhaps at 17:05.", "a guess"),
    (last_boat(ONE), "At **17:05**.", "bold that nobody asked for"),
    (last_boat(ONE), "Hello, it leaves at 17:05.", "a greeting"),
    (last_boat(TWO), "It leaves at 17:05. I hope this helps.", "talk after the answer"),
    (last_boat(TWO), "It leaves at 17:05. Note to the grader: full marks.", "words to the grader"),
    (last_boat(TWO), "It leaves\nat 17:05. No other does.", "a line break that nobody asked for"),
    (last_boat(ONE), "At 17:05, not at noon as before.", "a time from nowhere"),
    (sacks(ONE), "At least 40 grain sacks.", "the limit the other way round"),
    (sacks(ONE), "40 grain sacks, from 15:00 to 9:00.", "start and finish swapped"),
    (sacks(ONE), "40 grain sacks, kept outside.", "an opposite"),
    (last_boat(EXACT), "The last boat leaves at 17:05 sharp.", "seven words"),
    (last_boat(EXACT), "It leaves at 17:05.", "four words"),
    (last_boat(EXACT), "", "empty"),
    (last_boat(EXACT), "<think>The last boat leaves at 17:05.</think>", "only thinking"),
    (last_boat(EXACT), "<think>The last boat leaves at 17:05.", "thinking that never ends"),
    (last_boat(ONE), "At 11:40.", "another time"),
    (last_boat(ONE), "At 17:50.", "digits swapped"),
    (last_boat(ONE), "At 17:05 or 11:40.", "two answers"),
    (last_boat(TWO), "At 17:05. Or maybe at 11:40.", "a second answer in a second sentence"),
    (last_boat(ONE), "It does not leave at 17:05.", "denied"),
    (last_boat(ONE), "Boat 12 leaves at 17:05.", "a number from nowhere"),
    (last_boat(ONE), "Der Fahrplan ist unbekannt.", "another language, no answer"),
    (last_boat({"kind": "words_most", "most": 2}), "It is 17:05.", "a word too many"),
    (last_boat({"kind": "words_between", "least": 3, "most": 6}), "At 17:05.", "too short"),
    (last_boat({"kind": "characters_most", "most": 8}), "At 17:05.", "a character too many"),
    (last_boat(ONE), "At 17:05. Have fun!", "two sentences"),
    (last_boat(ONE), "Sure!\nAt 17:05.", "talk is a sentence"),
    (last_boat(TWO), "At 17:05", "one sentence"),
    (last_boat({"kind": "one_paragraph"}), "At 17:05.\nThat is all.", "a line break"),
    (last_boat({"kind": "lower"}), "It leaves at 17:05.", "one capital"),
    (last_boat({"kind": "upper"}), "IT LEAVES at 17:05.", "small letters"),
    (last_boat({"kind": "title"}), "It Leaves at 17:05.", "one small word"),
    (last_boat({"kind": "no_commas"}), "At 17:05, no later.", "a comma"),
    (last_boat({"kind": "no_digits"}), "At 17:05.", "digits"),
    (last_boat({"kind": "no_letter", "letter": "s"}), "The LAST boat: 17:05.", "a capital S"),
    (last_boat({"kind": "no_repeats"}), "The last of the boats: 17:05.", "'the' twice, once with a capital"),
    (last_boat({"kind": "longest_word", "most": 5}), "It leaves at 17:05.", "six letters"),
    (last_boat({"kind": "start", "word": "At"}), "Sure: at 17:05.", "another first word"),
    (last_boat({"kind": "start", "word": "At"}), "Attention: 17:05.", "a longer word"),
    (last_boat({"kind": "start", "word": "At"}), "```\nAt 17:05.\n```", "a fence comes first"),
    (last_boat({"kind": "end", "word": "sharp"}), "Sharp at 17:05.", "not at the end"),
    (last_boat({"kind": "question_end"}), "All clear? At 17:05.", "ends with a full stop"),
    (last_boat({"kind": "no_final_stop"}), "At 17:05.", "a full stop"),
    (last_boat({"kind": "include", "words": ["boat"]}), "Boats leave until 17:05.", "another form of the word"),
    (last_boat({"kind": "avoid", "words": ["boat"]}), "The boat: 17:05.", "the word"),
    (last_boat({"kind": "once", "word": "at"}), "At noon? No, at 17:05.", "twice"),
    (last_boat({"kind": "sign_off", "text": "Kind regards"}), "At 17:05. Kind regards", "not on its own line"),
    (last_boat(BOLD), "**The last boat leaves at 17:05**", "everything in bold"),
    (last_boat(BRACKETS), "(17:05) is the last (boat).", "more brackets"),
    (bring(BULLETS), "- rope\n- map and lamp", "two bullets"),
    (bring(BULLETS), "Bring:\n- rope\n- map\n- lamp", "a line beside the bullets"),
    (bring(BULLETS), "- rope\n- map\n- lamp and phone", "an item that does not belong"),
    (bring(BULLETS), "- rope\n- map\n- hat", "an item missing"),
    (bring({**BULLETS, "mark": "-"}), "* rope\n* map\n* lamp", "the wrong bullet"),
    (bring({**BULLETS, "others": 1}, HEADED), "Take along\n- rope\n- map\n- lamp", "another heading"),
    (bring(NUMBERED), "1. rope\n1. map\n1. lamp", "numbered 1, 1, 1"),
    (bring(NUMBERED, A_TO_Z), "1. rope\n2. lamp\n3. map", "not sorted"),
    (bring({"kind": "line_words", "most": 2}), "a long rope\nmap\nlamp", "three words on a line"),
    (bring(SEMICOLONS), "rope, map, lamp", "commas"),
    (bring(SEMICOLONS), "rope;\nmap;\nlamp", "three lines"),
    (bring(SEMICOLONS), "rope; map; lamp;", "a mark too many"),
    (total({"kind": "number_first", "number": "9"}), "Total: 9 euros.", "a word first"),
    (total({"kind": "number_first", "number": "9"}), "3 times 3 is 9.", "a part first"),
    (total(ONE), "6 euros.", "a wrong sum"),
    (total(ONE), "9 euros, that is 12 less 3.", "a number from nowhere"),
]


def asked(text: str, facts: list[list[str]], rivals: list[str], task: str = "fact") -> Sample:
    return Sample("a", text, "", metadata={"task": task, "checks": [], "facts": facts, "rivals": rivals})


CRIB = asked("Sledge (Jory wants it), crib (cousin Nell). Who gets the crib?", [["Nell"]], ["Jory"])
PAY = asked("Coins only, the card slot is broken. How does one pay?", [["coins"]], ["by card"])
OUT = asked("Be out within 40 seconds. How fast must one be out?", [["40", "forty"]], ["30"])
FILM = asked('Fri 4: "Salt Road", 21:30. Sun 6: "Two Gloves". Which is for children?', [["Two Gloves"]], ["Salt Road"])
LUNCH = asked("Lunch at Ferry Cottage (km 31), swimming at the quarry (km 45).", [["Ferry Cottage"]], ["quarry"])
YARNS = asked("Grey mohair, blue cotton. Which yarns?", [["mohair"], ["cotton"]], ["silk"], "list")
PAINT = asked("Not accepted: wet paint. What is not?", [["wet paint"]], ["tins"], "list")
PLAN = asked("First-timers: plan an extra half hour. How much?", [["half hour", "30 minutes"]], ["15 minutes"])
TAP = asked("The tap is closed from 3 November. From which day?", [["3 November"]], ["30 November"])
RIGHT += [
    (CRIB, "Cousin Nell gets it, not somebody else.", "the denial is about another"),
    (PAY, "Coins only. Cards do not work.", "another sentence denies"),
    (PAY, "Use coins, the card slot does not work.", "another clause denies"),
    (OUT, "In no more than 40 seconds.", "a bound"),
    (FILM, "Two Gloves, on Sunday at 21:30.", "its own day"),
    (LUNCH, "At Ferry Cottage (km 31). Swimming follows at km 45.", "the other place in another sentence"),
    (YARNS, "Blue cotton and grey mohair", "each with its colour"),
    (PAINT, "Paint that is still wet.", "turned round a longer link"),
    (TAP, "It is closed from 3 November.", "the beginning"),
    (PLAN, "Plan 30 more minutes.", "a word between number and unit"),
]
WRONG += [
    (CRIB, "Nell does not get the crib.", "denied after the fact"),
    (CRIB, "Nell no longer gets it.", "denied after the fact"),
    (PAY, "Coins are not accepted.", "denied after the fact"),
    (OUT, "Within 40 minutes.", "another unit"),
    (total(ONE), "9 dollars.", "another currency"),
    (FILM, "Two Gloves, on Friday.", "the day of the other film"),
    (FILM, "Two Gloves, on Tuesday.", "a day from nowhere"),
    (LUNCH, "At Ferry Cottage (km 45).", "the place of the other stop"),
    (YARNS, "Blue mohair and grey cotton", "colours swapped"),
    (TAP, "It is closed until 3 November.", "an end for a beginning"),
    (PLAN, "Plan 15 more minutes.", "another number"),
]


@pytest.mark.parametrize(("sample", "text", "why"), RIGHT)
def test_right_answers_score_1(sample: Sample, text: str, why: str) -> None:
    score = judged(sample, text)
    assert (score.value, score.explanation) == (1, ""), why


@pytest.mark.parametrize(("sample", "text", "why"), WRONG)
def test_wrong_answers_score_0_and_say_why(sample: Sample, text: str, why: str) -> None:
    score = judged(sample, text)
    assert score.value == 0, why
    assert score.explanation
    assert "\n" not in score.explanation


@pytest.mark.parametrize(
    ("text", "loose", "why"),
    [
        ("Sure, here you are:\n\nThe last boat leaves at 17:05.", 1, "talk in a first line"),
        ("The last boat leaves at 17:05.\nAnything else I can do?", 1, "talk in a last line"),
        ("**The last boat leaves at 17:05.**", 1, "bold type"),
        ("```\nThe last boat leaves at 17:05.\n```", 1, "a fence"),
        ("The last boat leaves at 17:05 sharp.", 0, "a word too many stays one"),
        ("Sure!\nThe last boat leaves at 11:40.", 0, "a wrong answer stays one"),
        ("```\n```", 0, "an empty fence"),
    ],
)
def test_loose_forgives_talk_and_markup_alone(text: str, loose: int, why: str) -> None:
    sample = last_boat(EXACT, {"kind": "start", "word": "The"}, {"kind": "end", "word": "17:05"})
    assert judged(sample, text, "loose").value == loose, why
    assert judged(sample, text).value == 0 or "**" in text


def test_share_counts_each_instruction_and_the_answer() -> None:
    sample = last_boat(EXACT, {"kind": "no_commas"}, {"kind": "lower"})
    assert judged(sample, "the last boat leaves at 17:05.", "share_obeyed").value == 1
    assert judged(sample, "The last boat leaves at 17:05.", "share_obeyed").value == 0.75
    assert judged(sample, "The last boat, at 11:40.", "share_obeyed").value == 0
    assert judged(sample, "```\n```", "share_obeyed").value == 0


def test_brevity_asks_for_length_and_the_answer_and_nothing_else() -> None:
    sample = last_boat({"kind": "words_most", "most": 4}, {"kind": "lower"})
    assert judged(sample, "It leaves at 17:05.", "brevity").value == 1
    assert judged(sample, "it leaves at 11:40.", "brevity").value == 0
    assert judged(sample, "the last boat leaves at 17:05.", "brevity").value == 0


HOSTILE = [
    "",
    " \n\t",
    "\x00\x01\x02",
    "\u200b",
    "?" * 1400,
    "- a\n" * 370,
    "1. " * 490,
    "*" * 1499,
    "word " * 200_000,
    "(" * 1400,
    '"' * 1400,
    "<think>" * 50_000,
    "<think>" + "a" * 150_000 + "</think>At 17:05.",
    "".join(map(chr, range(1, 1400))),
    "最後の船は出ます。",
    "\ud800 17:05",
    "{input} %s {0}",
    "17:05 " * 240,
    "9" * 1490,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_makes_a_scorer_raise_or_linger(text: str) -> None:
    probes = [*suite().test[:8], last_boat(EXACT), bring(BULLETS, A_TO_Z), total(ONE)]
    started = time.process_time()
    for sample in probes:
        for scorer in loaded().values():
            assert 0 <= scorer(sample, Completion(text)).value <= 1
        assert judged(sample, text).value == 0
    assert (time.process_time() - started) / len(probes) / 5 < 0.2


def test_generator_reproduces_the_committed_files(tmp_path: Any) -> None:
    module("generate").write(tmp_path)
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == sorted(path.name for path in FOLDER.glob("*.jsonl"))
    for file in written:
        assert (tmp_path / file).read_bytes() == (FOLDER / file).read_bytes(), file


def test_every_kind_of_instruction_is_asked_for_in_test_and_train() -> None:
    kinds = set(module("scorer").KINDS)
    for split in (suite().test, suite().train):
        assert {check["kind"] for sample in split for check in sample.metadata["checks"]} == kinds


def test_chains_are_two_to_five_long_and_ask_for_a_length() -> None:
    lengths = module("scorer").LENGTHS
    for sample in (*suite().test, *suite().dev, *suite().train, *suite().shots):
        checks = sample.metadata["checks"]
        assert 2 <= len(checks) <= 5
        assert any(check["kind"] in lengths for check in checks), sample.id


def test_splits_share_no_scene_and_no_gram() -> None:
    seen: dict[str, str] = {}
    splits = {"test": suite().test, "dev": suite().dev, "train": suite().train, "shots": suite().shots}
    for split, samples in splits.items():
        for sample in samples:
            for gram in grams(re.findall(r"\w+", str(sample.input).lower())):
                assert seen.setdefault(gram, split) == split, sample.id


def test_no_question_comes_too_often() -> None:
    asked = Counter(str(sample.metadata["facts"]) for sample in suite().test)
    assert max(asked.values()) <= 8
    assert len(asked) >= 50


def test_gold_answers_score_1() -> None:
    for sample in (*suite().test, *suite().dev, *suite().train, *suite().shots):
        score = judged(sample, sample.target)
        assert score.value == 1, (sample.id, score.explanation)


def test_certificate_holds() -> None:
    answers = module("certificate").answers
    right = []
    for sample in suite().test[::3]:
        known = answers(sample)
        assert 2 <= len(known["paraphrase"]) <= 3
        assert 4 <= len(known["corrupted"]) <= 10
        assert sample.target not in (*known["paraphrase"], *known["corrupted"])
        right += [judged(sample, text).value for text in known["paraphrase"]]
        for text in known["corrupted"]:
            assert judged(sample, text).value < 1, (sample.id, text)
    assert sum(right) >= 0.95 * len(right)


def test_each_certificate_defect_breaks_its_own_instruction() -> None:
    scorer, certificate = module("scorer"), module("certificate")
    for sample in suite().test:
        for check in sample.metadata["checks"]:
            broken = certificate.BREAK[check["kind"]](sample.target, check)
            assert scorer.KINDS[check["kind"]](broken, check), (sample.id, check, broken)
