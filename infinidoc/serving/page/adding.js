// Adding files and folders: chosen, or dropped anywhere on the page; sent in parcels, and read one after the other.
import * as api from "./api.js";
import { at, collection, refresh } from "./collection.js";
import { $, bdi, duration, el, number, plural, spelt, split } from "./dom.js";
import { makeOne } from "./shelf.js";

const PARCEL_FILES = 100;
const PARCEL_BYTES = 64e6;

let stop = null; // ends what is being sent or read

export function begin() {
  $("add-files").addEventListener("click", () => $("files").click());
  $("add-folder").addEventListener("click", () => $("folder").click());
  for (const input of [$("files"), $("folder")]) {
    input.addEventListener("change", () => {
      add([...input.files].map((file) => ({ path: file.webkitRelativePath || file.name, file })));
      input.value = "";
    });
  }
  $("job-stop").addEventListener("click", () => stop?.());
  beginDropping();
}

function beginDropping() {
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  let hide;
  addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    $("drop-name").textContent = collection.name ? spelt(collection.name) : "a new collection";
    $("drop").hidden = false;
    clearTimeout(hide);
    hide = setTimeout(() => ($("drop").hidden = true), 300); // dragover comes again and again, as long as it lasts
  });
  addEventListener("drop", async (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    $("drop").hidden = true;
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    add((await Promise.all(entries.map((entry) => walk(entry)))).flat());
  });
}

/** The files below an entry, with their paths relative to what was dropped. */
async function walk(entry, above = "") {
  const path = above + entry.name;
  if (entry.isFile) return [{ path, file: await new Promise((found, failed) => entry.file(found, failed)) }];
  const reader = entry.createReader();
  const files = [];
  for (;;) {
    const some = await new Promise((found, failed) => reader.readEntries(found, failed)); // at most a hundred at once
    if (!some.length) return files;
    for (const one of some) files.push(...(await walk(one, `${path}/`)));
  }
}

/** A name without what can't be in one on some systems, or would steer whoever reads it. */
function fit(name) {
  return spelt(name).replace(/[<>:"|?*\\]/g, "_").replace(/[. ]$/, "_");
}

/** Sends files and has them read; those that are hidden are passed over, as on the command line. */
async function add(chosen) {
  const visible = chosen.filter(({ path }) => !path.split("/").some((part) => part.startsWith(".")));
  const files = visible.map(({ path, file }) => ({ path: path.split("/").map(fit).join("/"), file }));
  if (!files.length || stop) return;
  if (!collection.id && !(await makeOne())) return;
  const id = collection.id;
  const total = files.reduce((sum, { file }) => sum + file.size, 0);
  const done = { added: 0, replaced: 0, copies: 0, unchanged: 0, skipped: [], notes: [] };
  let sent = 0;
  let problem = "";
  let stopped = false;
  $("report").replaceChildren();
  reading(true);
  const began = performance.now();
  const halt = () => (stopped = true);
  const waiting = [...parcels(files)];
  try {
    while (waiting.length && !stopped) {
      const parcel = waiting.shift();
      const bytes = parcel.reduce((sum, { file }) => sum + file.size, 0);
      try {
        const sending = (share) => show(parcel[0].path, (sent + 0.1 * share * bytes) / total, "sending");
        const job = await send(parcel, id, sending, halt);
        stop = () => {
          halt();
          api.post(`/api/jobs/${job}/stop`).catch(() => {});
        };
        for await (const { event, data } of api.events("GET", `/api/jobs/${job}/events`)) {
          if (event === "progress") showReading(data, sent, bytes, total, began);
          else if (event === "done") collect(done, data);
          else if (event === "error") throw api.problem(data);
        }
      } catch (error) {
        if (error.status !== 422) throw error;
        if (parcel.length === 1) done.skipped.push({ name: parcel[0].path, reason: error.message });
        else waiting.unshift(...halves(parcel)); // which one is it?
        continue;
      }
      sent += bytes;
    }
  } catch (error) {
    if (error.name !== "AbortError") problem = error.message;
  }
  stop = null;
  reading(false);
  await refresh(id);
  report(done, problem, stopped);
}

function halves(parcel) {
  const middle = Math.ceil(parcel.length / 2);
  return [parcel.slice(0, middle), parcel.slice(middle)];
}

function reading(yes) {
  $("job").hidden = !yes;
  $("add-files").disabled = $("add-folder").disabled = yes;
}

function* parcels(files) {
  let parcel = [];
  let bytes = 0;
  for (const one of files) {
    if (parcel.length && (parcel.length === PARCEL_FILES || bytes + one.file.size > PARCEL_BYTES)) {
      yield parcel;
      parcel = [];
      bytes = 0;
    }
    parcel.push(one);
    bytes += one.file.size;
  }
  yield parcel;
}

/** Sends a parcel; the number of the job that reads it. fetch can't tell how far it is, an older way can. */
function send(parcel, id, onShare, onStop) {
  const form = new FormData();
  for (const { path, file } of parcel) form.append("files", file, path);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", at("documents", id));
    for (const [name, value] of Object.entries(api.headers())) request.setRequestHeader(name, value);
    request.responseType = "json";
    request.upload.onprogress = (event) => onShare(event.loaded / event.total);
    request.onload = () => {
      if (request.status === 202) resolve(request.response.job);
      else reject(api.problem(request.response, request.status));
    };
    request.onerror = () => reject(new api.Problem("the server can't be reached, or a file has changed meanwhile"));
    request.onabort = () => reject(new DOMException("", "AbortError"));
    stop = () => {
      onStop();
      request.abort();
    };
    request.send(form);
  });
}

