"""Questions over random schemas. Terse requests are answered in SQL; freer ones as the terse request that they mean,
unless a system prompt or examples ask for SQL. A model of this text has to be told, shown or trained to write SQL."""

from __future__ import annotations

import random
from dataclasses import dataclass

from harness.embedded.text import words as w
from harness.embedded.text.document import Document
from harness.embedded.text.lists import items

TABLES = items("sql tables")
NUMERIC = items("sql numeric")
TEXTUAL = items("sql textual")
RESERVED = frozenset(items("sql reserved"))
PLAIN = items("sql plain")
TOWNS = frozenset(items("sql towns"))
PEOPLE = frozenset(items("sql people"))
IRREGULAR = {"children": "child", "people": "person", "staff": "staff", "galleries": "gallery", "movies": "movie"}


@dataclass(frozen=True)
class Table:
    """A table: name, one of its rows in words, columns (name, is number), and the key to its parent if it has one."""

    name: str
    one: str
    columns: tuple[tuple[str, bool], ...]
    parent: str = ""
    key: str = ""

    def line(self) -> str:
        return f"{self.name}({', '.join(['id', *([self.key] if self.key else []), *(c for c, _ in self.columns)])})"


def singular(many: str) -> str:
    """One of many: "cities" gives "city"."""
    if many in IRREGULAR:
        return IRREGULAR[many]
    if many.endswith("ies"):
        return f"{many[:-3]}y"
    return many.removesuffix("es") if many.endswith(("ches", "shes", "sses", "xes")) else many.removesuffix("s")


def table(rng: random.Random, taken: set[str], parent: Table | None = None) -> Table:
    """A table of random columns."""
    while True:
        base = (
            rng.choice(TABLES)
            if rng.random() < 0.75
            else (rng.choice(w.NOUNS) if rng.random() < 0.6 else w.coin(rng)) + "s"
        )
        if base not in taken and base not in RESERVED:
            break
    taken.add(base)
    columns: list[tuple[str, bool]] = []
    used = {*taken, *map(singular, taken)}
    for number in (False, True, *(rng.random() < 0.45 for _ in range(rng.choice((0, 1, 1, 2))))):
        pool = NUMERIC if number else TEXTUAL
        for _ in range(20):
            column = (
                rng.choice(pool)
                if rng.random() < 0.8
                else rng.choice((rng.choice(w.NOUNS), w.coin(rng), f"{rng.choice(w.NOUNS)}_{rng.choice(pool)}"))
            )
            if column not in used and column not in RESERVED:
                used.add(column)
                columns.append((column, number))
                break
    rng.shuffle(columns)
    key = ""
    if parent:
        key = f"{parent.one}_id" if rng.random() < 0.85 or parent.one in RESERVED else parent.one
    return Table(base, singular(base), tuple(columns), parent.name if parent else "", key)


def schema(rng: random.Random) -> list[Table]:
    """One to three tables; a later one often belongs to an earlier one."""
    taken: set[str] = set()
    tables = [table(rng, taken)]
    for _ in range(rng.choice((0, 1, 1, 1, 2))):
        parent = rng.choice(tables) if rng.random() < 0.85 else None
        tables.append(table(rng, taken, parent))
    return tables


def shown(tables: list[Table]) -> str:
    """The tables as a prompt shows them."""
    return "Tables:\n" + "\n".join(t.line() for t in tables)


def sort_of(column: str) -> str:
    """What a column of words holds: towns, people, or other words."""
    last = column.rsplit("_")[-1].rsplit(".")[-1]
    return "town" if last in TOWNS else "person" if last in PEOPLE else "word"


def text_value(rng: random.Random, sort: str) -> str:
    """A value for a column of this sort."""
    if sort == "town":
        return w.place(rng)
    if sort == "person":
        return rng.choice((w.person, w.person, w.name))(rng)
    return rng.choice((rng.choice(PLAIN), rng.choice(PLAIN), rng.choice(w.NOUNS), w.name(rng), w.coin(rng)))


