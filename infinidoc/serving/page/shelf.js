// The shelf: which collection, what is in it, and taking documents out.
import * as api from "./api.js";
import { at, changes, collection, goTo, refresh } from "./collection.js";
import { $, answered, bdi, el, number, plural, size, spelt, split } from "./dom.js";
import { open } from "./source.js";

const AT_ONCE = 200; // rows; a collection may have a hundred thousand documents
const NEW = ""; // the choice that makes another collection
let shown = AT_ONCE;

export function begin() {
  changes.addEventListener("documents", draw);
  $("collection").addEventListener("change", choose);
  $("naming-cancel").addEventListener("click", () => $("naming").close());
  $("filter").addEventListener("input", () => {
    shown = AT_ONCE;
    drawDocuments();
  });
  $("more-documents").addEventListener("click", () => {
    shown += AT_ONCE;
    drawDocuments();
  });
}

/** Asks for a new collection's name; true if the page went there. */
export async function makeOne() {
  $("naming-name").value = "";
  if (!(await answered($("naming")))) return false;
  await goTo($("naming-name").value);
  return true;
}

async function choose() {
  const id = $("collection").value;
  if (id !== NEW) await goTo(id);
  else if (!(await makeOne())) draw();
  else $("add-files").focus();
}

function draw() {
  const options = collection.all.map((one) => el("option", { value: one.id }, spelt(one.name)));
  const isNew = collection.id && !collection.all.some((one) => one.id === collection.id);
  if (isNew) options.push(el("option", { value: collection.id }, spelt(collection.name)));
  options.push(el("option", { value: NEW }, "New collection …"));
  $("collection").replaceChildren(...options);
  $("collection").value = collection.id;
  const { documents } = collection;
  const tokens = documents.reduce((sum, one) => sum + one.tokens, 0);
  const counts = documents.length ? `${plural(documents.length, "document")}, ${number(tokens)} tokens` : "";
  $("facts").textContent = collection.problem || counts;
  $("facts").classList.toggle("problem", Boolean(collection.problem));
  const empty = !documents.length;
  $("welcome-title").textContent = empty ? "Ask your documents" : `Ask ${spelt(collection.name)}`;
  $("welcome-text").textContent = empty
    ? "Drag files or a folder onto this page. They are read on this machine, and stay here."
    : `${plural(documents.length, "document")}. Every answer shows the sentence that it was read from.`;
  drawDocuments();
}

function drawDocuments() {
  const words = $("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = collection.documents.filter((one) => words.every((word) => one.document.toLowerCase().includes(word)));
  const rows = found.slice(0, shown).map(row);
  const nothing = words.length ? "No document has this in its name." : "Nothing yet.";
  if (!rows.length) rows.push(el("li", { class: "nothing" }, nothing));
  $("documents").replaceChildren(...rows);
  $("more-documents").hidden = found.length <= shown;
  $("filter").hidden = collection.documents.length < 2;
}

function row(one) {
  const { file, folder } = split(one.document);
  const length = one.pages ? plural(one.pages, "page") : size(one.bytes);
  const about = [spelt(folder), length, one.notes.length ? "partly read" : ""];
  const details = el("small", { title: one.notes.join("\n") }, about.filter(Boolean).join(" · "));
  const show = { type: "button", class: "document", onclick: () => open(one.id, 0, 0) };
  const label = `Remove ${spelt(one.document)}`;
  const away = { type: "button", class: "icon remove", ariaLabel: label, onclick: () => takeOut(one) };
  return el("li", {}, el("button", show, bdi(file), details), el("button", away, icon("M5.5 5.5l5 5m0-5l-5 5")));
}

function icon(path) {
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(namespace, "path"));
  svg.firstChild.setAttribute("d", path);
  return svg;
}

async function takeOut(one) {
  const position = [...$("documents").children].indexOf(document.activeElement.closest("li"));
  const then = " from this collection? It can no longer be asked about, and answers that cite it leave the history.";
  $("confirm-text").replaceChildren("Remove ", el("strong", {}, bdi(one.document)), then);
  if (!(await answered($("confirm")))) return;
  try {
    await api.remove(at(`documents/${one.id}`));
    $("report").replaceChildren(el("p", {}, "Removed ", bdi(one.document), "."));
  } catch (error) {
    $("report").replaceChildren(el("p", { class: "problem" }, `Not removed: ${error.message}`));
  }
  await refresh(collection.id);
  const after = $("documents").children[position] ?? $("documents").lastElementChild;
  (after.querySelector("button") ?? $("add-files")).focus();
}
