"use strict";
// Shows the calls behind a figure: #c<cell>.<metric>, #r.<rule>.<variant>, #b.<boundary>, #finished. Everything that was said is set as text.
const data = JSON.parse(document.getElementById("data").textContent);
const list = document.getElementById("list");
const filter = document.getElementById("filter");

function node(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function written(value) {
  return Number.isInteger(value) ? String(value) : value.toFixed(2);
}

function bubble(who, words, below, faults, cited) {
  const made = node("div", "said " + who + (cited ? " cited" : ""), words);
  const line = node("em", "", "");
  for (const fault of faults) line.append(node("strong", "", fault));
  line.append(below.filter(Boolean).join(" · "));
  made.append(line);
  return made;
}

function body(call, metric) {
  const made = node("div", "call");
  made.append(node("p", "faint", call.persona + " " + call.reason + " Tier " + call.tier.replace("_", " ") + "."));
  const asked = call.scores.find((score) => score[0] === metric);
  const cited = new Set(asked ? asked[3] : []);
  let session = 0;
  call.turns.forEach(([part, customer, reply, stage, intent, meant, source, said, blocked], number) => {
    if (part !== session) made.append(node("p", "faint", "Follow-up session " + (session = part)));
    const misread = meant && meant !== intent ? "meant " + meant : "";
    if (customer) made.append(bubble("customer", customer, ["turn " + number, intent && "understood as " + intent, misread], [], cited.has(number)));
    const faults = said.map((rule) => "said: " + rule.replaceAll("_", " "));
    const stopped = blocked.length ? "blocked: " + [...new Set(blocked)].join(", ").replaceAll("_", " ") : "";
    made.append(bubble("agent", reply, ["turn " + number, stage, source === "human" ? "a person" : "by " + source, stopped], faults, cited.has(number)));
  });
  const table = node("table");
  for (const [place, value, reason, turns] of call.scores) {
    const row = node("tr", place === metric ? "asked" : "");
    row.append(node("td", "", data.metrics[place][1]), node("td", "num", written(value)), node("td", "faint", reason + (turns.length ? " (turn " + turns.join(", ") + ")" : "")));
    table.append(row);
  }
  const scores = node("details");
  scores.append(node("summary", "", "All scores of this call, with their reasons"), table);
  made.append(scores);
  return made;
}

function entry(place, metric, open) {
  const call = data.calls[place];
  const score = call.scores.find((one) => one[0] === metric);
  const made = node("details");
  const head = node("summary");
  if (score) head.append(node("b", "", written(score[1])));
  head.append(call.unit.split("|").join(" · ") + " ", node("span", "", call.status.replace("_", " ") + (score ? " – " + score[2] : "")));
  made.append(head);
  const fill = () => { if (made.open && made.childElementCount === 1) made.append(body(call, metric)); };
  made.addEventListener("toggle", fill);
  if (open) { made.open = true; fill(); }
  return made;
}

function broken([unit, boundary, message]) {
  const made = node("details");
  made.append(node("summary", "warn", unit.split("|").join(" · ") + " – broke at the " + boundary), node("p", "", message));
  return made;
}

function chosen(hash) {
  const all = data.calls.map((_, place) => place);
  if (hash === "finished") return { places: all, metric: -1, broken: [], label: "Finished calls" };
  const boundary = /^b\.([a-z]+)$/.exec(hash);
  if (boundary && data.broken[boundary[1]]) {
    const units = new Set(data.broken[boundary[1]]);
    return { places: all.filter((place) => units.has(data.calls[place].unit)), metric: -1, broken: data.failed.filter((one) => units.has(one[0])), label: "Broke at the " + boundary[1] };
  }
  const cell = /^c(\d+)\.(.+)$/.exec(hash);
  if (cell && data.cells[cell[1]]) {
    const metric = data.metrics.findIndex((one) => one[0] === cell[2]);
    const held = data.cells[cell[1]][1].filter((place) => metric < 0 || data.calls[place].scores.some((one) => one[0] === metric));
    const label = metric < 0 ? "" : data.metrics[metric][1] + ": ";
    return { places: held, metric, broken: [], label: label + data.cells[cell[1]][0].replaceAll("=", " ").replaceAll(";", ", ") };
  }
  const rule = /^r\.([a-z_]+)\.(.+)$/.exec(hash);
  if (rule) {
    const held = all.filter((place) => data.calls[place].unit.split("|")[0] === rule[2] && data.calls[place].turns.some((turn) => turn[7].includes(rule[1]) || turn[8].includes(rule[1])));
    return { places: held, metric: -1, broken: [], label: "Rule " + rule[1].replaceAll("_", " ") + ", " + rule[2] };
  }
  return { places: all, metric: -1, broken: data.failed, label: "" };
}

function show() {
  const found = chosen(decodeURIComponent(location.hash.slice(1)));
  const total = found.places.length + found.broken.length;
  list.replaceChildren(...found.places.map((place) => entry(place, found.metric, total === 1)), ...found.broken.map(broken));
  filter.textContent = found.label ? found.label + " – " + total + (total === 1 ? " call. " : " calls. ") : "All calls.";
  if (found.label) {
    const back = node("a", "", "Show all calls");
    back.href = "#calls";
    filter.append(back);
    document.getElementById("calls").scrollIntoView();
  }
}

addEventListener("hashchange", show);
addEventListener("beforeprint", () => document.querySelectorAll("section:not(#calls) details").forEach((one) => { one.open = true; }));
show();