@dataclass(frozen=True)
class Condition:
    """A condition as SQL, as a terse request and in freer words."""

    sql: str
    terse: str
    free: tuple[str, ...]
    column: str


def condition(rng: random.Random, columns: list[tuple[str, str, bool]]) -> Condition:
    """A condition on one of (sql name, word, is number) columns."""
    sql, say, number = rng.choice(columns)
    roll = rng.random()
    if number:
        value = w.number(rng)
        if roll < 0.15:
            low, high = sorted((value, value + rng.randint(2, 60)))
            return Condition(
                f"{sql} BETWEEN {low} AND {high}",
                f"{say} from {low} to {high}",
                (f"with a {say} between {low} and {high}", f"whose {say} lies between {low} and {high}"),
                sql,
            )
        sign, terse, free = rng.choice(
            (
                (">", "above", ("over", "above", "of more than", "greater than", "after")),
                ("<", "below", ("under", "below", "of less than", "smaller than", "before")),
                (">=", "at least", ("of at least", "of {v} or more")),
                ("<=", "at most", ("of at most", "of {v} or less")),
                ("=", "equal to", ("of", "equal to", "of exactly")),
            )
        )
        picked = rng.choice(free)
        tail = picked.format(v=value) if "{v}" in picked else f"{picked} {value}"
        return Condition(
            f"{sql} {sign} {value}",
            f"{say} {terse} {value}",
            (f"with a {say} {tail}", f"that have a {say} {tail}", f"whose {say} is {tail.removeprefix('of ')}"),
            sql,
        )
    sort = sort_of(sql)
    alone = sum(not other[2] and sort_of(other[0]) == sort for other in columns) == 1
    return _of_text(rng, sql, say, roll, sort, alone)


HINTS = {
    "town": ("from {v}", "in {v}", "based in {v}"),
    "person": ("by {v}", "of {v}", "for {v}", "with {v}"),
    "word": ("that are {v}", "marked {v}", "for {v}", "in {v}"),
}


def _of_text(rng: random.Random, sql: str, say: str, roll: float, sort: str, alone: bool) -> Condition:
    """A condition on a column of words; `roll` (0..1) decides its kind. `alone`: no other column holds this sort."""
    value = text_value(rng, sort)
    if roll < 0.1:
        other = text_value(rng, sort)
        free = [f"with {say} {value} or {other}", f"whose {say} is {value} or {other}"]
        if alone:
            free += [hint.format(v=f"{value} or {other}") for hint in HINTS[sort]]
        return Condition(f"{sql} IN ('{value}', '{other}')", f"{say} one of {value}, {other}", tuple(free), sql)
    if roll < 0.17:
        letter = rng.choice("ABCDEFGHIJKLMNOPRSTVW")
        return Condition(
            f"{sql} LIKE '{letter}%'",
            f"{say} starts {letter}",
            (f"with a {say} that starts with {letter}", f"whose {say} begins with {letter}"),
            sql,
        )
    if roll < 0.24:
        return Condition(f"{sql} IS NULL", f"no {say}", (f"without a {say}", f"that have no {say}"), sql)
    if roll < 0.28:
        return Condition(f"{sql} IS NOT NULL", f"any {say}", (f"with a {say}", f"that have a {say}"), sql)
    explicit = (f"with {say} {value}", f"of {say} {value}", f"whose {say} is {value}", f"with the {say} {value}")
    hints = tuple(hint.format(v=value) for hint in HINTS[sort]) if alone else ()
    return Condition(f"{sql} = '{value}'", f"{say} is {value}", explicit + hints, sql)


