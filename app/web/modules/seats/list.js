// The house as a list, for who would rather read than look: sections, rows, and a button for each free seat or own one.

import { sign } from "./card.js";
import { el, set } from "../page/dom.js";
import { categoryName, money, sectionLabel, signsOf } from "../page/money.js";
import { t } from "../words.js";

export class SeatList {
  #rows = new Map();
  #sections = new Map();

  constructor(store, { choose }) {
    this.store = store;
    this.choose = choose;
    this.ranks = new Set();
    this.empty = el("p", { class: "muted", hidden: true }, t("noneAtThesePrices"));
    this.element = el("div", { class: "list", id: "list", testid: "list", hidden: true }, el("h2", { class: "vh" }, t("listTitle")), this.empty);
    for (const section of store.house.sections) this.element.append(this.#section(section));
  }

  update(ids) {
    if (this.element.hidden) {
      this.isStale = true;
      return;
    }
    const rows = new Set([...ids].map((id) => this.store.house.rowOf.get(id)).filter(Boolean));
    for (const row of rows) this.#fill(row);
    for (const section of new Set([...rows].map((row) => row.section))) this.#sum(section);
  }

  filter(ranks) {
    this.ranks = ranks;
    this.#all();
  }

  show(isShown) {
    const opens = isShown && this.element.hidden;
    this.element.hidden = !isShown;
    if (opens) this.#all();
  }

  open(name) {
    const details = this.#sections.get(name)?.details;
    if (details) details.open = true;
    details?.scrollIntoView({ block: "nearest" });
  }

  #all() {
    if (this.element.hidden) return;
    for (const { section } of this.#sections.values()) {
      for (const row of section.rows) this.#fill(row);
      this.#sum(section);
    }
    this.empty.hidden = [...this.#sections.values()].some(({ details }) => !details.hidden);
  }

  #section(section) {
    const summary = el("summary", {});
    const details = el("details", { class: "list-section" }, summary);
    this.#sections.set(section.name, { section, summary, details });
    details.addEventListener("toggle", () => {
      if (!details.open || details.childElementCount > 1) return;
      for (const row of section.rows) {
        const line = { row, summary: el("summary", {}), seats: el("div", { class: "list-seats", role: "group", "aria-label": section.name === row.name ? t("rowNamed", { row: row.name }) : t("sectionRow", { section: section.name, row: row.name }) }), buttons: new Map() };
        line.details = el("details", { class: "list-row", open: section.rows.length === 1 }, line.summary, line.seats);
        line.details.addEventListener("toggle", () => this.#fill(row));
        this.#rows.set(row, line);
        details.append(line.details);
        this.#fill(row);
      }
    });
    return details;
  }

  #isListed(seat) {
    return this.ranks.size === 0 || this.ranks.has(seat.rank);
  }

  #sum(section) {
    const { summary, details } = this.#sections.get(section.name);
    const free = section.seats.filter((seat) => this.#isListed(seat) && this.store.statusOf(seat.id) === "available");
    const prices = free.map((seat) => this.store.screening.prices[seat.category]).filter(Boolean);
    const from = prices.reduce((least, price) => (least === null || price.amount_minor < least.amount_minor ? price : least), null);
    const text = sectionLabel(section.name, free.length, from);
    if (summary.textContent !== text) summary.textContent = text;
    details.hidden = !section.seats.some((seat) => this.#isListed(seat));
  }

  #fill(row) {
    const line = this.#rows.get(row);
    if (!line) return;
    const listed = row.seats.filter((seat) => this.#isListed(seat));
    const free = listed.filter((seat) => this.store.statusOf(seat.id) === "available").length;
    line.summary.textContent = `${t("rowNamed", { row: row.name })}, ${t("free", { n: free })}`;
    line.details.hidden = listed.length === 0;
    if (!line.details.open) return;
    const kept = [];
    for (const seat of listed) {
      const { status, pending, mine } = this.store.shown(seat.id);
      const isOffered = status === "available" || status === "reserved_by_me" || pending;
      const button = line.buttons.get(seat.id);
      if (!isOffered && !(button && button === document.activeElement)) continue;
      kept.push(this.#seat(line, seat, status, pending, isOffered, mine));
    }
    this.#place(line.seats, kept);
  }

  // Nodes that stay are not moved: a moved button would lose the focus.
  #place(parent, kept) {
    const wanted = new Set(kept);
    for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
    kept.forEach((button, at) => {
      if (parent.children[at] !== button) parent.insertBefore(button, parent.children[at] ?? null);
    });
  }

  #seat(line, seat, status, pending, isOffered, mine) {
    let button = line.buttons.get(seat.id);
    if (!button) {
      button = el("button", { type: "button", class: "list-seat", testid: "list-seat", on: { click: () => button.getAttribute("aria-disabled") !== "true" && this.choose(seat), blur: () => setTimeout(() => this.#fill(line.row)) } });
      button.dataset.seatId = seat.id;
      line.buttons.set(seat.id, button);
    }
    const pressed = status === "reserved_by_me" ? pending !== "release" : pending === "hold";
    set(button, "data-status", status);
    set(button, "data-pending", pending);
    set(button, "aria-pressed", pressed ? "true" : "false");
    set(button, "aria-disabled", isOffered && this.store.isOpen ? null : "true");
    const face = `${status} ${pending} ${mine}`;
    if (button.dataset.face === face) return button;
    button.dataset.face = face;
    const signs = signsOf(seat);
    const word = pressed ? t(pending ? "saving" : "yours") : isOffered ? null : t(status);
    button.replaceChildren(
      sign(seat.rank),
      el("span", {}, t("seatNumber", { seat: seat.number })),
      " ",
      el("span", { class: "muted" }, [categoryName(seat.category), ...signs].join(", ")),
      " ",
      el("b", {}, word ? word : money(this.store.price(seat))),
    );
    return button;
  }
}
