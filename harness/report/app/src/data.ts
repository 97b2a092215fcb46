// The data blocks of the page: a small index of all samples, and their texts in shards that are unpacked when looked at.
// harness/report/block.py writes them and says what is in them.

export interface Suite {
  name: string;
  title: string;
  candidate: number;
  reference: number;
  start: number;
}

export interface Index {
  arms: string[];
  /** The run folder of every arm. */
  folders: string[];
  suites: Suite[];
  shard: number;
  ids: string[];
  anchors: Record<string, string>;
  values: (number | null)[][];
  text: boolean;
}

export type Answer = [
  arm: number,
  text: number,
  finish: string,
  tokens: [prompt: number, completion: number],
  seconds: number,
  value: number | null,
  read: number,
  why: number,
  others: [scorer: string, value: number | null, why: string][],
  prompt: [role: string, text: number][],
  passages: string[],
  thinking?: [text: number, tokens: number],
];

export interface Entry {
  q: number;
  t: number;
  m: [string, string][];
  a: Answer[];
}

interface Shard {
  texts: string[];
  /** Characters that a text has beyond those in the page. */
  left: Record<number, number>;
  cases: (Entry | null)[];
}

/** A sample with its texts looked up; entry is null where the page holds no text of it. */
export interface Sample {
  entry: Entry | null;
  text: (place: number) => string;
  left: (place: number) => number;
}

/** Shards that stay unpacked: what a screen and its neighbourhood need. */
const KEPT = 64;
/** Milliseconds that a search works on before it lets others. */
const SLICE = 40;
/** Characters of all texts up to which a search keeps them in lower case. */
const REMEMBERED = 60_000_000;

function bytes(base64: string): Uint8Array {
  const native = (Uint8Array as unknown as { fromBase64?: (text: string) => Uint8Array }).fromBase64;
  if (native) return native.call(Uint8Array, base64);
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

/** A block of the page, once the browser has read all of it: the list is there before the last texts are. */
async function block(id: string): Promise<string> {
  const found = document.getElementById(id);
  if (document.readyState === "loading" && !found?.nextElementSibling) {
    await new Promise((read) => document.addEventListener("DOMContentLoaded", read, { once: true }));
  }
  return document.getElementById(id)!.textContent!;
}

/** Without a Blob or a Response, whose content comes from another process, and later. */
async function unpack<T>(id: string): Promise<T> {
  const packed = bytes(await block(id));
  const { readable, writable } = new DecompressionStream("gzip");
  const writer = writable.getWriter();
  const written = writer.write(packed as BufferSource).then(() => writer.close());
  const reader = readable.getReader();
  const decoder = new TextDecoder();
  let json = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) json += decoder.decode(part.value, { stream: true });
  await written;
  return JSON.parse(json + decoder.decode());
}

/** What else the page has to do, and a frame, comes first; background: everything else that waits, too. */
function breath(background = false): Promise<void> {
  const { scheduler } = window as { scheduler?: { postTask(task: () => void, options: object): Promise<void> } };
  if (!scheduler) return new Promise((done) => setTimeout(done));
  return scheduler.postTask(() => {}, { priority: background ? "background" : "user-visible" });
}

export class Data {
  readonly count: number;
  private readonly unpacked = new Map<number, Promise<Shard>>();
  private readonly haystacks = new Map<number, string[]>();
  private remembered = 0;
  private line: Promise<unknown> = Promise.resolve();

  private constructor(readonly index: Index) {
    this.count = index.ids.length;
  }

  static async open(): Promise<Data> {
    return new Data(await unpack<Index>("index"));
  }

  suiteOf(place: number): number {
    const { suites } = this.index;
    let low = 0;
    for (let high = suites.length - 1; low < high; ) {
      const middle = (low + high + 1) >> 1;
      if (suites[middle].start <= place) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  anchor(place: number): string {
    return this.index.anchors[place] ?? `${this.index.suites[this.suiteOf(place)].name}/${this.index.ids[place]}`;
  }

  /** Where the whole of what an arm was asked and answered is. */
  where(place: number, arm: number): string {
    const { folders, ids, arms } = this.index;
    const name = arms[arm].replace(` · ${folders[arm]}`, "");
    return `the run folder ${folders[arm]} (completions.jsonl, scores.jsonl), sample ${ids[place]}, arm ${name}`;
  }

  /** The place of the sample with this permalink, or -1. */
  find(anchor: string): number {
    if (anchor.startsWith("s-")) {
      const found = Object.entries(this.index.anchors).find(([, name]) => name === anchor);
      if (found) return Number(found[0]);
    }
    const { suites, ids } = this.index;
    for (const [number, suite] of suites.entries()) {
      if (!anchor.startsWith(suite.name + "/")) continue;
      const id = anchor.slice(suite.name.length + 1);
      const end = suites[number + 1]?.start ?? ids.length;
      for (let place = suite.start; place < end; place++) if (ids[place] === id) return place;
    }
    return -1;
  }

  async sample(place: number): Promise<Sample> {
    if (!this.index.text) return { entry: null, text: () => "", left: () => 0 };
    const { texts, left, cases } = await this.shard(Math.floor(place / this.index.shard));
    return { entry: cases[place % this.index.shard], text: (at) => texts[at], left: (at) => left[at] ?? 0 };
  }

  /** `sample`, one after another and when there is time: a screen of rows may come from as many shards. */
  sampleInTurn(place: number, wanted: () => boolean): Promise<Sample | null> {
    const mine = this.line.then(async () => {
      if (!wanted()) return null;
      if (!this.unpacked.has(Math.floor(place / this.index.shard))) await breath(true);
      return wanted() ? this.sample(place) : null;
    });
    this.line = mine.catch(() => null);
    return mine;
  }

  /** Which samples hold `query` (in lower case) in id, question, target, answers or explanations; null if `stop`. */
  async search(query: string, stop: () => boolean, tell: (share: number) => void): Promise<Set<number> | null> {
    const found = new Set<number>();
    const { ids, shard, text } = this.index;
    let since = performance.now();
    ids.forEach((id, place) => id.toLowerCase().includes(query) && found.add(place));
    for (let number = 0; text && number * shard < this.count; number++) {
      const all = this.haystacks.get(number) ?? (await this.lowered(number));
      if (stop()) return null;
      all.forEach((hay, place) => hay.includes(query) && found.add(number * shard + place));
      if (performance.now() - since < SLICE) continue;
      tell(Math.min(1, ((number + 1) * shard) / this.count));
      await breath();
      since = performance.now();
    }
    return found;
  }

  private async lowered(number: number): Promise<string[]> {
    const { texts, cases } = await (this.unpacked.get(number) ?? unpack<Shard>(`shard-${number}`));
    const all = cases.map((entry) => {
      if (!entry) return "";
      const places = new Set([entry.q, entry.t]);
      for (const answer of entry.a) places.add(answer[1]).add(answer[6]).add(answer[7]);
      return [...places].map((place) => texts[place]).join("\n").toLowerCase();
    });
    const length = all.reduce((sum, hay) => sum + hay.length, 0);
    if (this.remembered + length <= REMEMBERED) {
      this.remembered += length;
      this.haystacks.set(number, all);
    }
    return all;
  }

  private shard(number: number): Promise<Shard> {
    const found = this.unpacked.get(number) ?? unpack<Shard>(`shard-${number}`);
    this.unpacked.delete(number);
    this.unpacked.set(number, found);
    if (this.unpacked.size > KEPT) this.unpacked.delete(this.unpacked.keys().next().value!);
    return found;
  }
}