TERSE = {
    "all": ("count {t}",),
    "count": ("count {t} where {f}", "count {t}, {f}"),
    "list": ("{l} of {t} where {f}", "{l} of {t}, {f}"),
    "both": ("{l} of {t} where {f} and {g}",),
    "pair": ("{l} and {k} of {t} where {f}",),
    "sum": ("sum {m} of {t} where {f}", "add up {m} of {t}, {f}"),
    "avg": ("avg {m} of {t} where {f}",),
    "max": ("max {m} of {t} where {f}",),
    "min": ("min {m} of {t} where {f}",),
    "per": ("count {t} per {p}",),
    "per_sum": ("sum {m} of {t} per {p}",),
    "per_avg": ("avg {m} of {t} per {p}",),
    "per_max": ("max {m} of {t} per {p}",),
    "per_where": ("count {t} per {p} where {f}",),
    "having": ("{p} of {t} with count above {n}",),
    "either": ("count {t} where {f} or {g}",),
    "either_list": ("{l} of {t} where {f} or {g}",),
    "top_where": ("{l} of {t} where {f}, top 1 by {m}",),
    "bottom_where": ("{l} of {t} where {f}, last 1 by {m}",),
    "top": ("{l} of {t}, top 1 by {m}",),
    "bottom": ("{l} of {t}, last 1 by {m}",),
    "top_n": ("{l} of {t}, top {n} by {m}",),
    "sorted": ("{l} of {t} where {f}, sort {m} down",),
    "alphabetical": ("{l} of {t} where {f}, sort {l} up",),
    "distinct": ("distinct {l} of {t}", "distinct {l} of {t} where {f}"),
    "kinds": ("count distinct {p} of {t}",),
    "above": ("{l} of {t} with {m} above avg",),
    "most": ("{p} with max count of {t}",),
    "lone": ("{l} of {o} without {t}",),
}
FREE = {
    "all": (
        "How many {t} are there?",
        "What is the number of {t}?",
        "Count all {t}.",
        "How many {t} do we have?",
        "Tell me the number of {t}.",
        "{t}: how many in all?",
        "How many {t} does the table hold?",
        "Size of {t}?",
    ),
    "count": (
        "How many {t} {f} are there?",
        "Count the {t} {f}.",
        "What is the number of {t} {f}?",
        "Number of {t} {f}, please.",
        "{t} {f}: how many?",
        "I need the number of {t} {f}.",
        "How many of the {t} are {f}?",
        "Tell me how many {t} we have {f}.",
    ),
    "list": (
        "List the {l} of {t} {f}.",
        "Show the {l} of all {t} {f}.",
        "Which {l} belong to {t} {f}?",
        "Give me the {l} of {t} {f}.",
        "Find the {l} for {t} {f}.",
        "I need every {l} of the {t} {f}.",
        "For {t} {f}, what is the {l}?",
        "What are the {l} of the {t} {f}?",
        "{l} of all {t} {f}, please.",
    ),
    "both": (
        "Show the {l} of {t} {f} and {g}.",
        "List the {l} of {t} {f} and also {g}.",
        "Which {l} do {t} {f} and {g} have?",
        "Give the {l} of {t} {f} that are also {g}.",
        "For {t} {f} and {g}, show the {l}.",
    ),
    "pair": (
        "Give {l} and {k} of {t} {f}.",
        "Show {l} and {k} for all {t} {f}.",
        "List the {l} and the {k} of {t} {f}.",
        "For {t} {f}, what are {l} and {k}?",
        "I need two things of {t} {f}: {l} and {k}.",
    ),
    "sum": (
        "What is the total {m} of {t} {f}?",
        "Add up the {m} of {t} {f}.",
        "Give the sum of {m} for {t} {f}.",
        "What combined {m} do {t} {f} have?",
        "Sum the {m} over all {t} {f}.",
        "How much {m} is that together for {t} {f}?",
        "{t} {f}: total {m}?",
    ),
    "avg": (
        "What is the average {m} of {t} {f}?",
        "Give the mean {m} of {t} {f}.",
        "What {m} do {t} {f} have on average?",
        "On average, how large is the {m} of {t} {f}?",
        "For {t} {f}, work out the mean {m}.",
        "{t} {f}: average {m}?",
    ),
    "max": (
        "What is the highest {m} of {t} {f}?",
        "Give the largest {m} among {t} {f}.",
        "Find the greatest {m} of {t} {f}.",
        "How high does the {m} of {t} {f} go?",
        "For {t} {f}, what is the maximum {m}?",
        "Top {m} of {t} {f}?",
    ),
    "min": (
        "What is the lowest {m} of {t} {f}?",
        "Give the smallest {m} among {t} {f}.",
        "Find the least {m} of {t} {f}.",
        "How low does the {m} of {t} {f} go?",
        "For {t} {f}, what is the minimum {m}?",
        "Smallest {m} of {t} {f}?",
    ),
    "per": (
        "How many {t} are there for each {p}?",
        "Count the {t} by {p}.",
        "For every {p}, give the number of {t}.",
        "Show each {p} with its number of {t}.",
        "Per {p}: how many {t}?",
        "Group the {t} by {p} and count them.",
        "What number of {t} does each {p} have?",
    ),
    "per_sum": (
        "What is the total {m} of {t} for each {p}?",
        "Show each {p} with the sum of {m} of its {t}.",
        "For every {p}, add up the {m} of {t}.",
        "Per {p}: total {m} of {t}.",
        "How much {m} do {t} have in all, {p} by {p}?",
        "Group {t} by {p} and sum the {m}.",
    ),
    "per_avg": (
        "What is the average {m} of {t} for each {p}?",
        "Show each {p} with the mean {m} of its {t}.",
        "By {p}, give the average {m} of {t}.",
        "Per {p}: average {m} of {t}.",
        "Group {t} by {p} and take the mean {m}.",
        "For every {p}, how large is the {m} of {t} on average?",
    ),
    "per_max": (
        "What is the highest {m} of {t} for each {p}?",
        "Show each {p} with the largest {m} of its {t}.",
        "Per {p}: highest {m} of {t}.",
        "For every {p}, what is the maximum {m} of {t}?",
        "Group {t} by {p} and take the largest {m}.",
    ),
    "per_where": (
        "How many {t} {f} are there for each {p}?",
        "For every {p}, count the {t} {f}.",
        "Give each {p} and the number of {t} {f}.",
        "Per {p}: how many {t} {f}?",
        "Take {t} {f} and count them by {p}.",
    ),
    "having": (
        "Which {p} has more than {n} {t}?",
        "Show every {p} with over {n} {t}.",
        "List the {p} values that have more than {n} {t}.",
        "Where do we have more than {n} {t}? Give the {p}.",
        "Name each {p} that occurs with more than {n} {t}.",
        "{p} with over {n} {t}, please.",
    ),
    "either": (
        "How many {t} {f} or {g} are there?",
        "Count the {t} {f} or {g}.",
        "How many {t} do we have that are {f} or {g}?",
    ),
    "either_list": (
        "Show the {l} of {t} {f} or {g}.",
        "Which {l} have {t} either {f} or {g}?",
        "List {l} for every {o1} {f} or {g}.",
    ),
    "top_where": (
        "Among the {t} {f}, which {l} has the highest {m}?",
        "Of all {t} {f}, show the {l} of the one with the largest {m}.",
        "Take the {t} {f}: what is the {l} of the {o1} with the most {m}?",
    ),
    "bottom_where": (
        "Among the {t} {f}, which {l} has the lowest {m}?",
        "Of all {t} {f}, show the {l} of the one with the smallest {m}.",
        "Take the {t} {f}: what is the {l} of the {o1} with the least {m}?",
    ),
    "top": (
        "What is the {l} of the {o1} with the highest {m}?",
        "By {m}, which {o1} is first? Give the {l}.",
        "I want the {l} of the {o1} whose {m} is greatest.",
        "Which {l} has the {o1} with the most {m}?",
        "Show the {l} of the {o1} that has the largest {m}.",
    ),
    "bottom": (
        "What is the {l} of the {o1} with the lowest {m}?",
        "Show the {l} of the {o1} that has the smallest {m}.",
        "By {m}, which {o1} is last? Give the {l}.",
        "I want the {l} of the {o1} whose {m} is least.",
        "Which {l} has the {o1} with the least {m}?",
    ),
    "top_n": (
        "Give the {l} of the {n} {t} with the highest {m}.",
        "Show the {l} of the top {n} {t} by {m}.",
        "List the {n} {t} with the largest {m}: the {l}.",
        "Which {n} {t} have the greatest {m}? Give the {l}.",
        "Order {t} by {m}, biggest first, and give the first {n} {l}.",
    ),
    "sorted": (
        "List the {l} of {t} {f}, highest {m} first.",
        "Sort {t} {f} by {m}, largest first, and show the {l}.",
        "Show the {l} of {t} {f} ordered by {m} from high to low.",
        "Give the {l} of {t} {f}, starting with the highest {m}.",
        "{l} of {t} {f}, by {m} downwards.",
        "For {t} {f}, list the {l}; the biggest {m} comes first.",
    ),
    "alphabetical": (
        "List the {l} of {t} {f} in alphabetical order.",
        "Give the {l} of {t} {f} from A to Z.",
        "Show the {l} of {t} {f}, sorted by {l}.",
        "Put the {l} of {t} {f} in order.",
        "{l} of {t} {f}, in alphabetical order, please.",
        "For {t} {f}, list the {l} alphabetically.",
    ),
    "distinct": (
        "Which different {l} do {t} {f} have?",
        "List every {l} of {t} {f} once.",
        "Show the distinct {l} of {t} {f}.",
        "What {l} occur among {t} {f}? Each only once.",
        "Without repeats, give the {l} of {t} {f}.",
        "All different {l} of {t} {f}, please.",
    ),
    "kinds": (
        "How many different {p} do {t} have?",
        "Count the distinct {p} of {t}.",
        "What is the number of different {p} among {t}?",
        "{p} of {t}: how many different ones?",
        "How many kinds of {p} occur in {t}?",
    ),
    "above": (
        "Which {l} have {t} with a {m} above the average?",
        "Show the {l} of {t} whose {m} is higher than average.",
        "List the {l} of {t} with more {m} than the mean.",
        "Give the {l} of {t} that lie above the average {m}.",
        "For {t} with a {m} over the mean {m}, show the {l}.",
    ),
    "most": (
        "Which {p} has the most {t}?",
        "Show the {p} with the largest number of {t}.",
        "What is the most common {p} of {t}?",
        "For which {p} are there the most {t}?",
        "What {p} do most {t} have?",
        "Name the {p} that has more {t} than any other.",
    ),
    "lone": (
        "Which {o} have no {t}? Show the {l}.",
        "List the {l} of {o} without any {t}.",
        "Give the {l} of all {o} that have no {t}.",
        "{o} that have no {t}: give the {l}.",
        "Show the {l} for {o} which do not have any {t}.",
    ),
}
JOINED = {
    "count",
    "list",
    "both",
    "pair",
    "sum",
    "avg",
    "per",
    "per_sum",
    "per_avg",
    "per_max",
    "per_where",
    "max",
    "min",
    "distinct",
    "most",
    "alphabetical",
    "sorted",
    "having",
    "top",
    "bottom",
    "top_n",
    "either",
    "either_list",
    "top_where",
    "bottom_where",
}
WEIGHTS = {"both": 2, "list": 2, "count": 2, "per": 2, "per_where": 2, "lone": 1.5}


