"""SOAP notes: which notes score, which do not and why, how negation is read, and what the shipped data promise."""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness import scorers
from harness.check import grams
from harness.data import Completion, Sample, Score, Suite
from harness.suite import read_suite, shipped

FOLDER = shipped() / "soap"
TALK = """Ida Brock, 54, dock worker
Doctor: Morning, Ida. What's the trouble?
Patient: My chest goes tight on the stairs, three weeks now. And my right knee aches. No, sorry, left, the left knee.
Doctor: Do you get out of breath with it? Any cough?
Patient: I'm puffed, yes. No cough. My mother had diabetes, she always coughed. Is it cancer, doctor?
Doctor: I see no sign of that. What are you taking?
Patient: Lisinopril, a hundred, no wait, ten milligrams, once a day. And I can't have penicillin, I swell up.
Doctor: Blood pressure's one twenty-eight over eighty-two. Heart rate ninety. No murmur. It sounds like angina.
Take aspirin, seventy-five milligrams once a day. I'll refer you to the chest pain clinic. If the pain comes on at rest,
you ring for an ambulance. See me in two weeks."""


def fact(name: str, section: str, polarity: str, *patterns: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "section": section, "polarity": polarity, "any": list(patterns), **more}


FACTS = [
    fact("chest-pain", "S", "present", "chest & tight*|pain*", values=[[3, "week"]]),
    fact("knee-pain", "S", "present", "knee & pain*|ache*|aching", side="left"),
    fact("dyspnoea", "S", "present", "short* & breath", "breathless*", "dyspn*"),
    fact("cough", "S", "absent", "cough*"),
    fact("family", "S", "family", "diabet*"),
    fact("trap-cancer", "S", "hypothetical", "cancer", required=False),
    fact("takes-lisinopril", "S", "present", "lisinopril", values=[[10, "mg"]], freq="od"),
    fact("allergy", "S", "present", "penicillin & allerg*"),
    fact("vital-bp", "O", "present", "bp", "blood pressure", values=[[128, "mmhg"], [82, "mmhg"]]),
    fact("vital-hr", "O", "present", "hr", "heart rate", "pulse", values=[[90, "bpm"]]),
    fact("murmur", "O", "absent", "murmur*"),
    fact("angina", "A", "present", "angina"),
    fact("prescribe-aspirin", "P", "present", "aspirin", values=[[75, "mg"]], freq="od"),
    fact("clinic", "P", "present", "clinic|refer*"),
    fact("rest-pain", "P", "hypothetical", "pain & rest"),
    fact("review", "P", "present", "review*|follow*|see", values=[[2, "week"]]),
]
SAMPLE = Sample("s", TALK, "", metadata={"facts": FACTS, "retracted": ["100"]})
S = (
    "S: Chest tightness on exertion for 3 weeks. Left knee pain. Reports breathlessness. Denies cough. Family history "
    "of diabetes (mother). Takes lisinopril 10 mg once daily. Allergic to penicillin."
)
OBJECTIVE = "O: BP 128/82 mmHg, HR 90 bpm. No murmur."
A = "A: Angina, likely."
P = "P: Aspirin 75 mg once daily. Refer to the chest pain clinic. Ambulance if pain comes on at rest. Review in 2 weeks"
NOTE = "\n".join((S, OBJECTIVE, A, P))
BULLETS = """S:
- 3-week history of tightness across the chest; SOB
- L knee aching
- No cough
- Mother: diabetes
- Meds: lisinopril 10mg OD
- Allergies: penicillin

O:
* Blood pressure one hundred and twenty-eight over 82, pulse 90
* Murmur: none

A:
1. ?Angina

P:
1. Start aspirin 75 mg daily
2. Rapid referral to clinic
3. Call 999 if there is pain at rest
4. Follow up in a fortnight (2 weeks)"""
PROSE = """S: Ida has had chest pain with effort for the past 21 days and is short of breath, but there is no cough. \
She also has pain in her left knee. She worries about cancer. Her mother had diabetes. Current medication is \
lisinopril 10 mg every morning; penicillin allergy.
O: Pulse 90/min and regular, BP 128/82. Heart murmur was not heard.
A: Stable angina, to be confirmed.
P: 75 mg of aspirin daily. Will be seen at the chest pain clinic. Should any pain occur at rest she will call an \
ambulance. See again in 2 weeks."""
RIGHT = [
    (NOTE, "the note of the house"),
    (BULLETS, "bullets, abbreviations, number words"),
    (PROSE, "sentences, 21 days for three weeks, negation after the finding"),
    (f"<think>S or O first?</think>\n{NOTE}", "thinking is not the note"),
    (NOTE.replace("\n", "\r\n"), "other line ends"),
    (NOTE.replace("Denies cough.", "Coughing: no."), "a denial after a colon"),
    (NOTE.replace("10 mg", "10mg"), "no space before a unit"),
]
WRONG = [
    ("", "nothing"),
    ("I'm sorry, but I cannot help with that.", "a refusal"),
    ("```\n```", "an empty fence"),
    (TALK, "the transcript recited"),
    (f"<think>{NOTE}", "thinking that never ends"),
    (f"<think>{NOTE}</think>", "only thinking"),
    (f"```\n{NOTE}\n```", "a fence is something around the note"),
    (f"{NOTE}\n\n{NOTE}", "two notes"),
    (f"Here is the note:\n{NOTE}", "a preamble"),
    (f"{NOTE}\n\nLet me know if you need anything else.", "a tail"),
    (NOTE.replace("S:", "Subjective:"), "another header than the prompt asks for"),
    ("\n".join((OBJECTIVE, S, A, P)), "sections in another order"),
    ("\n".join((S, OBJECTIVE, P)), "no assessment"),
    ("\n".join((S, OBJECTIVE, "A: none", P)), "an empty assessment"),
    (NOTE.replace("Denies cough", "Reports cough"), "negation flipped"),
    (NOTE.replace("Reports breathlessness", "Denies breathlessness"), "negation flipped the other way"),
    (NOTE.replace("10 mg", "100 mg"), "the dose that was taken back"),
    (NOTE.replace("10 mg", "20 mg"), "another dose"),
    (NOTE.replace("75 mg once", "75 mg twice"), "another frequency"),
    (NOTE.replace("75 mg", "75 mcg"), "another unit"),
    (NOTE.replace("HR 90 bpm", "HR 90 bpm, SpO2 91 %"), "an invented value"),
    (NOTE.replace("128/82", "138/82"), "another blood pressure"),
    (NOTE.replace("Refer to", "Prednisone. Refer to"), "an invented drug"),
    (NOTE.replace("Aspirin", "Clopidogrel"), "another drug"),
    (NOTE.replace(" Allergic to penicillin.", ""), "the allergy dropped"),
    (NOTE.replace("Left knee", "Right knee"), "the side that was taken back"),
    (NOTE.replace("Left knee", "Knee"), "no side"),
    (NOTE.replace("Family history of diabetes (mother)", "Has diabetes"), "the mother's illness as her own"),
    (NOTE.replace("Left knee", "Known cancer. Left knee"), "a fear as a fact"),
    (NOTE.replace("O: BP 128/82 mmHg, HR 90 bpm. ", "O: ").replace("S: ", "S: BP 128/82, HR 90. "), "vitals in S"),
    (NOTE.replace("Ambulance if pain comes on at rest. ", ""), "no warning sign"),
    (NOTE.replace("3 weeks", "2 weeks"), "another duration"),
    ("S: müde\nO: gut\nA: krank\nP: Ruhe", "another language, no facts"),
]
# 25 hard cases: sentence, pattern, what is right. The last column is what the rules make of it where that is not right.
NEGATION = [
    ("Denies chest pain, palpitations or syncope.", "syncope", "absent", ""),
    ("No fever, chills, or rash.", "rash", "absent", ""),
    ("No fever but has a cough.", "cough*", "present", ""),
    ("Cough, no fever, sore throat.", "sore throat", "present", "unsure"),
    ("Cough, no fever, sore throat.", "fever", "absent", ""),
    ("Fever: none.", "fever", "absent", ""),
    ("Rule out appendicitis.", "appendicitis", "hypothetical", ""),
    ("Pulmonary embolism was ruled out.", "pulmonary embolism", "absent", ""),
    ("Infection cannot be excluded.", "infection", "unsure", ""),
    ("Not only headache, also vomiting.", "headache", "present", ""),
    ("No change in the cough.", "cough", "present", ""),
    ("Mother had breast cancer.", "breast cancer", "family", ""),
    ("Mother reports a rash since Monday.", "rash", "present", ""),
    ("No family history of diabetes.", "diabetes", "absent", ""),
    ("Lives with her father, wheeze for 2 days.", "wheeze", "present", ""),
    ("Return if fever or vomiting.", "vomiting", "hypothetical", ""),
    ("Without swelling, although the ankle is painful.", "ankle & painful", "present", ""),
    ("Has never smoked.", "smok*", "absent", ""),
    ("Non-tender abdomen.", "tender", "absent", ""),
    ("Denies pain except on the stairs with breathlessness.", "breathless*", "present", ""),
    ("Neither nausea nor vomiting.", "vomiting", "absent", ""),
    ("Afebrile.", "fever", "absent", ""),
    ("Worried about cancer.", "cancer", "unsure", ""),
    ("He does not report any dizziness.", "dizziness", "absent", ""),
    ("Asthma in his brother, eczema himself.", "eczema", "present", ""),
]


