// The card of a seat: what it is and costs, beside it. It is never the only place that says so.

import { el, svg } from "../page/dom.js";
import { categoryName, money, signsOf } from "../page/money.js";
import { look, seatPath } from "./shapes.js";
import { listed, t } from "../words.js";

/** A small picture of a category. */
export function sign(rank, className = "sign") {
  return svg("svg", { class: className, viewBox: "-.5 -.5 1 1", "aria-hidden": "true" }, svg("path", { class: kindClass(rank), d: seatPath(rank) }));
}

export function kindClass(rank) {
  const { kind, hollow } = look(rank);
  return `k${kind}${hollow ? " hollow" : ""}`;
}

export class SeatCard {
  constructor(store, room, view) {
    this.store = store;
    this.view = view;
    this.seat = null;
    this.node = el("div", { class: "card", testid: "seat-card", hidden: true, "aria-hidden": "true" });
    room.append(this.node);
    view.addEventListener("start", () => this.hide());
  }

  show(seat) {
    this.seat = seat;
    const { store } = this;
    const part = (label, value) => el("div", {}, el("dt", {}, label), el("dd", {}, value));
    const { status, pending, mine } = store.shown(seat.id);
    const lines = [...signsOf(seat), statusWord(status, pending, mine)];
    const parts = [part(t("section"), seat.section), part(t("row"), seat.row), part(t("seat"), String(seat.number))];
    this.node.replaceChildren(
      el("dl", {}, seat.section === seat.row ? parts.slice(1) : parts),
      el("p", {}, sign(seat.rank), categoryName(seat.category), el("b", {}, money(store.price(seat)))),
      el("p", { class: "small muted" }, lines.join(" · ")),
      ...this.#warning(seat, status),
    );
    this.node.hidden = false;
    this.#place();
  }

  hide() {
    this.seat = null;
    this.node.hidden = true;
  }

  #warning(seat, status) {
    const rule = this.store.screening.orphan_rule;
    if (status !== "available" || !rule || rule === "off" || this.store.wanted.has(seat.id)) return [];
    const alone = this.store.house.leavesAlone(seat, (each) => this.store.isFree(each), rule === "strict");
    return alone.length ? [el("p", { class: "small warning" }, t("wouldBeAlone", { seats: listed(alone.map((each) => each.number)), n: alone.length }))] : [];
  }

  #place() {
    const { x, y } = this.view.pixel(this.seat.x, this.seat.y);
    const { width, height } = this.view.size;
    const [w, h] = [this.node.offsetWidth, this.node.offsetHeight];
    const gap = Math.max(this.view.at.k * 0.5, 8) + 10;
    const below = y - h - gap < 4 && y + gap + h < height;
    this.node.classList.toggle("is-below", below);
    this.node.style.left = `${Math.min(Math.max(x - w / 2, 6), Math.max(width - w - 6, 6))}px`;
    this.node.style.top = `${below ? y + gap : Math.max(y - h - gap, 4)}px`;
  }
}

/** The word that goes with a shape. */
export function statusWord(status, pending, mine = false) {
  if (pending) return t("saving");
  if (status === "booked" && mine) return t("bookedByYou");
  return t(status);
}

/** "Row 5, seat 9, Block B, VIP, €89.00, wheelchair space, available". */
export function fullName(seat, store) {
  const { status, pending, mine } = store.shown(seat.id);
  const section = seat.section === seat.row ? [] : [seat.section];
  const parts = [t("rowSeat", { row: seat.row, seat: seat.number }), ...section, categoryName(seat.category), money(store.price(seat))];
  return [...parts, ...signsOf(seat), statusWord(status, pending, mine)].join(", ");
}
