// The list of samples, and the pages of the report. Without JavaScript the report is one long page that holds everything
// but this list.
import { effect } from "@preact/signals";
import { render } from "preact";

import { Controls, Status } from "./controls";
import { Data } from "./data";
import { List } from "./list";
import { arrive, openAll, partOf, turnTo, wireLinks } from "./pages";
import { Opened } from "./sample";
import { address, data, open, order } from "./state";

function App() {
  return (
    <>
      <Controls />
      <Status />
      <List />
      <Opened />
    </>
  );
}

async function start(): Promise<void> {
  const few = document.getElementById("few")!;
  few.hidden = true;
  turnTo(partOf(location.hash)); // before the data are there: the browser lays out one part, not all of them
  data.value = await Data.open();
  for (const card of few.querySelectorAll("[id]")) card.removeAttribute("id");
  wireLinks();
  render(<App />, document.getElementById("live")!);
  await arrive(location.hash);
  let own = location.hash;
  // The address follows the selection; what it replaces is not a step of the browser's history.
  effect(() => {
    const now = address();
    const part = document.getElementById("samples")!.hidden;
    if ((open.value < 0 && order.value.length === data.value!.count && part) || now === own) return;
    own = now;
    history.replaceState(null, "", now);
    if (open.value >= 0) turnTo("samples");
  });
  addEventListener("hashchange", () => {
    if (location.hash === own) return;
    own = location.hash;
    void arrive(own);
  });
  performance.mark("ready");
  document.documentElement.dataset.ready = "yes";
}

start().catch((error: Error) => {
  openAll();
  document.getElementById("few")!.hidden = false;
  document.getElementById("live")!.textContent = `The list of all samples needs a newer browser (${error.message}).`;
});