@lru_cache(maxsize=1)
def suite() -> Suite:
    return read_suite(FOLDER)


@lru_cache(maxsize=8)
def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"soap_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@lru_cache(maxsize=8)
def scorer(name: str) -> Any:
    spec = next(spec for spec in suite().scorers if spec.name == name)
    return scorers.load(spec, str(FOLDER))


def judged(text: str, sample: Sample = SAMPLE, name: str = "note") -> Score:
    score: Score = scorer(name)(sample, Completion(text))
    return score


@pytest.mark.parametrize(("text", "why"), RIGHT)
def test_right_note_scores_one(text: str, why: str) -> None:
    score = judged(text)
    assert score.value == 1, f"{why}: {score.explanation}"


@pytest.mark.parametrize(("text", "why"), WRONG)
def test_wrong_note_scores_zero_and_says_why_in_one_line(text: str, why: str) -> None:
    score = judged(text)
    assert score.value == 0, why
    assert score.explanation
    assert "\n" not in score.explanation


def meaning(sentence: str, pattern: str) -> str:
    soap = module("scorer")
    text = soap.sentences(soap.plain(sentence))[0]
    start, end = next(iter(soap.spans(text, soap._parts(pattern)[1])))
    return str(soap.polarity(text, start, end))


@pytest.mark.parametrize(("sentence", "pattern", "right", "instead"), NEGATION)
def test_hard_negation(sentence: str, pattern: str, right: str, instead: str) -> None:
    assert meaning(sentence, pattern) == (instead or right)


