// Elements, and how names, numbers and times look. Text is only ever set as text, never as markup.

export const $ = (id) => document.getElementById(id);

/** An element with properties (`class`, `onclick`, `ariaLabel`, `data-…`) and children: elements or text. */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

const STEERING = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A name with what would steer its direction or can't be seen spelt out. */
export function spelt(text) {
  return text.replace(STEERING, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** A file's or folder's name, which keeps its direction to itself. */
export const bdi = (text) => el("bdi", {}, spelt(text));

/** "a/b/c.txt" as "c.txt" and "a/b". */
export function split(path) {
  const at = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  return { file: path.slice(at + 1), folder: at > 0 ? path.slice(0, at) : "" };
}

export const number = (value) => Math.round(value).toLocaleString("en");
export const plural = (value, thing) => `${number(value)} ${thing}${value === 1 ? "" : "s"}`;

export function size(bytes) {
  const units = ["B", "kB", "MB", "GB"];
  let unit = 0;
  for (; bytes >= 1000 && unit < 3; unit += 1) bytes /= 1000;
  return `${unit ? bytes.toFixed(1) : bytes} ${units[unit]}`;
}

export function duration(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** Text with its (start, end) ranges marked. Ranges count code points, as Python does. */
export function marked(text, ranges) {
  const signs = Array.from(text);
  const parts = [];
  let done = 0;
  for (const [start, end] of ranges) {
    parts.push(signs.slice(done, start).join(""), el("mark", {}, signs.slice(start, end).join("")));
    done = end;
  }
  parts.push(signs.slice(done).join(""));
  return parts.filter((part) => part !== "");
}

/** Asks in a dialog; true if the answer is yes. */
export function answered(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
