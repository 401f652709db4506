// The shelf and the source: beside the conversation where there is room, over it where there is not.
import { $ } from "./dom.js";

// Below these widths (those of the style sheets) a panel lies over all else, which can't be reached meanwhile.
const COVERS = { shelf: matchMedia("(max-width: 52rem)"), source: matchMedia("(max-width: 74rem)") };
const openers = {};

export function begin() {
  $("show-shelf").addEventListener("click", () => open("shelf", $("show-shelf")));
  $("hide-shelf").addEventListener("click", () => close("shelf"));
  for (const media of Object.values(COVERS)) media.addEventListener("change", settle);
}

export const isOpen = (name) => (name === "shelf" ? $("shelf").classList.contains("open") : !$("source").hidden);

export function open(name, opener) {
  if (!isOpen(name)) openers[name] = opener;
  if (name === "shelf") $("shelf").classList.add("open");
  else {
    close("shelf");
    $("source").hidden = false;
  }
  settle();
  if (name === "shelf") $("hide-shelf").focus();
}

export function close(name) {
  if (!isOpen(name)) return;
  if (name === "shelf") $("shelf").classList.remove("open");
  else $("source").hidden = true;
  settle();
  const opener = openers[name];
  (opener?.isConnected && opener.offsetParent ? opener : $("question")).focus();
}

/** Whether anything else can be reached, and what is told of it. */
function settle() {
  document.querySelector(".rooms").classList.toggle("with-source", isOpen("source"));
  $("show-shelf").ariaExpanded = String(isOpen("shelf"));
  const over = ["source", "shelf"].find((name) => isOpen(name) && COVERS[name].matches);
  for (const part of [document.querySelector(".top"), $("shelf"), $("main"), $("source")]) {
    part.inert = Boolean(over) && part.id !== over;
  }
}
