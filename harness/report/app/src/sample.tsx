// The open sample: the question once, every arm's answer side by side, the differences marked.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";

import type { Answer, Sample } from "./data";
import { Marked } from "./diff";
import { change, chosen, RIGHT, said } from "./scores";
import { active, address, against, arm, data, entering, marking, open, order } from "./state";

/** Characters of a text that are shown at first, as PREVIEW in harness/report/text.py. */
const LONG = 10_000;

export function Opened() {
  const all = data.value!;
  const wanted = open.value;
  const [shown, setShown] = useState<{ place: number; sample: Sample } | null>(null);
  useEffect(() => {
    let still = true;
    if (wanted < 0) setShown(null);
    else all.sample(wanted).then((sample) => still && setShown({ place: wanted, sample }));
    return () => {
      still = false;
    };
  }, [wanted]);
  useEffect(() => {
    if (!shown || !entering.value) return;
    entering.value = false;
    document.getElementById("opened")!.focus();
  }, [shown]);
  // Until the next sample is unpacked the one before stays, and with it the focus.
  if (wanted < 0 || !shown) return null;
  const { place, sample } = shown;
  const { entry } = sample;
  const places = order.value;
  const at = places.indexOf(place);
  const suite = all.index.suites[all.suiteOf(place)];
  const by = change(all, place, arm.value, against.value);
  const [mine, other] = chosen(all, place, arm.value, against.value);
  const before = entry?.a.find((answer) => answer[0] === other);
  const from = !entry || marking.value === "off" ? null : marking.value === "expected" ? entry.t : (before?.[1] ?? null);

  function step(by: number): void {
    const to = places[at + by];
    if (to === undefined) return;
    open.value = to;
    active.value = to;
  }

  function close(): void {
    open.value = -1;
    document.querySelector<HTMLElement>("[role=grid]")!.focus();
  }

  function press(event: KeyboardEvent): void {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target instanceof HTMLSelectElement) return;
    const steps: Record<string, () => void> = { j: () => step(1), k: () => step(-1), Escape: close };
    if (!steps[event.key]) return;
    event.preventDefault();
    steps[event.key]();
  }

  return (
    <section class="sample here" id={all.anchor(place)} aria-labelledby="opened" onKeyDown={press}>
      <div class="bar">
        <h3 id="opened" tabIndex={-1}>
          <a href={address()}>{all.index.ids[place]}</a>
          {by !== 0 && (
            <span class={(by > 0 ? "gain" : "loss") + " tag"}>
              {by > 0 ? "▲" : "▼"} {all.index.arms[mine]} {by > 0 ? "better" : "worse"} than {all.index.arms[other]}
            </span>
          )}
        </h3>
        <span class="turn-over">
          <label>
            Mark what differs from{" "}
            <select
              id="marking"
              value={marking.value}
              onChange={(event) => (marking.value = event.currentTarget.value as typeof marking.value)}
            >
              <option value="reference">{all.index.arms[other]}</option>
              <option value="expected">the expected answer</option>
              <option value="off">nothing</option>
            </select>
          </label>
          <button type="button" onClick={() => step(-1)} disabled={at <= 0}>
            ← Previous
          </button>
          <button type="button" onClick={() => step(1)} disabled={at < 0 || at >= places.length - 1}>
            Next →
          </button>
          <button type="button" onClick={close}>
            Close
          </button>
        </span>
      </div>
      <p class="meta">
        {[suite.title, ...(entry?.m ?? []).map(([name, value]) => `${name}: ${value}`)].join(" · ")}
      </p>
      {entry ? (
        <>
          <Said class="asked" key={`q ${place}`} sample={sample} at={entry.q} where={all.where(place, entry.a[0][0])} />
          <Long key={`t ${place}`} sample={sample} at={entry.t} where={all.where(place, entry.a[0][0])}>
            {(text) => (
              <p class="note">
                Expected: <b>{text}</b>
              </p>
            )}
          </Long>
          <div class="answers">
            {entry.a.map((answer) => (
              <Given
                key={`${place} ${answer[0]}`}
                answer={answer}
                sample={sample}
                where={all.where(place, answer[0])}
                from={answer === before ? null : from}
              />
            ))}
          </div>
        </>
      ) : (
        <Scores place={place} />
      )}
    </section>
  );
}

/** What is known of a sample without its texts. */
function Scores({ place }: { place: number }) {
  const { arms, values, text } = data.value!.index;
  return (
    <>
      <p class="note">
        {text
          ? "The texts of this sample are not in this file, to keep it small: see samples.csv or completions.jsonl."
          : "This report was made without texts: scores only."}
      </p>
      <div class="answers">
        {arms.map((name, number) => (
          <div class="answer" key={name}>
            <h4>
              {name} <Value value={values[number][place]} />
            </h4>
          </div>
        ))}
      </div>
    </>
  );
}

