// One part of the report at a time: sections carry data-page, links lead to a section, a sample or a selection.
import { address, data, follow, look, type Filter } from "./state";

const PARTS = () => [...document.querySelectorAll<HTMLElement>("main > [data-page]")];

export function turnTo(page: string): void {
  for (const part of PARTS()) part.hidden = part.dataset.page !== page;
  for (const link of document.querySelectorAll<HTMLAnchorElement>("nav a")) {
    if (link.dataset.to === page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/** One long page, as it is without JavaScript. */
export function openAll(): void {
  for (const part of PARTS()) part.hidden = false;
}

/** The part that an address is likely to name, as far as the page can tell without its data. */
export function partOf(hash: string): string {
  if (hash.length < 2) return "overview";
  const part = document.getElementById(hash.slice(1))?.closest<HTMLElement>("main > [data-page]");
  return part?.dataset.page ?? "samples";
}

/** Shows what the address names: a section of a page, or a sample; the overview where it names nothing. */
export async function arrive(hash: string): Promise<void> {
  if (await follow(hash)) {
    turnTo("samples");
    requestAnimationFrame(() => document.querySelector("#opened, #samples")!.scrollIntoView({ block: "nearest" }));
    return;
  }
  const target = document.getElementById(hash.slice(1));
  const part = target?.closest<HTMLElement>("main > [data-page]");
  turnTo(part?.dataset.page ?? "overview");
  if (part && hash !== "#decision") target!.scrollIntoView();
  else scrollTo(0, 0);
}

/** Wins and losses in the tables lead to the samples behind them. */
export function wireLinks(): void {
  for (const link of document.querySelectorAll<HTMLAnchorElement>("a[data-filter]")) {
    link.addEventListener("click", (event) => {
      if (!data.value) return;
      event.preventDefault();
      const { filter, suite, arm, against } = link.dataset;
      history.pushState(null, "", "#samples"); // the selection replaces this step, not the one that the link stands in
      look({ filter: filter as Filter, suite: Number(suite), arm: Number(arm), against: Number(against) });
      turnTo("samples");
      history.replaceState(null, "", address());
      document.getElementById("samples")!.scrollIntoView();
    });
  }
}
