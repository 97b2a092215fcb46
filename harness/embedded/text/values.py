"""Values that facts are about: how many, how much, who, where, when, how."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from harness.embedded.text import words as w
from harness.embedded.text.lists import items

OFFICES = items("offices")
UNITS_OF_PEOPLE = items("units of people")
CHIEFS = items("chiefs")
STAFF = items("staff")
SITES = items("sites")
GOODS = items("goods")
TASKS = items("tasks")
JOBS = items("jobs")
PETS = items("pets")
FOOD = items("food")
MUSIC = items("music")
TRANSPORT = items("transport")
STUFF = items("stuff")
COLOURS = items("colours")
GEAR = items("gear")
HOW = items("how")
ROOMS = items("rooms")
SMALL = items("small")
SHORT = {
    kind: items(f"short {kind}")
    for kind in (
        "paid",
        "place_on",
        "language",
        "result",
        "exit",
        "spot",
        "often",
        "soon",
        "secret",
        "showing",
        "fate",
        "fate2",
        "drink",
    )
}
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")
JUNIOR = ("first", "second", "third", "fourth", "fifth", "top")


def office(rng: random.Random) -> str:
    """Somebody to turn to: an office, a chief, or a person."""
    roll = rng.random()
    if roll < 0.4:
        head = rng.choice(OFFICES) if rng.random() < 0.7 else w.name(rng)
        return f"the {head} {rng.choice(UNITS_OF_PEOPLE)}"
    if roll < 0.7:
        kind = rng.choice(
            (rng.choice(OFFICES).lower(), rng.choice(w.NOUNS), rng.choice(("site", "line", "office", "team", "shift")))
        )
        return f"the {kind} {rng.choice(CHIEFS)}"
    return w.person(rng)


def how(rng: random.Random) -> str:
    """A way of doing something."""
    text = rng.choice(HOW)
    return text.format(
        o=office(rng), p=rng.choice(OFFICES).lower(), n=rng.choice((w.name(rng), rng.choice(w.NOUNS))), c=code(rng)
    )


def code(rng: random.Random) -> str:
    """Letters and digits, as on a form or a door."""
    letters = "".join(rng.choice("ABCDEFGHJKLMNPRSTUVWXYZ") for _ in range(rng.randint(1, 2)))
    return rng.choice(
        (f"{letters}{rng.randint(1, 99)}", f"{letters}-{rng.randint(10, 999)}", str(rng.randint(100, 9999)))
    )


def where(rng: random.Random) -> str:
    """A place inside an organisation, or a town."""
    return rng.choice(ROOMS).format(
        d=rng.randint(1, 400),
        n=rng.choice((w.name(rng), rng.choice(w.NOUNS))),
        l=rng.choice("ABCDEFGH"),
        a=rng.choice(w.ADJECTIVES),
        s=rng.choice(JUNIOR),
        t=w.place(rng),
    )


def money(rng: random.Random) -> str:
    """An amount of money."""
    amount = rng.choice(
        (str(w.number(rng)), str(w.number(rng)), f"{rng.randint(1, 60)},{rng.choice(('000', '500', '200', '250'))}")
    )
    tail = rng.choice(("", "", "", "", " a year", " a month", " a head", " a night", " a day"))
    unit = rng.choice(("euros", "euros", "pounds", "dollars", "crowns"))
    return rng.choice(
        (f"{amount} {unit}", f"{amount} {unit}", f"{amount} {unit}{tail}", f"{rng.randint(1, 90)} cents", f"${amount}")
    )


UNITS = (
    "km/h",
    "kg",
    "GB",
    "metres",
    "degrees",
    "decibels",
    "percent",
    "litres",
    "copies",
    "letters",
    "members",
    "pages",
    "hours",
    "minutes",
    "points",
    "km",
)


def measure(rng: random.Random) -> str:
    """A number with a unit."""
    n = rng.choice(
        (
            str(rng.randint(2, 200)),
            str(rng.randint(2, 200)),
            f"{rng.randint(1, 60)}.{rng.randint(1, 9)}",
            rng.choice(SMALL),
        )
    )
    return f"{n} {rng.choice(UNITS)}"


def phrase(rng: random.Random) -> str:
    """Anything else that a rule may name: things, places, ways, states."""
    a, b = rng.choice(w.NOUNS), rng.choice(w.NOUNS)
    adjective, name, job = rng.choice(w.ADJECTIVES), w.name(rng), rng.choice(JOBS)
    common = rng.choice(w.COMMON)
    options = (
        f"the {adjective} {a}",
        f"a {adjective} {a}",
        f"{a}s and {b}s",
        f"{a}s or {b}s",
        f"the {a} {b}",
        f"the {name} {a}",
        name,
        f"the {job}",
        f"with the {a}",
        f"in the {adjective} {a}",
        f"only with {a}s",
        f"{adjective} {a}s",
        f"the {a} list",
        f"the {adjective} line",
        f"against the {a}",
        f"{adjective}",
        f"not {adjective}",
        f"the back of the {a}",
        f"at the {a}",
        f"{a}@{name.lower()}.example",
        f"hall {rng.choice('ABCDEFG')}",
        f"the {name} app",
        f"line {rng.randint(2, 99)}",
        f"every {a}",
        f"no {a}",
        f"half the {a}",
        f"a {a} and a {b}",
        f"{common}",
        f"{common} and {a}",
        f"your {a}",
        f"the {rng.choice(ORDINALS)} {rng.choice(('day', 'week', 'month', 'floor', 'Friday', 'Monday'))}",
        f"on {rng.choice(w.DAYS)} {rng.choice(('morning', 'afternoon', 'evening', 'noon'))}",
        f"{rng.choice(w.DAYS)} {rng.choice(('mornings', 'afternoon', 'noon'))}",
        f"{w.clock(rng)} to {w.clock(rng)}",
        f"within {rng.choice(SMALL)} {rng.choice(('days', 'weeks', 'months'))}",
        f"once a {rng.choice(('day', 'week', 'month', 'year'))}",
        f"{rng.choice(SMALL)} {a}s",
        f"{rng.choice(SMALL)} {adjective} {a}s",
        f"{rng.choice(SMALL)} {a}s a {rng.choice(('day', 'week', 'year'))}",
    )
    return rng.choice(options)


def few(rng: random.Random, most: int = 36) -> str:
    """A small number in digits or in words."""
    return rng.choice((str(rng.randint(2, most)), str(rng.randint(2, most)), rng.choice(SMALL)))


def days(rng: random.Random) -> str:
    """A number of days."""
    return f"{few(rng, 45)} {rng.choice(('days', 'days', 'working days'))}"


def span(rng: random.Random) -> str:
    """A length of time of days and more."""
    return f"{few(rng)} {rng.choice(('days', 'weeks', 'weeks', 'months', 'months', 'years'))}"


def payday(rng: random.Random) -> str:
    """A day that comes every month."""
    last, first = f"the last {rng.choice(w.DAYS)}", f"the first {rng.choice(w.DAYS)}"
    th = f"the {rng.randint(4, 20)}th"
    return rng.choice((th, f"{th} of the month", last, first, rng.choice(w.DAYS)))


def cents(rng: random.Random) -> str:
    """A small amount of money."""
    n = rng.randint(11, 95)
    return rng.choice((f"{n} cents", f"{n} pence", f"0.{n} euros"))


def count(rng: random.Random) -> str:
    """So many of something."""
    per = ("a day", "a week", "a month", "a year", "per person", "per team", "pages", "people", "items")
    return f"{rng.randint(2, 60)} {rng.choice(per)}"


def boss(rng: random.Random) -> str:
    """Somebody above you."""
    return rng.choice((f"the {rng.choice(CHIEFS)}", f"your {rng.choice(CHIEFS)}", office(rng)))


def title(rng: random.Random) -> str:
    """What a book is called."""
    return f"The {rng.choice(w.ADJECTIVES).capitalize()} {rng.choice(w.NOUNS).capitalize()}"


MAKERS: dict[str, Callable[[random.Random], str]] = {
    "phrase": phrase,
    "measure": measure,
    "days": days,
    "span": span,
    "hours": lambda r: f"{few(r, 60)} hours",
    "minutes": lambda r: f"{r.choice((r.randint(5, 90), r.randrange(10, 120, 5)))} minutes",
    "money": money,
    "cents": cents,
    "percent": lambda r: f"{r.randint(2, 80)}{r.choice((' percent', '%'))}",
    "when": payday,
    "year": lambda r: str(r.randint(1500, 2030)),
    "people": lambda r: f"{w.number(r)} {r.choice(('people', 'guests', 'visitors', 'seats'))}",
    "phone": lambda r: str(r.randint(1000, 99999)),
    "weight": lambda r: f"{w.number(r)} {r.choice(('kilos', 'grams', 'pounds'))}",
    "age": lambda r: f"{r.randint(3, 99)} years",
    "count": count,
    "title": title,
    "number": lambda r: str(r.randint(2, 60)),
    "size": lambda r: f"{r.randint(2, 90)} megabytes",
    "distance": lambda r: f"{r.randint(2, 90)} {r.choice(('metres', 'kilometres', 'miles'))}",
    "group": lambda r: subject("staff", r),
    "chief": boss,
    "system": lambda r: r.choice((w.name(r), f"the {w.name(r)} system")),
    "month": lambda r: r.choice(w.MONTHS),
    "day": lambda r: r.choice(w.DAYS),
    "who": office,
    "how": how,
    "where": where,
    "time": w.clock,
    "date": w.date,
    "code": code,
    "person": w.person,
    "town": w.place,
    "gear": lambda r: r.choice(GEAR),
    "stuff": lambda r: r.choice(STUFF),
    "colour": lambda r: r.choice(COLOURS),
    "job": lambda r: r.choice(JOBS),
    "pet": lambda r: r.choice(PETS),
    "food": lambda r: r.choice(FOOD),
    "music": lambda r: r.choice(MUSIC),
    "transport": lambda r: r.choice(TRANSPORT),
}


OPENED: dict[str, Callable[[random.Random], str]] = {
    "NAME": w.name,
    "NOUN": w.word,
    "ADJ": lambda r: r.choice(w.ADJECTIVES),
    "NUM": lambda r: str(w.number(r)),
    "TOWN": w.place,
    "PERSON": w.person,
    "DAY": lambda r: r.choice(w.DAYS),
    "MONTH": lambda r: r.choice(w.MONTHS),
}
OPEN = re.compile(rf"\b({'|'.join(OPENED)})(?=s?\b)")


def value(kind: str, rng: random.Random) -> str:
    """One value of a kind that topics.txt or policies.txt names ("time2" is another "time"), or one of "this; that"."""
    if ";" in kind:
        return OPEN.sub(lambda m: OPENED[m[0]](rng), rng.choice(kind.split(";")).strip())
    if kind in SHORT:
        other = rng.choice((w.name(rng), rng.choice(w.NOUNS)))
        text = rng.choice(SHORT[kind])
        return text.format(n=other, d=rng.randint(2, 20), m=rng.choice(w.MONTHS), a=rng.choice(w.ADJECTIVES))
    return MAKERS[kind.rstrip("2345")](rng)


def subject(kind: str, rng: random.Random) -> str:
    """Who or what a fact is about: staff, place, product, person, thing."""
    if kind == "person":
        return w.person(rng)
    if kind == "staff":
        roll = rng.random()
        group = rng.choice(STAFF)
        if roll < 0.7:
            return group
        if roll < 0.85:
            return f"{group} in {w.place(rng)}"
        return f"{rng.choice(w.NOUNS)} {rng.choice(('workers', 'teams', 'crews', 'makers', 'sellers'))}"
    extra = rng.choice((rng.choice(w.ADJECTIVES), rng.choice(w.NOUNS), w.name(rng), ""))
    base = rng.choice({"place": SITES, "product": GOODS, "thing": TASKS}[kind])
    if kind == "thing" and extra[:1].isupper():
        return f"{base} in {extra}"
    if kind == "place" and rng.random() < 0.2:
        return f"{base} in {w.place(rng)}"
    return f"{extra} {base}".strip()
