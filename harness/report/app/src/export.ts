// The samples that pass the filters as a file: what a spreadsheet or a program can go on with.
import { data, order } from "./state";

const STARTS_A_FORMULA = /^(?:[\t\r\n]|\s*[=+\-@＝＋－＠\ufe66\ufe62\ufe63\ufe6b])/;

/** One cell of a CSV file; a text that a spreadsheet would take for a formula gets an apostrophe (as in sheets.py). */
export function cell(value: string | number | null): string {
  if (value === null) return "";
  if (typeof value === "number") return String(value);
  const text = STARTS_A_FORMULA.test(value) ? "'" + value : value;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

async function rows(): Promise<Record<string, string | number | null>[]> {
  const all = data.value!;
  const { arms, suites, ids, values } = all.index;
  const made = [];
  for (const place of order.value) {
    const { entry, text, left } = await all.sample(place);
    const rest = (at: number) => `\n[… ${left(at).toLocaleString("en")} more characters: completions.jsonl in the run folder]`;
    const whole = (at: number) => text(at) + (left(at) ? rest(at) : "");
    const row: Record<string, string | number | null> = { suite: suites[all.suiteOf(place)].name, sample: ids[place] };
    if (entry) Object.assign(row, { question: whole(entry.q), target: whole(entry.t) });
    for (const [number, name] of arms.entries()) {
      row[`${name}: score`] = values[number][place];
      const answer = entry?.a.find(([arm]) => arm === number);
      if (entry) row[`${name}: answer`] = answer ? whole(answer[1]) : null;
    }
    made.push(row);
  }
  return made;
}

export async function save(kind: "csv" | "jsonl"): Promise<void> {
  const made = await rows();
  const heads = [...new Set(made.flatMap((row) => Object.keys(row)))];
  const lines =
    kind === "csv"
      ? [heads.map(cell).join(","), ...made.map((row) => heads.map((head) => cell(row[head] ?? null)).join(","))]
      : made.map((row) => JSON.stringify(row));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/plain" }));
  link.download = `samples.${kind}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