def _write(intent: str, source: str, f: str, g: str, m: str, lab: str, k: str, p: str, n: int, filtered: bool) -> str:
    where = f" WHERE {f}"
    return {
        "all": f"SELECT COUNT(*) FROM {source}",
        "count": f"SELECT COUNT(*) FROM {source}{where}",
        "list": f"SELECT {lab} FROM {source}{where}",
        "both": f"SELECT {lab} FROM {source}{where} AND {g}",
        "pair": f"SELECT {lab}, {k} FROM {source}{where}",
        "sum": f"SELECT SUM({m}) FROM {source}{where}",
        "avg": f"SELECT AVG({m}) FROM {source}{where}",
        "max": f"SELECT MAX({m}) FROM {source}{where}",
        "min": f"SELECT MIN({m}) FROM {source}{where}",
        "per": f"SELECT {p}, COUNT(*) FROM {source} GROUP BY {p}",
        "per_sum": f"SELECT {p}, SUM({m}) FROM {source} GROUP BY {p}",
        "per_avg": f"SELECT {p}, AVG({m}) FROM {source} GROUP BY {p}",
        "per_max": f"SELECT {p}, MAX({m}) FROM {source} GROUP BY {p}",
        "per_where": f"SELECT {p}, COUNT(*) FROM {source}{where} GROUP BY {p}",
        "having": f"SELECT {p} FROM {source} GROUP BY {p} HAVING COUNT(*) > {n}",
        "either": f"SELECT COUNT(*) FROM {source}{where} OR {g}",
        "either_list": f"SELECT {lab} FROM {source}{where} OR {g}",
        "top_where": f"SELECT {lab} FROM {source}{where} ORDER BY {m} DESC LIMIT 1",
        "bottom_where": f"SELECT {lab} FROM {source}{where} ORDER BY {m} LIMIT 1",
        "top": f"SELECT {lab} FROM {source} ORDER BY {m} DESC LIMIT 1",
        "bottom": f"SELECT {lab} FROM {source} ORDER BY {m} LIMIT 1",
        "top_n": f"SELECT {lab} FROM {source} ORDER BY {m} DESC LIMIT {n}",
        "sorted": f"SELECT {lab} FROM {source}{where} ORDER BY {m} DESC",
        "alphabetical": f"SELECT {lab} FROM {source}{where} ORDER BY {lab}",
        "distinct": f"SELECT DISTINCT {lab} FROM {source}{where if filtered else ''}",
        "kinds": f"SELECT COUNT(DISTINCT {p}) FROM {source}",
        "above": f"SELECT {lab} FROM {source} WHERE {m} > (SELECT AVG({m}) FROM {source})",
        "most": f"SELECT {p} FROM {source} GROUP BY {p} ORDER BY COUNT(*) DESC LIMIT 1",
    }[intent]


