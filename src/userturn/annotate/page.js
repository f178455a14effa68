"use strict";

// Texts come from models and data: they are only ever set as textContent.
const element = (id) => document.getElementById(id);
const PARTS = ["earlier", "query", "answer", "turn"];
const CODE = /(```[\s\S]*?(?:```|$)|`[^`\n]+`)/;
let labels = [];
let current = null; // the turn on the page, or null when all are done
let since = 0; // when it appeared, milliseconds
let busy = false;

function show(state) {
  const arrived = state.turn?.id !== current?.id;
  current = state.turn;
  const earlier = current ? current.earlier : [];
  document.querySelector("section.earlier").hidden = earlier.length === 0;
  for (const part of PARTS) {
    const box = element(part);
    if (part === "earlier") box.replaceChildren(...earlier.flatMap(said));
    else box.replaceChildren(...pieces(current ? current[part] : ""));
    if (arrived) box.scrollTop = 0;
    tellWhatIsCutOff(part);
  }
  if (arrived) since = performance.now();
  element("progress").max = state.total;
  element("progress").value = state.done;
  element("count").textContent = `${state.done} of ${state.total}`;
  element("done").hidden = current !== null;
  document.querySelector("main").hidden = current === null;
  for (const button of document.querySelectorAll("#labels button, #skip")) {
    button.disabled = current === null;
  }
  element("undo").disabled = !state.undo;
  document.body.dataset.turn = current ? current.id : "";
  document.body.dataset.done = state.done;
}

// Code between backticks in monospace; every character stays, backticks included.
function pieces(text) {
  const split = text.split(CODE).map((piece, nth) => {
    if (nth % 2 === 0) return piece;
    const code = make("span", piece);
    code.className = "code";
    code.dir = "ltr";
    return code;
  });
  return split.filter((piece) => piece !== "");
}

// A message behind the name of who said it.
function said(message) {
  const who = make("span", message.role);
  who.className = "who";
  return [who, "\n", ...pieces(message.content), "\n\n"];
}

function tellWhatIsCutOff(part) {
  const box = element(part);
  element(`more-${part}`).hidden = box.scrollTop + box.clientHeight >= box.scrollHeight - 2;
}

function say(text) {
  element("status").textContent = text;
}

function problem(text) {
  element("problem").textContent = text;
  element("problem").hidden = text === "";
  if (text) say("");
}

// One request at a time, so that a key pressed twice cannot label the next turn unseen.
async function send(name, body) {
  if (busy) return;
  busy = true;
  try {
    const options = body === undefined ? {} : {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    };
    const response = await fetch(name, options);
    const state = await response.json();
    if (response.ok) {
      problem("");
    } else if (response.status === 409) {
      problem("This turn was labelled in another window; here is the next one.");
    } else {
      problem(`Not saved: ${state.error}. Mend that and press the key again.`);
      return;
    }
    if (state.labels) build(state.labels);
    if (name === "label") say(`Saved: ${body.label.replace("_", " ")}`);
    if (name === "undo") say("Taken back");
    show(state);
  } catch {
    problem("Not saved: the server does not answer. Start `userturn annotate` again and open its " +
      "new address; everything before this turn is saved.");
  } finally {
    busy = false;
  }
}

function give(label) {
  if (current === null) return;
  send("label", { turn: current.id, label, seconds: (performance.now() - since) / 1000 });
}

function build(given) {
  labels = given.map((entry) => entry.label);
  element("labels").replaceChildren(...given.map((entry, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.label = entry.label;
    button.append(make("kbd", String(index + 1)), make("strong", entry.name),
      make("small", entry.meaning));
    button.addEventListener("click", () => give(entry.label));
    return button;
  }));
  element("meanings").replaceChildren(...given.flatMap((entry, index) => {
    const term = make("dt", entry.name);
    term.prepend(make("kbd", String(index + 1)));
    return [term, make("dd", entry.meaning)];
  }));
}

function make(tag, text) {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

function toggleRubric() {
  const rubric = element("rubric");
  if (rubric.open) rubric.close();
  else rubric.showModal();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.key === "?") toggleRubric();
  else if (element("rubric").open) return;
  else if (event.key === "u") send("undo", {});
  else if (event.key === "s") give("skip");
  else if (/^[1-9]$/.test(event.key) && labels[event.key - 1]) give(labels[event.key - 1]);
  else return;
  event.preventDefault();
});
for (const part of PARTS) {
  const box = element(part);
  box.addEventListener("scroll", () => tellWhatIsCutOff(part));
  new ResizeObserver(() => tellWhatIsCutOff(part)).observe(box);
  element(`more-${part}`).addEventListener("click", () => {
    box.scrollBy({ top: box.clientHeight * 0.9 });
  });
}
element("undo").addEventListener("click", () => send("undo", {}));
element("skip").addEventListener("click", () => give("skip"));
element("help").addEventListener("click", toggleRubric);
element("close").addEventListener("click", toggleRubric);
send("state");
