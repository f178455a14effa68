// Reading becomes labelling: only where a server shows the page to an annotator by name.

let since = 0; // when the annotator came to the turn, milliseconds
let saving = false;

// A card that an annotator can label; elsewhere it stays as it is.
function readable(made, turn) {
  if (!data.annotator) return made;
  const told = make("p", "told");
  const buttons = data.labels.map((label, nth) => {
    const button = make("button", "", make("kbd", "", String(nth + 1)), ` ${label.replaceAll("_", " ")}`);
    button.type = "button";
    button.title = data.meanings[label];
    button.addEventListener("click", () => give(made, turn, label));
    button.dataset.label = label;
    return button;
  });
  const back = make("button", "", make("kbd", "", "u"), " take back");
  back.type = "button";
  back.addEventListener("click", () => give(made, turn, null));
  made.append(make("div", "give", ...buttons, back), told);
  made.tabIndex = -1;
  made.turn = turn;
  made.addEventListener("focusin", () => {
    if (made.dataset.current) return;
    for (const other of document.querySelectorAll(".card[data-current]")) {
      delete other.dataset.current;
    }
    made.dataset.current = "yes";
    since = performance.now();
  });
  mark(made, turn);
  return made;
}

function mark(made, turn) {
  made.classList.toggle("labelled", turn.mine !== null);
  for (const button of made.querySelectorAll(".give [data-label]")) {
    button.setAttribute("aria-pressed", String(button.dataset.label === turn.mine));
  }
}

async function give(made, turn, label) {
  if (saving || (label === null && turn.mine === null)) return;
  saving = true;
  const told = made.querySelector(".told");
  try {
    const response = await fetch("label", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({
        turn: turn.id, label, seconds: since ? (performance.now() - since) / 1000 : 0,
      }),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    turn.mine = label;
    mark(made, turn);
    told.textContent = label === null ? "Taken back." : `Saved for ${data.annotator}: ` +
      `${label.replaceAll("_", " ")}.`;
  } catch (error) {
    told.textContent = `Not saved: ${error.message}. Mend that and press the key again.`;
  } finally {
    saving = false;
  }
}

function cardNow() {
  const open = document.querySelector("#one:not([hidden]) .whole");
  return open ?? document.querySelector("#browser:not([hidden]) .card[data-current]");
}

function step(way) {
  const cards = [...document.querySelectorAll("#browser:not([hidden]) #list .card")];
  const now = cards.indexOf(cardNow());
  const next = cards[Math.min(cards.length - 1, Math.max(0, now + way))];
  if (!next) return;
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

if (data.annotator) {
  document.body.classList.add("blind");
  element("labelling").hidden = false;
  element("told").addEventListener("change", () => {
    document.body.classList.toggle("blind", !element("told").checked);
  });
  document.addEventListener("keydown", (event) => {
    if (typing(event) || event.repeat) return;
    if (event.key === "j" || event.key === "k") step(event.key === "j" ? 1 : -1);
    else if (event.key === "u" || /^[1-9]$/.test(event.key)) {
      const made = cardNow();
      const label = event.key === "u" ? null : data.labels[event.key - 1];
      if (made) give(made, made.turn, label);
      else step(1);
    } else return;
    event.preventDefault();
  });
}
