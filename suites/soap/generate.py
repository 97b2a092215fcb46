"""Writes the splits of this suite: transcripts and gold notes from the same structured facts.

    python suites/soap/generate.py

scenarios_*.txt say what a consultation is about; a split has scenarios of its own. "# id | specialty | ages | jobs",
then lines by their first word:

    cc      the complaint; "side" and "dur=3-9 weeks" are slots; "note / other wording ~ patterns"; "> " says it
    own     a question of its own: "id : note / other ~ patterns | question | yes | no";
            "own*" is denied by "not", "own+" is always there, "own-" never
    ask     symptoms of symptoms.txt; "-x" is never there, "?x" sometimes asked
    vitals  what is measured, with a range where the usual one does not fit
    exam, dx, plan, back    "note / other ~ patterns | what the doctor says"; "id-" is denied; back: come back if
            "~ patterns // pattern // pattern" (also in cc): what it must have each of
    drug    "name dose unit how-often [n days]", "a|b" draws; review "n|m weeks"

talk.txt holds what is said around it, symptoms.txt what anybody may be asked. Each split has wordings of its own; a
sample that would share 13 words with another split is drawn again. The same seed gives the same bytes.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SEED = 4711
SIZES = {"shots": 8, "dev": 54, "test": 216, "train": 320}
GROUPS = {"shots": "dev", "dev": "dev", "test": "test", "train": "train"}
GRAM = 13
LONGEST = 2_300
Row = dict[str, Any]

FIRST = {
    "test": "Agnes Tolley;Bram Oduya;Celia Marsh;Dilip Rane;Edda Holm;Frank Osei;Greta Lunn;Hamid Sadek;Ivy Pender;"
    "Jonas Vidal;Kirsten Boyle;Leon Achterberg;Maud Fenwick;Nuno Peres;Olga Brandt;Percy Adair;Rosa Kemp;Silas Gower",
    "train": "Ada Winslow;Boris Kaplan;Clara Nyman;Derek Amos;Elin Farrow;Felix Mbeki;Gwen Hollis;Hugo Lantz;"
    "Ines Roper;Jack Tibbet;Kamala Iyer;Lars Quist;Mona Haddad;Ned Purvis;Opal Rees;Piotr Zak;"
    "Ruth Calder;Stan Wexley;Tess Onslow",
    "dev": "Amy Birch;Ben Colt;Dora Finch;Ewan Glass;Fay Horne;Gil Ives",
}
CHILDREN = {
    "test": "Milo he;Pia she;Otis he;Nell she",
    "train": "Finn he;Juno she;Theo he;Wren she",
    "dev": "Sam he;Kit she",
}
FREQ = {
    "od": ("once daily", "daily", "once a day"),
    "bd": ("twice daily", "BD", "twice a day"),
    "tds": ("three times daily", "TDS", "three times a day"),
    "qds": ("four times daily", "QDS", "four times a day"),
    "nocte": ("at night", "nightly", "at night"),
    "once": ("as a single dose", "single dose", "as a single dose"),
    "5x": ("five times daily", "5 times a day", "five times a day"),
}
SAID_UNIT = {"mg": "milligrams", "mcg": "micrograms", "%": "percent", "puff": "puffs"}
VITALS = {
    "bp": ("BP", "BP / blood pressure", "bp;blood pressure", "mmHg", (112, 138)),
    "hr": ("HR", "HR / pulse", "hr;heart rate;pulse;p", "bpm", (62, 86)),
    "temp": ("Temp", "temperature / T", "temp*;t;°c|° c", "°C", (36, 37)),
    "rr": ("RR", "RR / respiratory rate", "rr;resp* rate;respirations;breath* rate;resps", "/min", (13, 18)),
    "spo2": ("SpO2", "SpO2 / oxygen saturation", "spo2;sats;saturation*;oxygen*;o2;sao2", "%", (96, 99)),
    "weight": ("Weight", "weight / wt", "weight;wt;weigh*", "kg", (58, 97)),
}
ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


# --- reading ---------------------------------------------------------------------------------------------------------


def split_patterns(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]


def wording(text: str) -> tuple[list[str], list[str]]:
    """("note / other", patterns) of "note / other ~ p ; q"."""
    says, _, patterns = text.partition("~")
    return [part.strip() for part in says.split(" / ")], split_patterns(patterns)


def read_symptoms() -> dict[str, Row]:
    found: dict[str, Row] = {}
    for line in (HERE / "symptoms.txt").read_text("utf-8").splitlines():
        if line.startswith("= "):
            name, _, rest = line[2:].partition(" : ")
            says, patterns = wording(rest)
            last = found[name] = {"say": says, "any": patterns}
        elif line[:2] in ("q ", "y ", "n "):
            last[line[0]] = [part.strip() for part in line[2:].split(" | ")]
    return found


def read_talk() -> dict[str, dict[str, list[str]]]:
    talk: dict[str, dict[str, list[str]]] = {}
    for line in (HERE / "talk.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            head, _, text = line.partition(" : ")
            kind, group = head.split()
            talk.setdefault(group, {}).setdefault(kind, []).append(text)
    return talk


def read_scenarios(split: str) -> list[Row]:
    found: list[Row] = []
    for line in (HERE / f"scenarios_{split}.txt").read_text("utf-8").splitlines():
        if line.startswith("# ") and line.count("|") == 3:
            name, specialty, ages, jobs = (part.strip() for part in line[2:].split("|"))
            found.append(
                {"id": name, "specialty": specialty, "ages": ages, "jobs": jobs.split("; "), "lines": [], "says": []}
            )
        elif line.startswith("> "):
            found[-1]["says"].append(line[2:])
        elif line and not line.startswith("#"):
            found[-1]["lines"].append(line)
    return found


# --- words -----------------------------------------------------------------------------------------------------------


def in_words(value: float) -> str:
    """How a number is spoken.

    >>> in_words(128), in_words(37.8), in_words(850)
    ('a hundred and twenty-eight', 'thirty-seven point eight', 'eight hundred and fifty')
    """
    whole, _, decimals = f"{value:g}".partition(".")
    n = int(whole)
    if n >= 1000:
        text = f"{ONES[n // 1000]} thousand" + (f" {in_words(n % 1000)}" if n % 1000 else "")
    elif n >= 100:
        text = ("a" if n < 200 else ONES[n // 100]) + " hundred" + (f" and {in_words(n % 100)}" if n % 100 else "")
    elif n >= 20:
        text = TENS[n // 10 - 2] + (f"-{ONES[n % 10]}" if n % 10 else "")
    else:
        text = ONES[n]
    return text + (" point " + " ".join(ONES[int(digit)] for digit in decimals) if decimals else "")


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def joined(items: Sequence[str], last: str) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}"


def grams(text: str) -> set[str]:
    words = re.findall(r"\w+", text.lower())
    return {" ".join(words[i : i + GRAM]) for i in range(len(words) - GRAM + 1)}


# --- one consultation ------------------------------------------------------------------------------------------------


class Visit:
    """A consultation while it is drawn: what is said, and the facts behind it."""

    def __init__(self, scenario: Row, split: str, material: Row, rng: random.Random) -> None:
        self.scenario, self.split, self.rng = scenario, split, rng
        self.group = GROUPS[split]
        self.symptoms, self.talk, self.drugs = material["symptoms"], material["talk"][self.group], material["drugs"]
        self.lines: list[tuple[str, str]] = []
        self.facts: list[Row] = []
        self.retracted: list[float] = []
        self.slots: dict[str, str] = {"day": rng.choice(["Monday", "Tuesday", "Thursday", "Friday", "Sunday"])}
        self.slots |= {"hour": rng.choice(["two", "three", "four"]), "n": in_words(rng.randint(4, 23))}
        self.child = scenario["specialty"] == "paediatrics"
        self.person()
        self.other = self.parent if self.child else "Patient"

    def person(self) -> None:
        low, high = map(int, self.scenario["ages"].split("-"))
        self.age = self.rng.randint(low, high)
        self.job = self.rng.choice(self.scenario["jobs"])
        name = self.rng.choice(FIRST[self.group].split(";"))
        self.parent = self.rng.choice(["Mother", "Father"])
        self.slots["name"] = name.split()[0]
        self.full = name
        if self.child:
            first, he = self.rng.choice(CHILDREN[self.group].split(";")).split()
            self.full = f"{first} {name.split()[1]}"
            his, him = ("his", "him") if he == "he" else ("her", "her")
            self.slots |= {"name": first, "he": he, "his": his, "him": him}
            self.slots |= {"He": capital(he), "His": capital(his)}

    def fill(self, text: str, **more: str) -> str:
        values = {**self.slots, **more}
        return re.sub(r"\{(\w+)\}", lambda m: values[m.group(1)], text)

    def pick(self, kind: str, **more: str) -> str:
        return self.fill(self.rng.choice(self.talk[kind]), **more)

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def say(self, who: str, text: str) -> None:
        """Adds a turn; " // " hands over to the other speaker."""
        for part in text.split(" // "):
            part = re.sub(r"(?<=[^.][.!?] )[a-z]", lambda match: match.group().upper(), part.strip())
            self.lines.append((who, capital(part)))
            who = self.other if who == "Doctor" else "Doctor"

    def fact(
        self, name: str, section: str, polarity: str, say: Sequence[str], patterns: Sequence[str], **more: Any
    ) -> None:
        if any(fact["id"] == name for fact in self.facts):
            raise SystemExit(f"{self.scenario['id']}: fact '{name}' twice")
        fact = {"id": name, "section": section, "polarity": polarity, "any": list(patterns)}
        self.facts.append({**fact, **more, "say": [self.fill(text) for text in say]})

    def number(self, value: float) -> str:
        return in_words(value) if self.wordy else f"{value:g}"

    # the parts, in the order they are spoken

    def build(self) -> None:
        self.wordy = self.chance(0.6)
        plainly = self.split == "shots"
        self.opening(plainly)
        self.complaint()
        history = [line for line in self.scenario["lines"] if line.startswith(("own", "ask"))]
        questions = [one for line in history for one in self.questions(line)]
        self.rng.shuffle(questions)
        stop = self.rng.randrange(1, max(2, len(questions)))
        for i, question in enumerate(questions):
            if i == stop and not plainly and self.chance(0.35):
                self.aside()
            self.question(*question)
        if not plainly and self.chance(0.3):
            self.trap()
        self.background(plainly)
        self.examination()
        self.verdict()
        if not plainly and self.chance(0.5):
            self.say("Doctor", self.pick("close"))

    def opening(self, plainly: bool) -> None:
        opening = self.pick("open")
        self.say("Doctor", "What can I do for you?" if plainly else opening)
        if not plainly and not self.child and self.chance(0.25):
            self.say("Doctor", self.pick("small"))

    def complaint(self) -> None:
        line = next(line for line in self.scenario["lines"] if line.startswith("cc "))
        head, _, rest = line.partition(" : ")
        _, name, *options = head.split("dur=")[0].split()
        more: Row = {}
        span = head.split("dur=")[1]
        numbers, unit = span.split()
        low, high = map(int, numbers.split("-"))
        value = self.rng.randint(low, high)
        self.slots["dur"] = f"{value} {unit}"
        said = f"{in_words(value)} {unit}"
        more["values"] = [[value, unit.rstrip("s")]]
        if "side" in options:
            more["side"] = self.slots["side"] = self.rng.choice(["left", "right"])
        rest, *each = rest.split(" // ")
        more |= {"each": each} if each else {}
        says, patterns = wording(rest)
        spoken = self.rng.choice(self.scenario["says"])
        fix = self.rng.random() if self.split != "shots" else 1.0
        text = self.fill(spoken, dur=said)
        self.say(self.other, text)
        if fix < 0.16:
            wrong = value + self.rng.choice([3, 5, 10])
            self.retracted.append(wrong)
            swap = {"wrong": f"{in_words(wrong)} {unit}", "right": said}
            self.say("Doctor", self.pick("durfix", **swap))
        elif "side" in options and fix < 0.36:
            side = self.slots["side"]
            swap = {"right": side, "wrong": "left" if side == "right" else "right"}
            self.say("Doctor", "So that's the " + swap["wrong"] + ".")
            self.say(self.other, self.pick("sidefix", **swap))
        self.fact(name, "S", "present", says, patterns, **more, heard=text)

    def questions(self, line: str) -> list[tuple[str, str, Sequence[str], Sequence[str], str, str]]:
        """(id, polarity, say, patterns, question, answer) of an own or ask line."""
        if line.startswith("own"):
            head, _, rest = line.partition(" : ")
            says, _, speech = rest.partition(" | ")
            question, yes, no = speech.split(" | ")
            text, patterns = wording(says)
            flag = head.split()[0].removeprefix("own").strip("*")
            there = {"-": False, "+": True}.get(flag, self.chance(0.5))
            extra = "not" if head.split()[0].startswith("own*") else ""
            name = head.split()[1]
            return [(name, "present" if there else "absent", [*text, extra], patterns, question, yes if there else no)]
        found = []
        for item in line.split()[1:]:
            name = item.lstrip("-+?")
            if (item.startswith("?") or not item.startswith("-")) and self.chance(
                0.7 if item.startswith("?") else 0.12
            ):
                continue
            one = self.symptoms[name]
            there = not item.startswith("-") and self.chance(0.42)
            question, answer = self.wordings(one, "y" if there else "n")
            found.append((name, "present" if there else "absent", one["say"], one["any"], question, answer))
        return found

    def wordings(self, one: Row, key: str) -> tuple[str, str]:
        if self.group == "dev":
            answers = {"y": ["Yes.", "Yes, some.", "I have, yes."], "n": ["No.", "No, none.", "None."]}
            return self.rng.choice(one["q"][2:]), self.rng.choice(answers[key])
        half = slice(0, 2) if self.group == "test" else slice(2, 4)
        return self.rng.choice(one["q"][half]), self.rng.choice(one[key][half])

    def question(
        self, name: str, polarity: str, says: Sequence[str], patterns: Sequence[str], question: str, answer: str
    ) -> None:
        self.say("Doctor", self.fill(question))
        self.say(self.other, self.fill(answer))
        negate = says[-1] == "not" and polarity == "absent"
        says = [text for text in says if text not in ("", "not")]
        more = {"heard": self.fill(f"{question} {answer}")}
        self.fact(name, "S", polarity, says, patterns, **more, **({"negate": "not"} if negate else {}))

    def aside(self) -> None:
        text = self.pick("interrupt")
        if self.child:
            text = text.replace("Patient: ", f"{self.parent}: ")
        for turn in text.split(" // "):
            who, _, said = turn.partition(": ")
            self.lines.append((who, said))

    def trap(self) -> None:
        text, name, patterns = self.rng.choice(self.talk["trap"]).split(" ~ ")
        self.say(self.other, text + " // " + self.pick("calm"))
        self.fact(f"trap-{name}", "S", "hypothetical", [name], split_patterns(patterns), required=False)

    def background(self, plainly: bool) -> None:
        parts = [self.medicine, self.allergy]
        if not self.child:
            parts += [self.family] if self.chance(0.4) and not plainly else []
            parts += [self.smoking] if self.chance(0.35) and not plainly else []
        else:
            parts = [self.allergy]
        self.rng.shuffle(parts)
        for part in parts:
            part()

    def medicine(self) -> None:
        self.say("Doctor", self.pick("medq"))
        if self.chance(0.3):
            self.say(self.other, self.pick("medn"))
            pattern = [
                "medic*|drug*|tablet*|pills|prescription*|meds|treatment*",
                "!takes nothing|taking nothing|on nothing",
            ]
            self.fact(
                "medicines", "S", "absent", ["no regular medicines", "no regular medication"], pattern, against=False
            )
            return
        planned = " ".join(line for line in self.scenario["lines"] if line.startswith(("drug", "plan")))
        choices = [entry for entry in self.talk["med"] if entry.split()[0] not in planned.lower()]
        drug, dose, unit, freq = self.rng.choice(choices).split()
        value = float(self.rng.choice(dose.split("|")))
        words = {"drug": drug, "dose": f"{self.number(value)} {SAID_UNIT[unit]}", "freq": FREQ[freq][2]}
        if self.split != "shots" and self.chance(0.4):
            wrong = value * 10 if value <= 40 else value / 10
            self.retracted.append(wrong)
            words["wrong"] = f"{self.number(wrong)} {SAID_UNIT[unit]}"
            self.say(self.other, self.pick("medfix", **words))
        else:
            self.say(self.other, self.pick("medy", **words))
        dosed = f"{value:g} {unit}"
        says = [f"{drug} {dosed} {FREQ[freq][0]}", f"{drug} {dosed} {FREQ[freq][1]}"]
        self.fact(f"takes-{drug}", "S", "present", says, self.names(drug), values=[[value, unit]], freq=freq)

    def names(self, drug: str) -> list[str]:
        return ["|".join(next(line for line in self.drugs if drug in line))]

    def allergy(self) -> None:
        self.say("Doctor", self.pick("allq"))
        planned = " ".join(line for line in self.scenario["lines"] if line.startswith("drug"))
        choices = [drug for drug in self.talk["allergen"][0].split("; ") if drug not in planned]
        if self.chance(0.5):
            drug = self.rng.choice(choices)
            said = self.pick("ally", drug=drug)
            if self.child:
                said = f"{capital(drug)}, it brought {self.slots['him']} out in spots."
            self.say(self.other, said)
            reacts = "allerg*|reaction*|react*|anaphyl*|intoleran*|sensitiv*|hypersensitiv*|swell*|swollen"
            pattern = [f"{self.names(drug)[0]} & {reacts}"]
            says = [f"allergic to {drug}", f"{drug} allergy"]
            self.fact("allergy", "S", "present", says, pattern, drug=drug)
        else:
            self.say(self.other, self.pick("alln"))
            pattern = ["allerg*", "drug & reaction*|intoleran*|sensitiv*"]
            self.fact("allergy", "S", "absent", ["no known drug allergies", "NKDA"], pattern, against=False)

    def family(self) -> None:
        lay, says, patterns = self.rng.choice(self.talk["cond"]).split(" ~ ")
        relative = self.rng.choice(self.talk["relative"][0].split("; "))
        self.say("Doctor", self.pick("famq"))
        self.say(self.other, self.pick("famy", relative=relative, lay=lay))
        plain = {"mum": "mother", "dad": "father"}.get(relative, relative)
        both = [f"family history of {says} ({plain})", f"{plain} had {says}"]
        self.fact("family", "S", "family", both, split_patterns(patterns), relative=plain)

    def smoking(self) -> None:
        self.say("Doctor", self.pick("smokeq"))
        pattern = ["smok*|cigarette*|tobacco|cigs|nicotine"]
        if self.chance(0.45):
            count = self.rng.choice([8, 15, 20, 25])
            self.say(self.other, self.pick("smokey", n=self.number(count)))
            self.fact(
                "smoking", "S", "present", [f"smokes {count} a day", f"smoker, {count} cigarettes a day"], pattern
            )
        else:
            self.say(self.other, self.pick("smoken"))
            self.fact("smoking", "S", "absent", ["has never smoked", "non-smoker"], pattern)

    def examination(self) -> None:
        self.say("Doctor", self.pick("examine"))
        line = next(line for line in self.scenario["lines"] if line.startswith("vitals"))
        said = [self.vital(item) for item in line.split()[1:]]
        self.say("Doctor", " ".join(said))
        exams = [line for line in self.scenario["lines"] if line.startswith("exam ")]
        for i, line in enumerate(exams):
            self.spoken_fact(line, "O")
            if i == 0 and self.chance(0.6):
                self.say(self.other, self.pick("ouch"))

    def vital(self, item: str) -> str:
        name, _, span = item.partition("=")
        label, says, patterns, unit, usual = VITALS[name]
        low, high = usual
        value: float
        if name == "weight" and self.child:
            low, high = 9 + 2 * self.age, 11 + 2 * self.age
        if name == "bp":
            systolic, diastolic = span.split("/") if span else ("112-138", "68-86")
            a, b = (self.rng.randint(*map(int, pair.split("-"))) for pair in (systolic, diastolic))
            spoken = f"{self.number(a)} over {self.number(b)}"
            values, text = [[a, "mmhg"], [b, "mmhg"]], f"{a}/{b} mmHg"
        else:
            if span:
                low, high = map(int, span.split("-"))
            value = self.rng.randint(low, high)
            if name == "temp":
                hot = any(fact["id"] == "fever" and fact["polarity"] == "present" for fact in self.facts)
                value = (self.rng.randint(379, 392) if hot else self.rng.randint(362, 373)) / 10
            spoken = self.number(value)
            values, text = [[value, unit.lower()]], f"{value:g}{unit if unit == '/min' else ' ' + unit}"
        names = says.split(" / ")
        both = [f"{label} {text}", f"{names[1]} {text}"]
        self.fact(f"vital-{name}", "O", "present", both, patterns.split(";"), values=values, vital=True)
        return capital(self.fill(self.rng.choice(self.talk[name][0].split(" | ")), v=spoken))

    def spoken_fact(self, line: str, section: str) -> None:
        head, _, rest = line.partition(" : ")
        says, _, spoken = rest.partition(" | ")
        says, *each = says.split(" // ")
        text, patterns = wording(says)
        kind, name, *options = head.split()
        more: Row = {"each": each} if each else {}
        if "side" in options:
            if "side" not in self.slots:
                self.slots["side"] = self.rng.choice(["left", "right"])
            more["side"] = self.slots["side"]
        polarity = "hypothetical" if kind == "back" else "absent" if name.endswith("-") else "present"
        if kind == "plan" and polarity == "present" and re.search(r"\b(?:avoid|not?|away|off)\b", text[0]):
            more |= {"either": True, "against": False}  # "avoid lifting", "no lifting"
        self.say("Doctor", self.fill(spoken))
        self.fact(name.rstrip("-"), section, polarity, text, patterns, **more, heard=self.fill(spoken))

    def verdict(self) -> None:
        for line in self.scenario["lines"]:
            kind = line.split()[0]
            if kind == "dx":
                self.spoken_fact(line, "A")
                if self.chance(0.6):
                    self.say(self.other, self.pick("reply"))
            elif kind in ("plan", "back"):
                self.spoken_fact(line, "P")
            elif kind == "drug":
                self.prescription(line)
            elif kind == "review":
                self.review(line)
            if kind in ("plan", "drug") and self.chance(0.25):
                self.say(self.other, self.pick("agree"))

    def prescription(self, line: str) -> None:
        what, _, spoken = line.partition(" | ") if line.count(" | ") == 1 else line.rpartition(" | ")
        _, drug, dose, unit, freq, *course = what.split()
        value = float(self.rng.choice(dose.split("|")))
        more: Row = {"values": [[value, unit]], "freq": freq}
        rx = f"{drug}, {self.number(value)} {SAID_UNIT[unit]} {FREQ[freq][2]}"
        says = [f"{drug} {value:g} {unit} {FREQ[freq][0]}", f"{drug} {value:g} {unit} {FREQ[freq][1]}"]
        if course:
            days = int(self.rng.choice(course[0].split("|")))
            more["values"].append([days, "day"])
            rx += f" for {in_words(days)} days"
            says = [f"{text} for {days} days" for text in says]
        self.say("Doctor", self.fill(spoken, rx=rx, Rx=capital(rx)))
        self.fact(f"prescribe-{drug}", "P", "present", says, self.names(drug), **more)

    def review(self, line: str) -> None:
        what, _, spoken = line.partition(" | ")
        _, numbers, unit = what.split()
        value = int(self.rng.choice(numbers.split("|")))
        when = f"{in_words(value)} {unit}"
        self.say("Doctor", self.fill(spoken, when=when))
        patterns = [
            "review*|follow*|see|seen|check*|recheck*|appointment|return*|back|call|phone|reassess*|ring|clinic"
        ]
        says = [f"review in {value} {unit}", f"follow-up in {value} {unit}"]
        self.fact("review", "P", "present", says, patterns, values=[[value, unit.rstrip("s")]])

    def transcript(self) -> str:
        turns: list[tuple[str, str]] = []
        for who, text in self.lines:
            if turns and turns[-1][0] == who:
                turns[-1] = (who, f"{turns[-1][1]} {text}")
            else:
                turns.append((who, text))
        job = f"{self.job}, seen with {self.parent.lower()}" if self.child else self.job
        return "\n".join([f"{self.full}, {self.age}, {job}", *(f"{who}: {text}" for who, text in turns)])


# --- the gold note ---------------------------------------------------------------------------------------------------


def gold(facts: Sequence[Row]) -> str:
    """The note an expert would write: complaint, what is there, what is not, background; findings; opinion; plan."""
    required = [fact for fact in facts if fact.get("required", True)]
    history = [fact for fact in required if fact["section"] == "S"]
    first, rest = history[0], history[1:]
    background = ("medicines", "allergy", "family", "smoking")
    asked = [fact for fact in rest if fact["id"] not in background and not fact["id"].startswith("takes-")]
    lines = [f"{capital(first['say'][0])}."]
    there = [fact["say"][0] for fact in asked if fact["polarity"] == "present"]
    denied = [fact["say"][0] for fact in asked if fact["polarity"] == "absent" and "negate" not in fact]
    lines += [f"Reports {joined(there, 'and')}."] if there else []
    lines += [f"Denies {joined(denied, 'or')}."] if denied else []
    lines += [f"Not {fact['say'][0]}." for fact in asked if fact["polarity"] == "absent" and "negate" in fact]
    for fact in rest:
        if fact not in asked:
            lines.append(("Takes " if fact["id"].startswith("takes-") else "") + fact["say"][0] + ".")
    vitals = [fact["say"][0] for fact in required if fact.get("vital")]
    exams = [f"{capital(f['say'][0])}." for f in required if f["section"] == "O" and not f.get("vital")]
    parts = {
        "S": " ".join(map(capital, lines)),
        "O": " ".join([f"{', '.join(vitals)}.", *exams]),
        "A": " ".join(f"{capital(fact['say'][0])}." for fact in required if fact["section"] == "A"),
        "P": " ".join(f"{capital(fact['say'][0])}." for fact in required if fact["section"] == "P"),
    }
    return "\n".join(f"{name}: {body}" for name, body in parts.items())


# --- the splits ------------------------------------------------------------------------------------------------------


def draw(scenario: Row, split: str, material: Row, rng: random.Random, taken: set[str]) -> Row:
    """One sample that shares no 13 words with another split and takes no number back that is said elsewhere."""
    for _ in range(400):
        visit = Visit(scenario, split, material, rng)
        visit.build()
        text = visit.transcript()
        used = {f"{value:g}" for fact in visit.facts for value, _ in fact.get("values", ())} | {str(visit.age)}
        retracted = [f"{value:g}" for value in visit.retracted]
        if len(text) > LONGEST or used & set(retracted) or grams(text) & taken:
            continue
        spelled = {form for value in visit.retracted for form in (f"{value:g}", in_words(value))}
        if spelled & set(re.split(r"[\s/]+", gold(visit.facts).lower())):
            continue
        meta = {
            "specialty": scenario["specialty"],
            "scenario": scenario["id"],
            "retracted": retracted,
            "facts": visit.facts,
        }
        return {"input": text, "target": gold(visit.facts), "metadata": meta}
    raise SystemExit(f"{scenario['id']}: no sample that keeps apart from the other splits")


def build() -> dict[str, list[Row]]:
    """The splits, each from its own scenarios."""
    rng = random.Random(SEED)
    drugs = [line.split() for line in (HERE / "drugs.txt").read_text("utf-8").splitlines() if not line.startswith("#")]
    material = {"symptoms": read_symptoms(), "talk": read_talk(), "drugs": drugs}
    taken: set[str] = set()
    splits: dict[str, list[Row]] = {}
    for split, size in SIZES.items():
        scenarios = read_scenarios(split)
        rows = [draw(scenarios[i % len(scenarios)], split, material, rng, taken) for i in range(size)]
        if split != "shots":
            rng.shuffle(rows)
        taken |= {gram for one in rows for gram in grams(one["input"])}
        splits[split] = [{"id": f"soap-{split}-{i:04d}", **one} for i, one in enumerate(rows, 1)]
    return splits


def write(folder: Path) -> None:
    """Writes the split files into a folder."""
    for split, rows in build().items():
        lines = (json.dumps(one, ensure_ascii=False) for one in rows)
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", "utf-8", newline="\n")


if __name__ == "__main__":
    write(HERE)
