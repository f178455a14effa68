// Where turns come from: the page itself, or the server that shows it. Both answer alike.

const STEP = 20; // turns that are added to the list at once

function judgeOf(values) {
  const judge = data.judges.indexOf(values.judge);
  return judge < 0 ? data.primary : judge;
}

const disagree = (turn) => {
  const labels = new Set(turn.judged.map((one) => one?.[0] ?? -1).filter((label) => label >= 0));
  return labels.size > 1;
};

function passes(turn, values, judge, words) {
  if (values.model && turn.model !== values.model) return false;
  if (values.dataset && turn.dataset !== values.dataset) return false;
  if (values.condition && turn.condition !== values.condition) return false;
  if (values.temperature !== "" && turn.temperature !== Number(values.temperature)) return false;
  if (values.label && labelName(labelOf(turn, judge)) !== values.label) return false;
  if (values.agree && !disagree(turn)) return false;
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
  known.sort((a, b) => sign * (value(a) - value(b)) || a.nth - b.nth);
  return [...known, ...list.filter((turn) => value(turn) === null)];
}

// The turns that the page holds.
function inPage() {
  const turns = decode(data);
  let chosen = turns;
  return {
    total: turns.length,
    choose(values, offset) {
      if (offset === 0) {
        const judge = judgeOf(values);
        const words = values.q.trim().toLowerCase();
        const passing = turns.filter((turn) => passes(turn, values, judge, words));
        chosen = sorted(passing, values.order, judge);
      }
      return { count: chosen.length, turns: chosen.slice(offset, offset + STEP) };
    },
    beside(id) {
      const turn = turns.find((one) => one.id === id);
      return turn
        ? turns.filter((one) => one.dataset === turn.dataset && one.item === turn.item) : null;
    },
  };
}

// All turns of the study, a few at a time.
function onServer() {
  async function ask(name, parts) {
    const response = await fetch(`${name}?${new URLSearchParams(parts)}`);
    if (response.status === 404) return null;
    if (!response.ok) throw new Error((await response.json()).error);
    const block = await response.json();
    const turns = decode(block);
    for (const turn of turns) turn.mine = block.mine[turn.id] ?? null;
    return { count: block.count, turns };
  }
  return {
    total: data.total,
    choose: (values, offset) => {
      const given = Object.entries(values).filter(([, value]) => value !== "");
      return ask("turns", [...given, ["offset", offset], ["count", STEP]]);
    },
    beside: async (turn) => (await ask("turn", { turn }))?.turns ?? null,
  };
}

const source = data.served ? onServer() : inPage();
