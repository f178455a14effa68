// Texts come from models and data: they are only ever set as text, never as HTML.

const element = (id) => document.getElementById(id);
const data = JSON.parse(element("data").textContent);
const HIDDEN = new RegExp(data.hidden, "g");
const NAMES = new Map(data.models);
const SEVERAL = data.judges.length > 1;
const minus = (digits) => (Number(digits) ? digits.replace("-", "−") : digits.replace("-", ""));
const nats = (value) => `${value < 0 ? "" : "+"}${minus(value.toFixed(1))}`;
const degree = (value) => (value === 0 ? "greedy" : `temperature ${value}`);
const conditionName = (name) => (name === "base" ? "own answer" : name);
const labelOf = (turn, judge) => turn.judged[judge]?.[0] ?? -1;
const labelName = (label) => (label < 0 ? "no label" : data.labels[label]);

// The turns of a block, see report/_block.py.
function decode(block) {
  return block.turns.map((row, nth) => {
    const [model, prompt, condition, temperature, sample, answer, text, end, uptake, words,
      judged] = row;
    const [dataset, item, query, ...earlier] = block.prompts[prompt];
    const id = [model, dataset, item, condition, temperature, sample].join("/");
    return {
      nth, id, model, dataset, item, query, earlier, condition, temperature, sample,
      answer: block.answers[answer], text, end, uptake, words, judged, searched: null,
    };
  });
}

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

function chip(name) {
  return make("span", `label l-${name.replace(" ", "-")}`, name.replaceAll("_", " "));
}

function region(made, heading) {
  made.tabIndex = 0;
  made.setAttribute("role", "region");
  made.setAttribute("aria-label", heading);
  return made;
}

function box(heading, name, ...inside) {
  const text = region(make("div", `text ${name}`, ...inside), heading);
  text.dir = "auto";
  if (inside.length === 0) text.append(make("span", "quiet", "(nothing)"));
  return make("div", "part", make("h4", "", heading), text);
}

function facts(turn, judge) {
  const inside = [chip(labelName(labelOf(turn, judge)))];
  const probability = turn.judged[judge]?.[1] ?? null;
  if (probability !== null) inside.push(make("span", "", `p(follow-up) ${probability.toFixed(2)}`));
  if (turn.uptake !== null) {
    inside.push(make("span", "", `uptake ${minus(turn.uptake.toFixed(2))} nats per token`));
  }
  if (turn.end === "length") inside.push(make("span", "quiet", "cut at the limit"));
  return make("p", "facts-line said-by-judges", ...inside);
}

function place(turn) {
  return `${NAMES.get(turn.model) ?? turn.model} · ${turn.dataset} ${turn.item} · ` +
    `${conditionName(turn.condition)} · ${degree(turn.temperature)}` +
    (turn.sample ? ` · sample ${turn.sample + 1}` : "");
}

function judgements(turn) {
  return turn.judged.flatMap((judged, judge) => {
    if (judged === null) return [];
    const [label, probability, reason, ...quotes] = judged;
    const said = [...(SEVERAL ? [labelName(label).replaceAll("_", " "),
      probability === null ? "" : `, p(follow-up) ${probability.toFixed(2)}`] : []),
    ...(SEVERAL && reason ? [" · "] : []), ...visible(reason)];
    if (said.length === 0) return [];
    const line = make("p", "reason said-by-judges", "Judge ", make("b", "", data.judges[judge]),
      ": ", ...said);
    for (const quote of quotes) line.append(" · “", ...visible(quote), "”");
    return [line];
  });
}

function turnBox(turn) {
  const part = box("The user’s turn, by the model", "turn", ...coloured(turn));
  const helped = best(turn);
  if (helped.length) {
    part.append(make("p", "reason said-by-judges", "The answer explains most: ",
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

// The context that the model was given, with its control tokens; made when it is opened.
function context(turn) {
  const around = data.contexts[turn.model];
  if (!around || turn.earlier.length) return [];
  const summary = make("summary", "", "The context as the model saw it");
  const details = make("details", "exact said-by-template", summary);
  const template = (pieces) => pieces.map(([text, control]) => make("span",
    control ? "control" : "template", ...visible(text.replaceAll("\n", "⏎\n"))));
  details.addEventListener("toggle", () => {
    if (!details.open || details.childElementCount > 1) return;
    const [head, middle, tail] = around;
    const whole = make("div", "context whole-context", ...template(head), ...visible(turn.query),
      ...template(middle), ...visible(turn.answer), ...template(tail),
      make("span", "goes-on", "▸ "), make("span", "written", ...visible(turn.text)));
    details.append(region(whole, "The exact context"));
  });
  return [details];
}

function card(turn, judge) {
  const open = make("a", "", "Link and side by side");
  open.href = `#turn=${encodeURIComponent(turn.id)}`;
  const changed = turn.condition !== "base";
  const article = make("article", "card",
    make("header", "", make("h3", "", ...visible(place(turn))), open),
    make("div", "columns",
      make("div", "said", ...before(turn), box("Prompt", "query", ...visible(turn.query)),
        box(changed ? `Answer as its context shows it (${turn.condition})` : "Answer of the model",
          "answer", ...visible(turn.answer))),
      make("div", "said", turnBox(turn), facts(turn, judge), ...judgements(turn))),
    ...context(turn));
  article.dataset.turn = turn.id;
  return article;
}
