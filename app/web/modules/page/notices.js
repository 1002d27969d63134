// What went otherwise than wished, in words: what happened, and what can be done. A notice takes no focus.

import { announce } from "./announce.js";
import { el, icon } from "./dom.js";
import { seatName, seatNameWithin } from "./money.js";
import { count, has, listed, t } from "../words.js";

export class Notices {
  constructor() {
    this.element = el("div", { class: "notice-place" });
  }

  /** `actions`: [{label, testid, action}]; each closes the notice. */
  show(code, text, actions = [], { spoken = true, reference = null } = {}) {
    const close = () => this.clear();
    const buttons = actions.map(({ label, testid, action }, at) =>
      el("button", { type: "button", class: at === 0 ? "button button-small button-primary" : "button button-small", testid, on: { click: () => (close(), action()) } }, label),
    );
    buttons.push(el("button", { type: "button", class: "button button-small button-quiet", on: { click: close } }, t("close")));
    const node = el("div", { class: "notice", testid: "notice" }, icon("info"), el("div", {}, el("p", {}, text), reference && el("p", { class: "small muted" }, t("reference", { id: reference }))), el("div", { class: "does" }, buttons));
    node.dataset.code = code;
    this.element.replaceChildren(node);
    if (spoken) announce(text);
  }

  clear() {
    this.element.replaceChildren();
  }
}

/** "Row 5, seats 8 and 9", row by row where they are in several. */
export function named(seats, within = false) {
  const rows = new Map();
  for (const seat of seats) {
    const key = JSON.stringify([seat.section, seat.row]);
    rows.set(key, [...(rows.get(key) ?? []), seat]);
  }
  return listed([...rows.values()].map((row, at) => inOneRow(row, within || at > 0)));
}

function inOneRow(seats, within) {
  if (seats.length === 1) return within ? seatNameWithin(seats[0]) : seatName(seats[0]);
  return t(within ? "rowSeatsWithin" : "rowSeats", { row: seats[0].row, seats: numbersOf(seats) });
}

export function numbersOf(seats) {
  return listed(seats.map((seat) => seat.number).sort((one, other) => one - other));
}

/** The sentence for a problem: our own words by its code, else what the service says. */
export function sentence(problem) {
  const { body, code } = problem;
  if (code === "limit-exceeded") {
    const name = `limit_${body.limit}`;
    return t(has(name) ? name : "limit_other", { n: body.allowed });
  }
  const name = `problem_${code}`;
  return has(name) ? t(name, { ...body, n: body.available ?? 0 }) : (body?.detail ?? t("problem_internal"));
}

/** Where seats in the place of lost ones are: beside it, in the same row, or elsewhere. */
export function offer(lost, found) {
  const sameRow = found.every((seat) => seat.row === lost.row && seat.section === lost.section);
  const values = { n: found.length, seats: numbersOf(found) };
  if (!sameRow) return t("areFree", { n: found.length, seats: named(found) });
  const beside = found.some((seat) => Math.abs(seat.x - lost.x) < 1.6 && Math.abs(seat.y - lost.y) < 1.6);
  return t(beside ? "besideIt" : "inTheRow", values);
}

export function takeLabel(seats) {
  const [first] = seats;
  const sameRow = seats.every((seat) => seat.row === first.row && seat.section === first.section);
  return sameRow ? t("take", { what: numbersOf(seats) }) : t("takeSeats", { n: seats.length, count: count(seats.length) });
}
