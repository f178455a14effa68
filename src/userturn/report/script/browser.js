// The list of turns, one turn beside the others of its prompt, and their addresses.

const FIELDS = ["model", "dataset", "condition", "temperature", "label", "agree", "judge", "order"];
let shown = 0; // how many turns are in the list
let asked = 0; // the last question: an answer to an earlier one comes too late

function state() {
  const values = Object.fromEntries(FIELDS.map((name) => [name, element(name).value]));
  return { ...values, q: element("search").value };
}

// What a source says, or null where another question came behind it; errors stand on the page.
async function answered(question) {
  const mine = ++asked;
  try {
    const answer = await question();
    if (mine !== asked) return null;
    element("problem").hidden = true;
    return answer;
  } catch (error) {
    element("problem").textContent = `The turns cannot be read: ${error.message}. ` +
      "Start `userturn serve` again and open its new address.";
    element("problem").hidden = false;
    return null;
  }
}

async function update() {
  const values = state();
  const answer = await answered(() => source.choose(values, 0));
  if (answer === null) return;
  const judge = judgeOf(values);
  const none = make("p", "empty", "No turn passes these filters.");
  const cards = answer.turns.map((turn) => readable(card(turn, judge), turn));
  element("list").replaceChildren(...(cards.length ? cards : [none]));
  shown = cards.length;
  element("more").hidden = shown >= answer.count;
  const total = source.total.toLocaleString("en");
  element("count").textContent = answer.count === source.total
    ? `${total} turns` : `${answer.count.toLocaleString("en")} of ${total} turns`;
}

async function addMore() {
  const values = state();
  const answer = await answered(() => source.choose(values, shown));
  if (answer === null) return;
  const judge = judgeOf(values);
  element("list").append(...answer.turns.map((turn) => readable(card(turn, judge), turn)));
  shown += answer.turns.length;
  element("more").hidden = shown >= answer.count;
}

// --- one turn, and the others of its prompt ---

const BESIDE = {
  "all of them": () => true,
  "other temperatures and samples": (turn, other) =>
    turn.model === other.model && turn.condition === other.condition,
  "other answers": (turn, other) => turn.model === other.model &&
    turn.temperature === other.temperature && turn.condition !== other.condition,
  "other models": (turn, other) => turn.model !== other.model &&
    turn.condition === other.condition && turn.temperature === other.temperature,
};

function beside(turn, other) {
  const link = make("a", "", ...visible(place(other)));
  link.href = `#turn=${encodeURIComponent(other.id)}`;
  const part = make("article", "card", make("h3", "", link));
  if (other.answer !== turn.answer) {
    const changed = other.condition === "base" ? "answer" : "answer changed";
    part.append(box(`Its answer (${conditionName(other.condition)})`, changed,
      ...visible(other.answer)));
  }
  part.append(turnBox(other), facts(other, data.primary));
  return part;
}

function showOne(turns, id) {
  const turn = turns.find((one) => one.id === id);
  const others = turns.filter((other) => other !== turn);
  const back = make("a", "button", "← All turns");
  back.href = "#turns?" + query();
  const side = make("div", "side");
  const fill = (passing) => {
    side.replaceChildren(...others.filter((other) => passing(turn, other))
      .map((other) => beside(turn, other)));
    for (const text of side.querySelectorAll(".changed")) {
      text.scrollTop = text.scrollHeight; // most perturbations change the end of an answer
    }
  };
  const choice = make("select", "");
  for (const [name, passing] of Object.entries(BESIDE)) {
    const count = others.filter((other) => passing(turn, other)).length;
    if (count) choice.append(new Option(`${name} (${count})`, name));
  }
  choice.addEventListener("change", () => fill(BESIDE[choice.value]));
  const whole = readable(card(turn, data.primary), turn);
  whole.classList.add("whole");
  element("one").replaceChildren(make("p", "", back), whole,
    make("h3", "", others.length ? `The same prompt’s ${others.length} other turns, side by side`
      : "There is no other turn of this prompt here"),
    ...(others.length ? [make("label", "beside", "Beside it ", choice)] : []), side);
  element("one").hidden = false;
  element("browser").hidden = true;
  fill(BESIDE["all of them"]);
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

async function follow() {
  const hash = location.hash;
  if (hash.startsWith("#turn=")) {
    let id = hash.slice(6);
    try {
      id = decodeURIComponent(id);
    } catch {
      // a broken address names no turn
    }
    const turns = await answered(() => source.beside(id));
    if (location.hash !== hash) return;
    if (turns) {
      showOne(turns, id);
    } else {
      element("one").replaceChildren(make("p", "empty", "This page holds no turn ", ...visible(id),
        data.served ? "." : ". It may not be in the sample."));
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
      await update();
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
  waiting = setTimeout(changed, data.served ? 250 : 60); // for the next key
}

function typing(event) {
  const field = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName ?? "") &&
    event.target.type !== "checkbox";
  return field || event.ctrlKey || event.metaKey || event.altKey;
}

const same = (names) => names.map((name) => [name, name.replaceAll("_", " ")]);
offer("model", data.models, "all");
offer("dataset", data.datasets.map((name) => [name, name]), "all");
offer("condition", data.conditions.map((name) => [name, conditionName(name)]), "all");
offer("temperature",
  data.temperatures.map((value) => [String(value), value ? String(value) : "greedy"]), "all");
offer("label", [...same(data.labels), ["no label", "no label"]], "all");
offer("agree", [["no", "disagree"]], "agree or not");
offer("judge", data.judges.map((name) => [name, name]), null);
element("agree").parentElement.hidden = !SEVERAL;
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
  if (event.key !== "/" || typing(event)) return;
  event.preventDefault();
  if (element("browser").hidden) location.hash = "#turns?" + query();
  element("search").focus();
});
window.addEventListener("hashchange", follow);
element("browser").hidden = false;
update().then(follow);
