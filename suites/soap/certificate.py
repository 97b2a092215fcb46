"""What the primary scorer of this suite is proven on: right notes in other words, and notes with one defect each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Fact = Mapping[str, Any]
STRANGE_DRUGS = ("warfarin", "digoxin", "carbamazepine", "methotrexate")
_BACKGROUND = ("medicines", "allergy", "family", "smoking")


def answers(sample: Any) -> Mapping[str, Sequence[str]]:
    """Two or three right notes ("paraphrase") and one wrong note per kind of defect that applies ("corrupted")."""
    return {"paraphrase": paraphrases(sample), "corrupted": list(corruptions(sample).values())}


def required(sample: Any) -> list[Fact]:
    return [fact for fact in sample.metadata["facts"] if fact.get("required", True)]


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def sections(note: str) -> dict[str, str]:
    """The bodies of a gold note."""
    return {line[0]: line[3:] for line in note.split("\n")}


def joined(bodies: Mapping[str, str]) -> str:
    return "\n".join(f"{name}: {body}" for name, body in bodies.items())


# --- right notes -----------------------------------------------------------------------------------------------------


def paraphrases(sample: Any) -> list[str]:
    """A note in bullets and other terms, a telegram, and the gold note with its sentences in another order."""
    facts = required(sample)
    return [bulleted(facts), telegram(facts), reordered(sample.target)]


def bulleted(facts: Sequence[Fact]) -> str:
    def line(fact: Fact) -> str:
        text = str(fact["say"][-1])
        if fact.get("negate"):
            return f"is not {text}"
        denied = fact["polarity"] == "absent" and fact["section"] == "S" and fact["id"] not in _BACKGROUND
        return f"no {text}" if denied else text

    blocks = []
    for name in "SOAP":
        lines = [f"- {capital(line(fact))}" for fact in facts if fact["section"] == name]
        blocks.append("\n".join([f"{name}:", *lines]))
    return "\n\n".join(blocks)


def telegram(facts: Sequence[Fact]) -> str:
    history = [fact for fact in facts if fact["section"] == "S"]
    plain = [f for f in history[1:] if f["id"] not in _BACKGROUND and not f.get("freq") and not f.get("negate")]
    rest = [f for f in history[1:] if f not in plain]
    there = [f["say"][-1] for f in plain if f["polarity"] == "present"]
    denied = [f["say"][-1] for f in plain if f["polarity"] == "absent"]
    parts = [f"Pt presents with {history[0]['say'][-1]}."]
    parts += [f"Negative for {', '.join(denied)}."] if denied else []
    parts += [f"Also describes {'; '.join(there)}."] if there else []
    parts += [f"{'Is not ' if f.get('negate') else ''}{f['say'][-1]}." for f in reversed(rest)]
    found = [f["say"][-1] for f in facts if f["section"] == "O"]
    plan = [f["say"][0] for f in facts if f["section"] == "P"]
    opinion = [f["say"][-1] for f in facts if f["section"] == "A"]
    steps = "\n".join(f"{i}. {capital(text)}" for i, text in enumerate(plan, 1))
    return (
        f"S: {' '.join(parts)}\nO: {'. '.join(map(capital, found))}.\nA: Impression: {', '.join(opinion)}.\nP:\n{steps}"
    )


def reordered(note: str) -> str:
    bodies = sections(note)
    for name in "SOP":
        parts = re.split(r"(?<=\.) (?=[A-Z])", bodies[name])
        bodies[name] = " ".join([*parts[1:], parts[0]])
    return "\n\n".join(f"{name}:\n{body}" for name, body in bodies.items())


# --- wrong notes -----------------------------------------------------------------------------------------------------


def corruptions(sample: Any) -> dict[str, str]:
    """One wrong note per kind of defect, for the kinds that this sample has room for."""
    kinds: dict[str, Callable[[Any], str]] = {
        "negation flipped": flip_negation,
        "dose changed": change_dose,
        "invented value": lambda one: _append(one, "O", "Peak flow 317."),
        "invented drug": lambda one: _append(one, "P", f"Continue {strange_drug(one)}."),
        "allergy dropped": drop_allergy,
        "S and O swapped": swap_sections,
        "vitals moved to S": move_vitals,
        "left/right flipped": flip_side,
        "wrong drug": wrong_drug,
        "plan missing": lambda one: one.target.split("\nP:")[0],
        "empty assessment": lambda one: joined({**sections(one.target), "A": ""}),
        "chatty preamble": lambda one: f"Sure, here is the SOAP note you asked for:\n\n{one.target}",
        "no headers": lambda one: "\n".join(sections(one.target).values()),
        "taken-back number": keep_mistake,
        "relative's illness as the patient's": own_family,
        "fear written as history": own_fear,
    }
    made = {kind: make(sample) for kind, make in kinds.items()}
    return {kind: note for kind, note in made.items() if note and note != sample.target}


def _append(sample: Any, name: str, text: str) -> str:
    bodies = sections(sample.target)
    return joined({**bodies, name: f"{bodies[name]} {text}"})


def strange_drug(sample: Any) -> str:
    return next(drug for drug in STRANGE_DRUGS if drug not in str(sample.input).lower())


def flip_negation(sample: Any) -> str:
    """One denied symptom is reported, or one reported symptom is denied."""
    for fact in required(sample):
        text = str(fact["say"][0])
        if fact["section"] != "S" or fact["id"] in _BACKGROUND or fact.get("negate") or fact.get("values"):
            continue
        moved = "Reports" if fact["polarity"] == "absent" else "Denies"
        body = sections(sample.target)["S"]
        listed = re.search(rf"(?:Reports|Denies) [^.]*?\b{re.escape(text)}[,. ]", body)
        if not listed:
            continue
        sentence = body[listed.start() : body.index(".", listed.end() - 1) + 1]
        items = [item for item in re.split(r", | and | or ", sentence[8:-1].strip()) if item]
        left = [item for item in items if item != text]
        if len(left) == len(items):
            continue
        verb = sentence.split()[0]
        kept = f"{verb} {(' or ' if verb == 'Denies' else ' and ').join(left)}. " if left else ""
        return joined({**sections(sample.target), "S": body.replace(sentence, f"{kept}{moved} {text}.")})
    return ""


def _dosed(sample: Any) -> list[Fact]:
    return [fact for fact in required(sample) if fact.get("freq")]


def change_dose(sample: Any) -> str:
    for fact in _dosed(sample):
        value, unit = fact["values"][0]
        old, new = f"{value:g} {unit}", f"{value * 10:g} {unit}"
        text = str(fact["say"][0])
        return _replace(sample.target, text, text.replace(old, new, 1))
    return ""


def _replace(note: str, old: str, new: str) -> str:
    return note.replace(old, new, 1) if old in note else note.replace(capital(old), capital(new), 1)


def drop_allergy(sample: Any) -> str:
    text = next((str(fact["say"][0]) for fact in required(sample) if fact["id"] == "allergy"), "")
    return str(sample.target).replace(f" {capital(text)}.", "", 1)


def swap_sections(sample: Any) -> str:
    bodies = sections(sample.target)
    return joined({name: bodies[name] for name in "OSAP"})


def move_vitals(sample: Any) -> str:
    bodies = sections(sample.target)
    vitals, _, rest = bodies["O"].partition(". ")
    return joined({**bodies, "S": f"{bodies['S']} {vitals}.", "O": rest}) if rest else ""


def flip_side(sample: Any) -> str:
    for fact in required(sample):
        if fact.get("side"):
            text, side = str(fact["say"][0]), str(fact["side"])
            return _replace(sample.target, text, text.replace(side, {"left": "right", "right": "left"}[side], 1))
    return ""


def wrong_drug(sample: Any) -> str:
    for fact in reversed(_dosed(sample)):
        text = str(fact["say"][0])
        return _replace(sample.target, text, strange_drug(sample) + text[text.index(" ") :])
    return ""


def keep_mistake(sample: Any) -> str:
    """The number that was said first and taken back, in the place of the right one."""
    wrong = sample.metadata["retracted"][0] if sample.metadata["retracted"] else ""
    for fact in required(sample) if wrong else ():
        for value, unit in fact.get("values", ()):
            ratio = float(wrong) / float(value)
            dose = bool(fact.get("freq")) and str(fact["id"]).startswith("takes-") and ratio in (10, 0.1)
            length = not fact.get("freq") and fact["section"] == "S" and float(wrong) - float(value) in (3, 5, 10)
            if dose or length:
                text = str(fact["say"][0])
                return _replace(sample.target, text, text.replace(f"{value:g} {unit}", f"{wrong} {unit}", 1))
    return ""


def own_family(sample: Any) -> str:
    for fact in required(sample):
        if fact["id"] == "family":
            text = str(fact["say"][0])
            illness = text.removeprefix("family history of ").split(" (")[0]
            return _replace(sample.target, text, f"has {illness}")
    return ""


def own_fear(sample: Any) -> str:
    for fact in sample.metadata["facts"]:
        if str(fact["id"]).startswith("trap-"):
            return _append(sample, "S", f"Known {fact['any'][0].rstrip('*')}.")
    return ""
