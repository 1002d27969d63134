// The client of these pages: its tokens are kept for all tabs, where the browser keeps anything.

import { StoredTokens, Usher } from "../../api.js";

export const usher = new Usher({ tokens: new StoredTokens(storage()) });

function storage() {
  try {
    return localStorage;
  } catch {
    return null;
  }
}

export function isSignedIn() {
  return Boolean(usher.tokens.read().refresh);
}
