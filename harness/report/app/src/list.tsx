// All samples that pass the filters, as a grid of which only the rows in sight exist.
import { batch, useSignal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";

import { change, chosen, said } from "./scores";
import { active, against, arm, data, entering, open, order } from "./state";

/** Height of a row in CSS pixels, as in report.css. */
const ROW = 38;
/** Rows drawn beyond the edges of what is in sight. */
const MARGIN = 6;
/** Arms that get a column; with more, the list shows those that are compared. */
const COLUMNS = 8;

export function List() {
  const all = data.value!;
  const places = order.value;
  const box = useRef<HTMLDivElement>(null);
  const top = useSignal(0);
  const height = useSignal(400);
  const narrow = useNarrow();
  const few = narrow || all.index.arms.length > COLUMNS;
  const first = Math.max(0, Math.floor(top.value / ROW) - MARGIN);
  const last = Math.min(places.length, Math.ceil((top.value + height.value) / ROW) + MARGIN);
  const at = places.indexOf(active.value);
  const inSight = at >= first && at < last;

  useEffect(() => {
    const watch = new ResizeObserver(() => (height.value = box.current!.clientHeight));
    watch.observe(box.current!);
    return () => watch.disconnect();
  }, []);

  // A row that the keyboard or a link has come to is brought into sight; a new selection starts at its top.
  useEffect(() => {
    const scroller = box.current!;
    if (at < 0) scroller.scrollTop = 0;
    else if (at * ROW < scroller.scrollTop) scroller.scrollTop = at * ROW;
    else if ((at + 2) * ROW > scroller.scrollTop + scroller.clientHeight)
      scroller.scrollTop = (at + 2) * ROW - scroller.clientHeight;
  }, [places, active.value, open.value >= 0]);

  function go(to: number): void {
    if (places.length === 0) return;
    active.value = places[Math.max(0, Math.min(places.length - 1, to))];
    if (open.value >= 0) open.value = active.value;
  }

  function press(event: KeyboardEvent): void {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const page = Math.max(1, Math.floor(height.value / ROW) - 2);
    const steps: Record<string, () => void> = {
      ArrowDown: () => go(at + 1),
      j: () => go(at + 1),
      ArrowUp: () => go(at < 0 ? 0 : at - 1),
      k: () => go(at < 0 ? 0 : at - 1),
      PageDown: () => go(at + page),
      PageUp: () => go(at - page),
      Home: () => go(0),
      End: () => go(places.length - 1),
      Enter: () => show(active.value),
      " ": () => show(active.value),
      "/": () => document.getElementById("find")!.focus(),
      Escape: () => (open.value = -1),
    };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    step();
  }

  function show(place: number): void {
    if (place < 0) return;
    batch(() => {
      active.value = place;
      entering.value = true;
      open.value = place;
    });
  }

  const names = few ? ["Before", "After"] : all.index.arms;
  return (
    <div
      ref={box}
      class={"grid" + (open.value >= 0 ? " short" : "")}
      role="grid"
      tabIndex={0}
      aria-label="Samples. Arrow keys move, Enter opens, Escape closes, slash searches."
      aria-rowcount={places.length + 1}
      aria-colcount={names.length + 3}
      aria-activedescendant={inSight ? `row-${active.value}` : undefined}
      onScroll={() => (top.value = box.current!.scrollTop)}
      onKeyDown={press}
    >
      <div class="row head" role="row" aria-rowindex={1} style={{ "--arms": names.length }}>
        <span role="columnheader" title="Better or worse than the arm compared with">
          ±
        </span>
        <span role="columnheader">Sample</span>
        {names.map((name) => (
          <span role="columnheader" class="mark" title={name} key={name}>
            {name}
          </span>
        ))}
        <span role="columnheader" class="asks">
          Question
        </span>
      </div>
      <div class="rows" role="presentation" style={{ height: `${places.length * ROW}px` }}>
        {places.slice(first, last).map((place, number) => (
          <Row key={place} place={place} row={first + number} few={few} show={show} />
        ))}
      </div>
    </div>
  );
}

function Row({ place, row, few, show }: { place: number; row: number; few: boolean; show: (place: number) => void }) {
  const all = data.value!;
  const [asked, setAsked] = useState("");
  useEffect(() => {
    let wanted = true;
    const still = () => wanted;
    all.sampleInTurn(place, still).then((found) => found && still() && setAsked(found.entry ? ends(found.text(found.entry.q)) : ""));
    return () => {
      wanted = false;
    };
  }, [place]);
  const by = change(all, place, arm.value, against.value);
  const [mine, other] = chosen(all, place, arm.value, against.value);
  const shown = few ? [other, mine] : all.index.arms.map((_, number) => number);
  return (
    <div
      id={`row-${place}`}
      class={"row" + (place === active.value ? " active" : "") + (place === open.value ? " open" : "")}
      role="row"
      aria-rowindex={row + 2}
      aria-selected={place === open.value}
      style={{ top: `${row * ROW}px`, "--arms": shown.length }}
      onClick={() => show(place)}
    >
      <span role="gridcell" class={by > 0 ? "gain" : by < 0 ? "loss" : "none"}>
        {by > 0 ? <b title="better">▲</b> : by < 0 ? <b title="worse">▼</b> : ""}
      </span>
      <span role="gridcell" class="name">
        {all.index.ids[place]}
      </span>
      {shown.map((number) => {
        const { sign, word, tone } = said(all.index.values[number][place]);
        const short = word.endsWith("%") ? word : sign;
        return (
          <span role="gridcell" class={`mark mark-${tone}`} key={number} aria-label={`${all.index.arms[number]} ${word}`}>
            {short}
          </span>
        );
      })}
      <span role="gridcell" class="asks">
        {asked}
      </span>
    </div>
  );
}

/** The last line that says something: what comes before it is often the same for every sample. */
function ends(question: string): string {
  const lines = question.split("\n").filter((line) => line.trim().length > 9);
  return (lines.at(-1) ?? question).slice(0, 160);
}

function useNarrow(): boolean {
  const wide = matchMedia("(min-width: 720px)");
  const [narrow, setNarrow] = useState(!wide.matches);
  useEffect(() => {
    const tell = () => setNarrow(!wide.matches);
    wide.addEventListener("change", tell);
    return () => wide.removeEventListener("change", tell);
  }, []);
  return narrow;
}