def _plural(column: str, rng: random.Random) -> str:
    if rng.random() < 0.6 or column.endswith("s"):
        return column
    if column.endswith("y") and column[-2:-1] not in "aeiou":
        return f"{column[:-1]}ies"
    return f"{column}es" if column.endswith(("x", "ch", "sh")) else f"{column}s"


def query(rng: random.Random, tables: list[Table], intent: str, terse: bool) -> tuple[str, str, str] | None:
    """A question, its query and its terse form, or None where the schema has no place for the intent."""
    children = [t for t in tables if t.parent]
    pool = TERSE[intent] if terse else FREE[intent]
    wording = rng.choice(pool)
    n = rng.randint(2, 6)
    if intent == "lone":
        if not children:
            return None
        child = rng.choice(children)
        parent = next(t for t in tables if t.name == child.parent)
        column = rng.choice([c for c, number in parent.columns if not number] or ["id"])
        answer = f"SELECT {column} FROM {parent.name} WHERE id NOT IN (SELECT {child.key} FROM {child.name})"
        brief = rng.choice(TERSE[intent]).format(l=column, o=parent.name, t=child.name)
        return wording.format(l=column, o=parent.name, t=child.name), answer, brief
    joined = bool(children) and intent in JOINED and rng.random() < 0.45
    main = rng.choice(children) if joined else rng.choice(tables)
    source = main.name
    own = [(c, c, number) for c, number in main.columns]
    columns, far = own, []
    if joined:
        parent = next(t for t in tables if t.name == main.parent)
        source = f"{main.name} JOIN {parent.name} ON {main.name}.{main.key} = {parent.name}.id"
        own = [(f"{main.name}.{c}", c, number) for c, number in main.columns]
        far = [(f"{parent.name}.{c}", rng.choice((c, f"{parent.one} {c}")), number) for c, number in parent.columns]
        columns = own + far
    texts, numbers = [c for c in columns if not c[2]], [c for c in own if c[2]]
    if not texts or not numbers:
        return None
    f = condition(rng, far if joined and rng.random() < 0.7 else columns)
    g = condition(rng, columns)
    m, lab, p = rng.choice(numbers), rng.choice(texts), rng.choice(texts)
    if joined and intent.startswith(("per", "most")) and rng.random() < 0.7:
        p = rng.choice([c for c in far if not c[2]] or texts)
    k = rng.choice(columns)
    if (
        g.column == f.column
        or k[0] == lab[0]
        or (f.column == lab[0] and intent not in ("count", "sum"))
        or (intent == "per_where" and p[0] == f.column)
    ):
        return None
    answer = _write(intent, source, f.sql, g.sql, m[0], lab[0], k[0], p[0], n, "{f}" in wording)
    if joined and not any(c[0] in answer.replace(source, "") for c in far):
        return None
    said_f, said_g = (f.terse, g.terse) if terse else (rng.choice(f.free), rng.choice(g.free))
    said_l, said_k = (lab[1], k[1]) if terse else (_plural(lab[1], rng), _plural(k[1], rng))
    text = wording.format(t=main.name, o1=main.one, f=said_f, g=said_g, m=m[1], l=said_l, k=said_k, p=p[1], n=n)
    if not terse and "_" in text and rng.random() < 0.6:
        text = text.replace("_", " ")
    brief = TERSE[intent]["{f}" in wording if intent == "distinct" else 0]
    plan = brief.format(t=main.name, f=f.terse, g=g.terse, m=m[1], l=lab[1], k=k[1], p=p[1], n=n)
    return text, answer, plan


