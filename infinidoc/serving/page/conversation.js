// Asking: questions one after the other, each answer as it comes, with its sources.
import * as answers from "./answer.js";
import * as api from "./api.js";
import { at, changes, collection } from "./collection.js";
import { $, el, plural } from "./dom.js";
import { scope } from "./scope.js";

const PASSAGES = 10;
const REMEMBERED = 8; // turns that the next question may lean on

let turns = []; // as the server wants them: question, answer, and the passage that it was read from
let asking = null; // aborts what is being asked

export function begin() {
  $("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  $("question").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    ask();
  });
  $("stop").addEventListener("click", () => asking?.abort());
  $("begin-anew").addEventListener("click", anew);
  changes.addEventListener("collection", anew);
}

function anew() {
  asking?.abort();
  turns = [];
  $("talk").replaceChildren($("welcome"));
  $("welcome").hidden = false;
  $("question").focus();
}

/** A turn of the conversation on the page: the question, and room for what comes. */
function turn(question) {
  const answer = el("div", { class: "answer", tabIndex: -1 });
  answer.setAttribute("aria-live", "polite");
  const below = el("div");
  const article = el("article", { class: "turn" }, el("h2", {}, question), answer, below);
  $("welcome").hidden = true;
  $("talk").append(article);
  article.scrollIntoView({ block: "start" });
  return { article, answer, below };
}

async function ask() {
  const question = $("question").value.trim();
  if (!question || asking) return;
  if (!collection.documents.length) {
    $("status").textContent = "There is nothing to ask yet: add files first.";
    $("add-files").focus();
    return;
  }
  $("question").value = "";
  asking = new AbortController();
  busy(true);
  const mode = document.querySelector("[name=mode]:checked").value;
  const shown = turn(question);
  shown.answer.setAttribute("aria-busy", "true");
  try {
    if (mode === "search") await search(question, shown, asking.signal);
    else await read(question, mode === "long", shown, asking.signal);
  } catch (error) {
    failed(error, shown);
  }
  shown.answer.setAttribute("aria-busy", "false");
  asking = null;
  busy(false);
}

function busy(yes) {
  $("ask").hidden = yes;
  $("stop").hidden = !yes;
  $("status").textContent = yes ? "Looking …" : "";
  $("question").focus();
}

async function read(question, long, { answer, below }, signal) {
  answer.classList.toggle("long", long);
  const body = { question, earlier: turns.slice(-REMEMBERED), long, stream: true, ...scope() };
  for await (const { event, data } of api.events("POST", at("ask"), { body, signal })) {
    if (event === "text") answer.append(data.text);
    else if (event === "error") throw api.problem(data);
    else if (event === "answer") {
      showAnswer(data, { answer, below });
      const best = data.sources[data.quotes[0]?.source ?? 0];
      turns.push({ question, answer: data.answered ? data.answer : "", read: best?.text ?? "" });
    }
  }
}

function showAnswer(given, { answer, below }) {
  answer.replaceChildren(...answers.withReferences(given.answer, given.sources));
  answer.classList.toggle("none", !given.answered);
  const parts = [...answers.quotes(given), ...answers.notes(given)];
  if (given.sources.length) parts.push(answers.sources(given.sources));
  below.replaceChildren(...parts, answers.times(given));
}

async function search(question, { answer, below }, signal) {
  const { passages } = await api.post(at("search"), { question, top: PASSAGES, ...scope() }, signal);
  answer.textContent = passages.length ? plural(passages.length, "passage") : "Nothing here has to do with that.";
  answer.classList.add("none");
  below.replaceChildren(answers.passages(passages));
}

function failed(error, { answer, below }) {
  if (error.name === "AbortError") {
    below.replaceChildren(el("p", { class: "notice" }, "Stopped."));
    return;
  }
  const parts = [el("p", { class: "problem", role: "alert" }, error.message)];
  if (error.sources?.length) parts.push(answers.sources(error.sources));
  below.replaceChildren(...parts);
  if (!answer.textContent) answer.hidden = true;
}

/** Shows an answer from the history as a turn; nothing that is asked later leans on it. */
export function showAgain(entry) {
  const shown = turn(entry.question);
  const answer = entry.answer || "This answer is gone, with a document that it was read from.";
  const answered = entry.answered && answer === entry.answer;
  showAnswer({ quotes: [], ...entry, answer, answered }, shown);
  shown.answer.focus({ preventScroll: true });
}
