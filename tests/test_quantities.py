"""Numbers in other words: what has to be worked out, and quantities in other units."""

from __future__ import annotations

import time

import pytest

from harness.scorers.quantities import computed, measured, numbers, words


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("365 plus one", 366),
        ("four hundred less nine", 391),
        ("nine short of four hundred", 391),
        ("take 9 from 400", 391),
        ("one more than seven", 8),
        ("one above seven", 8),
        ("two fewer than ten", 8),
        ("six times two", 12),
        ("8 divided by 2", 4),
        ("half a dozen", 6),
        ("twice forty", 80),
        ("half of 60", 30),
        ("five squared", 25),
        ("between six and eight", 7),
        ("three nine one", 391),
        ("XII", 12),
        ("MCMLXXXIX", 1989),
        ("as many as the days of the week", 7),
        ("veintiocho", 28),
        ("six over two", 3),
    ],
)
def test_numbers_that_have_to_be_worked_out(said: str, value: float) -> None:
    assert value in [found for found, _ in computed(said)]


def test_a_sum_of_the_question_alone_is_not_its_answer() -> None:
    assert not list(computed("17 times 23, really", known=[17, 23]))


def test_what_is_no_number_is_in_no_sum() -> None:
    for said in ("10.5.2020", "1234567890123456", "²"):
        assert not numbers(words(said))
        assert not list(computed(f"{said} plus eight"))


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("three hundred and forty-three", 343),
        ("nineteen eighty-nine", 1989),
        ("8,849", 8849),
        ("four and a half", 4.5),
        ("a hundred and eight", 108),
        ("two thousand and twelve", 2012),
    ],
)
def test_numbers_in_digits_and_words(said: str, value: float) -> None:
    assert [one.value for one in numbers(words(said))] == [value]


@pytest.mark.parametrize(
    ("said", "kind", "value"),
    [
        ("a mile every five seconds", "m/s", 321.868),
        ("a third of a kilometre per second", "m/s", 1000 / 3),
        ("fifty-two weeks and two days", "s", 366 * 86400),
        ("392 Fahrenheit", "C", 200),
        ("three quarters", "money", 0.75),
        ("6 minutes", "s", 360),
        ("half a mile", "m", 804.67),
        ("half an hour", "s", 1800),
    ],
)
def test_quantities_in_other_units(said: str, kind: str, value: float) -> None:
    assert (pytest.approx(value), kind) in [(found, of) for found, of, _ in measured(said)]


@pytest.mark.parametrize(
    ("units", "kind", "size"),
    [
        ("km kilometer kilometres", "m", 1000), ("m metre meters", "m", 1), ("cm centimetres", "m", 0.01),
        ("mile miles", "m", 1609.344), ("foot feet ft", "m", 0.3048), ("inch inches", "m", 0.0254),
        ("yard yards", "m", 0.9144), ("seconds secs s", "s", 1), ("minute mins min", "s", 60),
        ("hour hours hrs h", "s", 3600), ("day days", "s", 86400), ("week weeks", "s", 604800),
        ("fortnight", "s", 1209600), ("years", "s", 31557600), ("kg kilos kilogrammes", "kg", 1),
        ("g grams gramme", "kg", 0.001), ("ounce oz", "kg", 0.028349523), ("pounds lbs", "kg", 0.45359237),
        ("l litre liters", "l", 1), ("ml millilitres", "l", 0.001), ("dollars bucks", "money", 1),
        ("cents", "money", 0.01), ("quarters", "money", 0.25), ("dimes", "money", 0.1),
    ],
)  # fmt: skip
def test_every_unit_has_its_size(units: str, kind: str, size: float) -> None:
    for unit in units.split():
        for said in (f"3 {unit}", f"three {unit}"):
            assert [(pytest.approx(3 * size, rel=1e-4), kind)] == [(value, of) for value, of, _ in measured(said)]


@pytest.mark.parametrize(("said", "celsius"), [("100 celsius", 100), ("14 Fahrenheit", -10), ("300 kelvin", 26.85)])
def test_temperatures_are_in_celsius(said: str, celsius: float) -> None:
    assert [(pytest.approx(celsius), "C")] == [(value, kind) for value, kind, _ in measured(said)]


def test_half_a_mile_is_no_mile() -> None:
    assert [kind for value, kind, _ in measured("half a mile") if value > 1000] == []


@pytest.mark.parametrize("said", ["a {} and one", "half a {}", "a {} and a half", "a {} plus one", "one {} squared"])
def test_numbers_beyond_all_bounds_raise_nothing(said: str) -> None:
    for scales in (30, 60, 390):
        text = said.format("million " * scales)
        list(computed(text))
        list(measured(f"{text} miles"))


def test_odd_and_huge_texts_are_quick() -> None:
    for text in (
        "",
        "one " * 200_000,
        "half of " * 100_000,
        "1 + " * 200_000,
        "IV" * 10**5,
        "\ud800",
        "a third of a " * 10**4,
    ):
        start = time.process_time()
        list(computed(text))
        list(measured(text))
        assert time.process_time() - start < 2
