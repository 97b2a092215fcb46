"""Scorers for live traffic: the built-in ones by their two tables, and the law that none reads a gold answer."""

from __future__ import annotations

import time
import warnings
from pathlib import Path

import pytest

from harness import live, scorers
from harness.data import Completion, Sample, Score, ScorerSpec, Suite
from harness.errors import SuiteError
from harness.suite import all_suites, read_suite

ROOT = Path(__file__).parent.parent
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
CODE = "```python\ndef f(x):\n    return x\n```\n"


def _score(name: str, text: str, suite_path: str = ".", metadata: object = None, **options: object) -> float:
    scorer = scorers.load(ScorerSpec(name, name, options), suite_path)
    return scorer(Sample("s", "q", "", metadata={"schema": metadata}), Completion(text)).value


@pytest.mark.parametrize("text", [CODE, "def f(x):\n    return x", f"Here it is:\n{CODE}It gives x back."])
def test_python_that_loads(text: str) -> None:
    assert _score("python_loads", text) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I cannot help with that.",
        "```python\ndef f(x) return x\n```",
        "```python\ndef f(x):\n    return x",
        "```python\nimport nowhere\ndef f(x):\n    return x\n```",
        "```python\ndef f(x):\n    return x\nwhile True:\n    pass\n```",
        "```python\ndef f(x):\n    return x\nraise SystemExit\n```",
    ],
)
def test_python_that_does_not_load(text: str) -> None:
    assert _score("python_loads", text) == 0


@pytest.mark.parametrize(("text", "value"), [
    ("SELECT title FROM books", 1),
    ("```sql\nSELECT count(*) FROM books;\n```", 1),
    ("", 0), ("I do not know.", 0), ("SELECT nothing FROM nowhere", 0), ("SELECT FROM", 0), ("DROP TABLE books", 0),
    ("SELECT title FROM books; DELETE FROM books", 0),
])  # fmt: skip
def test_a_query_runs_on_the_tables_of_its_suite(text: str, value: float, tmp_path: Path) -> None:
    (tmp_path / "db.json").write_text('{"library": {"books": {"id": "key", "title": {"text": ["A", "B"]}}}}')
    assert _score("sql_runs", text, str(tmp_path), databases="db.json") == value


