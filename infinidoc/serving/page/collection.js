// The collection that the page is at, and its documents. Whoever shows them listens to `changes`.
import { get } from "./api.js";

export const collection = { id: "", name: "", documents: [], problem: "", all: [] };
export const changes = new EventTarget();

/** An address below a collection's. */
export const at = (rest, id = collection.id) => `/api/collections/${encodeURIComponent(id)}/${rest}`;

/** Goes to the collection that the address names, else to the first one. */
export async function begin() {
  await refresh();
  const named = decodeURIComponent(location.hash.slice(1));
  await goTo((collection.all.find((one) => one.id === named) ?? collection.all[0])?.id ?? "");
}

/** Looks up what there is now. */
export async function refresh(id = "") {
  collection.all = (await get("/api/collections")).collections;
  if (id) await goTo(id);
}

/** Goes to a collection; one that isn't there yet is made by the first files that are added. */
export async function goTo(id) {
  const known = collection.all.find((one) => one.id === id);
  let documents = [];
  let problem = "";
  try {
    if (known) ({ documents } = await get(at("documents", id)));
  } catch (error) {
    problem = error.message; // a damaged one, say; the others can still be chosen
  }
  const moved = id !== collection.id;
  Object.assign(collection, { id, name: known?.name ?? id, documents, problem });
  history.replaceState(null, "", `#${encodeURIComponent(id)}`);
  if (moved) changes.dispatchEvent(new Event("collection"));
  changes.dispatchEvent(new Event("documents"));
}