function Value({ value }: { value: number | null }) {
  const { sign, word, tone } = said(value);
  return (
    <span class={`mark-${tone}`}>
      {sign} {word}
    </span>
  );
}

interface Text {
  sample: Sample;
  at: number;
  /** Where the whole of it is. */
  where: string;
}

/** A text up to LONG characters; below it a button for the rest, and where that is of which the page holds a part. */
function Long({ sample, at, where, children }: Text & { children: (text: string, all: boolean) => ComponentChildren }) {
  const [all, setAll] = useState(false);
  const text = sample.text(at);
  const left = sample.left(at);
  const first = beginning(text);
  const most = Array.from(text).length.toLocaleString("en");
  return (
    <>
      {children(all ? text : first, all)}
      {(text.length > first.length || left > 0) && (
        <p class="more">
          {text.length > first.length && (
            <button type="button" aria-expanded={all} onClick={() => setAll(!all)}>
              {all ? "Show less" : `Show ${left ? "" : "all "}${most} characters`}
            </button>
          )}
          {left > 0 && ` ${left.toLocaleString("en")} more characters are not in this file: see ${where}.`}
        </p>
      )}
    </>
  );
}

/** The first LONG characters; one of them may be two units of a string. */
function beginning(text: string): string {
  return text.length <= LONG ? text : Array.from(text.slice(0, 2 * LONG)).slice(0, LONG).join("");
}

/** A text as it was written; one that may need to be scrolled can be reached by keyboard. from: another, to compare. */
function Said({ from = null, ...rest }: Text & { from?: number | null; class?: string }) {
  return (
    <Long {...rest}>
      {(text, all) => {
        const scrolls = text.length > 300 || text.split("\n").length > 10;
        const other = from === null ? null : rest.sample.text(from);
        return (
          <pre class={`said ${rest.class ?? ""}`} tabIndex={scrolls ? 0 : undefined}>
            {other === null ? text || "(empty)" : <Marked text={text} from={all ? other : beginning(other)} />}
          </pre>
        );
      }}
    </Long>
  );
}

/** What is there when it is asked for. */
function Folded({ title, children }: { title: string; children: () => ComponentChildren }) {
  const [shown, setShown] = useState(false);
  return (
    <details onToggle={(event) => setShown(event.currentTarget.open)}>
      <summary>{title}</summary>
      {shown && children()}
    </details>
  );
}

const ENDS = new Map([
  ["stop", ""],
  ["choice", ""],
  ["length", " · cut off at the token limit"],
  ["thinking", " · ended while thinking, before an answer"],
]);

function Given({ answer, sample, where, from }: { answer: Answer; from: number | null } & Omit<Text, "at">) {
  const [place, given, finish, [prompt, completion], seconds, value, read, why, others, turns, passages, thinking] = answer;
  const { text } = sample;
  return (
    <div class={"answer" + (value === null ? "" : value >= RIGHT ? " right" : " wrong")}>
      <h4>
        {data.value!.index.arms[place]} <Value value={value} />
      </h4>
      <Said sample={sample} at={given} where={where} from={from} />
      {text(why) && (
        <Long sample={sample} at={why} where={where}>
          {(text) => <p class="why">{text}</p>}
        </Long>
      )}
      {text(read) && text(read) !== text(given) && <p class="why">Read as: {text(read).slice(0, 300)}</p>}
      {others.map(([scorer, score, said]) => (
        <p class="why" key={scorer}>
          {scorer}: {score === null ? "–" : (100 * score).toFixed(0) + " %"}
          {said && `, ${said}`}
        </p>
      ))}
      <p class="spent">
        {prompt} + {completion} tokens · {seconds.toFixed(2)} s{ENDS.get(finish) ?? ` · ${finish}`}
      </p>
      {thinking && (
        <Folded title={`Thinking, not scored${thinking[1] ? `, ${thinking[1].toLocaleString("en")} tokens` : ""}`}>
          {() => <Said sample={sample} at={thinking[0]} where={where} />}
        </Folded>
      )}
      <Folded title="Prompt as sent">
        {() => (
          <>
            {passages.length > 0 && <p class="note">Passages: {passages.join(", ")}</p>}
            {turns.map(([role, at], number) => (
              <div class="turn" key={number}>
                <b>{role}</b>
                <Said sample={sample} at={at} where={where} />
              </div>
            ))}
          </>
        )}
      </Folded>
    </div>
  );
}
