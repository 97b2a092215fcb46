// Right or wrong, better or worse: the words for scores.
import type { Data } from "./data";

/** A score of at least this counts as right, as on the rest of the page (harness/report/cases.py). */
export const RIGHT = 0.5;

/** The arm looked at and the one it is compared with: as chosen, or the suite's candidate and reference. */
export function chosen(data: Data, place: number, arm: number, against: number): [number, number] {
  const suite = data.index.suites[data.suiteOf(place)];
  return [arm < 0 ? suite.candidate : arm, against < 0 ? suite.reference : against];
}

export function change(data: Data, place: number, arm: number, against: number): number {
  const [mine, other] = chosen(data, place, arm, against);
  const after = data.index.values[mine][place];
  const before = data.index.values[other][place];
  return after === null || before === null ? 0 : after - before;
}

export function said(value: number | null): { sign: string; word: string; tone: string } {
  if (value === null) return { sign: "–", word: "not scored", tone: "none" };
  const sign = value >= RIGHT ? "✓" : "✗";
  const tone = value >= RIGHT ? "right" : "wrong";
  return { sign, word: value === 1 ? "right" : value === 0 ? "wrong" : (100 * value).toFixed(1) + " %", tone };
}
