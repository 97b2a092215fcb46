"use strict";
(() => {
  const PAGE = 50;
  const RIGHT = 0.5;
  const FILTERS = [["all", "All"], ["regressed", "Regressed"], ["improved", "Improved"], ["failing", "All failing"]];
  const $ = (id) => document.getElementById(id);
  // arm and against: a place in index.arms, or -1 for each suite's own candidate and reference.
  const state = { filter: "all", suite: -1, arm: -1, against: -1, query: "", page: 0 };
  const unpacked = new Map();
  let index, order = [], haystacks = null, here = "", turn = 0;

  function make(tag, name, text) {
    const element = document.createElement(tag);
    if (name) element.className = name;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  async function unpack(id) {
    const bytes = Uint8Array.from(atob($(id).textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  function shard(number) {
    if (!unpacked.has(number)) unpacked.set(number, unpack("shard-" + number));
    return unpacked.get(number);
  }

  async function everyText() {
    const all = [];
    for (let number = 0; number * index.shard < index.keys.length; number++) {
      const { texts, cases } = await shard(number);
      for (const entry of cases) {
        const places = new Set([entry.q, entry.t]);
        for (const answer of entry.a) places.add(answer[1]).add(answer[6]).add(answer[7]);
        all.push([...places].map((place) => texts[place]).join("\n").toLowerCase());
      }
    }
    return all.map((text, place) => index.keys[place][1].toLowerCase() + "\n" + text);
  }

  function arms(place) {
    const suite = index.suites[index.keys[place][0]];
    return [state.arm < 0 ? suite.candidate : state.arm, state.against < 0 ? suite.reference : state.against];
  }

  function change(place) {
    const [after, before] = arms(place).map((arm) => index.values[place][arm]);
    return after === null || before === null ? 0 : after - before;
  }

  function keeps(place) {
    const [suite] = index.keys[place], values = index.values[place];
    if (state.suite >= 0 && suite !== state.suite) return false;
    if (state.filter === "regressed") return change(place) < 0;
    if (state.filter === "improved") return change(place) > 0;
    if (state.filter === "failing") return values.every((value) => value === null || value < RIGHT);
    return true;
  }

  function ordered(places) {
    if (state.filter !== "regressed" && state.filter !== "improved") return places;
    return places.sort((a, b) => Math.abs(change(b)) - Math.abs(change(a)) || a - b);
  }

  async function select() {
    const mine = ++turn;
    let places = ordered(index.keys.map((_, place) => place).filter(keeps));
    const query = state.query.trim().toLowerCase();
    if (query) {
      if (!haystacks) {
        $("status").textContent = "Reading all texts…";
        haystacks = await everyText();
        if (mine !== turn) return;
      }
      places = places.filter((place) => haystacks[place].includes(query));
    }
    order = places;
    state.page = Math.min(state.page, Math.max(0, Math.ceil(order.length / PAGE) - 1));
    await draw(mine);
  }

  async function draw(mine) {
    const shown = order.slice(state.page * PAGE, (state.page + 1) * PAGE);
    const cards = [];
    for (const place of shown) {
      const { texts, cases } = await shard(Math.floor(place / index.shard));
      cards.push(card(place, cases[place % index.shard], texts));
    }
    if (mine !== turn) return;
    $("live").replaceChildren(...cards);
    const pages = Math.ceil(order.length / PAGE);
    $("status").textContent = order.length === 0 ? "No sample fits." : `${order.length} of ${index.keys.length} samples`;
    $("pages").hidden = pages < 2;
    $("where").textContent = `page ${state.page + 1} of ${pages}`;
    $("back").disabled = state.page === 0;
    $("on").disabled = state.page >= pages - 1;
  }

  function verdict(value) {
    if (value === null) return make("span", "mark-none", "– not scored");
    const right = value >= RIGHT, sign = right ? "✓ " : "✗ ";
    const word = value === 1 ? "right" : value === 0 ? "wrong" : (100 * value).toFixed(1) + " %";
    return make("span", right ? "mark-right" : "mark-wrong", sign + word);
  }

  function card(place, entry, texts) {
    const [suite, id, anchor] = index.keys[place];
    const box = make("article", anchor === here ? "sample here" : "sample");
    box.id = anchor;
    const head = make("h3"), link = make("a", "", id);
    link.href = "#" + anchor;
    head.append(link, changed(place));
    const about = [index.suites[suite].name, ...entry.m.map(([name, value]) => `${name}: ${value}`)].join(" · ");
    const expected = make("p", "note", "Expected: ");
    expected.append(make("b", "", texts[entry.t]));
    const answers = make("div", "answers");
    answers.append(...entry.a.map((answer) => given(answer, texts)));
    box.append(head, make("p", "meta", about), pre("said asked", texts[entry.q]), expected, answers);
    return box;
  }

  function changed(place) {
    const by = change(place), [arm, against] = arms(place);
    if (by === 0) return "";
    const said = `${by > 0 ? "▲" : "▼"} ${index.arms[arm]} ${by > 0 ? "better" : "worse"} than ${index.arms[against]}`;
    return make("span", by > 0 ? "gain tag" : "loss tag", said);
  }

  function pre(name, text) {
    const block = make("pre", name, text || "(empty)");
    if (text.length > 600) block.tabIndex = 0;
    return block;
  }

  function given([arm, text, finish, [prompt, completion], seconds, value, read, why, others, turns, passages], texts) {
    const box = make("div", "answer" + (value === null ? "" : value >= RIGHT ? " right" : " wrong"));
    const head = make("h4", "", index.arms[arm] + " ");
    head.append(verdict(value));
    box.append(head, pre("said", texts[text]));
    if (texts[why]) box.append(make("p", "why", texts[why]));
    if (texts[read] && texts[read] !== texts[text]) box.append(make("p", "why", "Read as: " + texts[read].slice(0, 300)));
    for (const [name, score, said] of others) {
      box.append(make("p", "why", `${name}: ${score === null ? "–" : (100 * score).toFixed(0) + " %"}${said ? ", " + said : ""}`));
    }
    const end = finish === "length" ? " · cut off at the token limit" : finish === "stop" || finish === "choice" ? "" : " · " + finish;
    box.append(make("p", "spent", `${prompt} + ${completion} tokens · ${seconds.toFixed(2)} s${end}`));
    const sent = make("details");
    sent.append(make("summary", "", "Prompt as sent"));
    sent.addEventListener("toggle", () => {
      if (sent.childElementCount > 1) return;
      if (passages.length) sent.append(make("p", "note", "Passages: " + passages.join(", ")));
      for (const [role, place] of turns) {
        const turnBox = make("div", "turn");
        turnBox.append(make("b", "", role), pre("said", texts[place]));
        sent.append(turnBox);
      }
    });
    box.append(sent);
    return box;
  }

  function choose(id, names, key, first) {
    const box = $(id);
    box.replaceChildren(...names.map((name, place) => {
      const option = make("option", "", name);
      option.value = String(place - first);
      return option;
    }));
    box.value = String(state[key]);
    box.addEventListener("change", () => {
      state[key] = Number(box.value);
      go();
    });
  }

  function show() {
    for (const button of document.querySelectorAll(".filters button")) {
      button.setAttribute("aria-pressed", String(button.value === state.filter));
    }
    $("by-suite").value = String(state.suite);
    $("by-arm").value = String(state.arm);
    $("by-against").value = String(state.against);
    $("find").value = state.query;
  }

  function go() {
    state.page = 0;
    here = "";
    show();
    return select();
  }

  async function follow() {
    const anchor = location.hash.slice(1);
    const place = index.keys.findIndex((key) => key[2] === anchor);
    if (place < 0) return false;
    if (!order.includes(place)) {
      Object.assign(state, { filter: "all", suite: -1, query: "" });
      await go();
    }
    here = anchor;
    state.page = Math.floor(order.indexOf(place) / PAGE);
    await draw(++turn);
    $(anchor)?.scrollIntoView();
    return true;
  }

  function wire() {
    for (const [value, name] of FILTERS) {
      const button = make("button", "", name);
      button.type = "button";
      button.value = value;
      button.addEventListener("click", () => { state.filter = value; go(); });
      document.querySelector(".filters").append(button);
    }
    choose("by-suite", ["All suites", ...index.suites.map((suite) => suite.title)], "suite", 1);
    choose("by-arm", ["the candidate", ...index.arms], "arm", 1);
    choose("by-against", ["the reference", ...index.arms], "against", 1);
    let wait;
    $("find").addEventListener("input", () => {
      clearTimeout(wait);
      wait = setTimeout(() => { state.query = $("find").value; go(); }, 120);
    });
    for (const [id, step] of [["back", -1], ["on", 1]]) {
      $(id).addEventListener("click", async () => {
        state.page += step;
        await draw(++turn);
        $("samples").scrollIntoView();
      });
    }
    for (const link of document.querySelectorAll("a[data-filter]")) {
      link.addEventListener("click", () => {
        const { filter, suite, arm, against } = link.dataset;
        Object.assign(state, { filter, suite: Number(suite), arm: Number(arm), against: Number(against), query: "" });
        go();
      });
    }
    window.addEventListener("hashchange", follow);
  }

  async function start() {
    index = await unpack("index");
    wire();
    for (const card of $("few").querySelectorAll("[id]")) card.removeAttribute("id");
    $("few").hidden = true;
    $("controls").hidden = false;
    show();
    await select();
    await follow();
    document.documentElement.dataset.ready = "yes";
  }

  start().catch((error) => {
    $("status").textContent = "The list of all samples needs a newer browser (" + error.message + ").";
  });
})();
