// An answer with the sentences that it was read from, and the passages it was given.
import { bdi, el, marked, spelt, split } from "./dom.js";
import { open } from "./source.js";

const ALL_ELSEWHERE = "These words stand in none of the passages below: read them before you rely on it.";
const SOME_ELSEWHERE = "Not all of these words stand in the passages below: read them before you rely on it.";

/** Text in which each [2] leads to the second source. */
export function withReferences(text, sources) {
  return text.split(/(\[\d+\])/).map((part) => {
    const source = sources[Number(part.match(/^\[(\d+)\]$/)?.[1]) - 1];
    if (!source) return part;
    const ariaLabel = `Source ${part.slice(1, -1)}: ${spelt(source.document)}, ${source.place}`;
    return el("button", { type: "button", class: "reference", ariaLabel, onclick: () => openSource(source) }, part);
  });
}

export function quotes(answer) {
  const blocks = answer.quotes.map((quote) => {
    const source = answer.sources[quote.source];
    const cite = { type: "button", class: "cite", onclick: () => open(source.id, quote.start, quote.end) };
    const where = el("figcaption", {}, el("button", cite, bdi(quote.document), `, ${quote.place}`));
    return el("figure", { class: "quote" }, el("blockquote", {}, ...marked(quote.text, quote.marks)), where);
  });
  if (answer.verbatim === false) {
    const partly = answer.quotes.some((quote) => quote.marks.length);
    blocks.push(el("p", { class: "notice" }, partly ? SOME_ELSEWHERE : ALL_ELSEWHERE));
  }
  return blocks;
}

/** The passages that an answer was given from, numbered as it cites them. */
export function sources(found) {
  return list("Sources", "sources", found, () => []);
}

/** What a search found, with the words that were looked for. */
export function passages(found) {
  return list("Passages", "sources passages", found, (source) => source.marks);
}

function list(ariaLabel, name, found, marks) {
  return el("ol", { class: name, ariaLabel }, ...found.map((source, index) => entry(source, index + 1, marks(source))));
}

function entry(source, number, marks) {
  const { file, folder } = split(source.document);
  const above = folder ? el("span", { class: "score" }, " · ", bdi(folder)) : "";
  const title = el("span", { class: "name" }, el("b", {}, bdi(file)), `, ${source.place}`, above);
  const parts = [
    el("span", { class: "number" }, String(number)),
    title,
    el("span", { class: "score", title: "how well it matches the question, at most 1" }, source.score.toFixed(2)),
    el("span", { class: "text" }, ...marked(source.text, marks)),
  ];
  return el("li", {}, el("button", { type: "button", class: "found", onclick: () => openSource(source) }, ...parts));
}

function openSource(source) {
  open(source.id, source.start, source.end);
}

export function notes(answer) {
  return answer.notes.slice(0, 5).map((note) => el("p", { class: "notice" }, spelt(note)));
}

export function times(answer) {
  const seconds = answer.timings.total?.toFixed(1);
  const said = [answer.reader && `answered by ${answer.reader}`, seconds && `${seconds} s`];
  return el("p", { class: "times" }, said.filter(Boolean).join(", "));
}
