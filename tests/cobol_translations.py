# ruff: noqa: E501
"""Translations of programs of the cobol suite, built in another way than its golds, and subtle mistakes in each.

RIGHT: how it is built -> (program, Python). WRONG: (how it is built, the mistake, text, what stands there instead).
"""

RIGHT = {
    "a dataclass with properties": (
        "callcost-05",
        """
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

RATES = {"L": Decimal("0.125"), "F": Decimal("0.33")}


@dataclass(frozen=True)
class Call:
    kind: str
    seconds: int

    @classmethod
    def parse(cls, line: str) -> "Call":
        return cls(line[0], int(line[1:5]))

    @property
    def pulses(self) -> int:
        return (self.seconds + 9) // 10

    @property
    def cost(self) -> Decimal:
        cost = self.pulses * RATES[self.kind]
        return max(cost.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP), Decimal("0.25"))

    def __str__(self) -> str:
        if self.seconds == 0:
            return f"{self.kind} NOT ANSWERED"
        if self.kind not in RATES:
            return f"{self.kind} UNKNOWN CLASS"
        return f"{self.kind} {self.pulses:04}{self.cost:6.2f}"


def main(stdin, files):
    calls = [Call.parse(line) for line in stdin.splitlines()]
    shown = [call for call in calls if call.kind != "E"]
    out = [str(call) for call in shown]
    out.append(f"FREE OF CHARGE: {(len(calls) - len(shown)) % 10}")
    return "\\n".join(out) + "\\n", {}
""",
    ),
    "a match statement": (
        "callcost-05",
        """
from decimal import ROUND_HALF_UP, Decimal


def rate(kind: str, seconds: int) -> str:
    match kind, seconds:
        case _, 0:
            return "NOT ANSWERED"
        case "L", _:
            per_pulse = Decimal("0.125")
        case "F", _:
            per_pulse = Decimal("0.33")
        case _:
            return "UNKNOWN CLASS"
    pulses = -(-seconds // 10)
    cost = (pulses * per_pulse).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return f"{pulses:04d}{max(cost, Decimal('0.25')):>6}"


def main(stdin, files):
    free, lines = 0, []
    for kind, *digits in stdin.splitlines():
        if kind == "E":
            free = (free + 1) % 10
        else:
            lines.append(f"{kind} {rate(kind, int(''.join(digits)))}\\n")
    return f"{''.join(lines)}FREE OF CHARGE: {free}\\n", {}
""",
    ),
    "whole tenths of a cent": (
        "callcost-05",
        """
def main(stdin, files):
    out, free = "", 0
    for line in stdin.splitlines():
        kind, seconds = line[0], int(line[1:])
        if kind == "E":
            free += 1
            continue
        if not seconds:
            out += f"{kind} NOT ANSWERED\\n"
            continue
        if kind not in "LF":
            out += f"{kind} UNKNOWN CLASS\\n"
            continue
        pulses = (seconds + 9) // 10
        cents = max((pulses * (125 if kind == "L" else 330) + 5) // 10, 25)
        out += f"{kind} {pulses:04d}{cents // 100:3d}.{cents % 100:02d}\\n"
    return out + f"FREE OF CHARGE: {free % 10}\\n", {}
""",
    ),
    "a class that is the job": (
        "parking-05",
        """
from decimal import Decimal


class CarPark:
    FREE, STEP, PRICE, MOST = 15, 30, Decimal("0.75"), Decimal("18.50")

    def __init__(self):
        self.taken = Decimal(0)
        self.log = []

    def fee(self, minutes):
        if minutes <= self.FREE:
            return Decimal(0)
        steps, left = divmod(minutes - self.FREE, self.STEP)
        return min((steps + bool(left)) * self.PRICE, self.MOST)

    def leave(self, record):
        car, times = record[:3], [int(record[i:i + 2]) for i in (3, 5, 7, 9)]
        minutes = times[2] * 60 + times[3] - times[0] * 60 - times[1]
        due = self.fee(minutes + 1440 if minutes < 0 else minutes)
        self.taken += due
        self.log.append("%s %02d:%02d-%02d:%02d %06.2f" % (car, *times, due))


def main(stdin, files):
    park = CarPark()
    for record in stdin.splitlines():
        park.leave(record)
    return "\\n".join([*park.log, f"HOSPITAL TOOK {park.taken:08.2f}", ""]), {}
""",
    ),
    "times of the standard library": (
        "parking-05",
        """
import math
from datetime import timedelta
from decimal import Decimal


def clock(text):
    return timedelta(hours=int(text[:2]), minutes=int(text[2:]))


def main(stdin, files):
    total, lines = Decimal("0.00"), []
    for line in stdin.splitlines():
        stay = clock(line[7:11]) - clock(line[3:7])
        minutes = (stay % timedelta(days=1)).seconds // 60
        fee = min(Decimal("0.75") * max(0, math.ceil((minutes - 15) / 30)), Decimal("18.50"))
        total += fee
        lines.append(f"{line[:3]} {line[3:5]}:{line[5:7]}-{line[7:9]}:{line[9:11]} {str(fee.quantize(Decimal('0.01'))):0>6}")
    lines.append("HOSPITAL TOOK " + str(total).rjust(8, "0"))
    return "\\n".join(lines), {}
""",
    ),
    "string translation and zip": (
        "luhn-08",
        """
TWICE = dict(zip("0123456789", (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))


def main(stdin: str, files: dict) -> tuple:
    report = []
    for card in stdin.splitlines():
        number, holder = card[:6], card[6:11].ljust(5)
        total = sum(TWICE[d] if i % 2 == 0 else int(d) for i, d in enumerate(number))
        tenths, rest = divmod(total, 9)
        report.append(holder + (f" INVALID {rest:02}" if rest else f" VALID {tenths:02}"))
    return "".join(line + "\\n" for line in report), {}
""",
    ),
    "a regular expression": (
        "squeeze-08",
        """
import re


def main(stdin, files):
    runs = 0
    written = []
    for raw in files["raw.txt"].splitlines():
        found = [m.group() for m in re.finditer(r"(.)\\1*", f"{raw:<20}")]
        runs += len(found)
        written.append("".join(f"{len(run):02d}{run[0]}" if len(run) > 2 else run for run in found))
    return "BEACON RUNS %04d" % runs, {"short.txt": "\\n".join(written)}
""",
    ),
    "a generator of lines": (
        "settings-06",
        """
from decimal import Decimal


def settings(lines):
    for line in lines:
        if line[:1] != "*" and line.strip():
            name, _, rest = line.partition(":")
            yield name[:8].rstrip(), rest.partition(":")[0][:6].rstrip()


def main(stdin, files):
    config = {"LINES": 60, "OWNER": "(NONE)"}
    ignored = 0
    for name, text in settings(files["plotter.cfg"].splitlines()):
        if name not in config:
            ignored += 1
        elif name == "OWNER":
            config[name] = text
        elif text:
            config[name] = int(abs(Decimal(text))) % 10_000
    return f"LINES: {config['LINES']:04}\\nOWNER: {config['OWNER'].ljust(6)}.\\nIGNORED: {ignored:02}\\n", {}
""",
    ),
    "a NamedTuple and a running total": (
        "statement-07",
        """
from decimal import Decimal
from typing import NamedTuple


class Item(NamedTuple):
    amount: Decimal
    text: str


def read(line: str) -> Item:
    amount = Decimal(line[:6]).scaleb(-2)
    return Item(-amount if line[6] == "-" else amount, line[7:15])


def edit(value: Decimal) -> str:
    return f"{abs(value):,.2f}".rjust(9) + ("DB" if value < 0 else "  ")


def main(stdin, files):
    balance = Decimal("150.25")
    items = list(map(read, files["items.txt"].splitlines()))
    rows = []
    for item in items:
        balance += item.amount
        rows.append(f"{item.text:<8}{edit(item.amount)}{edit(balance)}")
    credits = len([item for item in items if item.amount > 0])
    debits = len([item for item in items if item.amount < 0])
    out = f"CREDITS {credits:03d} DEBITS {debits:03d}\\n"
    if balance < 0:
        out += "OVERDRAWN\\n"
    return out, {"statement.txt": "".join(f"{row}\\n" for row in rows)}
""",
    ),
    "arithmetic of letters": (
        "cipher-02",
        """
def turn(sign):
    return chr((ord(sign) - 65 + 13) % 26 + 65) if "A" <= sign <= "Z" else sign


def main(stdin, files):
    notes = stdin.splitlines()
    signs = sum(sign != " " for note in notes for sign in note)
    out = {"notes.out": "".join(f"{n:03}:{''.join(map(turn, note))}\\n" for n, note in enumerate(notes, 1))}
    return f"GARRISON {len(notes):03} NOTES\\nSIGNS {signs:04}\\n", out
""",
    ),
    "printing into a text": (
        "wordcount-03",
        """
import io
import re


def main(stdin, files):
    out, total = io.StringIO(), 0
    for line in stdin.splitlines():
        words = len(re.findall(r"[^ -]+", line))
        total += words
        print(f"{words:02d} WORDS", file=out)
    print("IN ALL", f"{total:03d}", file=out)
    return out.getvalue(), {}
""",
    ),
    "its own standard output": (
        "wordcount-03",
        """
import contextlib
import io


def run(poem):
    counts = [len(line.replace("-", " ").split()) for line in poem]
    for count in counts:
        print(f"{count:02d} WORDS")
    print(f"IN ALL {sum(counts):03d}")


def main(stdin, files):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        run(stdin.splitlines())
    return out.getvalue(), {}
""",
    ),
    "a merge of two iterators": (
        "merging-05",
        """
LAST = "\\xff\\xff"


def main(stdin, files):
    masters, changes = (iter(files[name].splitlines()) for name in ("master.txt", "changes.txt"))
    master, change = next(masters, LAST), next(changes, LAST)
    out, new = [], []
    while master != LAST or change != LAST:
        if master[:2] < change[:2]:
            new.append(master)
            master = next(masters, LAST)
        elif master[:2] > change[:2]:
            out.append(f"{change[:2]} HAS NO MASTER")
            change = next(changes, LAST)
        else:
            points = max(int(master[2:7]) + int(change[2:7]), 0) % 100000
            new.append(f"{master[:2]}{points:05d}=")
            master, change = next(masters, LAST), next(changes, LAST)
    out.append(f"ORPHANS {len(out):03d}")
    return "\\n".join(out), {"new.txt": "\\n".join(new)}
""",
    ),
    "a Decimal context": (
        "brackets-08",
        """
from decimal import ROUND_DOWN, Decimal, localcontext

CENT = Decimal("0.01")


def levy(income):
    if income <= 5000:
        return Decimal("0.00")
    if income <= 24000:
        due = (income - 5000) * 12 / 100
    else:
        due = Decimal(19000) * 12 / 100 + (income - 24000) * 40 / 100
    return due.quantize(CENT)


def main(stdin, files):
    with localcontext() as context:
        context.rounding = ROUND_DOWN
        raised, lines = Decimal("0.00"), []
        for line in stdin.splitlines():
            due = levy(Decimal(f"{line[5:10]}.{line[10:12]}"))
            raised += due
            lines.append(line[:5] + " " + format(due, ",.2f").rjust(9, "*"))
    return "\\n".join([*lines, f"RAISED {raised:09.2f}"]), {}
""",
    ),
    "a table of lists": (
        "matrix-08",
        """
def main(stdin, files):
    grid = [[0, 0] for _ in range(4)]
    for line in stdin.splitlines():
        row, evening, seats = int(line[0]) - 1, int(line[1]) - 1, int(line[2:5])
        if 0 <= row < 4 and 0 <= evening < 2:
            grid[row][evening] += seats
    out = ""
    for number, (first, second) in enumerate(grid, 1):
        out += f"ROW {number} {first:04d} {second:04d} = {first + second:05d}\\n"
    return out + "ALL  " + "".join(f"{sum(column):05d}" for column in zip(*grid)) + " \\n", {}
""",
    ),
    "a Counter in order": (
        "repeats-02",
        """
from collections import Counter


def main(stdin, files):
    counts = Counter(line[:4] for line in files["list.txt"].splitlines())
    twice = {number: times for number, times in counts.items() if times > 1}
    lines = [f"WAYBILL {number} {times:02} TIMES" for number, times in twice.items()] + [f"{len(twice):02} REPEATED"]
    return "\\n".join(lines), {}
""",
    ),
    "ceiling by math, a template": (
        "reorder-02",
        """
from math import ceil
from types import SimpleNamespace


def card(line):
    return SimpleNamespace(key=line[:4], short=int(line[7:10]) - int(line[4:7]))


def main(stdin, files):
    short = [c for c in map(card, files["stock.txt"].splitlines()) if c.short > 0]
    order = "".join("{} {:5,d} IN {:03d}\\n".format(c.key, ceil(c.short / 25) * 25, ceil(c.short / 25)) for c in short)
    return "DONE", {"order.txt": order}
""",
    ),
    "ordinals of dates": (
        "deadlines-07",
        """
import datetime


def main(stdin, files):
    out, over = [], 0
    for line in stdin.splitlines():
        day = datetime.date(int(line[4:8]), int(line[8:10]), int(line[10:12])).toordinal() + 90
        day += {6: 2, 0: 1}.get(day % 7, 0)
        due = datetime.date.fromordinal(day).strftime("%Y%m%d")
        late = due < "20250110"
        over += late
        out.append(f"{line[:4]} {due}" + " OVER" * late)
    return "\\n".join(out + [f"OVER: {over:03d}"]), {}
""",
    ),
    "nested generators": (
        "wornout-01",
        """
from decimal import ROUND_DOWN, Decimal
from itertools import takewhile


def years(cost):
    loss = ((cost - 50) / 6).quantize(Decimal("0.01"), ROUND_DOWN)
    opening = takewhile(lambda step: step[1] > 50, ((year, cost - (year - 1) * loss) for year in range(1, 7)))
    for year, value in opening:
        yield year, value - loss, loss


def main(stdin, files):
    plan, written_down = [], Decimal("0.00")
    for line in files["assets.txt"].splitlines():
        for year, value, loss in years(Decimal(line[4:10]) / 100):
            plan.append(f"{line[:4]} {year} {value:8,.2f}\\n")
            written_down += loss
    return f"WRITTEN DOWN {written_down:08.2f}\\n", {"plan.txt": "".join(plan)}
""",
    ),
    "an enumeration and a page as a list": (
        "paydown-07",
        """
from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from enum import Enum


class Rate(Enum):
    SOCIAL = Decimal("0.093")
    TAX = Decimal("0.19")

    def of(self, amount: Decimal) -> Decimal:
        return self.value * amount


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


@dataclass
class Slips:
    lines: list[str] = field(default_factory=list)
    pages: int = 0
    people: int = 0
    total: Decimal = Decimal(0)

    def pay(self, name: str, gross: Decimal, children: int) -> None:
        social = cents(Rate.SOCIAL.of(gross))
        tax = max(cents(Rate.TAX.of(gross - social) - 25 * children), Decimal("0.00"))
        net = gross - social - tax
        if self.people % 2 == 0:
            self.pages += 1
            self.lines.append(f"NAME     TAX         NET  PAGE {self.pages:2d}")
        self.people += 1
        self.total += net
        self.lines.append(f"{name:7}{tax:9,.2f}  {net:9,.2f}")


def main(stdin: str, files: dict[str, str]) -> tuple[str, dict[str, str]]:
    slips = Slips()
    for line in files["gross.txt"].splitlines():
        slips.pay(line[:7], Decimal(line[7:13]) / 100, int(line[13]))
    return f"NET IN ALL {slips.total:10,.2f} ON {slips.pages:02d} PAGES", {"slips.txt": "\\n".join(slips.lines)}
""",
    ),
    "setdefault and whole numbers": (
        "bureau-05",
        """
from collections import defaultdict


def money(cents, width=0, comma=","):
    return f"{cents // 100:{comma}}.{cents % 100:02d}".rjust(width)


def main(stdin, files):
    rates, out, fees = {}, defaultdict(list), 0
    for line in files["rates.txt"].splitlines():
        rates.setdefault(line[:3], int(line[3:9]))
    for line in files["desk.txt"].splitlines():
        code, cents = line[:3], int(line[3:9])
        fee = max(cents * 225 // 10000, 50)
        if code not in rates:
            out["lines"].append(f"{code} NOT TRADED")
        elif fee >= cents:
            out["lines"].append(f"{code} TOO LITTLE")
        else:
            fees += fee
            out["lines"].append(code + money((cents - fee) * rates[code] // 10000 % 10_000_000, 12))
    out["lines"].append(f"FEES {fees // 100:04d}.{fees % 100:02d}")
    return "\\n".join(out["lines"]), {}
""",
    ),
    "a recursion": (
        "loanplan-03",
        '''
from decimal import ROUND_HALF_UP, Decimal


def months(debt, rate, part, month=1):
    """(month, charge, debt) of each month, six at most."""
    if not debt or month > 6:
        return []
    charge = (debt * rate / 1200).quantize(Decimal("0.01"), ROUND_HALF_UP)
    debt = max(debt + charge - part, Decimal("0.00"))
    return [(month, charge, debt), *months(debt, rate, part, month + 1)]


def main(stdin, files):
    debt, rate, part = (Decimal(line) / 100 for line in stdin.splitlines()[:3])
    plan = months(debt, rate, part)
    lines = [f"{month:02d} {charge:9,.2f} {left:10,.2f}" for month, charge, left in plan]
    left = plan[-1][2] if plan else debt
    lines += [f"REPAID AFTER {len(plan):02d}" if left == 0 else "STILL OWING"]
    lines += [f"CHARGES {sum((charge for _, charge, _ in plan), Decimal(0)):09.2f}"]
    return "\\n".join(lines), {}
''',
    ),
    "a state that is handed on": (
        "cipher-02",
        """
import codecs
import functools
import re


def step(state, note):
    number, signs, out = state
    turned = re.sub("[A-Z]+", lambda found: codecs.encode(found[0], "rot13"), note)
    return number + 1, signs + len(note) - note.count(" "), [*out, f"{number + 1:03d}:{turned}"]


def main(stdin, files):
    number, signs, out = functools.reduce(step, stdin.splitlines(), (0, 0, []))
    return f"GARRISON {number:03d} NOTES\\nSIGNS {signs:04d}", {"notes.out": "\\n".join(out)}
""",
    ),
    "a main that reads arguments as well": (
        "repeats-02",
        """
import argparse
import itertools
import pathlib


def report(text: str, least: int = 2) -> str:
    numbers = (line[:4] for line in text.splitlines())
    counted = [(number, len(list(run))) for number, run in itertools.groupby(numbers)]
    repeated = [f"WAYBILL {number} {times:02d} TIMES\\n" for number, times in counted if times >= least]
    return f"{''.join(repeated)}{len(repeated):02d} REPEATED\\n"


def main(stdin: str, files: dict[str, str]) -> tuple[str, dict[str, str]]:
    return report(files["list.txt"]), {}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Look for repeats.")
    parser.add_argument("list", type=pathlib.Path)
    print(report(parser.parse_args().list.read_text()), end="")
""",
    ),
    "files written through a dictionary of lists": (
        "squeeze-08",
        """
from collections import defaultdict
from itertools import groupby


def main(stdin, files):
    written = defaultdict(str)
    written["short.txt"] = ""
    runs = 0
    for line in files["raw.txt"].splitlines():
        for sign, group in groupby(line.ljust(20)):
            runs += 1
            length = sum(1 for _ in group)
            written["short.txt"] += f"{length:02d}{sign}" if length >= 3 else sign * length
        written["short.txt"] += "\\n"
    return f"BEACON RUNS {runs:04d}\\n", written
""",
    ),
}