def test_at_least_22_of_25_hard_negations_are_right_and_the_others_unsure() -> None:
    missed = [instead for *_, instead in NEGATION if instead]
    assert len(NEGATION) == 25
    assert len(missed) <= 3
    assert set(missed) <= {"unsure"}


def test_one_ambiguous_polarity_is_not_wrong() -> None:
    score = judged(NOTE.replace("Reports breathlessness. Denies cough.", "Tired, no cough, breathlessness."))
    assert score.value == 1
    assert "ambiguous" in score.explanation


def test_columns_see_different_things() -> None:
    markdown = NOTE.replace("S:", "## Subjective\n").replace("O:", "**Objective:**").replace("A:", "### Assessment\n")
    markdown = "Sure!\n\n" + markdown.replace("P:", "**P** - ")
    assert judged(markdown, name="format").value == 0
    assert judged(markdown, name="format_loose").value == 1
    assert judged(markdown, name="fact_recall").value == 1
    dropped = NOTE.replace(" Allergic to penicillin.", "")
    assert 0.9 < judged(dropped, name="fact_recall").value < 1
    assert judged(dropped, name="no_invention").value == 1
    invented = NOTE.replace("No murmur.", "No murmur. SpO2 91 %.")
    assert judged(invented, name="fact_recall").value == 1
    assert judged(invented, name="no_invention").value == 0
    assert 0.9 < judged(invented, name="fact_precision").value < 1


