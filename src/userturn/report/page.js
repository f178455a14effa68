"use strict";

// Texts come from models and data: they are only ever set as text, never as HTML.
(() => {
  const element = (id) => document.getElementById(id);
  const data = JSON.parse(element("data").textContent);
  const HIDDEN = new RegExp(data.hidden, "g");
  const STEP = 20; // turns that are added to the list at once
  const FIELDS = ["model", "dataset", "condition", "temperature", "label", "judge", "order"];
  const minus = (digits) => (Number(digits) ? digits.replace("-", "−") : digits.replace("-", ""));
  const nats = (value) => `${value < 0 ? "" : "+"}${minus(value.toFixed(1))}`;

  const turns = data.turns.map((row, place) => {
    const [model, prompt, condition, temperature, sample, answer, text, end, uptake, words,
      judged] = row;
    const [dataset, item, query, ...earlier] = data.prompts[prompt];
    const key = [data.models[model][0], data.datasets[dataset], item, data.conditions[condition],
      temperature, sample];
    return {
      place, model, prompt, dataset, item, query, earlier, condition, temperature, sample,
      answer: data.answers[answer], text, end, uptake, words, judged, id: key.join("/"),
      searched: null,
    };
  });
  const byId = new Map(turns.map((turn) => [turn.id, turn]));
  const temperatures = [...new Set(turns.map((turn) => turn.temperature))].sort((a, b) => a - b);
  const degree = (value) => (value === 0 ? "greedy" : `temperature ${value}`);
  const behind = (turn) => {
    const name = data.conditions[turn.condition];
    return name === "base" ? "own answer" : name;
  };
  const labelOf = (turn, judge) => turn.judged[judge]?.[0] ?? -1;
  const labelName = (label) => (label < 0 ? "no label" : data.labels[label]);

  let chosen = []; // the turns that pass the filters, in their order
  let shown = 0; // how many of them are in the list

  // --- pieces of the page ---

  function make(tag, name, ...inside) {
    const made = document.createElement(tag);
    if (name) made.className = name;
    made.append(...inside);
    return made;
  }

  // A text with its hidden characters spelled out.
  function visible(text) {
    const pieces = [];
    let start = 0;
    for (const match of text.matchAll(HIDDEN)) {
      const code = match[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
      pieces.push(text.slice(start, match.index), make("span", "hidden", `U+${code}`));
      start = match.index + match[0].length;
    }
    pieces.push(text.slice(start));
    return pieces.filter((piece) => piece !== "");
  }

  function shade(gain) {
    if (gain <= -0.5) return gain <= -4 ? "m3" : gain <= -2 ? "m2" : "m1";
    if (gain < 0.5) return "p0";
    return gain >= 8 ? "p4" : gain >= 4 ? "p3" : gain >= 2 ? "p2" : "p1";
  }

  // Words of a turn with what the answer adds to each; the whole text where it was not scored.
  function coloured(turn) {
    if (turn.words === null) return visible(turn.text);
    const pieces = [];
    let start = 0;
    for (let at = 0; at < turn.words.length; at += 2) {
      const text = turn.text.slice(start, start + turn.words[at]);
      const gain = turn.words[at + 1] / 10;
      start += turn.words[at];
      const space = text.match(/^\s*/)[0];
      const word = text.slice(space.length);
      pieces.push(...visible(space));
      if (word === "") continue;
      const name = shade(gain);
      const piece = make(name === "p0" ? "span" : "mark", name, ...visible(word));
      piece.title = `${nats(gain)} nats`;
      pieces.push(piece);
    }
    return pieces;
  }

  function best(turn) {
    const words = [];
    let start = 0;
    for (let at = 0; at < (turn.words ?? []).length; at += 2) {
      const text = turn.text.slice(start, start + turn.words[at]).trim();
      start += turn.words[at];
      if (turn.words[at + 1] >= 10 && text !== "") words.push([turn.words[at + 1] / 10, text]);
    }
    return words.sort((a, b) => b[0] - a[0]).slice(0, 4);
  }

  function chip(label) {
    const name = labelName(label);
    return make("span", `label l-${name.replace(" ", "-")}`, name.replaceAll("_", " "));
  }

  function box(heading, name, ...inside) {
    const text = make("div", `text ${name}`, ...inside);
    text.dir = "auto";
    text.tabIndex = 0;
    text.setAttribute("role", "region");
    text.setAttribute("aria-label", heading);
    if (inside.length === 0) text.append(make("span", "quiet", "(nothing)"));
    return make("div", "part", make("h4", "", heading), text);
  }

  function facts(turn, judge) {
    const inside = [chip(labelOf(turn, judge))];
    const probability = turn.judged[judge]?.[1] ?? null;
    if (probability !== null) inside.push(make("span", "", `p(follow-up) ${probability.toFixed(2)}`));
    if (turn.uptake !== null) {
      inside.push(make("span", "", `uptake ${minus(turn.uptake.toFixed(2))} nats per token`));
    }
    if (turn.end === "length") inside.push(make("span", "quiet", "cut at the limit"));
    return make("p", "facts-line", ...inside);
  }

  function place(turn) {
    return `${data.models[turn.model][1]} · ${data.datasets[turn.dataset]} ${turn.item} · ` +
      `${behind(turn)} · ${degree(turn.temperature)}` +
      (turn.sample ? ` · sample ${turn.sample + 1}` : "");
  }

  const several = data.judges.length > 1;
  function judgements(turn) {
    return turn.judged.flatMap((judged, judge) => {
      if (judged === null) return [];
      const [label, probability, reason, ...quotes] = judged;
      const said = [...(several ? [labelName(label).replaceAll("_", " "),
        probability === null ? "" : `, p(follow-up) ${probability.toFixed(2)}`] : []),
      ...(several && reason ? [" · "] : []), ...visible(reason)];
      if (said.length === 0) return [];
      const line = make("p", "reason", "Judge ", make("b", "", data.judges[judge]), ": ", ...said);
      for (const quote of quotes) line.append(" · “", ...visible(quote), "”");
      return [line];
    });
  }

  function turnBox(turn) {
    const part = box("The user’s turn, by the model", "turn", ...coloured(turn));
    const helped = best(turn);
    if (helped.length) {
      part.append(make("p", "reason", "The answer explains most: ",
        ...helped.flatMap(([gain, word], nth) => [nth ? ", " : "", ...visible(word), ` ${nats(gain)}`])));
    }
    return part;
  }

  // What was said before the prompt: by turns a role, and what it said.
  function before(turn) {
    if (!turn.earlier.length) return [];
    const said = turn.earlier.flatMap((text, nth) => (nth % 2
      ? [...visible(text), "\n\n"] : [make("span", "quiet", ...visible(text)), "\n"]));
    return [box("Said before", "earlier", ...said)];
  }

  function card(turn, judge) {
    const open = make("a", "", "Link and side by side");
    open.href = `#turn=${encodeURIComponent(turn.id)}`;
    const swapped = data.conditions[turn.condition] !== "base";
    const article = make("article", "card",
      make("header", "", make("h3", "", ...visible(place(turn))), open),
      make("div", "columns",
        make("div", "said", ...before(turn), box("Prompt", "query", ...visible(turn.query)),
          box(swapped ? `Answer as its context shows it (${behind(turn)})` : "Answer of the model",
            "answer", ...visible(turn.answer))),
        make("div", "said", turnBox(turn), facts(turn, judge), ...judgements(turn))));
    article.dataset.turn = turn.id;
    return article;
  }

  // --- the list ---

  function state() {
    const values = Object.fromEntries(FIELDS.map((name) => [name, element(name).value]));
    return { ...values, q: element("search").value };
  }

  function judgeOf(values) {
    const judge = data.judges.indexOf(values.judge);
    return judge < 0 ? data.primary : judge;
  }

  function passes(turn, values, judge, words) {
    if (values.model && data.models[turn.model][0] !== values.model) return false;
    if (values.dataset && data.datasets[turn.dataset] !== values.dataset) return false;
    if (values.condition && data.conditions[turn.condition] !== values.condition) return false;
    if (values.temperature !== "" && turn.temperature !== Number(values.temperature)) return false;
    if (values.label && labelName(labelOf(turn, judge)) !== values.label) return false;
    if (words === "") return true;
    turn.searched ??= `${turn.text}\n${turn.query}\n${turn.answer}\n${turn.earlier.join("\n")}`
      .toLowerCase();
    return turn.searched.includes(words);
  }

  function sorted(list, order, judge) {
    if (!order) return list;
    const [what, way] = order.split("-");
    const value = (turn) => (what === "uptake" ? turn.uptake : turn.judged[judge]?.[1] ?? null);
    const known = list.filter((turn) => value(turn) !== null);
    const sign = way === "up" ? 1 : -1;
    known.sort((a, b) => sign * (value(a) - value(b)) || a.place - b.place);
    return [...known, ...list.filter((turn) => value(turn) === null)];
  }

  function update() {
    const values = state();
    const judge = judgeOf(values);
    const words = values.q.trim().toLowerCase();
    chosen = sorted(turns.filter((turn) => passes(turn, values, judge, words)), values.order, judge);
    shown = 0;
    element("list").replaceChildren();
    addMore();
    const total = turns.length.toLocaleString("en");
    element("count").textContent = chosen.length === turns.length
      ? `${total} turns` : `${chosen.length.toLocaleString("en")} of ${total} turns`;
    if (chosen.length === 0) {
      element("list").append(make("p", "empty", "No turn in the page passes these filters."));
    }
  }

  function addMore() {
    const judge = judgeOf(state());
    const next = chosen.slice(shown, shown + STEP);
    element("list").append(...next.map((turn) => card(turn, judge)));
    shown += next.length;
    element("more").hidden = shown >= chosen.length;
  }

  // --- one turn, and the others of its prompt ---

  function open(turn) {
    const others = turns.filter((other) => other.prompt === turn.prompt && other !== turn);
    const back = make("a", "button", "← All turns");
    back.href = "#turns?" + query();
    const columns = others.map((other) => {
      const link = make("a", "", ...visible(place(other)));
      link.href = `#turn=${encodeURIComponent(other.id)}`;
      const part = make("article", "card", make("h3", "", link));
      if (other.answer !== turn.answer) {
        const changed = data.conditions[other.condition] === "base" ? "answer" : "answer changed";
        part.append(box(`Its answer (${behind(other)})`, changed, ...visible(other.answer)));
      }
      part.append(turnBox(other), facts(other, data.primary));
      return part;
    });
    const whole = card(turn, data.primary);
    whole.classList.add("whole");
    element("one").replaceChildren(make("p", "", back), whole,
      make("h3", "", others.length ? `The same prompt’s ${others.length} other turns, side by side`
        : "The page has no other turn of this prompt"),
      make("div", "side", ...columns));
    element("one").hidden = false;
    element("browser").hidden = true;
    for (const text of element("one").querySelectorAll(".side .changed")) {
      text.scrollTop = text.scrollHeight; // most perturbations change the end of an answer
    }
  }

  // --- addresses ---

  function query() {
    const parts = new URLSearchParams();
    for (const [name, value] of Object.entries(state())) {
      if (value !== "" && !(name === "judge" && judgeOf({ judge: value }) === data.primary)) {
        parts.set(name, value);
      }
    }
    return parts.toString();
  }

  function follow() {
    const hash = location.hash;
    if (hash.startsWith("#turn=")) {
      let id = hash.slice(6);
      try {
        id = decodeURIComponent(id);
      } catch {
        // a broken address names no turn
      }
      const turn = byId.get(id);
      if (turn) {
        open(turn);
      } else {
        element("one").replaceChildren(make("p", "empty", "This page holds no turn ", ...visible(id),
          ". It may not be in the sample."));
        element("one").hidden = false;
        element("browser").hidden = false;
      }
      element("turns").scrollIntoView();
      element("one").focus({ preventScroll: true });
    } else if (hash.startsWith("#turns")) {
      element("one").hidden = true;
      element("browser").hidden = false;
      if (hash.startsWith("#turns?")) {
        const wanted = new URLSearchParams(hash.slice(7));
        for (const name of FIELDS) set(name, wanted.get(name) ?? "");
        element("search").value = wanted.get("q") ?? "";
        update();
      }
      element("turns").scrollIntoView();
    }
  }

  function set(name, value) {
    const select = element(name);
    select.value = name === "judge" && value === "" ? data.judges[data.primary] : value;
    if (select.selectedIndex < 0) select.value = "";
  }

  function offer(name, options, all) {
    const given = all === null ? [] : [new Option(all, "")];
    element(name).append(...given, ...options.map(([value, text]) => new Option(text, value)));
  }

  function changed() {
    history.replaceState(null, "", "#turns?" + query());
    update();
  }

  let waiting = 0;
  function typed() {
    clearTimeout(waiting);
    waiting = setTimeout(changed, 60); // for the next key
  }

  const same = (names) => names.map((name) => [name, name.replaceAll("_", " ")]);
  offer("model", data.models, "all");
  offer("dataset", data.datasets.map((name) => [name, name]), "all");
  offer("condition", data.conditions.map((name) => [name, name === "base" ? "own answer" : name]), "all");
  offer("temperature", temperatures.map((value) => [String(value), value ? String(value) : "greedy"]), "all");
  offer("label", [...same(data.labels), ["no label", "no label"]], "all");
  offer("judge", data.judges.map((name) => [name, name]), null);
  set("judge", "");
  for (const name of FIELDS) element(name).addEventListener("change", changed);
  element("search").addEventListener("input", typed);
  element("filters").addEventListener("submit", (event) => event.preventDefault());
  element("filters").addEventListener("reset", () => {
    setTimeout(() => {
      set("judge", "");
      changed();
    });
  });
  element("more").addEventListener("click", addMore);
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName ?? "");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (element("browser").hidden) location.hash = "#turns?" + query();
    element("search").focus();
  });
  window.addEventListener("hashchange", follow);
  element("browser").hidden = false;
  update();
  follow();
})();
