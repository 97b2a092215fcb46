"""Writes pairs.jsonl, the example of the guides: mails to a shop, and the team that should answer each.

    python docs/example/make_pairs.py

600 pairs, the same bytes every time. Sentences, names and things are written for this project.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

SIZE, SEED = 600, 0
THINGS = [
    "kettle", "lamp", "desk", "chair", "rug", "mirror", "shelf", "pan", "bicycle", "tent", "radio", "clock", "fan",
    "toaster", "heater", "blender", "curtain", "mattress", "drill", "vacuum"
]  # fmt: skip
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
OPENERS = ["", "Hello,", "Good morning.", "Dear team,", "Hi there!", "Sorry to bother you.", "Me again.", "Quick one:"]
CLOSERS = ["", "Thanks!", "Please reply soon.", "Regards, {name}", "Who can help?", "It is urgent.", "Best, {name}"]
NAMES = [
    "Ada", "Bo", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana", "Ivo", "Jun", "Kim", "Lea", "Max", "Nora", "Otto",
    "Pia", "Ravi", "Sam", "Tess", "Uma"
]  # fmt: skip
TEAMS = {
    "billing": [
        "my card was charged twice for the {thing}",
        "the invoice for the {thing} shows the wrong amount",
        "I need a receipt for the {thing} from {day}",
        "why is there a fee of {n} euros on my bill",
        "please put our tax number on the invoice of {day}",
        "I paid {n} euros too much on {day}",
        "the discount on the {thing} was not taken off the price",
        "my payment of {day} still counts as open",
        "you sent a reminder although I paid {n} euros",
        "can I pay the {thing} in {n} instalments",
    ],
    "delivery": [
        "the {thing} has not arrived yet",
        "the driver left the {thing} in the rain",
        "can you bring the {thing} on {day} instead",
        "the parcel has been standing still since {day}",
        "the {thing} went to the wrong address",
        "nobody rang on {day} and the {thing} was taken back",
        "when will the truck with the {thing} come",
        "only {n} of the boxes reached us on {day}",
        "the tracking number of the {thing} does not work",
        "please leave the {thing} with a neighbour on {day}",
    ],
    "returns": [
        "I want to send the {thing} back",
        "the {thing} is too big, how do I return it",
        "where do I find a label to send back the {thing}",
        "may I swap the {thing} for a smaller one",
        "I sent the {thing} back on {day}, where is my money",
        "is it too late to return a {thing} after {n} days",
        "I changed my mind about the {thing}",
        "the {thing} does not fit, please take it back",
        "do I need the carton to return the {thing}",
        "can I hand the unwanted {thing} in at a shop on {day}",
    ],
    "account": [
        "I cannot log in since {day}",
        "I have forgotten my password again",
        "please change my mail address in your records",
        "somebody else seems to use my login since {day}",
        "delete my profile and all that you know about me",
        "the code for signing in never arrives on my phone",
        "how do I stop the newsletter about every {thing}",
        "my name is spelt wrong in my profile",
        "I have {n} logins and want to keep one of them",
        "the site says my user is locked after {n} tries",
    ],
    "repair": [
        "the {thing} broke after {n} weeks",
        "my {thing} makes a strange noise",
        "the {thing} does not switch on any more",
        "a screw of the {thing} is missing",
        "there is a crack in the {thing} since {day}",
        "the {thing} smells burnt when it is warm",
        "do you sell spare parts for a {thing}",
        "the handle of the {thing} came off on {day}",
        "is the guarantee of {n} years valid for my {thing}",
        "can somebody mend the {thing} at my home",
    ],
}


def make() -> list[dict[str, str]]:
    """The pairs, no two with the same mail."""
    draw = random.Random(SEED)
    pairs: dict[str, str] = {}
    teams = list(TEAMS)
    while len(pairs) < SIZE:
        team = teams[len(pairs) % len(teams)]
        opener, closer = draw.choice(OPENERS), draw.choice(CLOSERS)
        matter = draw.choice(TEAMS[team]).format(
            thing=draw.choice(THINGS), day=draw.choice(DAYS), n=draw.randrange(2, 30)
        )
        matter = matter if opener.endswith((",", ":")) else matter[0].upper() + matter[1:]
        mail = f"{opener} {matter}. {closer.format(name=draw.choice(NAMES))}".strip()
        pairs.setdefault(mail, team)
    return [{"prompt": mail, "completion": team} for mail, team in pairs.items()]


if __name__ == "__main__":
    text = "".join(json.dumps(pair) + "\n" for pair in make())
    Path(__file__).with_name("pairs.jsonl").write_text(text, "utf-8")
