// What screen readers hear: politely, merged for 300 ms, so that a busy moment is one sentence; assertively only the end
// of a hold and a refused payment.

import { el } from "./dom.js";

const polite = el("div", { class: "vh", role: "status", "aria-live": "polite", testid: "announce" });
const assertive = el("div", { class: "vh", role: "alert", "aria-live": "assertive", testid: "alert" });
let waiting = [];
let timer = null;

export function mountAnnouncer(root) {
  root.append(polite, assertive);
}

export function announce(sentence) {
  if (!waiting.includes(sentence)) waiting.push(sentence);
  timer ??= setTimeout(() => {
    polite.textContent = waiting.join(" ");
    waiting = [];
    timer = null;
  }, 300);
}

export function alertAll(sentence) {
  assertive.textContent = "";
  setTimeout(() => {
    assertive.textContent = sentence;
  }, 50);
}
