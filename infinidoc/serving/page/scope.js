// Asking within some documents only: a folder or pattern, a format, what was added or changed since a day.
import { changes, collection } from "./collection.js";
import { $, el, spelt, split } from "./dom.js";

const FIELDS = ["within", "kind", "since"];

export function begin() {
  changes.addEventListener("documents", fill);
  changes.addEventListener("collection", clear);
  for (const id of FIELDS) $(id).addEventListener("input", describe);
  $("clear-scope").addEventListener("click", () => {
    clear();
    show(false);
    $("show-scope").focus();
  });
  $("show-scope").addEventListener("click", () => show($("scope").hidden));
}

/** As a request has it; empty where everything is searched. */
export function scope() {
  const within = $("within").value.split(",").map((one) => one.trim()).filter(Boolean);
  const parts = { in: within, type: $("kind").value ? [$("kind").value] : [], since: $("since").value };
  return Object.fromEntries(Object.entries(parts).filter(([, value]) => value.length));
}

function show(open) {
  $("scope").hidden = !open;
  $("show-scope").ariaExpanded = String(open);
}

function clear() {
  for (const id of FIELDS) $(id).value = "";
  describe();
}

function describe() {
  const said = FIELDS.map((id) => $(id).value.trim()).filter(Boolean);
  $("show-scope").textContent = said.length ? `Only ${said.join(" · ")}` : "Everywhere";
  $("show-scope").classList.toggle("active", said.length > 0);
}

function fill() {
  const kinds = [...new Set(collection.documents.map((one) => one.format))].sort();
  const chosen = $("kind").value;
  $("kind").replaceChildren(el("option", { value: "" }, "any"), ...kinds.map((kind) => el("option", {}, kind)));
  $("kind").value = kinds.includes(chosen) ? chosen : "";
  const folders = [...new Set(collection.documents.map((one) => split(one.document).folder))].filter(Boolean).sort();
  $("folders").replaceChildren(...folders.slice(0, 100).map((folder) => el("option", { value: `${spelt(folder)}/` })));
}
