# ruff: noqa: E501, SIM905, C402, RUF007
# mostly tables, where an entry on one line reads best; references avoid the idiom they check
"""The functions this suite asks for: how each is said, its reference implementation, its ideal answer, its hidden calls.

Two kinds. A grid: an operation on a list of strings (keep, count, first, ...) times a property (is a palindrome, is
longer than five characters, ...). And single small functions, written out one by one in small.py.
The reference is written another way than the ideal code on purpose: the two are checked against each other.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

VOWELS = "aeiou"
LONG = ("ab" * 25_000 + "a", "ab" * 25_000)
ACCENTS = ("été", "año", "sés", "número", "ressasser", "Ésope", "Éé", "âge")
POOL = (
    "level radar noon civic kayak refer stats madam rotor deed peep eve a b zz tea stone river sky echo apple orange "
    "book bell letter zebra lion otter cat dog sun moon almost chimp ghost rhythm fly by sing ringing talked walked "
    "glasses paints train bridge window yellow purple mountain keyboard elephant breakfast understand umbrella ice "
    "abba noun banana onion below first begins"
).split()
CASED = "Racecar Anna Bob Level NOON NASA Paris Berlin MOON Otto Ada ABBA Tea iPhone Kayak USA".split()
DIGITS = "12321 1221 1234 7 2024 90 x1y2 route66 4you b2b 1a1 a1".split()
SPACED = [
    "nurses run",
    "hello world",
    "step on no pets",
    "good morning",
    "top spot",
    "my gym",
    "Nurses run",
    "a b",
    "top  spot",
]
MARKED = [
    "ab!a",
    "Madam, I'm Adam",
    "x-y-x",
    "no, on",
    "Was it a car?",
    "well-known",
    "Step on no pets!",
    "a.b",
    "level!",
]
EVERYTHING = (*POOL, *CASED, *DIGITS, *SPACED, *MARKED, *ACCENTS, "")


@cache
def mirrored(text: str) -> bool:
    """The reference for palindromes, position by position."""
    return all(text[i] == text[-1 - i] for i in range(len(text) // 2))


@cache
def bare(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())


def plain(text: str) -> bool:
    """Lower-case ASCII letters only, at least one: no doubt about case, digits or accents."""
    return text.isascii() and text.isalpha() and text.islower()


@dataclass(frozen=True)
class Property:
    """A property of a string. `base` groups those that differ in a number or a letter only.

    many, one: "that are palindromes", "that is a palindrome". code: the ideal test of `s`, with `helper` above it.
    clear: the strings about which the wording leaves no doubt; only those are used in hidden calls.
    idioms: of the test itself.
    """

    base: str
    slug: str
    many: str
    one: str
    code: str
    holds: Callable[[str], bool]
    clear: Callable[[str], bool] = lambda s: True
    idioms: tuple[str, ...] = ()
    helper: str = ""


HELPER = 'def letters(s):\n    return "".join(c for c in s.lower() if c.isalnum())\n\n\n'
PALINDROMES = (
    Property(
        "palindrome", "palindromes", "that are palindromes", "that is a palindrome", "s == s[::-1]",
        mirrored, lambda s: mirrored(s) == mirrored(bare(s)), ("palindrome",),
    ),
    Property(
        "palindrome", "exact_palindromes", "that are palindromes respecting case",
        "that is a palindrome respecting case", "s == s[::-1]",
        mirrored, lambda s: mirrored(s.lower()) == mirrored(bare(s)), ("palindrome",),
    ),
    Property(
        "palindrome_nocase", "palindromes_ignoring_case", "that are palindromes ignoring case",
        "that is a palindrome ignoring case", "s.lower() == s.lower()[::-1]",
        lambda s: mirrored(s.lower()), lambda s: mirrored(s.lower()) == mirrored(bare(s)), ("palindrome",),
    ),
    Property(
        "palindrome_nospace", "palindromes_ignoring_spaces", "that are palindromes ignoring spaces",
        "that is a palindrome ignoring spaces", 's.replace(" ", "") == s.replace(" ", "")[::-1]',
        lambda s: mirrored("".join(c for c in s if c != " ")),
        lambda s: mirrored("".join(s.split(" "))) == mirrored(bare(s)), ("palindrome",),
    ),
    Property(
        "palindrome_bare", "loose_palindromes", "that are palindromes ignoring case, spaces and punctuation",
        "that is a palindrome ignoring case, spaces and punctuation", "letters(s) == letters(s)[::-1]",
        lambda s: mirrored(bare(s)), idioms=("palindrome",), helper=HELPER,
    ),
    Property(
        "not_palindrome", "non_palindromes", "that are not palindromes", "that is not a palindrome", "s != s[::-1]",
        lambda s: not mirrored(s), lambda s: mirrored(s) == mirrored(bare(s)), ("palindrome",),
    ),
)  # fmt: skip
NUMBERS = {3: "three", 4: "four", 5: "five", 6: "six", 7: "seven"}


def _others() -> list[Property]:
    def endings(s: str) -> bool:
        return s != "" and s[0] == s[-1]

    found = [
        Property("vowel_start", "vowel_starts", "that start with a vowel", "that starts with a vowel",
                 's.startswith(tuple("aeiou"))', lambda s: s != "" and s[0] in VOWELS, lambda s: s == "" or plain(s[0]), ("call:startswith",)),
        Property("vowel_end", "vowel_ends", "that end with a vowel", "that ends with a vowel",
                 's.endswith(tuple("aeiou"))', lambda s: s != "" and s[-1] in VOWELS, lambda s: s == "" or plain(s[-1]), ("call:endswith",)),
        Property("even", "even_strings", "of even length", "of even length", "len(s) % 2 == 0", lambda s: len(s) in range(0, 10**6, 2)),
        Property("odd", "odd_strings", "of odd length", "of odd length", "len(s) % 2 == 1", lambda s: len(s) in range(1, 10**6, 2)),
        Property("digits", "digit_strings", "made only of digits", "made only of digits", "s.isdigit()",
                 lambda s: set(s) <= set("0123456789"), bool, ("call:isdigit",)),
        Property("letters", "letter_strings", "made only of letters", "made only of letters", "s.isalpha()",
                 lambda s: all(c.lower() != c.upper() for c in s), bool, ("call:isalpha",)),
        Property("upper", "capital_strings", "written in capital letters only", "written in capital letters only", "s.isupper()",
                 lambda s: s == s.upper(), str.isalpha, ("call:isupper",)),
        Property("lower", "small_strings", "written in small letters only", "written in small letters only", "s.islower()",
                 lambda s: s == s.lower(), str.isalpha, ("call:islower",)),
        Property("has_digit", "strings_with_digit", "that contain a digit", "that contains a digit", "any(c.isdigit() for c in s)",
                 lambda s: bool(set(s) & set("0123456789")), idioms=("call:any",)),
        Property("no_digit", "strings_without_digit", "without any digit", "without any digit", "not any(c.isdigit() for c in s)",
                 lambda s: not set(s) & set("0123456789"), idioms=("call:any",)),
        Property("space", "strings_with_space", "that contain a space", "that contains a space", '" " in s', lambda s: s.count(" ") > 0),
        Property("no_vowel", "strings_without_vowel", "without any vowel", "without any vowel", 'not any(c in "aeiou" for c in s)',
                 lambda s: not set(s) & set(VOWELS), plain, ("call:any",)),
        Property("distinct", "distinct_strings", "in which no character repeats", "in which no character repeats",
                 "len(set(s)) == len(s)", lambda s: all(s.count(c) == 1 for c in set(s)), lambda s: s == s.lower(), ("call:set",)),
        Property("repeating", "repeating_strings", "in which some character repeats", "in which some character repeats",
                 "len(set(s)) < len(s)", lambda s: any(s.count(c) > 1 for c in set(s)), lambda s: s == s.lower(), ("call:set",)),
        Property("ordered", "ordered_strings", "whose letters are in alphabetical order", "whose letters are in alphabetical order",
                 "list(s) == sorted(s)", lambda s: all(a <= b for a, b in zip(s, s[1:], strict=False)), plain, ("call:sorted",)),
        Property("same_ends", "same_ends", "that begin and end with the same letter", "that begins and ends with the same letter",
                 "s[:1] == s[-1:]", endings, plain),
        Property("capital", "capitalized_strings", "that start with a capital letter", "that starts with a capital letter",
                 "s[:1].isupper()", lambda s: s != "" and s[0] != s[0].lower(), lambda s: s == "" or s[0].isalpha(), ("call:isupper",)),
    ]  # fmt: skip
    for n, word in NUMBERS.items():
        found += [
            Property("longer", f"longer_than_{word}", f"longer than {word} characters", f"longer than {word} characters", f"len(s) > {n}", lambda s, n=n: len(s[n:]) > 0),
            Property("shorter", f"shorter_than_{word}", f"shorter than {word} characters", f"shorter than {word} characters", f"len(s) < {n}", lambda s, n=n: s[n - 1 :] == ""),
            Property("exactly", f"of_length_{word}", f"of exactly {word} characters", f"of exactly {word} characters", f"len(s) == {n}", lambda s, n=n: s[n - 1 :] != "" and s[n:] == ""),
        ]  # fmt: skip
    for letter in "abelrst":
        found += [
            Property("starts", f"starting_with_{letter}", f"that start with the letter {letter}", f"that starts with the letter {letter}", f's.startswith("{letter}")', lambda s, x=letter: s[:1] == x, lambda s: s == s.lower(), ("call:startswith",)),
            Property("contains", f"containing_{letter}", f"that contain the letter {letter}", f"that contains the letter {letter}", f'"{letter}" in s', lambda s, x=letter: s.count(x) > 0, lambda s: s == s.lower() and s.isascii()),
        ]  # fmt: skip
    for ending in ("ing", "ed", "s", "er", "on"):
        found.append(
            Property("ending", f"ending_in_{ending}", f"that end in {ending}", f"that ends in {ending}", f's.endswith("{ending}")', lambda s, x=ending: s[-len(x) :] == x, lambda s: s == s.lower(), ("call:endswith",))
        )  # fmt: skip
    return found


OTHERS = tuple(_others())


@dataclass(frozen=True)
class Operation:
    """What to do with the strings that have a property.

    says: four ways to say it ({many} or {one} holds the property): two for train, two for test; dev mixes them.
    body: the ideal code ({test}). does: the reference. why: the explanation in the ideal answer.
    """

    name: str
    argument: str
    says: tuple[str, str, str, str]
    body: str
    does: Callable[[Callable[[str], bool], Any], Any]
    why: str
    idioms: tuple[str, ...] = ("comprehension",)


def first_of(items: Any) -> Any:
    return items[0] if items else None


OPERATIONS = (
    Operation(
        "keep", "strings",
        ("returns the strings {many} from a list, in order", "filters a list and leaves only the strings {many}",
         "takes a list of strings and returns only those {many}, keeping their order", "given some strings in a list, gives back just the ones {many}"),
        "[s for s in strings if {test}]", lambda p, xs: [x for x in xs if p(x)],
        "The comprehension keeps the strings that pass the test, in order.",
    ),
    Operation(
        "count", "strings",
        ("returns the count of strings {many} in a list", "goes through a list and counts the strings {many}",
         "takes a list of strings and counts those {many}", "tells how many strings {many} a list holds, as a count"),
        "sum({test} for s in strings)", lambda p, xs: len([x for x in xs if p(x)]),
        "Each test is True or False, and sum counts the True ones.",
    ),
    Operation(
        "any", "strings",
        ("returns True if any string in a list is one {one}", "checks a list for any string {one}",
         "takes a list of strings and says whether there is any string {one}", "answers True or False: does a list hold any string {one}"),
        "any({test} for s in strings)", lambda p, xs: [x for x in xs if p(x)] != [],
        "The call of any is True as soon as the test holds for one string.", ("call:any",),
    ),
    Operation(
        "all", "strings",
        ("returns True if all strings in a list are ones {many}", "checks that a list has all its strings among those {many}",
         "takes a list and says whether all of its strings are strings {many}", "answers True or False: are all the entries of a list strings {many}"),
        "all({test} for s in strings)", lambda p, xs: [x for x in xs if not p(x)] == [],
        "The call of all is True if the test holds for every string in the list.", ("call:all",),
    ),
    Operation(
        "first", "strings",
        ("returns the first string {one} in a list, or None", "finds in a list the first string {one} and returns None if there is none",
         "takes a list of strings and gives the first one {one}, None where no string fits", "looks through strings for the first {one} (None without a match)"),
        "next((s for s in strings if {test}), None)", lambda p, xs: first_of([x for x in xs if p(x)]),
        "The call of next takes the first string that passes the test, else None.", ("call:next",),
    ),
    Operation(
        "last", "strings",
        ("returns the last string {one} in a list, or None", "finds in a list the last string {one} and returns None if there is none",
         "takes a list of strings and gives the last one {one}, None where no string fits", "looks through strings for the last {one} (None without a match)"),
        "next((s for s in reversed(strings) if {test}), None)", lambda p, xs: first_of([x for x in xs if p(x)][::-1]),
        "Going backwards, next takes the first string that passes the test, else None.", ("call:next", "comprehension"),
    ),
    Operation(
        "longest", "strings",
        ("returns the longest string {one} in a list, or None", "finds in a list the longest string {one} and returns None if there is none",
         "takes a list of strings and gives the longest one {one}, None where no string fits", "looks through strings for the longest {one} (None without a match)"),
        "max((s for s in strings if {test}), key=len, default=None)", lambda p, xs: first_of(sorted([x for x in xs if p(x)], key=lambda x: -len(x))),
        "Among the strings that pass the test, max with key=len takes the longest.", ("call:max",),
    ),
    Operation(
        "shortest", "strings",
        ("returns the shortest string {one} in a list, or None", "finds in a list the shortest string {one} and returns None if there is none",
         "takes a list of strings and gives the shortest one {one}, None where no string fits", "looks through strings for the shortest {one} (None without a match)"),
        "min((s for s in strings if {test}), key=len, default=None)", lambda p, xs: first_of(sorted([x for x in xs if p(x)], key=len)),
        "Among the strings that pass the test, min with key=len takes the shortest.", ("call:min",),
    ),
    Operation(
        "positions", "strings",
        ("returns the positions of the strings {many} in a list, from 0", "goes through a list and lists the positions, from 0, of strings {many}",
         "takes a list of strings and returns the zero-based positions of those {many}", "gives, as a list counted from 0, the positions at which there are strings {many}"),
        "[i for i, s in enumerate(strings) if {test}]", lambda p, xs: [i for i in range(len(xs)) if p(xs[i])],
        "With enumerate each string has its position, kept if the test holds.",
    ),
    Operation(
        "flags", "strings",
        ("returns a dictionary from each string in a list to True if it is one {one}, else False", "makes a dictionary: each string of a list with True if it is one {one}, else False",
         "takes a list of strings and builds a dictionary that says for each, True or False, whether it is one {one}", "maps in a dictionary every string of a list to whether it is one {one} (True or False)"),
        "{{s: {test} for s in strings}}", lambda p, xs: dict((x, p(x)) for x in xs),
        "The dictionary comprehension gives each string the value of its test.",
    ),
    Operation(
        "upper", "strings",
        ("returns the strings {many} from a list in upper case", "filters a list for the strings {many} and puts them in upper case",
         "takes a list of strings and returns, in upper case, those {many}", "picks out of a list the strings {many} and gives them back in upper case"),
        "[s.upper() for s in strings if {test}]", lambda p, xs: [str.upper(x) for x in xs if p(x)],
        "The comprehension takes the strings that pass the test and makes them upper case.",
    ),
    Operation(
        "lengths", "strings",
        ("returns the lengths of the strings {many} in a list", "goes through a list and lists the lengths of strings {many}",
         "takes a list of strings and returns the lengths of those {many}, in order", "gives the lengths, as a list, of whichever strings are ones {many}"),
        "[len(s) for s in strings if {test}]", lambda p, xs: list(map(len, filter(p, xs))),
        "The comprehension takes the length of each string that passes the test.",
    ),
    Operation(
        "total", "strings",
        ("returns the total length of the strings {many} in a list", "goes through a list and adds up the total length of strings {many}",
         "takes a list of strings and returns the total length of those {many}", "gives the total length, one number, of whichever strings are ones {many}"),
        "sum(len(s) for s in strings if {test})", lambda p, xs: len("".join(filter(p, xs))),
        "It is the sum of len(s) over the strings that pass the test.",
    ),
    Operation(
        "sorted", "strings",
        ("returns the strings {many} from a list, sorted", "filters a list for the strings {many} and has them sorted",
         "takes a list of strings and returns a sorted list of those {many}", "picks out of a list the strings {many} and gives them back sorted"),
        "sorted(s for s in strings if {test})", lambda p, xs: sorted(filter(p, xs)),
        "The call of sorted puts the strings that pass the test in order.", ("call:sorted",),
    ),
    Operation(
        "joined", "strings",
        ("returns the strings {many} from a list, joined by commas without spaces", "filters a list for the strings {many} and has them joined by a bare comma",
         "takes a list of strings and returns one text: those {many}, joined with \",\"", "picks out of a list the strings {many} and gives them back joined with \",\""),
        '",".join(s for s in strings if {test})', lambda p, xs: ",".join(list(filter(p, xs))),
        "The strings that pass the test are joined with commas in between.", ("call:join",),
    ),
    Operation(
        "set", "strings",
        ("returns the set of strings {many} in a list", "goes through a list and makes a set of the strings {many}",
         "takes a list of strings and returns a set of those {many}", "collects in a set whichever strings of a list are ones {many}"),
        "{{s for s in strings if {test}}}", lambda p, xs: set(filter(p, xs)),
        "The set comprehension keeps each string once if the test holds for it.",
    ),
    Operation(
        "words", "sentence",
        ("returns the words {many} from a sentence, in order", "splits a sentence and leaves only the words {many}",
         "takes a sentence and returns a list of those words {many}, in order", "given one sentence, gives back as a list just the words {many}"),
        "[s for s in sentence.split() if {test}]", lambda p, text: [x for x in text.split() if p(x)],
        "The sentence is split, and the words that pass the test are kept.",
    ),
    Operation(
        "count_words", "sentence",
        ("returns the count of words {many} in a sentence", "splits a sentence and counts the words {many}",
         "takes a sentence and counts those words {many}", "tells how many words {many} a sentence holds, as a count"),
        "sum({test} for s in sentence.split())", lambda p, text: len([x for x in text.split() if p(x)]),
        "The sentence is split, and sum counts the words that pass the test.",
    ),
    Operation(
        "check", "s",
        ("returns True if a string is one {one}", "checks whether a string is one {one}",
         "takes one string and says, True or False, whether it is one {one}", "answers True or False: is the given string one {one}"),
        "{test}", lambda p, x: p(x),
        "The function returns what the test says, which is True or False.", (),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Function:
    """A function to ask for. says: wordings by split role, as in Operation. cases: (behaviour, arguments, expected)."""

    key: str
    base: str
    kind: str
    says: tuple[str, ...]
    code: str
    why: str
    idioms: tuple[str, ...]
    reference: Callable[..., Any]
    cases: tuple[tuple[str, tuple[Any, ...], Any], ...]


def grid() -> list[Function]:
    """Every operation with every property that make sense together."""
    return [
        combined(operation, what)
        for operation in OPERATIONS
        for what in map(remembering, (*PALINDROMES, *OTHERS))
        if not (operation.name == "check" and not what.idioms)
        and not (operation.argument == "sentence" and what.base in ("space", "palindrome_nospace", "palindrome_bare"))
        and not (operation.name in ("longest", "shortest", "lengths", "total") and what.base == "exactly")
    ]


@cache
def remembering(what: Property) -> Property:
    """The same property, quicker: the long strings are looked at once."""
    return replace(what, holds=cache(what.holds), clear=cache(what.clear))


def combined(operation: Operation, what: Property) -> Function:
    name = f"is_{what.slug}" if operation.name == "check" else f"{operation.name}_{what.slug}"
    code = operation.body.format(test=what.code)
    code = f"{what.helper}def {name}({operation.argument}):\n    return {code}"
    why = operation.why
    if "palindrome" in what.idioms:
        why += " `[::-1]` reverses a string."
    palindrome = "palindrome" in what.base

    def reference(argument: Any) -> Any:
        return operation.does(what.holds, argument)

    return Function(
        key=name,
        base=f"{operation.name}/{what.base}",
        kind="palindrome" if palindrome else "filter",
        says=tuple(text.format(many=what.many, one=what.one) for text in operation.says),
        code=code,
        why=why,
        idioms=("palindrome",) if palindrome else operation.idioms or what.idioms,
        reference=reference,
        cases=tuple((behaviour, (given,), reference(given)) for behaviour, given in calls(operation, what, name)),
    )


def calls(operation: Operation, what: Property, name: str) -> list[tuple[str, Any]]:
    """(behaviour, argument) of each hidden call, drawn by a generator seeded with the function's name."""
    draw = random.Random(f"calls {name}")
    clear = [s for s in dict.fromkeys(EVERYTHING) if what.clear(s)]
    if operation.argument == "sentence":
        clear = [s for s in clear if s and " " not in s]
    draw.shuffle(clear)
    hits, misses = [s for s in clear if what.holds(s)], [s for s in clear if not what.holds(s)]
    near_hits, near_misses = telling(what, clear)
    accents = [s for s in clear if s in ACCENTS]
    long = [s for s in LONG if what.clear(s)]
    if operation.name == "check":
        found = [*hits[:4], *misses[:4], *near_hits, *near_misses, *accents[:2]]
        return [(f"the string {s!r}", s) for s in dict.fromkeys(found)] + [("a long string", s) for s in long]
    one, other, miss = hits[0], hits[min(3, len(hits) - 1)], misses[0]
    by_length = sorted({len(s): s for s in hits}.values(), key=len)[:5]
    lists = [
        ("a mixed list", draw.sample([*hits[:4], *misses[:4]], len(hits[:4]) + len(misses[:4]))),
        ("order and duplicates", [other, miss, one, other, miss, misses[-1], one]),
        ("only matches, from short to long", by_length),
        ("only matches, from long to short", by_length[::-1]),
        ("a single string", [one]),
        ("many strings", draw.sample(clear, 16)),
    ]
    if operation.name == "all":
        lists += [("all near matches", near_hits), ("one exception", [one, other, miss, one])]
        lists += [(f"{s!r} as the only exception", [*near_hits, s]) for s in near_misses]
    else:
        lists += [("an empty list", []), ("near misses only", near_misses)]
        lists += [(f"{s!r} among near misses", [*near_misses, s, *near_misses[:1]]) for s in near_hits]
    if accents:
        lists.append(("accented letters", [*accents, one, *accents[:1]]))
    if "" in clear:
        lists.append(("the empty string", ["", one, miss, ""]))
    if operation.name == "longest":
        long = [s for s in long if what.holds(s)][:1]
    if long:
        lists.append(("long strings", [long[0], one, *long[1:]]))
    if operation.name in ("longest", "shortest"):
        lists = [(behaviour, untied(operation, what, items)) for behaviour, items in lists]
    if operation.argument == "sentence":
        return [(behaviour.replace("list", "sentence"), " ".join(items)) for behaviour, items in lists]
    return lists


def telling(what: Property, clear: list[str]) -> tuple[list[str], list[str]]:
    """Few (hits, misses) among the clear strings that set a property apart from every other, on both sides if possible."""
    sides: dict[bool, list[str]] = {True: [], False: []}
    for rival in map(remembering, (*PALINDROMES, *OTHERS)):
        for wanted, side in sides.items():
            if all(rival.holds(s) == wanted for s in side):
                apart = (s for s in clear if what.holds(s) == wanted and rival.holds(s) != wanted)
                side.extend(itertools.islice(apart, 1))
    return sides[True], sides[False]


def untied(operation: Operation, what: Property, items: list[str]) -> list[str]:
    """Without the strings that tie for longest or shortest, since the prompt does not say which of them wins."""
    lengths = [len(s) for s in dict.fromkeys(items) if what.holds(s)]
    if not lengths:
        return items
    end = max(lengths) if operation.name == "longest" else min(lengths)
    winner = next(s for s in items if what.holds(s) and len(s) == end)
    return [s for s in items if s == winner or len(s) != end or not what.holds(s)]
