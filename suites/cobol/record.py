"""Ask GnuCOBOL what every program prints, and keep it in cases.jsonl.

    python suites/cobol/record.py            compares with what is committed; exit 1 where anything differs
    python suites/cobol/record.py --write    writes cases.jsonl

Needs cobc (Debian: apt-get install gnucobol3), which neither users nor the scorer do. Without it nothing is compared.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MORE = 120
sys.path.insert(0, str(HERE))

from certificate import FUZZ, behaviour, mutants  # noqa: E402
from generate import SEED, SIZES, Program, programs  # noqa: E402
from inputs import Case, cases, crowds  # noqa: E402


def compiler() -> str:
    """The compiler's name and version."""
    said = subprocess.run(["cobc", "--version"], capture_output=True, text=True, check=True).stdout
    return said.split("\n")[0].strip()


def recorded(made: Program, version: str, further: Sequence[Case] = ()) -> dict[str, Any]:
    """A row of cases.jsonl: what the program does with each of its inputs; `further` are those that grow.py added."""
    with tempfile.TemporaryDirectory() as place:
        folder = built(made, Path(place))
        rows = [ran(folder, case, made) for case in (*inputs(made), *further)]
    row = {"program": made.key, "compiler": version, "spec": list(made.spec), "cases": rows}
    return {**row, "grown": len(further)} if further else row


def built(made: Program, folder: Path) -> Path:
    """The folder, with the compiled program in it."""
    (folder / "program.cob").write_text(made.cobol + "\n", "ascii")
    done = subprocess.run(
        ["cobc", "-x", "-free", "-o", "program", "program.cob"], cwd=folder, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{made.key} ({made.base.split}) does not compile:\n{done.stderr}\n{made.cobol}")
    return folder


def inputs(made: Program) -> list[Case]:
    """Inputs from the PICTUREs, and a few more where single mistakes show that these leave hidden.

    Half-way values, and totals that meet a limit exactly, cannot be read from a PICTURE, so they are looked for among
    ordinary inputs: one is kept where a mistake in the Python (see certificate.py) shows for the first time.
    """
    found = [*cases(made.spec, f"{SEED} {made.key}"), *crowds(made.spec, f"{SEED} {made.key}")]
    expected = behaviour(made.python, found)
    hidden = [text for _, text in mutants(made.python) if behaviour(text, found) == expected]
    ordinary = cases(made.spec, f"fuzz {made.key}", FUZZ, fuzz=True)
    ordinary += crowds(made.spec, f"fuzz {made.key}")
    ordinary += cases(made.spec, f"{SEED} more {made.key}", MORE, fuzz=True)
    right = behaviour(made.python, ordinary)
    shown = [behaviour(text, ordinary) for text in hidden]
    for number, case in enumerate(ordinary):
        if any(values[number] != right[number] for values in shown):
            shown = [values for values in shown if values[number] == right[number]]
            found.append(case)
    return found


def ran(folder: Path, case: Case, made: Program) -> dict[str, Any]:
    """An input, what the program displays and what it writes."""
    for name in made.written:
        (folder / name).unlink(missing_ok=True)
    for name, content in case["files"].items():
        (folder / name).write_text(content, "ascii")
    done = subprocess.run(
        [folder / "program"], cwd=folder, input=case["stdin"].encode(), capture_output=True, timeout=20
    )
    if done.returncode or done.stderr:
        raise SystemExit(f"{made.key}: exit {done.returncode}, {done.stderr.decode()[:300]} on {case}")
    written = {name: (folder / name).read_text("ascii") for name in made.written if (folder / name).is_file()}
    return {"stdin": case["stdin"], "files": case["files"], "stdout": done.stdout.decode("ascii"), "written": written}


def main(arguments: list[str]) -> int:
    """Exit code: 0 where nothing differs."""
    if not shutil.which("cobc"):
        print("cobc is not installed: nothing compared")
        return 0
    version = compiler()
    every = [made for split in SIZES for made in programs(split)]
    path = HERE / "cases.jsonl"
    before = path.read_text("utf-8").splitlines() if path.is_file() else []
    further = {row["program"]: row["cases"][-row["grown"] :] for row in map(json.loads, before) if row.get("grown")}
    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(lambda made: recorded(made, version, further.get(made.key, ())), every))
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    if "--write" in arguments:
        path.write_text("".join(line + "\n" for line in lines), "utf-8")
        print(f"{len(rows)} programs, {sum(len(row['cases']) for row in rows)} cases")
        return 0
    old = {row["program"]: {**row, "compiler": version} for row in map(json.loads, before)}
    drift = [row["program"] for row in rows if old.get(row["program"]) != row]
    drift += sorted(set(old) - {row["program"] for row in rows})
    print(f"{len(drift)} of {len(rows)} programs differ: {' '.join(drift[:20])}" if drift else "no drift")
    return 1 if drift else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
