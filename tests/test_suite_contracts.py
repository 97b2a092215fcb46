"""contracts: what a summary has to hold, what it must not hold, and that the committed data are the generator's."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from suite_files import suite_file

from harness import scorers
from harness.data import Completion, Sample, Score, Scorer, Suite
from harness.retrieve import Retriever
from harness.suite import read_suite, shipped

FOLDER = shipped() / "contracts"
CLAUSE = (
    "Contract KL-2207. Parties: Brackwater Estates Ltd (landlord) and Tilde Ceramics (tenant). Ending the lease "
    "(clause 9). The Tenant may end the lease in writing with three months' notice, but not before 1 April 2028, and "
    "then owes a lump sum of EUR 1,850. "
    "The Landlord returns the deposit, up to EUR 4,000 a year, within thirty (30) days."
)
GOLD = """PARTIES: Brackwater Estates Ltd (landlord), Tilde Ceramics (tenant)
MATTER: KL-2207, ending the lease
TERMS: Tenant may end the lease in writing; Landlord must return the deposit within 30 days
MONEY: tenant pays EUR 1,850.00; cap EUR 4,000.00 per year
DATES: 2028-04-01
NOTICE: 3 months"""
FACTS = {
    "number": "KL-2207",
    "heading": "ending the lease",
    "parties": [["Brackwater Estates Ltd", "landlord"], ["Tilde Ceramics", "tenant"]],
    "terms": [
        [
            ["tenant", "may", [["end", "terminate"], ["writing", "written"]]],
            ["landlord", "must", [["return", "refund"], ["deposit"], ["30 days"]]],
        ]
    ],
    "money": [["tenant pays EUR 1,850.00", "cap EUR 4,000.00 per year"]],
    "dates": ["2028-04-01"],
    "notice": ["3 months"],
    "optional": [["tenant", "must", [["pay", "owe"]]]],
    "wordings": ["Tenant may terminate in writing; Landlord must refund the deposit within 30 days"],
}
SAMPLE = Sample("s", "How can KL-2207 be ended?", GOLD, metadata={"passage": "clause", "facts": FACTS})


def changed(old: str, new: str) -> str:
    assert old in GOLD
    return GOLD.replace(old, new)


TERMS = "Tenant may end the lease in writing; Landlord must return the deposit within 30 days"
RIGHT = [
    (GOLD, "word for word"),
    (changed(TERMS, "Landlord must refund deposit in 30 days; Tenant may terminate by written letter"), "other words"),
    (
        changed(TERMS, "tenant may end it in writing; landlord must return the deposit within thirty days"),
        "spelled out",
    ),
    (changed(TERMS, TERMS + "; Tenant must pay a lump sum"), "that the payer must pay may be said"),
    (changed("writing; ", "writing, not before 2028-04-01; "), "a denial and a date of the clause"),
    (
        changed(
            "tenant pays EUR 1,850.00; cap EUR 4,000.00 per year", "cap EUR 4,000.00 per year; tenant pays EUR 1,850.00"
        ),
        "the order of MONEY",
    ),
    (
        changed(
            "Brackwater Estates Ltd (landlord), Tilde Ceramics (tenant)",
            "Tilde Ceramics (tenant), Brackwater Estates Ltd. (landlord)",
        ),
        "the order of the parties",
    ),
    (GOLD.replace("\n", ".\n\n") + ".", "full stops and blank lines"),
    (f"```\n{GOLD}\n```", "a fence around the whole"),
    (f"<think>Is it three months?</think>\n{GOLD}", "thinking is not the answer"),
    (changed("NOTICE: 3 months", "NOTICE:   3  months"), "spaces"),
]
WRONG = [
    ("", "nothing said"),
    ("   \n\t\n", "white space"),
    ("```\n```", "an empty fence"),
    ("I'm sorry, but I cannot help with that.", "a refusal"),
    ("I do not know.", "not knowing"),
    (CLAUSE, "the clause recited"),
    ("PARTIES:\nMATTER:\nTERMS:\nMONEY:\nDATES:\nNOTICE:", "an empty form"),
    (f"<think>{GOLD}</think>", "only thinking"),
    (f"<think>{GOLD}", "thinking that never ends"),
    (f"{GOLD}\n{GOLD}", "two answers"),
    (f"Here is the summary:\n{GOLD}", "a preamble"),
    (f"{GOLD}\nREMARKS: none stated", "a seventh line"),
    (changed("\nNOTICE: 3 months", ""), "a line is missing"),
    (changed("DATES: 2028-04-01\nNOTICE: 3 months", "NOTICE: 3 months\nDATES: 2028-04-01"), "wrong order"),
    (changed("PARTIES:", "**PARTIES:**"), "bold labels"),
    (changed("PARTIES:", "PARTEIEN:"), "a label of another language"),
    (changed("1,850.00", "1,580.00"), "another amount"),
    (changed("EUR 1,850.00", "EUR 1850"), "an amount not in the house form"),
    (changed("EUR 1,850.00", "GBP 1,850.00"), "another currency"),
    (changed("tenant pays", "landlord pays"), "the other side pays"),
    (changed(" per year", " per month"), "another unit of money"),
    (changed("EUR 1,850.00;", "EUR 1,850.00 per year;"), "a unit that the amount does not have"),
    (changed("; cap EUR 4,000.00 per year", ""), "the cap is missing"),
    (changed("cap EUR", "cover EUR"), "a cap is no cover"),
    (changed("Tilde Ceramics", "Tilde Motors"), "another party"),
    (changed("Ltd (landlord), Tilde Ceramics (tenant)", "Ltd (tenant), Tilde Ceramics (landlord)"), "roles exchanged"),
    (changed("KL-2207", "KL-2270"), "another contract"),
    (changed(", ending the lease", ", deposit"), "another matter"),
    (changed("2028-04-01", "2028-04-02"), "another day"),
    (changed("2028-04-01", "1 April 2028"), "a date not in the house form"),
    (changed("2028-04-01", "2028-04-31"), "no day of the calendar"),
    (changed("2028-04-01", "2028-04-01; 2029-04-01"), "an invented date"),
    (changed("2028-04-01", "none stated"), "none stated where something is"),
    (changed("3 months", "3 weeks"), "another unit of notice"),
    (changed("per year", "per year per tenant"), "a second unit of money"),
    (changed("3 months", "none stated"), "notice left out"),
    (changed("30 days", "30 weeks"), "another unit in TERMS"),
    (changed("within 30 days", "after 30 days"), "a bound turned round"),
    (changed("return the deposit", "keep the deposit"), "the contrary of a telling phrase"),
    (changed("Tenant may end", "Tenant must not end"), "a right denied"),
    (changed("end the lease in", "not only end the lease in"), "more than the clause says"),
    (changed("in writing", "in writing with compound interest"), "an addition in plain words"),
    (changed("deposit within", "deposit unless it rains within"), "an invented exception"),
    (changed("Landlord must return", "Tenant must return"), "a duty laid on the other side"),
    (changed("Tenant may", "Landlord may"), "the right is the other side's"),
    (changed("Tenant may", "Tenant must"), "a duty for a right"),
    (changed("Landlord must", "Landlord must not"), "the duty denied"),
    (
        changed("may end the lease in writing", "may not only end the lease but sublet in writing"),
        "a denial of one's own",
    ),
    (changed(TERMS, TERMS + "; Landlord may sell the house"), "a right that nobody has"),
    (changed("in writing", "in writing within 14 days"), "an invented time limit"),
    (changed("in writing", "in writing to Marlow Partners"), "an invented name"),
    (changed("in writing", "in writing for EUR 75"), "an invented amount"),
    (changed("30 days", "30 days " + "without any delay at all " * 8), "too many words"),
    (changed(TERMS, "The lease can be ended in writing; the deposit is returned within 30 days"), "nobody is named"),
]
LEFT_OUT = [
    (changed(" in writing", ""), "a telling word left out"),
    (changed("; Landlord must return the deposit within 30 days", ""), "half of the terms"),
    (changed("within 30 days", "30 days"), "a bound left out"),
]


@pytest.fixture(scope="module")
def suite() -> Suite:
    return read_suite(FOLDER)


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scorer]:
    """The scorers over a corpus of one clause."""
    folder = tmp_path_factory.mktemp("contracts")
    (folder / "corpus.jsonl").write_text(json.dumps({"id": "clause", "text": CLAUSE}) + "\n", "utf-8")
    module = loaded("scorer")
    names = {"summary": "summary", "format": "house_format", "facts": "facts", "invented": "invented"}
    return {name: getattr(module, function)(suite_path=str(folder)) for name, function in names.items()}


def loaded(name: str) -> ModuleType:
    return suite_file("contracts", name)


# Answers to shipped samples by somebody who had not read the scorer: id, TERMS, whether they are right.
TOLD = [
    ("0004", "Hirer must not let persons without a licence run the machine; Hirer must show licences on collection", 1),
    ("0004", "Hirer must let only unlicensed persons run the machine and show the licences on collection", 0),
    ("0010", "Lessor must not claim damage above the cap, tyres excluded; Hirer must report damage immediately", 1),
    ("0036", "Hirer must leave a deposit by card; Lessor must release it after 2 days if machine clean and whole", 0),
    ("0036", "Hirer must pay by card; Lessor must release security in 2 days if machine clean and whole", 1),
    ("0049", "Supplier must pay a penalty when a delivery is late by less than 2 days", 0),
    ("0049", "Supplier must pay a penalty for each day a delivery is over 2 days late, even if the port strikes", 1),
    ("0056", "Shipper must pay invoices within 30 days; Carrier must not charge the empty return; "
     "Carrier must invoice on the 15th and the last of the month", 1),
    ("0061", "Shipper must give at most 15 trips a week", 0),
    ("0061", "Shipper must order a minimum of 15 trips per week and pay for each trip not ordered", 1),
    ("0076", "Either party must count stock; Keeper must pay shortages of more than 1.5 percent at cost price; "
     "Depositor must bear smaller shortages", 1),
    ("0091", "Buyer must order through the portal; Supplier must confirm within 1 working day; "
     "Buyer may change quantities until 10 days after loading", 0),
    ("0013", "Keeper must hold the store at 12 degrees and at most 65 percent humidity, logged daily; "
     "Depositor may read the log", 0),
    ("0018", "Engineer must inspect plant 6 times a month and log the result; Owner must keep the plant room free", 0),
    ("0146", "Carrier must use drivers with under 5 years of practice and make them keep their rest; "
     "Shipper must not press them to skip it", 0),
    ("0178", "Contractor must provide machines and products on the unsigned list; "
     "Contractor must not use products with chlorine", 0),
    ("0151", "Tenant must carry out small repairs outside; Landlord must maintain roof, outer walls and heating", 0),
    ("0151", "Tenant must do small repairs indoors; "
     "Landlord must maintain roof, outside walls and heating free of charge", 1),
    ("0074", "Engineer may fit cheaper parts without asking; Engineer must send a quotation for dearer ones; "
     "Owner must say yes or no within 7 days", 1),
    ("0167", "Consultant must hand in a written report and present it to the board; "
     "Client must name corrections within 14 days, else the report counts as rejected", 0),
    ("0181", "Buyer must keep unpaid goods apart and marked; Buyer may process them in ordinary business; "
     "Buyer must not pledge them; Buyer may sell them abroad", 0),
    ("0067", "Client must deliver the plans; Builder must examine them and notify errors within 7 days; "
     "Builder must not invoke afterwards any error that was noticeable", 1),
    ("0150", "Caterer must provide 3 servers each school day holding health cards and clean police records; "
     "School may ask for a replacement; Caterer must then replace the server within 3 days", 1),
    ("0196", "Supplier must pay a penalty for deliveries over 2 days late, port strikes being no excuse", 1),
    ("0196", "Supplier must pay a penalty when a delivery is late by more than 2 days, unless there is a strike", 0),
    ("0094", "Venue must, if the authorities close the hall, return all payments within 10 days or, if the organiser "
     "prefers, offer a date before 2027-07-15; Either party must not make further claims", 1),
    ("0170", "Engineer must agree the date with the owner; Engineer must check the plant twice yearly and record the "
     "outcome in the log; Owner must keep the way to the plant room clear", 1),
    ("0107", "Lessor must waive claims above the cap, including tyres and glass; Hirer must report damage at once", 0),
    ("0173", "Customer may add or drop storage in steps of 100 gigabytes; Customer must not go above the size", 0),
    ("0072", "Engineer must guarantee labour for 30 months and parts for 18; Owner must hand over the faulty part", 0),
    ("0027", "Caterer must pack leftovers for the food bank and take waste away at the school's cost; "
     "School must sort paper and glass", 0),
    ("0080", "Keeper may keep back goods until paid and sell them 4 weeks after delivery", 0),
    ("0002", "Caterer may ask for more in writing at any time, whatever food costs do", 0),
    ("0176", "Owner must follow the manual and check the pressure weekly; Owner must let only the engineer open the "
     "sealed parts", 1),
    ("0137", "Licensor must defend the licensee if a third party claims patent infringement; Licensee must pass the "
     "claim on in 7 days; Licensee must not settle on its own", 1),
    ("0181", "Buyer must keep apart separate marked process pledge; Buyer may keep apart process pledge; "
     "Buyer must not process pledge", 0),
    ("0071", "Landlord must not mix the deposit with its own money; Landlord must return it less damage within 8 weeks "
     "after the lease's end; Tenant must lodge it before the keys are given", 1),
    ("0122", "Landlord may inspect the premises or show buyers round between 9 and 5 after prior notice to the tenant, "
     "and at once in an emergency", 1),
    ("0081", "Client may order extra work in writing; Contractor must send a team within 24 hours of such an order; "
     "Client must pay per hour", 1),
    ("0163", "Licensor must mend errors at its own expense for 18 months from handover where the program does not do "
     "what the manual says, but not if the licensee altered the code", 1),
    ("0153", "Consultant must do the work in person; Consultant must propose a substitute with like experience after "
     "more than 5 days of illness and bear the handover costs; Client may reject", 1),
    ("0126", "Host must send complaints on to the customer, who must answer within 12 hours; Customer must not keep "
     "content that breaks the law; Host may take the page down if no answer comes", 1),
    ("0171", "Venue must, if the authorities close the hall, give payments back within 20 days, or offer a date before "
     "2027-11-01 at the organiser's wish; Organiser must not claim more", 1),
    ("0089", "Keeper may keep goods back until the depositor has paid what is owed; Keeper may sell them with notice if"
     " 4 weeks pass after a reminder without payment", 1),
    ("0164", "Hirer must pay per day from collection to return without Sundays; Lessor must grant 8 percent off when a "
     "week is paid ahead", 1),
    ("0147", "Builder must fence off and sweep the site; Builder may work from 7 to 5 on weekdays only; Client must "
     "provide water and power", 1),
    ("0204", "School must announce closed days; School must pay if it forgets", 1),
    ("0110", "Owner must run the plant by the manual and read the pressure each week; Owner must let nobody but the "
     "engineer open the sealed parts; Engineer may end the guarantee if a seal is broken", 1),
    ("0175", "Lessor must waive damage claims above the cap, tyres and glass and drink left out; Hirer must report "
     "damage immediately", 1),
    ("0114", "Client must hand over the plans; Builder must report mistakes within 10 days after checking them; Builder"
     " must not rely later on mistakes it could see", 1),
    ("0064", "Client must deliver the plans by 2026-10-01; Builder must check them and report mistakes within 5 days, "
     "losing the right to rely later on visible mistakes", 1),
    ("0050", "Policyholder must have a listed firm test the sprinklers every 4 months and keep the sheets for 3 years, "
     "otherwise Insurer may cut any payment for fire by 25 percent", 1),
    ("0072", "Engineer must guarantee labour on repairs for 18 months and parts for 30; Owner must claim in text form "
     "and give the faulty part to the engineer", 1),
    ("0026", "Landlord may enter, after telling the tenant and only between 9 and 5, to inspect the premises or show "
     "them to buyers; in an emergency Landlord may enter without announcement", 1),
    ("0029", "Customer must refrain from keeping unlawful content; Host must pass on complaints; Customer must answer "
     "within 36 hours, otherwise Host may take the page down", 1),
    ("0011", "Keeper must store at 18 degrees and at most 65 percent humidity and keep an hourly log of both, which the"
     " depositor may read online", 1),
    ("0145", "Buyer must keep unpaid goods apart and marked; Supplier may process them in ordinary business; Buyer must"
     " not pledge them", 0),
    ("0167", "Consultant must hand in a written report and present it to the board; Client may name corrections after "
     "14 days", 0),
    ("0119", "Host must pay for lost data unless the backup was neglected; Customer must raise claims by letter within "
     "8 weeks", 0),
    ("0130", "Policyholder must report a loss within 48 hours and leave things as they are; Policyholder must send an "
     "assessor within 4 days", 0),
    ("0092", "Insurer must pay for stopped trade from 30 days after a fire for up to 4 days; Policyholder must do what "
     "it can to reopen", 0),
    ("0180", "Builder must insure the works from handover and its liability; Client may take out cover at the builder's"
     " cost otherwise", 0),
    ("0157", "Builder must announce that the work is ready; Client must refuse handover for small flaws; Either party "
     "must sign a list", 0),
    ("0085", "Hirer must leave a deposit by card; Lessor must release it in 3 days even if the machine is dirty", 0),
    ("0175", "Lessor must waive claims above the cap, also for tyres, glass and damage through drink; Hirer must report"
     " damage at once", 0),
    ("0052", "Tenant must lodge a deposit after the keys are handed over; Landlord must return it, less damage, within "
     "6 weeks of the end", 0),
    ("0066", "Licensor must defend the licensee against trademark claims; Licensee must forward the claim within 7 "
     "days; Licensee must not settle", 0),
    ("0080", "Keeper may keep back goods until paid and destroy them 4 weeks after a reminder", 0),
    ("0028", "Builder must insure the works until handover and its liability; Client may take out cover at its own cost"
     " otherwise", 0),
    ("0094", "Venue must return half the payments within 10 days if the authorities close the hall, or offer another "
     "date before 2027-07-15 if the organiser prefers", 0),
    ("0120", "Keeper must bill monthly; Depositor must pay the bill within 14 days; Depositor must not pay by card", 0),
]  # fmt: skip


@pytest.mark.parametrize(("number", "terms", "value"), TOLD)
def test_terms_in_the_words_of_a_stranger(number: str, terms: str, value: float, suite: Suite) -> None:
    sample = next(sample for sample in suite.test if sample.id == f"contracts-test-{number}")
    lines = [f"TERMS: {terms}" if line.startswith("TERMS") else line for line in sample.target.splitlines()]
    spec = next(spec for spec in suite.scorers if spec.primary)
    score = judged(scorers.load(spec, str(FOLDER)), "\n".join(lines), sample)
    assert score.value >= 0.9 if value else score.value <= 0.5, score.explanation


@pytest.mark.parametrize(
    ("number", "label", "value", "right"),
    [
        ("0185", "MONEY", "customer pays GBP 960.00 per month; customer pays GBP 9.00 per returned debit", True),
        ("0185", "MONEY", "customer pays GBP 960.00 per month; customer pays GBP 9.00 per month", False),
        ("0185", "MONEY", "customer pays GBP 960.00 per week; customer pays GBP 9.00 per bounce", False),
        ("0173", "MONEY", "customer pays EUR 12.50 per step per month", True),
        ("0196", "MONEY", "supplier pays EUR 575.00 per further day; cap EUR 3,000.00 per delivery", True),
        ("0196", "MONEY", "supplier pays EUR 575.00; cap EUR 3,000.00 per delivery", False),
        ("0121", "MONEY", "depositor pays EUR 7.60 per pallet and week", True),
        ("0121", "MONEY", "depositor pays EUR 7.60 per pallet per week", True),
        ("0121", "MONEY", "depositor pays EUR 7.60 per lorry per week", False),
        ("0028", "MONEY", "cover CHF 1,100,000.00 for the works; cover CHF 1,100,000.00 for its liability", True),
        ("0028", "MONEY", "cover CHF 1,100,000.00 for the staff", False),
        ("0090", "MONEY", "hirer pays EUR 725.00 per day", True),
        ("0127", "NOTICE", "none stated", False),
    ],
)
def test_units_may_be_worded_otherwise_but_not_changed(
    number: str, label: str, value: str, right: bool, suite: Suite
) -> None:
    sample = next(sample for sample in suite.test if sample.id == f"contracts-test-{number}")
    lines = [f"{label}: {value}" if line.startswith(label) else line for line in sample.target.splitlines()]
    spec = next(spec for spec in suite.scorers if spec.primary)
    score = judged(scorers.load(spec, str(FOLDER)), "\n".join(lines), sample)
    assert score.value == (1 if right else 0), score.explanation


def test_dates_may_be_parted_by_commas(suite: Suite) -> None:
    sample = next(sample for sample in suite.test if sample.id == "contracts-test-0061")
    spec = next(spec for spec in suite.scorers if spec.primary)
    text = sample.target.replace("2026-11-18; 2027", "2026-11-18, 2027")
    assert text != sample.target
    assert judged(scorers.load(spec, str(FOLDER)), text, sample).value == 1


def judged(scorer: Scorer, text: str, sample: Sample = SAMPLE) -> Score:
    return scorer(sample, Completion(text))


@pytest.mark.parametrize(("text", "why"), RIGHT)
def test_right_summary_scores_one(text: str, why: str, made_up: dict[str, Scorer]) -> None:
    score = judged(made_up["summary"], text)
    assert score.value == 1, f"{why}: {score.explanation}"


@pytest.mark.parametrize(("text", "why"), WRONG)
def test_wrong_summary_scores_zero_and_says_why_in_a_line(text: str, why: str, made_up: dict[str, Scorer]) -> None:
    score = judged(made_up["summary"], text)
    assert score.value == 0, why
    assert score.explanation
    assert "\n" not in score.explanation


@pytest.mark.parametrize(
    ("text", "form", "facts", "invented"),
    [
        (GOLD, 1, 1, 1),
        ("", 0, 0, 0),
        ("I'm sorry, but I cannot help with that.", 0, 0, 0),
        (changed("1,850.00", "9,850.00"), 1, 12 / 13, 0),
        (changed("2028-04-01", "none stated"), 1, 12 / 13, 1),
        (CLAUSE.replace("Contract", "Contract number"), 0, None, 1),
        (GOLD.replace("PARTIES: ", ""), 0, 1, 1),
        (f"Sure! {GOLD}", 0, 1, 1),
    ],
)
def test_the_other_columns(
    text: str, form: float, facts: float | None, invented: float, made_up: dict[str, Scorer]
) -> None:
    assert judged(made_up["format"], text).value == form
    assert judged(made_up["invented"], text).value == invented
    value = judged(made_up["facts"], text).value
    assert value == pytest.approx(facts, abs=0.03) if facts is not None else 0.5 < value < 1


HOSTILE = [
    "x" * 1_000_000,
    GOLD * 5_000,
    "PARTIES: " + "(" * 100_000,
    "\x00\x1b[31m\ud800" + GOLD[:40],
    "9" * 50_000,
    changed("3 months", "9" * 400 + " months"),
    changed("1,850.00", "1" * 300 + ".00"),
    changed("30 days", "٣٠ days, ³ months, ½ year"),
    changed("30 days", "1.5.2.3 days 0,0,0 €€ $1 million 99/99/9999 45 april 2027"),
    "<think>" * 10_000,
    changed("2028-04-01", "; ;;"),
    "契約の要約です。\n" * 6,
    "{}[]%s%d{input}\\" * 50,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_a_defined_zero(text: str, made_up: dict[str, Scorer]) -> None:
    for name, scorer in made_up.items():
        score = judged(scorer, text)
        assert 0 <= score.value <= 1
        assert name != "summary" or (score.value == 0 and score.explanation)


def test_a_score_takes_milliseconds(suite: Suite) -> None:
    scorer = scorers.load(suite.scorers[0], suite.path)
    start = time.process_time()
    for sample in suite.test:
        judged(scorer, sample.target, sample)
    assert (time.process_time() - start) / len(suite.test) < 0.2


def certified(suite: Suite) -> Iterator[tuple[Sample, str, str]]:
    answers = loaded("certificate").answers
    for sample in suite.test[::4]:
        for kind, texts in answers(sample).items():
            for text in texts:
                yield sample, kind, text


def test_certificate_holds(suite: Suite) -> None:
    scorer = scorers.load(suite.scorers[0], suite.path)
    values: dict[str, list[float]] = {"paraphrase": [], "corrupted": []}
    for sample, kind, text in certified(suite):
        values[kind].append(judged(scorer, text, sample).value)
    assert sum(values["paraphrase"]) >= 0.95 * len(values["paraphrase"])
    assert sum(value == 1 for value in values["corrupted"]) <= 0.005 * len(values["corrupted"])


def test_every_kind_of_defect_is_found_out(suite: Suite) -> None:
    certificate = loaded("certificate")
    scorer = scorers.load(suite.scorers[0], suite.path)
    for make in certificate.DEFECTS:
        tried = missed = 0
        for sample in suite.test[::4]:
            lines = dict(line.split(": ", 1) for line in sample.target.splitlines())
            text = make(lines, sample.metadata["facts"], random.Random(sample.id))
            if text and text != sample.target:
                tried += 1
                most = 0.5 if make in (certificate.left_out, certificate.invented_words) else 0
                missed += judged(scorer, text, sample).value > most
        assert tried >= 5, make.__name__
        assert missed <= 0.03 * tried, make.__name__


@pytest.mark.parametrize("written", ["early", "late", "last"])
def test_additions_in_plain_words_do_not_pass(written: str, suite: Suite) -> None:
    certificate, rng = loaded("certificate"), random.Random(6)
    scorer = scorers.load(suite.scorers[0], suite.path)
    samples, tried, kept = set(), 0, 0
    for one in certificate.additions():
        if one.written != written:
            continue
        for sample in rng.sample([*suite.dev, *suite.train], 6):
            facts = sample.metadata["facts"]
            lines = dict(line.split(": ", 1) for line in sample.target.splitlines())
            lines["TERMS"] = rng.choice([lines["TERMS"], facts["wordings"][0]])
            if text := certificate.added(one, lines, facts, rng):
                samples.add(sample.id)
                tried += 1
                kept += judged(scorer, text, sample).value > 0.5
    assert tried >= 120
    assert len(samples) >= 60
    assert kept <= 0.1 * tried


def test_certificate_gives_each_sample_enough_answers(suite: Suite) -> None:
    answers = loaded("certificate").answers
    for sample in suite.test:
        made = answers(sample)
        assert made == answers(sample)
        assert 2 <= len(made["paraphrase"]) <= 3
        assert 4 <= len(made["corrupted"]) <= 10
        assert sample.target not in (*made["paraphrase"], *made["corrupted"])


@pytest.mark.parametrize(("text", "why"), LEFT_OUT)
def test_what_is_left_out_costs_half(text: str, why: str, made_up: dict[str, Scorer]) -> None:
    score = judged(made_up["summary"], text)
    assert 0 < score.value <= 0.5, why
    assert score.explanation


def test_a_wording_that_nobody_listed_costs_half_a_fact(made_up: dict[str, Scorer]) -> None:
    assert 0.9 <= judged(made_up["summary"], changed("the deposit", "the escrow")).value < 1


def test_targets_say_what_the_clause_asked_for_says(suite: Suite) -> None:
    targets = {sample.id[-4:]: sample.target for sample in suite.test}
    told = {
        "0147": "from 7 to 5 on weekdays",
        "0154": "counts as accepted",
        "0208": "ramp rules",
        "0138": "listed firm",
        "0110": "guarantee ends",
        "0184": "further claims",
        "0204": "if it forgets",
        "0168": "per pallet and week",
    }
    for number, word in told.items():
        assert word in targets[number], number


def test_every_table_of_the_scorer_is_in_the_digest() -> None:
    options = [spec.options for spec in read_suite(FOLDER).scorers if spec.primary]
    assert options == [{"wording": loaded("scorer").WORDING}]


def test_generator_reproduces_the_committed_files(tmp_path: Path) -> None:
    loaded("generate").write(tmp_path)
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == sorted(path.name for path in FOLDER.glob("*.jsonl"))
    for file in written:
        assert (tmp_path / file).read_bytes() == (FOLDER / file).read_bytes(), file


def test_splits_share_no_contract_no_party_and_no_clause_wording(suite: Suite) -> None:
    seen: dict[str, set[str]] = {}
    for split in ("test", "dev", "train", "shots"):
        found = {str(sample.metadata["facts"]["number"]) for sample in getattr(suite, split)}
        for sample in getattr(suite, split):
            found |= {name for name, _ in sample.metadata["facts"]["parties"]}
        for other, names in seen.items():
            assert not found & names, (split, other)
        seen[split] = found


def test_facts_are_in_the_clause_and_the_clause_can_be_found(suite: Suite) -> None:
    passages = {passage.id: passage.text for passage in suite.corpus}
    module = loaded("scorer")
    for sample in (*suite.test, *suite.dev, *suite.train, *suite.shots):
        facts, passage = sample.metadata["facts"], passages[str(sample.metadata["passage"])]
        assert facts["number"] in passage
        assert all(name in passage for name, _ in facts["parties"])
        assert facts["heading"] in passage.lower()
        assert set(facts["dates"]) == module.figures(passage).dates, sample.id
    retriever = Retriever(suite.corpus)
    found = [sample.metadata["passage"] in {p.id for p in retriever.top(str(sample.input), 4)} for sample in suite.test]
    assert sum(found) / len(found) >= 0.9
