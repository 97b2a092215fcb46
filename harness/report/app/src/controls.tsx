// Filters, order, search, and what they leave.
import { useRef } from "preact/hooks";
import type { Signal } from "@preact/signals";

import { save } from "./export";
import { active, against, arm, data, filter, FILTERS, open, order, query, search, searching, sort, SORTS, suite, usual } from "./state";

export function Controls() {
  const { arms, suites, text } = data.value!.index;
  const wait = useRef(0);
  const choose = (at: Signal<number>) => (event: { currentTarget: HTMLSelectElement }) => {
    at.value = Number(event.currentTarget.value);
    start();
  };
  const options = (first: string, names: string[]) => [
    <option value="-1">{first}</option>,
    ...names.map((name, place) => <option value={place}>{name}</option>),
  ];
  return (
    <div class="controls" id="controls" role="search" aria-label="Filter the samples">
      <div class="filters" role="group" aria-label="Which samples">
        {FILTERS.map(([value, name]) => (
          <button
            type="button"
            value={value}
            key={value}
            aria-pressed={filter.value === value}
            onClick={() => {
              filter.value = value;
              sort.value = usual(value);
              start();
            }}
          >
            {name}
          </button>
        ))}
      </div>
      <label>
        Suite{" "}
        <select id="by-suite" value={suite.value} onChange={choose(suite)}>
          {options("All suites", suites.map((one) => one.title))}
        </select>
      </label>
      <label>
        Arm{" "}
        <select id="by-arm" value={arm.value} onChange={choose(arm)}>
          {options("the candidate", arms)}
        </select>
      </label>
      <label>
        Compared with{" "}
        <select id="by-against" value={against.value} onChange={choose(against)}>
          {options("the reference", arms)}
        </select>
      </label>
      <label>
        Order{" "}
        <select
          id="by-order"
          value={sort.value}
          onChange={(event) => {
            sort.value = event.currentTarget.value as typeof sort.value;
            start();
          }}
        >
          {SORTS.map(([value, name]) => (
            <option value={value}>{name}</option>
          ))}
        </select>
      </label>
      <label class="find">
        {text ? "Search in questions, answers, targets and explanations" : "Search by id"}
        <input
          id="find"
          type="search"
          autocomplete="off"
          spellcheck={false}
          value={query.value}
          onInput={(event) => {
            query.value = event.currentTarget.value;
            clearTimeout(wait.current);
            wait.current = setTimeout(() => void search().then(start), 120);
          }}
        />
      </label>
    </div>
  );
}

/** A new selection is looked at from its top. */
function start(): void {
  if (!order.value.includes(open.value)) open.value = -1;
  active.value = open.value;
}

export function Status() {
  const all = data.value!;
  const share = searching.value;
  const many = order.value.length;
  const said = share !== null ? `Searching… ${Math.round(100 * share)} %` : many ? `${many} of ${all.count} samples` : "No sample fits.";
  return (
    <div class="bar">
      <p id="status" class="note" role="status">
        {said}
      </p>
      <span class="turn-over">
        <button type="button" id="save-csv" disabled={!many} onClick={() => void save("csv")}>
          Save these as CSV
        </button>
        <button type="button" id="save-jsonl" disabled={!many} onClick={() => void save("jsonl")}>
          as JSONL
        </button>
      </span>
    </div>
  );
}
