// From one page to the next, or to the same one read anew.

import { NoAnswer, Problem } from "../../api.js";

let turns = 0;

/**
 * Reads what a page needs, and shows it, or what went wrong. Until then nobody can act on the page before: what they did
 * there would be shown over by what was read before they did it. Of several that were begun, the last one is shown.
 */
export async function turn(root, read, show, fail) {
  const own = ++turns;
  for (const main of root.querySelectorAll("main")) main.inert = true;
  let parts;
  try {
    parts = show(await read());
  } catch (error) {
    if (!(error instanceof Problem || error instanceof NoAnswer)) throw error;
    parts = fail(error);
  }
  if (own !== turns) return false;
  root.replaceChildren(...parts);
  return true;
}
