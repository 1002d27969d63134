// From one page to the next, or to the same one read anew.

import { NoAnswer, Problem } from "../../api.js";
import { focusHeading } from "./dom.js";

let turns = 0;

/**
 * Reads what a page needs, and shows it, or what went wrong. Until then nobody can act on the page before: what they did
 * there would be shown over by what was read before they did it. Of several that were begun, the last one is shown. The
 * heading of a page that follows another has the focus. Returns whether it was shown.
 */
export async function turn(root, read, show, fail) {
  const own = ++turns;
  const before = root.querySelector("main");
  if (before) before.inert = true;
  let parts;
  try {
    parts = show(await read());
  } catch (error) {
    if (!(error instanceof Problem || error instanceof NoAnswer)) throw error;
    parts = fail(error);
  }
  if (own !== turns) return false;
  root.replaceChildren(...parts);
  if (before) focusHeading(root);
  return true;
}