WRONG = [
    ("a dataclass with properties", "the tenth free call", " % 10}", "}"),
    ("a dataclass with properties", "an unanswered call of an unknown class", "self.seconds == 0", "self.seconds == 0 and self.kind in RATES"),
    ("a match statement", "rounded to even", "ROUND_HALF_UP)", "'ROUND_HALF_EVEN')"),
    ("a match statement", "zeros not shown in the cost", ":>6}", ":>6.1f}"),
    ("whole tenths of a cent", "the least is not in force", "max((pulses * (125 if kind == \"L\" else 330) + 5) // 10, 25)", "(pulses * (125 if kind == \"L\" else 330) + 5) // 10"),
    ("a class that is the job", "sixteen minutes are free", "minutes <= self.FREE", "minutes <= self.FREE + 1"),
    ("a class that is the job", "a started step is not counted", "steps + bool(left)", "steps"),
    ("times of the standard library", "past midnight", "(stay % timedelta(days=1)).seconds", "abs(stay).seconds"),
    ("string translation and zip", "nine twice is 18, not 9", "7, 9)))", "7, 0)))"),
    ("string translation and zip", "a short name is not filled", ".ljust(5)", ""),
    ("a regular expression", "trailing blanks are no run", "f\"{raw:<20}\"", "raw"),
    ("a regular expression", "runs of two are counted", "len(run) > 2", "len(run) > 1"),
    ("a generator of lines", "the text is not cut at six", "[:6].rstrip()", ".rstrip()"),
    ("a generator of lines", "the blank in front is lost", "[:6].rstrip()", "[:6].strip()"),
    ("a generator of lines", "a setting without a value", "elif text:", "elif text or True:\n            text = text or \"0\""),
    ("a generator of lines", "the sign is kept", "int(abs(Decimal(text)))", "int(Decimal(text))"),
    ("a NamedTuple and a running total", "zero is a credit", "if item.amount > 0]", "if item.amount >= 0]"),
    ("a NamedTuple and a running total", "CR for DB", '"DB" if value < 0', '"CR" if value < 0'),
    ("arithmetic of letters", "small letters as well", 'if "A" <= sign <= "Z" else sign', 'if sign.isalpha() else sign'),
    ("printing into a text", "a dash does not part words", "[^ -]+", "[^ ]+"),
    ("a merge of two iterators", "below zero", "max(int(master[2:7]) + int(change[2:7]), 0)", "abs(int(master[2:7]) + int(change[2:7]))"),
    ("a Decimal context", "the context is never left at cutting", "context.rounding = ROUND_DOWN", "pass"),
    ("a Decimal context", "blanks for asterisks", 'rjust(9, "*")', "rjust(9)"),
    ("a table of lists", "one list four times", "[[0, 0] for _ in range(4)]", "[[0, 0]] * 4"),
    ("a Counter in order", "the commonest first", "counts.items()", "counts.most_common()"),
    ("ordinals of dates", "Friday for Saturday", "{6: 2, 0: 1}", "{5: 2, 6: 1}"),
    ("nested generators", "the loss is rounded", '"0.01"), ROUND_DOWN)', '"0.01"))'),
    ("an enumeration and a page as a list", "three on a page", "self.people % 2", "self.people % 3"),
    ("setdefault and whole numbers", "the last rate counts", "rates.setdefault(line[:3], int(line[3:9]))", "rates[line[:3]] = int(line[3:9])"),
    ("setdefault and whole numbers", "what does not fit is kept", " % 10_000_000", ""),
    ("a recursion", "twelve months", "month > 6", "month > 12"),
    # a second set, written after the inputs were extended because of two of the first
    ("a dataclass with properties", "emergencies are listed", 'call.kind != "E"]', "True]"),
    ("a match statement", "a cost of nothing for one second", "-(-seconds // 10)", "seconds // 10"),
    ("a match statement", "far calls at the local rate", 'Decimal("0.33")', 'Decimal("0.125")'),
    ("whole tenths of a cent", "four digits of cost", "{cents // 100:3d}", "{cents // 100:4d}"),
    ("a class that is the job", "the most is not in force for a whole day", "minutes + 1440 if minutes < 0", "minutes + 1440 if minutes <= 0"),
    ("times of the standard library", "half an hour more is free", "(minutes - 15)", "(minutes - 30)"),
    ("string translation and zip", "the other digits are doubled", "i % 2 == 0", "i % 2"),
    ("a regular expression", "runs of ten show one digit", "{len(run):02d}", "{len(run) % 10:02d}"),
    ("a generator of lines", "comments are read", 'line[:1] != "*" and', ""),
    ("a generator of lines", "small letters are names too", "name[:8].rstrip()", "name[:8].rstrip().upper()"),
    ("a NamedTuple and a running total", "overdrawn at zero", "if balance < 0:", "if balance <= 0:"),
    ("a merge of two iterators", "a change that comes to nothing is not marked", "{points:05d}=", "{points:05d}{'=' if points != int(master[2:7]) else ''}"),
    ("a Decimal context", "the lower bracket is taxed from the first coin", "(income - 5000) * 12 / 100", "income * 12 / 100"),
    ("a Counter in order", "three times", "times > 1", "times > 2"),
    ("ordinals of dates", "due today is over", "due < ", "due <= "),
    ("nested generators", "five years", "range(1, 7)", "range(1, 6)"),
    ("an enumeration and a page as a list", "tax on the gross", "gross - social) - 25", "gross) - 25"),
    ("an enumeration and a page as a list", "social contributions are cut", "social = cents(Rate.SOCIAL.of(gross))", "social = Rate.SOCIAL.of(gross).quantize(Decimal('0.01'), 'ROUND_DOWN')"),
    ("setdefault and whole numbers", "the fee is rounded", "cents * 225 // 10000", "(cents * 225 + 5000) // 10000"),
    ("setdefault and whole numbers", "a fee as large as the amount", "fee >= cents", "fee > cents"),
    ("a recursion", "interest of a year as of 12.5 months", "/ 1200", "/ 1250"),
    ("a recursion", "an instalment as large as the debt leaves it", "max(debt + charge - part, Decimal(\"0.00\"))", "debt + charge - part if debt + charge != part else debt"),
    # a third set, written after the inputs were extended once more
    ("a dataclass with properties", "a call of one digit less", "line[1:5]", "line[1:4]"),
    ("a match statement", "any other class is far", 'case "F", _:', "case _:\n            per_pulse = Decimal(\"0.33\")\n        case \"?\", _:"),
    ("whole tenths of a cent", "nothing is rounded", "+ 5) // 10, 25)", ") // 10, 25)"),
    ("a class that is the job", "the last fee for the sum", "self.taken += due", "self.taken = due"),
    ("times of the standard library", "a stay of no time is a day", ".seconds // 60", ".seconds // 60 or 1440"),
    ("string translation and zip", "the rest is that of ten", "divmod(total, 9)", "divmod(total, 10)"),
    ("a generator of lines", "the first of a name counts", "config[name] = text", 'config[name] = text if config[name] == "(NONE)" else config[name]'),
    ("a NamedTuple and a running total", "thousands run into the text", 'rjust(9) + ("DB"', 'rjust(8) + ("DB"'),
    ("arithmetic of letters", "numbered from nought", "enumerate(notes, 1)", "enumerate(notes)"),
    ("printing into a text", "an empty line is not counted", "print(f\"{words:02d} WORDS\", file=out)", "words and print(f\"{words:02d} WORDS\", file=out)"),
    ("a merge of two iterators", "orphans end the work", "while master != LAST or change != LAST", "while master != LAST"),
    ("a Decimal context", "the highest bracket on all of it", "Decimal(19000) * 12 / 100 + (income - 24000)", "(income - 0)"),
    ("a table of lists", "the last seats for the sum", "grid[row][evening] += seats", "grid[row][evening] = seats"),
    ("a Counter in order", "every waybill", "if times > 1}", "}"),
    ("ceiling by math, a template", "short by none is an order", "c.short > 0", "c.short >= 0"),
    ("ceiling by math, a template", "thousands without a comma", "{:5,d}", "{:5d}"),
    ("ordinals of dates", "a day late", "+ 90", "+ 91"),
    ("nested generators", "the value before the loss", "value - loss, loss", "value, loss"),
    ("an enumeration and a page as a list", "tax below nothing", "max(cents(Rate.TAX.of(gross - social) - 25 * children), Decimal(\"0.00\"))", "cents(Rate.TAX.of(gross - social) - 25 * children)"),
    ("setdefault and whole numbers", "rounded before the rate", "(cents - fee) * rates[code] // 10000", "(cents - fee) // 100 * rates[code] // 100"),
    ("a recursion", "charges of the last month only", "sum((charge for _, charge, _ in plan), Decimal(0))", "plan[-1][1] if plan else Decimal(0)"),
    ("a state that is handed on", "blanks are counted", " - note.count(\" \")", ""),
]  # fmt: skip
