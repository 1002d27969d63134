// What is written on the map while one is near: the numbers of free seats, and the names of rows, which stay at the edge.

import { kindClass } from "./card.js";
import { round, svg } from "../page/dom.js";
import { TEXT } from "./blocks.js";

export const ROWS_FROM = 16;
const NUMBERS_FROM = 22;
const EDGE = 1.5;

export class Labels {
  /** How much of the left edge is covered by the names of rows, in units. */
  covered = 0;

  constructor(store, view) {
    this.store = store;
    this.view = view;
    this.numbers = svg("g", { class: "numbers", "aria-hidden": "true" });
    this.rows = svg("g", { class: "row-names", "aria-hidden": "true" });
  }

  /** Numbers on those seats of the grid that are in view. */
  number(grid) {
    const { at, seen } = this.view;
    const texts = [];
    for (const id of at.k >= NUMBERS_FROM ? grid.ids : []) {
      const seat = this.store.house.byId.get(id);
      if (seat.x < seen.left || seat.x > seen.right || seat.y < seen.top || seat.y > seen.bottom || seat.accessible || seat.companion) continue;
      const { status, pending } = this.store.shown(id);
      if (status !== "available" || pending) continue;
      const size = this.#size() * (seat.number > 99 ? 0.75 : 1);
      const look = `number ${kindClass(seat.rank)}${grid.isDim(seat) ? " is-dim" : ""}`;
      texts.push(svg("text", { class: look, x: round(seat.x), y: round(seat.y), "font-size": round(size), "dominant-baseline": "central" }, String(seat.number)));
    }
    this.numbers.replaceChildren(...texts);
  }

  /** The names of the rows of these sections that are in view, at both ends. */
  name(sections) {
    const { at, seen } = this.view;
    const rows = at.k < ROWS_FROM ? [] : sections.flatMap((section) => section.rows.filter((row) => this.#isSeen(row)));
    const isCut = rows.some((row) => row.seats[0].x - 1 < seen.left + 0.75);
    this.covered = isCut ? EDGE : 0;
    const ground = svg("rect", { class: "frozen", x: seen.left, y: seen.top, width: EDGE, height: seen.bottom - seen.top });
    this.rows.replaceChildren(...(isCut ? [ground] : []), ...rows.flatMap((row) => this.#names(row)));
  }

  #isSeen({ seats }) {
    const { left, right, top, bottom } = this.view.seen;
    const [first, end] = [seats[0], seats[seats.length - 1]];
    return first.x <= right && end.x >= left + EDGE && Math.max(first.y, end.y) >= top && Math.min(first.y, end.y) <= bottom;
  }

  #names({ name, seats }) {
    const { left, right } = this.view.seen;
    const [first, end] = [seats[0], seats[seats.length - 1]];
    const isAtEdge = first.x - 1 < left + this.covered;
    const x = isAtEdge ? left + EDGE / 2 : first.x - 1;
    const beside = isAtEdge ? seats.reduce((best, seat) => (Math.abs(seat.x - x) < Math.abs(best.x - x) ? seat : best), first) : first;
    const texts = [this.#text(name, x, beside.y)];
    if (end.x + 1 < right) texts.push(this.#text(name, end.x + 1, end.y));
    return texts;
  }

  #text(name, x, y) {
    return svg("text", { class: "row-name", x: round(x), y: round(y), "dominant-baseline": "central", "font-size": this.#size() }, name);
  }

  #size() {
    return Math.max(TEXT / this.view.at.k, 0.36);
  }
}
