// What was asked of this collection before.
import { get } from "./api.js";
import { at, collection } from "./collection.js";
import { showAgain } from "./conversation.js";
import { $, el } from "./dom.js";

const SHOWN = 100;

export function begin() {
  $("show-history").addEventListener("click", show);
}

async function show() {
  const entries = collection.documents.length ? (await get(at(`log?last=${SHOWN}`))).entries : [];
  const items = entries.map((entry) => el("li", {}, row(entry)));
  if (!items.length) items.push(el("li", { class: "nothing" }, "Nothing was asked yet."));
  $("entries").replaceChildren(...items);
  $("history").showModal();
}

function row(entry) {
  const answer = entry.answer || "(gone, with a document that it was read from)";
  const button = { class: "entry", type: "button", onclick: () => choose(entry) };
  const time = el("small", {}, when(entry.asked_at));
  return el("button", button, el("strong", {}, entry.question), el("span", {}, answer), time);
}

function choose(entry) {
  $("history").close();
  showAgain(entry);
}

function when(time) {
  return new Date(time).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}
