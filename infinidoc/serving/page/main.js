// Puts the page together. Each module looks after one part of it.
import * as adding from "./adding.js";
import * as collection from "./collection.js";
import * as conversation from "./conversation.js";
import { $, el } from "./dom.js";
import * as history from "./history.js";
import * as panels from "./panels.js";
import * as scope from "./scope.js";
import * as shelf from "./shelf.js";
import * as source from "./source.js";

for (const part of [panels, shelf, adding, scope, source, conversation, history]) part.begin();

addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return; // a dialog has keys of its own
  const writing = event.target.closest?.("input, textarea, select");
  if (event.key === "/" && !writing) {
    event.preventDefault();
    $("question").focus();
  } else if (event.key === "Escape") {
    if (panels.isOpen("source")) source.close();
    else panels.close("shelf");
  }
});

addEventListener("unhandledrejection", (event) => {
  if (event.reason?.name === "AbortError") return;
  $("report").replaceChildren(el("p", { class: "problem" }, String(event.reason?.message ?? event.reason)));
});

await collection.begin();