@pytest.mark.parametrize(("text", "schema", "value"), [
    ('{"n": 3}', SCHEMA, 1), (' {"n": 3}\n', '{"type": "object"}', 1), ("<think>hm</think>{}", {}, 1),
    ("", SCHEMA, 0), ('{"n": "3"}', SCHEMA, 0), ("{}", SCHEMA, 0), ('```json\n{"n": 3}\n```', SCHEMA, 0),
    ('Sure: {"n": 3}', SCHEMA, 0), ('{"n": 3}', {"type": 5}, 0), ('{"n": 3}', "no schema", 0),
    ("[" * 60_000, SCHEMA, 0),
    ('{"n": 3}', {"$ref": "http://127.0.0.1:9/schema"}, 0), ('"a"', {"pattern": "("}, 0),
    ("9" * 400, {"multipleOf": 0.1}, 0), ("1e400", {"multipleOf": 2}, 0), ("3", {"multipleOf": 0.1, "not": 5}, 0),
    ("3", {"$ref": "#/x", "x": 5}, 0), ("3", {"$ref": "#/x/y", "x": "s"}, 0), ("3", {"$ref": "#/x/y", "x": [True]}, 0),
    ("3", {"$ref": "#"}, 0), ("3", {"$ref": "http://[::1"}, 0), ("3", 5, 0),
])  # fmt: skip
def test_json_validates_against_the_schema_that_was_asked_for(text: str, schema: object, value: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # jsonschema warns where it is about to fetch
        assert _score("json_schema", text, metadata=schema) == value


@pytest.mark.parametrize("name", all_suites(ROOT))
def test_scorers_for_live_traffic_read_no_gold_answer(name: str) -> None:
    """The same value, whatever the target and the rest of the metadata are."""
    suite = read_suite(name, ROOT)
    for one in live.live_specs(suite):
        score = scorers.load(one.spec, suite.path)
        for sample in suite.dev[:6]:
            known = {key: sample.metadata.get(key) for key in (*one.needs, *one.where)}
            if any(known[key] != value for key, value in one.where.items()) or None in known.values():
                continue
            bare = Sample("live", str(sample.input), "", metadata=known)
            texts = (sample.target, "", "I'm sorry, I cannot help with that.")
            values = [_value(score(bare, Completion(text))) for text in texts]
            again = [_value(score(Sample("x", bare.input, text, metadata=known), Completion(text))) for text in texts]
            assert values == again
            # where somebody is in danger the right answer is out of style; of some things the handbook does not know,
            # and a question in other words may not be near its passage
            plain = one.spec.name in ("style", "knows", "in_handbook")
            assert values[0] is None or values[0] >= 0.5 or plain, (one.spec.name, sample.id)
            assert not values[1]


def _value(found: Score | None) -> float | None:
    return None if found is None else found.value


def _live(name: str, function: str, asked: str, said: str) -> float | None:
    """What a suite's own check of live traffic gives; None where it has nothing to say."""
    suite = read_suite(name, ROOT)
    (spec,) = [one.spec for one in live.live_specs(suite) if one.spec.scorer == f"live.py:{function}"]
    return _value(scorers.load(spec, suite.path)(Sample("live", asked, ""), Completion(said)))


SHOWN = (
    "Use the passages to answer the question.\n\n[1] Leave. Staff get 27 days of leave.\n\nQuestion: How much leave?"
)


@pytest.mark.parametrize(("asked", "said", "value"), [
    (SHOWN, "27 days", 1), (SHOWN, "Staff get 27 days.", 1), (SHOWN, "25 days", 0), (SHOWN, "27 weeks", 0),
    (SHOWN, "", 0), (SHOWN, "I do not know.", None), (SHOWN, "Ask the front desk.", 0),
    ("Within what time must expenses be filed?", "30 days", 1),
    ("Within what time must expenses be filed?", "60 days", 0),
])  # fmt: skip
def test_what_the_handbook_says_nowhere_is_seen(asked: str, said: str, value: float | None) -> None:
    assert _live("handbook", "in_handbook", asked, said) == value


@pytest.mark.parametrize(("said", "value"), [
    ("27 days", 1), ("", 0), ("I don’t know.", 0), ("The handbook does not say.", 0), ("This is not mentioned.", 0),
])  # fmt: skip
def test_a_reply_that_knows_nothing_is_seen(said: str, value: float) -> None:
    assert _live("handbook", "knows", "How much leave?", said) == value


@pytest.mark.parametrize(("asked", "said", "value"), [
    ("Who is it? Use at most three words.", "Mr Hill", 1), ("Who is it? Use at most three words.", "It is Mr Hill", 0),
    ("Keep it under 10 characters, please.", "123456789", 1), ("Keep it under 10 characters.", "1234567890", 0),
    ('Who? Use small letters only. The last line should read "Bye".', "hill\nbye", 1),
    ('Who? Use small letters only. The last line should read "Bye".', "Hill\nbye", 0),
    ('Answer with exactly two bullet points. Open with a title line that reads "Eggs".', "Eggs\n- a\n- b", 1),
    ('Answer with exactly two bullet points. Open with a title line that reads "Eggs".', "Eggs\n- a\n- b\n- c", 0),
    ("Answer in two sentences. Commas are forbidden.", "It is. It was.", 1),
    ("Answer in two sentences. Commas are forbidden.", "It is, yes. It was.", 0),
    ('Do not use the words "old" and "new".', "An old one.", 0), ("No line may be longer than 2 words.", "a b\nc d", 1),
    ("Use at most three words.", "", 0), ("Who is it?", "Hill", None),
])  # fmt: skip
def test_instructions_are_read_from_the_request(asked: str, said: str, value: float | None) -> None:
    assert _live("instructions", "obeyed", asked, said) == value


# Ordinary requests, each with a reply that a person would be content with.
CONTENT = [
    ("Describe Rome in 1000 characters or fewer.", "Rome is the capital of Italy."),
    ("Write an essay on Rome, 1500 words at most.", "Rome is old. " * 170),
    ("Write an essay on Rome, 1,500 words at most.", "Rome is old. " * 170),
    ("Say it in twenty-five words or fewer.", "Rome is the capital of Italy and it is old."),
    ("Keep it to two hundred and fifty words or fewer.", "Rome is old. " * 60),
    ('Use the phrase "for example" in your answer.', "Fruit, for example an apple, is good."),
    ('Use "of course" exactly once.', "Of course it is."),
    ('End with "Thank you!"', "The shop opens at nine. Thank you!"),
    ('End your answer with "Yours, Bo."', "See you.\n\nYours,\nBo"),
    ('Do not use the letter "E".', "A cat sat on a mat."),
    ("Explain what a mole is in two sentences.", "A mole (e.g. the U.S. kind) is a mammal. It digs."),
    ("Summarise the plot in 3 sentences or less.", "He leaves. He returns."),
    ("Use 3 to 5 bullet points.", "- a\n- b\n- c"),
    ("Give me 3 bullet points on tea.", "Here are three points on tea:\n\n- It is hot.\n- It is old.\n- It is good."),
    (
        "Give a numbered list of five rivers.",
        "Five rivers:\n\n1. **Nile**\n2. Rhine\n3. Ob\n4. Po\n5. Don\n\nShall I add more?",
    ),
    ('Write a sentence with the word "bank".', "Both banks of the river were green."),
    ("Answer in exactly five words.", "**It is a well-known fact.**"),
    ("Write two or three sentences about cats.", "Cats purr. Cats sleep. Cats hunt."),
    ("Write a story with no more than 3 characters.", "Ann met Bo. They went home."),
    ("Suggest five names for my cat, at most ten characters, please.", "1. Tom\n2. Kitty\n3. Felix\n4. Minka\n5. Paws"),
    (
        "Write a story of at most 300 words. Then summarise it in one sentence.",
        "Ann left. She came back.\n\nAnn returns.",
    ),
    ('Start your reply with "Yes".', "**Yes**, it is."),
    ('Start with "Once upon a time".', "# The Fox\n\nOnce upon a time there was a fox."),
    ("Write everything in lower case.", "rome is old."),
    ("Do not use commas.", "It has 1,000 rooms."),
    ("Use no digits, please.", "1. Twelve\n2. Nine"),
    ("End with a question.", "It is Rome. Shall I go on? 😊"),
    ('Use the word "light" at least twice.', "Light is light."),
    ('Use "affect" or "effect": The rain has an ___.', "effect"),
    ("Keep it under 280 characters.", "Rome is old."),
    (
        "Write a haiku. No line may be longer than 6 words.",
        "Here is a haiku for you, my friend:\n\nRain on the old roof\nA cat sleeps\nNight",
    ),
    ("Use at most 5 words per bullet point.", "- one two three\n- four five six\n- seven eight"),
    ("Write 3 bullet points for and 3 bullet points against tea.", "- a\n- b\n- c\n\n- d\n- e\n- f"),
    ("This is my last question: who wrote Faust?", "Goethe wrote it."),
    ("Why do numbers not start with the digit 0?", "Because 0 adds nothing, so 07 is 7."),
    ("Which word has more than 9 letters?", "Accommodation."),
    ("What is the difference between upper case and capitals?", "There is none."),
    ("Explain the difference between upper case and lower case.", "Upper case letters are capitals."),
    ("Explain why we never use commas before that.", "Because the clause is needed, as a rule."),
    ("My essay has exactly 500 words. Please tell me if that is enough.", "Yes."),
    ("Twitter allows at most 280 characters. Tell me why.", "Because a text message had room for 160. " * 9),
    ("Tell me about haiku. They have at most 17 syllables and no commas.", "Well, they are short."),
    ("Write a Python function that checks that a text has at most 10 characters.", "def f(t): return len(t) <= 10"),
    ("Generate a password with no digits, please.", "Here are 2: abcXYZ, xyzABC"),
    ("Pick a number from 1 to 10.", "7"),
    ("Translate into German: Please answer in exactly two words.", "Bitte antworte in genau zwei Worten."),
    (
        "Proofread this:\nDear Ann, please use at most 3 words. Do not use commas.",
        "Dear Ann, please use at most three words. Do not use commas.",
    ),
    (
        "Give me no more than five words for happy.",
        "Glad (pleased), merry (lively), cheerful, content and joyful, each with its own shade.",
    ),
    ('What does the last line "Nevermore" mean?', "It means that she is gone."),
    ("Write about a gun with 6 bullets.", "It was loaded."),
    (
        "List the rules of chess in short sentences, each with at most 8 words.",
        "The king moves one square in any direction. The rook moves straight ahead.",
    ),
    ("I never use commas. My teacher says that I should.", "Your teacher is right, I think."),
    ("Write a letter to my landlord. He wants at most 20 words.", "Dear Sir, " + "the tap drips " * 9),
    ("How can I write in exactly 100 words?", "Count them, and cut."),
    ("You can use up to 50 words.", "word " * 60),
    ("Tell me a joke about a man with no capital letters.", "A man walks into a bar."),
    ("What ends with a question mark?", "A question."),
    ('Do all poems start with the word "O"?', "No."),
    ('Is it wrong to use the word "ain\'t"?', "It is informal."),
    ("Explain why a word of more than 20 letters is rare, please.", "Because counterrevolutionaries are, too."),
    ('Write an email to Bo and mention the title "Emma".', "Dear Bo,\nI read Emma."),
    ('Replace "big" with "large".', "The house is very spacious."),
    ('Name a country without the letter "a" in its name.', "One such country is Peru."),
    ("Explain how to write an abstract in at most 20 words.", "First say what you did. " * 8),
    (
        "Write a tagline of at most 5 words and a paragraph of 60 words.",
        "Tea: warm and good." + "\n\nTea is good. " * 20,
    ),
    ("Write a birthday message for my mum, max 40 words.", "Happy birthday, Mum!"),
    (
        "Write a product description with exactly 3 bullet points and a closing sentence.",
        "- a\n- b\n- c\n\nBuy it today.",
    ),
    (
        "Give me a bulleted list of 5 fruits, then a numbered list of 3 vegetables.",
        "- a\n- b\n- c\n- d\n- e\n\n1. x\n2. y\n3. z",
    ),
    (
        "Write an email to my boss asking for leave. Keep it under 100 words.",
        "Subject: Leave\n\nDear Ann,\n\nMay I have Friday off?\n\nBo",
    ),
    ('Write a poem about the sea. Begin every line with the word "sea".', "Sea of blue\nSea of green"),
    (
        'Write a poem about the sea. Start with the word "Blue" and end with the word "grey".',
        "**The Sea**\n\nBlue is the sea,\nand never grey",
    ),
    ('Do not use the word "very" in your answer. What is a synonym of "very happy"?', "Elated."),
    ("Don't use any commas or semicolons.", "It is so."),
    ("No capital letters, please.", "ok"),
    ("Please answer without commas: which cities are in Italy?", "Rome and Milan."),
    ('Please use British spelling and avoid the word "gotten".', "He has got taller."),
    (
        "Make this shorter, no more than 20 words: The quick brown fox jumps over the lazy dog.",
        "A fox jumps over a dog.",
    ),
    ("Correct my grammar, and do not use digits.\n\nI has 3 cats.", "I have three cats."),
    (
        "Write three sentences about dogs. Each sentence must have exactly five words.",
        "Dogs like to run far. Dogs love to eat meat. Dogs sleep all day long.",
    ),
    (
        'Write 2 sentences with the word "run" and 2 sentences with the word "jump".',
        "I run. You run. I jump. You jump.",
    ),
    ("Give me exactly three sentences. They should be funny.", "Ha. Ho. Hi."),
    (
        "Explain inflation to a child in exactly three sentences.",
        "Things cost more. Dr. Lee says so. It is 2.5 percent.",
    ),
    ("Write a limerick. End with a full stop.", "There was a man."),
    ("In one sentence, what is a black hole and why is it black?", "A region from which no light escapes."),
    (
        "In one sentence, tell me what a black hole is.",
        "A region from which no light escapes, e.g. in the middle of St. Peter's galaxy.",
    ),
    ("Start every sentence with a capital letter.", "Yes. No."),
    ("Capitalize each word of the title: the old man and the sea", "The Old Man and the Sea"),
    ("Capitalize every word: the old man and the sea", "The Old Man and the Sea"),
    ('Use the word "because" in at least 3 sentences.', "Because it is. Because it was. Because."),
    ("List 10 words with no more than 5 letters.", "cat, dog, sun"),
    ('Give me words of at most five letters that end with the word "at".', "cat, format"),
    (
        "Write a headline of at most 8 words.",
        "Here are two options:\n\n1. Rain stops play again today\n2. Rain stops the big match",
    ),
    ("Write a tweet (under 280 characters) about tea.", "Tea is good."),
    ("Write two tweets under 280 characters about tea.", "tea " * 140),
    ("What is the capital of France? Answer in one word.", "Paris"),
    ("Answer with exactly one word: is the sky blue?", "Yes"),
    (
        "Answer yes or no, in at most 3 words, and then explain at length.",
        "Yes.\n\nThe sky is blue because light scatters.",
    ),
    (
        "Reply with at most 3 words first. After that explain in detail.",
        "Yes, blue.\n\nThe sky is blue because light scatters a lot.",
    ),
    ("In your first reply use at most 5 words. Then wait for me.", "Sure, go ahead."),
    ("Act as an interviewer. Ask me one question at a time, in at most 20 words.", "What is your name?"),
    ("Our slogan must be at most 4 words. Give me ten.", "1. a b\n2. c d\n3. e f"),
    ('Write a dialogue in which Tom says "I never use commas".', "Tom, hat in hand, said: I never use commas."),
    ('Find a word that starts with "qu".', "Queen."),
    ('Name a song that begins with "Oh" please.', "That would be: Oh Happy Day."),
    ('Please find words that begin with "un".', "Here are some words for you: undo, unfit"),
    ('Please tell me which words end with "ough".', "Cough and tough, among others."),
    ('Make a list of words that do not use the letter "e".', "Here are some: cat, dog, there"),
    ('Finish the sentence: "The cat sat on the"', "The cat sat on the mat."),
    ('Continue with "Once upon"', "Once upon a time"),
    ('Start with "Hello" and translate it to French.', "Bonjour"),
    ('How do you say "cat" in French? Use no digits.', "Chat."),
    ('Please explain the phrase "use no commas".', "It means, well, to leave them out."),
    ("Add up to 5 words to this: I like", "I like tea with milk and sugar"),
    (
        'Write a cover letter within 300 words for Acme, and include the phrase "team player".',
        "Dear Acme,\n\nI am a team\nplayer.",
    ),
    ('Write a review. Include the words "crisp", "light" and "airy".', "It is crisp, light, and airy."),
    ('Use the word "go" in the past tense.', "I went home."),
    ("Write in all caps: hello", "HELLO"),
    ("Write my name in capital letters: anna", "Your name is ANNA"),
    ("Write in capital letters the word yes.", "The word is YES."),
    ("Make it two sentences shorter.", "It is short. It is good. It is done."),
    ("Cut it to 2 sentences shorter, with 3 sentences left.", "A. B. C."),
    ("Please write with three sentences per paragraph.", "A b. C d. E f.\n\nG h. I j. K l."),
    ('End with the word "amen".', "Lord, hear us.\n\nAmen. 🙏"),
    ("End with a question to the reader.", "It is so. What do you think?\n\n#tea #milk #cups"),
    (
        "Use at most 10 words of French in your story.",
        "Ann said bonjour and merci to everybody in the whole of the small town that day.",
    ),
    ("Give me 5 bullet points, please, with 2 sub-points each.", "- a\n  - b\n  - c\n- d\n  - e\n  - f\n- g\n- h\n- i"),
    ("Give me 5 bullet points, please.", "1. a\n2. b\n3. c\n4. d\n5. e"),
    ("Give a numbered list of 3 steps with code.", "1) a\n2) b\n3) c"),
    ("Give a numbered list of 3 steps.", "**1. Boil**\nBoil it.\n\n**2. Pour**\n\n### 3. Drink"),
    (
        "Summarize the following in exactly 2 sentences.\n\nRain fell. It stopped. Write exactly 9 words.",
        "Rain fell. It stopped.",
    ),
    ('Never use the word "I".', "I'd rather not."),
    ("Give me a two-line summary and use at most 20 words.", "Rome is old.\nIt is big."),
    ("Please write a 200-word essay with no digits.", "Rome is old."),
    (
        "Write a caption for my photo of a dog in no more than 10 words.",
        '"Sun, sand, and one very happy dog!" 🐶☀️🐾 #dog #beach #sun #fun',
    ),
    (
        "Write a caption for my photo in at most 10 words.",
        'Here\'s one for you:\n\n"Sun and sand"\n\nWould you like a few more to choose from, perhaps funnier ones?',
    ),
    ("Describe Paris in exactly three words.", "Romantic, historic, beautiful."),
    ("Describe Paris in exactly three words.", "1. Romantic\n2. Historic\n3. Beautiful"),
    ("Give me three words that describe Paris, no commas.", "Romantic historic beautiful"),
    ("Explain AI in under 50 words for my grandma.", "It is a computer that learns."),
    (
        "Write a subject line of at most 50 characters, and the email.",
        "Subject: Leave\n\nDear Ann, may I have Friday off, please, as my mother visits?",
    ),
    ("Write a bio for my profile (max 160 characters).", "Tea lover."),
    ("Use exactly 3 sentences: intro, middle, end.", "Ann left. She walked for 3.5 km. She came back."),
    (
        "Can you tell me a joke? Keep it to one sentence please.",
        "Why did the hen cross the road? To get to the other side.",
    ),
    ("Keep it to one sentence please.", '"Well," she said, "it is so!" and she left.'),
    ('Write a conversation between Bo and Al. Begin with "Bo:".', "**Bo:** Hi.\n**Al:** Hi."),
    ('Sign off with "Cheers, Bo".', "Bye.\n\nCheers,\nBo"),
    (
        'End the email with "Best regards".',
        "Dear Ann, hi.\n\nBest regards,\n[Your name]\n[Your title]\n[Your phone]\n[Company]",
    ),
    ('Finish with "The End".', "Ann went home.\n\n*The End*"),
    ('Say only "yes" or "no".', "Yes"),
    ('Do not mention "price" or "cost".', "It is cheap."),
    ('Never mention "John" in the letter.', "Dear Ann, John's brother says hi."),
    ('Avoid the words "good" and "bad". How are goods shipped?', "By sea: goods go by ship."),
    ('Include the word "café".', "I like cafés."),
    ('Include the phrase "state-of-the-art".', "It is state of the art."),
    ('Include the phrase "I\'m sorry".', "I’m sorry for that."),
    ("Please write all numbers as digits, not words.", "There are 3."),
    ("Write in lowercase only.", "ok, e.g. like this"),
    ("No commas please", "It is so"),
    ("Don't use digits", "1. one\n2. two"),
    ("Give a bulleted list of 4 items.", "Sure!\n\n• a\n• b\n• c\n• d\n\nEnjoy!"),
    ("Answer in 4 bullet points with bold titles.", "- **A:** x\n- **B:** y\n- **C:** z\n- **D:** w"),
    ("Give a numbered list of 12 months and 4 seasons.", "1. Jan\n2. Feb"),
    ("Give a numbered list of 2 pros and 2 cons.", "1. a\n2. b\n\n1. c\n2. d"),
    ("Give me a numbered list with 10 ideas, but start at 5.", "5. a"),
    ("Give a numbered list of 10 or so films.", "1. a\n2. b"),
    ("Use up to three sentences.", "A."),
    ("Answer with one or two words.", "Two words"),
    ("Write between 5 and 10 words. No more.", "A well-known and much-loved old town in Italy"),
    ("Write a 4 to 6 words title for my blog.", "Title options:\n\n1. Tea at home is best\n2. The joy of good tea"),
    ("Use 100 to 150 words.", "word " * 150),
    (
        "Translate to Spanish, at most 10 words: I am very happy to see you here again.",
        "Estoy muy feliz de verte aquí otra vez.",
    ),
    ("I am writing a 500 words essay. Please give feedback.", "Send it."),
    ("Please review my text, it has exactly 200 words.", "Send it."),
    ("Please check: does it have at most 20 words?", "Yes."),
    (
        "Please make sure your function handles at most 20 characters.",
        "OK, the function now raises an error if more come.",
    ),
    (
        "Write ad copy, please: headlines of at most 30 characters and descriptions of at most 90 characters.",
        "Headline: Tea\nDescription: Good tea for all" + " of us" * 20,
    ),
    ("My tweet must not exceed 280 characters, please help.", "Sure: send it to me. " * 20),
    ("The password must have no more than 12 characters. Make one up, please.", "Here you are: abcDEF12345x"),
    ("The title must be under 60 characters. Write one and the article, please.", "Tea\n\n" + "Tea is good. " * 30),
    (
        "Write a story of exactly 3 sentences without the letter e, then explain it.",
        "A cat sat. A dog ran. A bird sang.\n\nThe cat is the hero here. It rests.",
    ),
    ('Write a poem without using the letter "e" and explain the difficulty.', "Sun and moon.\n\nThe letter is common."),
    ("Do not end with a question.", "It is so."),
    ("End every sentence with a question mark.", "Is it? It is?"),
    ("Close with a question mark joke.", "What did the mark say? Nothing."),
    ("Write a lullaby. Do not repeat any word.", "Sleep, my star"),
    ("Please reply in capital letters only if you agree.", "I do not agree."),
    ("Use upper case only for names.", "I saw BO."),
    ("Write everything in capital letters except the names.", "I SAW Bo."),
    ('Do not use the letter "x" as a variable. Solve 2x = 4.', "x = 2"),
    ('Do not use the word "x", say "times". What is x in 2x=4?', "2"),
    ('Do not use the word "AI". Say "software".', "Software is said to work."),
    ('Do not start with the word "I".', "We go."),
    ('Avoid using the word "very".', "It is so."),
    ('Don\'t end with "Thanks".', "Bye."),
    ('Do not include the word "old".', "It is new."),
    ("Don't answer in capital letters.", "Yes."),
    ("Stop writing in lower case.", "YES"),
    ('Never begin with "Sure".', "Rome."),
    ("Please, no bullet points: use 3 sentences.", "A b. C d. E f."),
    ("Make a numbered list of 3 books.", "| # | Book |\n|---|---|\n| 1 | A |\n| 2 | B |\n| 3 | C |"),
]
# And replies that plainly do something else than was asked.
DISOBEYED = [
    ("Who is it? Use at most three words.", "It is Mr Hill"),
    ('Avoid using the word "very".', "It is very so."),
    ("Describe Rome in 20 characters or fewer.", "Rome is the capital of Italy."),
    ("Write on Rome, 1,500 words at most.", "Rome is old. " * 600),
    ("Say it in twenty-five words or fewer.", "Rome is old. " * 20),
    ("Answer in exactly five words.", "Rome is the capital of Italy, I believe."),
    ("Explain what a mole is in two sentences.", "It is a mammal. It digs. It is blind. It eats worms."),
    ("Give me 3 bullet points on tea.", "- a\n- b\n- c\n- d\n- e"),
    ("Give me 3 bullet points on tea.", "Tea is hot and good."),
    ("Give a numbered list of five rivers.", "1. Nile\n2. Rhine"),
    ('Use the phrase "for example" in your answer.', "Fruit is good."),
    ('Use "of course" exactly once.', "Of course, of course."),
    ('End with "Thank you!"', "The shop opens at nine."),
    ('Do not use the letter "E".', "There are many here."),
    ('Do not use the words "old" and "new".', "An old one."),
    ('Never say "of course".', "Of course I do."),
    ('Start your reply with "Yes".', "No, it is not."),
    ("Write everything in lower case.", "Rome Is Old."),
    ("Answer in capital letters.", "Rome is old."),
    ("Do not use commas.", "Well, yes."),
    ("Use no digits, please.", "It is 12."),
    ("End with a question.", "It is Rome."),
    ("Keep it under 50 characters.", "Rome is a large and very old city on the Tiber in Italy."),
    ("No line may be longer than 3 words.", "Rain on the old roof\nNight"),
    ("Use between 10 and 20 words.", "Too short."),
    ("Use no word of more than 5 letters.", "Accommodation."),
    ("Please do not end with a full stop.", "It is Rome."),
    ("Use no word twice.", "The cat and the dog."),
    ("Begin every word with a capital letter.", "Rome is old"),
    ('Use the word "moon" and do not use commas.', "The sun, the stars."),
    ("Reply in five words or less.", "I think that it is probably Rome, the capital."),
    ("Use at most three words.", ""),
    ("Write a birthday message for my mum, max 40 words.", "happy " * 60),
    ("What is the capital of France? Answer in exactly one word.", "It is Paris."),
    ("Please answer in one sentence.", "A. B c. D e. F g."),
]


@pytest.mark.parametrize(("asked", "said"), CONTENT)
def test_no_good_reply_to_an_ordinary_request_disobeys(asked: str, said: str) -> None:
    assert _live("instructions", "obeyed", asked, said) in (1, None)


@pytest.mark.parametrize(("asked", "said"), DISOBEYED)
def test_a_reply_that_plainly_disobeys_is_seen(asked: str, said: str) -> None:
    assert _live("instructions", "obeyed", asked, said) == 0


@pytest.mark.parametrize(
    "asked", ["Which word has more than 9 letters?", "You can use up to 50 words.", "Make it two sentences shorter."]
)
def test_what_gives_no_order_gets_no_verdict(asked: str) -> None:
    assert _live("instructions", "obeyed", asked, "Accommodation") is None


@pytest.mark.parametrize("name", ["instructions", "forgetting"])
@pytest.mark.parametrize(
    "said", ["no ", "line ", "9", "exactly 5 words. ", 'Use the word "a". ', "copy: ", "x -> ", "a, "]
)
def test_a_long_request_neither_lingers_nor_crashes(name: str, said: str) -> None:
    suite = read_suite(name, ROOT)
    score = scorers.load(live.live_specs(suite)[0].spec, suite.path)
    long = (said * 20_000)[:20_000]
    asked = (long, long + "\nx", "copy:" + " " * 19_000 + "\nx", "9" * 4_400 + " to 5 words")
    started = time.process_time()
    for one in asked:
        score(Sample("live", one, ""), Completion(long))
    assert (time.process_time() - started) / len(asked) < 1


def test_right_answers_obey_what_is_read_and_four_in_five_instructions_are() -> None:
    suite = read_suite("instructions", ROOT)
    read = scorers.from_file("live.py:instructions", suite.path, "here")
    score = scorers.load(next(one.spec for one in live.live_specs(suite)), suite.path)
    known, seen = 0, 0
    for sample in (*suite.test, *suite.dev):
        assert _value(score(Sample("live", str(sample.input), ""), Completion(sample.target))) == 1, sample.id
        kinds = [check["kind"] for check in sample.metadata["checks"]]
        known, seen = known + len(kinds), seen + len({check["kind"] for check in read(sample.input)} & set(kinds))
    assert seen >= 0.8 * known


CHOICES = "Which of these is food?\nA) bicycle\nB) bread\nAnswer with the letter."
LABELS = "Follow the examples.\ncamel -> animal\nrice -> food\nsoup -> food\npie ->"
LONG = "a b " * 900


@pytest.mark.parametrize(("asked", "said", "value"), [
    (CHOICES, "B", 1), (CHOICES, "B) bread", 1), (CHOICES, "bread", 1), (CHOICES, "C", 0), (CHOICES, "A) bread", 0),
    (CHOICES, "I do not know.", 0), (LABELS, "food", 1), (LABELS, "tool", 0), ("Copy this: 15 barrel", "15 barrel", 1),
    ("Copy this: 15 barrel", "15 barrels", 0), ("Give a Python expression: the length of words.", "len(words)", 1),
    ("Give a Python expression: the length of words.", "len(words", 0),
    ("Give a Python expression: the length of words.", "food", 0), ("What is 45 - 14?", "31", 1),
    ("What is 45 - 14?", "45 - 14 = 31", 1), ("What is 45 - 14?", "59", 0), ("Add 54 and 7.", "61", 1),
    ("Write this list backwards: feather, paddle, velvet", "velvet, paddle, feather", 1),
    ("Write this list backwards: feather, paddle, velvet", "velvet, saddle", 0),
    ("How many items are in this list: market, letter, copper", "3", 1), ("What day follows Sunday?", "Friday", None),
    ("What is 5 minus 9?", "-4", 1), ("What is 5 - 9?", "5 − 9 = −4", 1), ("What is 5 minus 9?", "Minus four.", 1),
    ("What is 5 minus 9?", "4", 0), ("What is 33 - 14?", "-19", 0), ("What is 10 minus 5?", "10 minus 5 is 4.", 0),
    ("What is 999999 plus 1?", "1,000,000", 1), ("What is 56 plus 44?", "One hundred.", None),
    ("What is 20 plus 1?", "Twenty-one", 1), ("What is 9 minus 5?", "The answer is 4 (9-5).", 1),
    ("Which number lies between 3 and 5?", "4", None), ("What is 5 + 6 + 7?", "18", None),
    ("Which war was fought between 1914 and 1918?", "The First World War.", None), ("What is 1.5 + 2?", "3.5", None),
    ("Copy this: ...", "Of what?", None),
    ("Copy this: " + LONG, LONG.strip(), 1), ("Copy this: " + LONG, LONG[:-8], 0), ("Copy this: a b", '"a b"', 1),
    ("Copy this in French: cat", "chat", None), ("Repeat customers: how do I get more?", "Be kind.", None),
    ("Copy this: " + "a " * 10_001, "a", None), (CHOICES, "The answer is B.", 1), (CHOICES, "b", 1),
    ("Which do you like, and why?\nA) tea\nB) milk", "Tea, as it is warm.", None), (LABELS, "pie -> food", 1),
    ("dog -> chien\ncat -> chat\nhorse ->", "cheval", None),
    ("Explain a regular expression in Python.", "A pattern.", None),
    ("Write a Python expression for the root of 2.", "2 ** 0.5", 1),
    ("Write a Python expression for the sum of x.", "Use `sum(x)`.", 1),
    ("Translate into French: dog, cat, horse", "chien, chat, cheval", None),
    ("Write a story with these: dragon, knight, castle", "Once a dragon met a knight.", None),
    ("What do these share: apple, pear, plum?", "They are fruits.", None),
    ("What's 7 plus 5?", "A dozen.", None), ("Repeat after me: hello", "Hello!", 1),
    ("Choose a title for my post.\nA) Tea\nB) Milk", "The first one.", None),
    ("What is the first item in a five-course meal: soup, fish, meat?", "A starter.", None),
    ("Give me a Python expression: sum of xs", "You can write:\n\n    sum(xs)", 1),
])  # fmt: skip
def test_the_form_that_a_question_settles(asked: str, said: str, value: float | None) -> None:
    assert _live("forgetting", "form", asked, said) == value


def test_the_suites_that_can_be_monitored() -> None:
    found = {name: [one.spec.name for one in live.live_specs(read_suite(name, ROOT))] for name in all_suites(ROOT)}
    assert {name: names for name, names in found.items() if names} == {
        "cobol": ["loads"],
        "contracts": ["format"],
        "forgetting": ["form"],
        "formats": ["valid_json"],
        "handbook": ["in_handbook", "knows"],
        "instructions": ["obeyed"],
        "palindrome": ["brevity", "markdown", "loads"],
        "sarcasm": ["style"],
        "shakespeare": ["style"],
        "soap": ["format", "format_loose"],
        "sql": ["runs"],
    }


def _suite(folder: Path, monitor: str) -> Suite:
    (folder / "test.jsonl").write_text('{"id": "1", "input": "a", "target": "b"}\n')
    (folder / "suite.yaml").write_text(f"name: x\nversion: 1\nscorers: [{{scorer: exact}}]\nmonitor: {monitor}\n")
    return read_suite(folder)


def test_what_a_suite_monitors_is_no_part_of_its_identity(tmp_path: Path) -> None:
    assert _suite(tmp_path, "[exact]").digest == _suite(tmp_path, "[]").digest


@pytest.mark.parametrize(
    ("monitor", "says"),
    [
        ("[exat]", r"monitor\[0\]: no scorer 'exat'. Did you mean 'exact'"),
        ("[{scorer: judge}]", r"monitor\[0\]: a judge asks a model"),
        ("[{scorer: exact, prime: true}]", "unknown key 'prime'"),
        ("[exact, exact]", "two have the same name"),
        ("exact", "must be a list"),
    ],
)
def test_mistakes_in_monitor_are_named(tmp_path: Path, monitor: str, says: str) -> None:
    with pytest.raises(SuiteError, match=says):
        _suite(tmp_path, monitor)
