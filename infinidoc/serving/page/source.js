// The source in place: the page of a PDF with its words marked, or the lines of a text.
import * as api from "./api.js";
import { at, changes } from "./collection.js";
import { $, bdi, el, marked, spelt, split } from "./dom.js";
import * as panels from "./panels.js";

const PROSE = new Set(["md", "markdown", "rst"]);
const COUNTED = /^(?:line|(?:.*, )?(?:row|paragraph)) (\d+)$/; // places that are a number at the margin, not a heading

let wanted = null; // a document's number, and the start and end of what is marked in its text
let place = null; // what the server says of it
let page = 0; // that is looked at
let image = "";
let loading = null;

export function begin() {
  $("hide-source").addEventListener("click", close);
  $("previous").addEventListener("click", () => turn(page - 1));
  $("next").addEventListener("click", () => turn(page + 1));
  $("marked").addEventListener("click", () => (place.page && page !== place.page ? turn(place.page) : toMark()));
  $("as-text").addEventListener("click", () => show($("as-text").getAttribute("aria-pressed") !== "true"));
  $("source").addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "ArrowLeft") turn(page - 1);
    if (event.key === "ArrowRight") turn(page + 1);
  });
  changes.addEventListener("collection", close);
}

/** Opens a document where the characters `start` to `end` of its text are; an empty range marks nothing. */
export async function open(id, start, end) {
  wanted = { id, start, end };
  panels.open("source", document.activeElement);
  await show(false);
  $("source-body").focus({ preventScroll: true });
}

export function close() {
  loading?.abort();
  panels.close("source");
  place = null;
  forget();
}

function forget() {
  if (image) URL.revokeObjectURL(image);
  image = "";
  $("source-body").replaceChildren();
}

/** Lets only the latest of several wishes come true. */
function latest() {
  loading?.abort();
  loading = new AbortController();
  return loading.signal;
}

async function show(asText) {
  const signal = latest();
  try {
    place = await ask(asText ? { as_text: true } : {}, signal);
    page = place.page;
    head(asText);
    if (page) await drawPage(signal);
    else drawText();
  } catch (error) {
    if (error.name !== "AbortError") fail(error);
  }
}

function ask(options, signal) {
  const { id, start, end } = wanted;
  return api.get(at(`documents/${id}/place?${new URLSearchParams({ start, end, ...options })}`), signal);
}

function head(asText) {
  const marks = wanted.start < wanted.end;
  const { file, folder } = split(place.document);
  $("source-name").replaceChildren(bdi(file));
  const where = marks ? [spelt(place.place)] : [];
  $("source-place").replaceChildren(...(folder ? [bdi(`${folder}/`), marks ? " · " : ""] : []), ...where);
  note(place.note);
  for (const id of ["previous", "next", "page-number"]) $(id).hidden = !page;
  $("marked").hidden = !marks;
  $("as-text").hidden = !(page || asText);
  $("as-text").setAttribute("aria-pressed", String(asText));
}

function note(text) {
  $("source-note").textContent = text;
  $("source-note").hidden = !text;
}

async function turn(to) {
  if (!place?.page || to < 1 || to > place.pages) return;
  page = to;
  try {
    await drawPage(latest());
  } catch (error) {
    if (error.name !== "AbortError") fail(error);
  }
}

async function drawPage(signal) {
  $("page-number").textContent = `${page} of ${place.pages}`;
  $("previous").disabled = page === 1;
  $("next").disabled = page === place.pages;
  $("source-body").ariaBusy = "true";
  const fresh = await api.picture(at(`documents/${wanted.id}/pages/${page}.png`), signal);
  forget();
  image = fresh;
  const picture = el("img", { src: image, alt: `Page ${page}, as a picture. Its text is behind “As text”.` });
  const boxes = page === place.page ? place.boxes : [];
  $("source-body").append(el("div", { class: "page" }, picture, ...boxes.map(box)));
  await picture.decode().catch(() => {});
  $("source-body").ariaBusy = "false";
  if (boxes.length) toMark();
  else $("source-body").scrollTop = 0;
}

function box([left, top, right, bottom]) {
  const mark = el("i", { class: "mark" });
  const percent = (value) => `${100 * value}%`;
  Object.assign(mark.style, { left: percent(left), top: percent(top) });
  Object.assign(mark.style, { width: percent(right - left), height: percent(bottom - top) });
  return mark;
}

function drawText() {
  forget();
  const prose = place.lines.some((line) => line.label && !/^line \d+$/.test(line.label)) || PROSE.has(place.format);
  const lines = el("div", { class: prose ? "lines" : "lines code" }, ...place.lines.flatMap(row));
  $("source-body").append(lines);
  more("before", place.before);
  more("after", place.after);
  if (place.lines.some((line) => line.marks.length)) toMark();
  else $("source-body").scrollTop = 0;
}

/** A line; a place that has a name gets it as a heading, unless the line is one itself. */
function row(line) {
  const counted = line.label.match(COUNTED);
  const heads = line.label === `section ${line.text}`;
  const number = el("span", { class: "at" }, counted ? counted[1] : "");
  const words = el("span", { class: "words" }, ...marked(line.text, line.marks));
  const classes = ["line", heads && "heads", line.marks.length && "marked"].filter(Boolean);
  const shown = el("div", { class: classes.join(" ") }, number, words);
  return line.label && !counted && !heads ? [el("h3", {}, spelt(line.label)), shown] : [shown];
}

/** A button that adds what comes before or after, as long as there is something. */
function more(where, offset) {
  if (offset === null) return;
  const button = el("button", { type: "button", class: "quiet more" }, `Show what comes ${where}`);
  const lines = $("source-body").querySelector(".lines");
  button.addEventListener("click", async () => {
    button.disabled = true;
    const next = await ask({ at: offset });
    const first = lines.firstElementChild;
    const height = $("source-body").scrollHeight;
    button.remove();
    lines[where === "before" ? "prepend" : "append"](...next.lines.flatMap(row));
    more(where, next[where]);
    if (where === "before") $("source-body").scrollTop += $("source-body").scrollHeight - height;
    (first ?? $("source-body")).scrollIntoView?.({ block: "nearest" });
    $("source-body").focus({ preventScroll: true });
  });
  $("source-body")[where === "before" ? "prepend" : "append"](button);
}

function toMark() {
  $("source-body").querySelector("mark, .mark")?.scrollIntoView({ block: "center" });
}

function fail(error) {
  forget();
  $("source-body").ariaBusy = "false";
  note(error.message);
  if (place?.page) $("as-text").hidden = false;
}