function show(path, share, facts) {
  $("job-name").replaceChildren(bdi(path));
  $("job-progress").value = share;
  $("job-facts").textContent = facts;
}

function showReading(progress, sent, bytes, total, began) {
  const here = progress.bytes_total ? progress.bytes_done / progress.bytes_total : 0;
  const share = total ? (sent + bytes * (0.1 + 0.9 * here)) / total : here;
  const seconds = (performance.now() - began) / 1000;
  const rate = progress.tokens ? `${number(progress.tokens / seconds)} tokens/s` : "";
  const left = share > 0.12 && seconds > 3 ? `${duration((seconds * (1 - share)) / share)} left` : "";
  const files = `${number(progress.files_done)} of ${plural(progress.files, "file")}`;
  show(split(progress.name).file || $("job-name").textContent, share, [files, rate, left].filter(Boolean).join(" · "));
}

function collect(done, summary) {
  summary ??= {}; // stopped before it began
  for (const kind of ["added", "replaced", "copies", "unchanged"]) done[kind] += summary[kind] ?? 0;
  done.skipped.push(...(summary.skipped ?? []));
  done.notes.push(...(summary.notes ?? []));
}

function report(done, problem, stopped) {
  const counts = [
    [done.added, `${plural(done.added, "document")} added`],
    [done.replaced, `${number(done.replaced)} replaced`],
    [done.copies, `${plural(done.copies, "copy").replace("copys", "copies")}`],
    [done.unchanged, `${number(done.unchanged)} unchanged`],
  ];
  const said = counts.filter(([count]) => count).map(([, text]) => text);
  if (stopped) said.push("stopped; what was read is kept");
  const lines = [...done.skipped, ...done.notes].map((one) => [one.name, one.reason ?? one.note]);
  const list = { tabIndex: 0, ariaLabel: "What could not be read" };
  $("report").replaceChildren(
    said.length || !problem ? el("p", {}, `${said.join(", ") || "Nothing added"}.`) : "",
    problem ? el("p", { class: "problem" }, `Not all was read: ${problem}`) : "",
    lines.length ? el("ul", list, ...lines.map(([name, reason]) => el("li", {}, bdi(name), `: ${reason}`))) : "",
  );
}
