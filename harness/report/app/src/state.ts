// What is being looked at, as signals, and the same in the address, so that a link leads back to it.
import { batch, computed, signal } from "@preact/signals";

import type { Data } from "./data";
import { chosen, RIGHT } from "./scores";

export const FILTERS = [
  ["all", "All"],
  ["regressed", "Regressed"],
  ["improved", "Improved"],
  ["failing", "All failing"],
  ["wrong", "Arm wrong"],
  ["right", "Arm right"],
] as const;
export const SORTS = [
  ["suite", "as in the suite"],
  ["change", "largest change first"],
  ["low", "lowest score of the arm first"],
  ["high", "highest score of the arm first"],
] as const;
export type Filter = (typeof FILTERS)[number][0];
export type Sort = (typeof SORTS)[number][0];

/** The order that comes with a filter until another one is chosen. */
export function usual(filter: Filter): Sort {
  return filter === "regressed" || filter === "improved" ? "change" : "suite";
}

export const data = signal<Data | null>(null);
export const filter = signal<Filter>("all");
export const sort = signal<Sort>("suite");
/** -1: every suite. */
export const suite = signal(-1);
/** Places of arms; -1: each suite's own candidate, and its own reference. */
export const arm = signal(-1);
export const against = signal(-1);
export const query = signal("");
/** What the query has found; null while there is none. */
export const found = signal<Set<number> | null>(null);
export const searching = signal<number | null>(null);
/** The open sample, and the row that the keyboard is on; -1: none. */
export const open = signal(-1);
export const active = signal(-1);
/** Whether the open sample is to take the focus once it is there. */
export const entering = signal(false);
export const marking = signal<"reference" | "expected" | "off">("reference");

/** Places of the samples that pass the filters, in order. */
export const order = computed<number[]>(() => {
  const all = data.value;
  if (!all) return [];
  const { values, suites } = all.index;
  const pass: number[] = [];
  const first = suite.value < 0 ? 0 : suites[suite.value].start;
  const end = suite.value < 0 ? all.count : (suites[suite.value + 1]?.start ?? all.count);
  const change = new Float64Array(all.count);
  const own = new Float64Array(all.count);
  for (let place = first; place < end; place++) {
    if (found.value && !found.value.has(place)) continue;
    const [mine, other] = chosen(all, place, arm.value, against.value);
    const after = values[mine][place];
    const before = values[other][place];
    const by = after === null || before === null ? 0 : after - before;
    change[place] = by;
    own[place] = after ?? -1;
    if (filter.value === "regressed" && !(by < 0)) continue;
    if (filter.value === "improved" && !(by > 0)) continue;
    if (filter.value === "wrong" && !(after !== null && after < RIGHT)) continue;
    if (filter.value === "right" && !(after !== null && after >= RIGHT)) continue;
    if (filter.value === "failing" && !values.every((one) => one[place] === null || one[place]! < RIGHT)) continue;
    pass.push(place);
  }
  if (sort.value === "change") pass.sort((a, b) => Math.abs(change[b]) - Math.abs(change[a]) || a - b);
  if (sort.value === "low") pass.sort((a, b) => own[a] - own[b] || a - b);
  if (sort.value === "high") pass.sort((a, b) => own[b] - own[a] || a - b);
  return pass;
});

let turn = 0;

/** Searches for what `query` holds; the newest call wins. */
export async function search(): Promise<void> {
  const mine = ++turn;
  const wanted = query.value.trim().toLowerCase();
  if (!wanted || !data.value) {
    found.value = null;
    searching.value = null;
    return;
  }
  searching.value = 0;
  const hits = await data.value.search(wanted, () => mine !== turn, (share) => (searching.value = share));
  if (mine !== turn) return;
  searching.value = null;
  found.value = hits;
}

/** Filters as they were at the start, then `change`. */
export function look(change: Partial<{ filter: Filter; suite: number; arm: number; against: number }>): void {
  batch(() => {
    filter.value = change.filter ?? "all";
    sort.value = usual(filter.value);
    suite.value = change.suite ?? -1;
    arm.value = change.arm ?? -1;
    against.value = change.against ?? -1;
    query.value = "";
    found.value = null;
    open.value = -1;
    active.value = -1;
  });
}

/** The address of what is being looked at: "#sql/sql-0001?filter=regressed&arm=lora". */
export function address(): string {
  const all = data.value!;
  const words = new URLSearchParams();
  if (filter.value !== "all") words.set("filter", filter.value);
  if (sort.value !== usual(filter.value)) words.set("sort", sort.value);
  if (suite.value >= 0) words.set("suite", all.index.suites[suite.value].name);
  if (arm.value >= 0) words.set("arm", all.index.arms[arm.value]);
  if (against.value >= 0) words.set("against", all.index.arms[against.value]);
  if (query.value.trim()) words.set("q", query.value.trim());
  const rest = words.toString();
  return "#" + (open.value < 0 ? "samples" : encodeURI(all.anchor(open.value))) + (rest ? "?" + rest : "");
}

/** Looks at what an address names; false if it names no sample and no filter. */
export async function follow(hash: string): Promise<boolean> {
  const all = data.value!;
  const [path, rest] = hash.replace(/^#/, "").split("?", 2);
  let name = path;
  try {
    name = decodeURI(path);
  } catch {
    // not of our making: taken as it is
  }
  const place = all.find(name);
  if (place < 0 && path !== "samples") return false;
  const words = new URLSearchParams(rest ?? "");
  const pick = (names: string[], key: string) => names.indexOf(words.get(key) ?? "");
  const wanted = FILTERS.find(([one]) => one === words.get("filter"));
  look({
    filter: wanted?.[0],
    suite: pick(all.index.suites.map((one) => one.name), "suite"),
    arm: pick(all.index.arms, "arm"),
    against: pick(all.index.arms, "against"),
  });
  sort.value = SORTS.find(([one]) => one === words.get("sort"))?.[0] ?? sort.value;
  query.value = words.get("q") ?? "";
  await search();
  if (place >= 0 && !order.value.includes(place)) look({});
  open.value = place;
  active.value = place;
  return true;
}