def test_digits_in_names_are_no_numbers_and_spoken_numbers_are() -> None:
    soap = module("scorer")
    assert soap.numbers(soap.plain("SpO2, HbA1c, B12, T4 and COVID-19")) == []
    said = soap.derivable(
        "It was one twenty-eight over eighty-two, thirty-seven point eight, two and a half, twice a day."
    )
    assert {128, 82, 37.8, 2.5, 12} <= said
    assert 91 not in said


@pytest.mark.parametrize(
    "text",
    [
        "x" * 1_000_000,
        "S: " * 15_000,
        "\x00\xff\ufffd" * 500,
        "S:\nO:\nA:\nP:",
        "no " * 3_000,
        "S: " + "no, " * 2_500 + "\nO: x",
    ],
    ids=["1 MB", "headers", "binary", "bare headers", "negations", "negated list"],
)
@pytest.mark.parametrize("name", ["note", "format", "format_loose", "fact_recall", "fact_precision", "no_invention"])
def test_hostile_text_is_a_defined_zero(text: str, name: str) -> None:
    assert judged(text, name=name).value == 0


def test_generator_reproduces_the_committed_files(tmp_path: Path) -> None:
    module("generate").write(tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (FOLDER / path.name).read_bytes(), path.name


def test_splits_share_no_scenario_no_thirteen_words_and_no_prescription() -> None:
    splits = {"test": suite().test, "dev": suite().dev, "train": suite().train, "shots": suite().shots}
    owner: dict[str, str] = {}
    for name, samples in splits.items():
        for sample in samples:
            telling = grams(re.findall(r"\w+", str(sample.input).lower()))
            for key in (*telling, f"scenario {sample.metadata['scenario']}"):
                assert owner.setdefault(key, name) == name


def test_transcripts_are_messy_and_cover_the_specialties() -> None:
    test = suite().test
    facts = [one for sample in test for one in sample.metadata["facts"]]
    polarities = Counter(one["polarity"] for one in facts)
    assert {sample.metadata["specialty"] for sample in test} >= {
        "general practice", "orthopaedics", "paediatrics", "cardiology", "dermatology", "respiratory", "mental health",
        "travel", "follow-up",
    }  # fmt: skip
    assert min(polarities[key] for key in ("present", "absent", "family", "hypothetical")) >= 50
    assert sum(bool(sample.metadata["retracted"]) for sample in test) >= 40
    assert sum("Nurse:" in str(sample.input) for sample in test) >= 20
    assert max(len(str(sample.input)) for sample in test) <= 2_300


def test_certificate_holds_on_a_spread_of_the_test_split() -> None:
    certificate = module("certificate")
    seen: Counter[str] = Counter()
    for sample in suite().test[::9]:
        assert judged(sample.target, sample).value == 1, sample.id
        for text in certificate.answers(sample)["paraphrase"]:
            score = judged(text, sample)
            assert score.value == 1, f"{sample.id}: {score.explanation}"
        for kind, text in certificate.corruptions(sample).items():
            assert judged(text, sample).value == 0, f"{sample.id}: {kind}"
            seen[kind] += 1
    assert len(seen) == 16
    assert len([kind for kind, count in seen.items() if count == len(suite().test[::9])]) >= 12
