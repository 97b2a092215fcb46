"""Is an answer JSON of the form that was asked for? Needs no gold answer."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from harness.data import Completion, Sample, Score, Scorer
from harness.scorers import gold_free
from harness.scorers.markdown import after_thinking

MAX_CHARACTERS = 100_000


@gold_free("schema")
def json_schema(*, suite_path: str) -> Scorer:
    """1 if the answer, as it stands, is JSON that validates against the JSON Schema in metadata `schema`; else 0.

    A fence or a word beside it is no JSON. A schema that is none, or that does not work on the answer, scores 0 and
    says so.
    What is not covered: its values; keys that are there twice; formats such as dates.
    """

    import jsonschema
    from referencing.exceptions import Unresolvable

    broken = (jsonschema.SchemaError, Unresolvable, re.error, ArithmeticError, AttributeError, LookupError, TypeError)

    def score(sample: Sample, completion: Completion) -> Score:
        text = after_thinking(completion.text).strip()
        if len(text) > MAX_CHARACTERS:
            return Score(0.0, text[:80], f"{len(text)} characters are no answer to this")
        try:
            said = json.loads(text)
        except (ValueError, RecursionError) as error:
            return Score(0.0, text[:2_000], f"not JSON: {str(error)[:80]}")
        try:
            problem = next(_validator(_text(sample.metadata["schema"])).iter_errors(said), None)
        except (*broken, ValueError, RecursionError) as error:
            return Score(0.0, text[:2_000], f"no schema that works on it: {type(error).__name__}")
        return Score(float(problem is None), text[:2_000], "" if problem is None else ascii(problem.message)[1:201])

    return score


def _text(schema: Any) -> str:
    return schema if isinstance(schema, str) else json.dumps(schema, sort_keys=True)


@lru_cache(maxsize=1024)
def _validator(schema: str) -> Any:
    import jsonschema
    from referencing import Registry

    form = json.loads(schema)
    jsonschema.Draft202012Validator.check_schema(form)
    return jsonschema.Draft202012Validator(form, registry=Registry())  # which fetches nothing
