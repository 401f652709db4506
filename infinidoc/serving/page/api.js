// What the page asks of the server.
import { $, answered } from "./dom.js";

/** What the server refused or could not do, in a line; `sources` is what an answer would have been read from. */
export class Problem extends Error {
  constructor(message, { status = 0, sources = [] } = {}) {
    super(message);
    Object.assign(this, { status, sources });
  }
}

// The link that `infinidoc serve` prints has the token behind "#", which browsers send nowhere.
const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  sessionStorage.setItem("token", given);
  history.replaceState(null, "", location.pathname);
}

export function headers() {
  const token = sessionStorage.getItem("token");
  return token ? { Authorization: `Bearer ${token}` } : {};
}

let asking = null;

/** Asks for the token, once for all that wait for it. */
export async function askForToken() {
  asking ??= answered($("token")).then((yes) => {
    asking = null;
    if (yes) sessionStorage.setItem("token", $("token-value").value.trim());
    return yes;
  });
  return asking;
}

/** The problem that the server tells of, with a status or in an `error` event. */
export function problem(body, status = 0) {
  return new Problem(body?.error?.message ?? `the server failed (${status})`, { status, sources: body?.sources });
}

async function call(method, path, { body, signal } = {}) {
  const json = body === undefined ? {} : { "Content-Type": "application/json" };
  let response;
  try {
    const all = { ...headers(), ...json };
    response = await fetch(path, { method, signal, headers: all, body: body && JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("the server can't be reached: is infinidoc serve still running?");
  }
  if (response.status === 401 && (await askForToken())) return call(method, path, { body, signal });
  if (!response.ok) throw problem(await response.json().catch(() => null), response.status);
  return response;
}

export async function get(path, signal) {
  return (await call("GET", path, { signal })).json();
}

export async function post(path, body, signal) {
  return (await call("POST", path, { body, signal })).json();
}

export async function remove(path) {
  await call("DELETE", path);
}

/** The address of a picture, to be given back with URL.revokeObjectURL. */
export async function picture(path, signal) {
  return URL.createObjectURL(await (await call("GET", path, { signal })).blob());
}

/** Server-sent events, as {event, data}. Leaving the loop, or aborting, tells the server to stop. */
export async function* events(method, path, options) {
  const response = await call(method, path, options);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let pending = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (pending + value).split(/\r?\n\r?\n/);
      pending = blocks.pop();
      for (const block of blocks) {
        const fields = block.split(/\r?\n/).map((line) => line.match(/^(\w+): ?(.*)$/)).filter(Boolean);
        const data = fields.filter(([, name]) => name === "data").map(([, , text]) => text).join("\n");
        const event = fields.find(([, name]) => name === "event")?.[2] ?? "message";
        if (data) yield { event, data: JSON.parse(data) };
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