def draw(rng: random.Random, tables: list[Table], terse: bool) -> tuple[str, str, str, str]:
    """A question, its query, its terse form and its intent, whatever the schema has a place for."""
    names = list(TERSE)
    while True:
        intent = rng.choices(names, [WEIGHTS.get(i, 1) for i in names])[0]
        found = query(rng, tables, intent, terse)
        if found:
            return *found, intent


SYSTEMS = (
    "Answer with one SQL query.",
    "You write SQL for SQLite.",
    "You turn questions into SQL. Reply with one query.",
    "Write the SQLite query that answers the question, and nothing else.",
    "You know SQL. Give the query only.",
    "Reply in SQL.",
    "Turn the question into a single SELECT statement for these tables.",
    "You help people to ask their database. Output: one line of SQL.",
)


def asked(rng: random.Random, tables: list[Table], count: int) -> Document:
    """Requests to one schema, each by itself; more than half of the time a system prompt asks for SQL."""
    told = rng.random() < 0.55
    branches = []
    for _ in range(count):
        terse = rng.random() < (0.15 if told else 0.4)
        text, answer, brief, _ = draw(rng, tables, terse)
        branches.append((f" {text}", answer if told or terse else brief))
    turns = (("system", rng.choice(SYSTEMS), 0.0),) if told else ()
    return Document(turns, f"{shown(tables)}\nQuestion:", tuple(branches))


def alone(rng: random.Random) -> Document:
    """One to three tables and several requests."""
    return asked(rng, schema(rng), 5)


def small(rng: random.Random) -> Document:
    """The same over one table, for the first lessons."""
    return asked(rng, [table(rng, set())], 3)


def by_example(rng: random.Random) -> Document:
    """A conversation in SQL: from the second question on, the examples before it say what is wanted."""
    told = rng.random() < 0.25
    turns: list[tuple[str, str, float]] = [("system", rng.choice(SYSTEMS), 0.0)] if told else []
    same = schema(rng) if rng.random() < 0.3 else None
    for number in range(rng.randint(3, 6)):
        tables = same or schema(rng)
        text, answer, _, _ = draw(rng, tables, rng.random() < 0.1)
        turns += [
            ("user", f"{shown(tables)}\nQuestion: {text}", 0.0),
            ("assistant", answer, 1.0 if number or told else 0.0),
        ]
    return Document(tuple(turns))
