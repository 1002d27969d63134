// The seats on the map: one path each, which is a cell of a grid for who does not see it.

import { fullName, kindClass } from "./card.js";
import { round, set, svg } from "../page/dom.js";
import { MARKS, seatPath } from "./shapes.js";
import { t } from "../words.js";

const DIM = 0.28;

export class Grid {
  #paths = new Map();
  #ranks = new Set();

  constructor(store, hall) {
    this.store = store;
    this.element = svg("g", { role: "grid", "aria-label": t("seatsOf", { hall }), "aria-multiselectable": "true" });
  }

  /** The ids of the seats that are drawn. */
  get ids() {
    return this.#paths.keys();
  }

  path(seat) {
    return this.#paths.get(seat?.id);
  }

  /** Draws all seats of these sections, and no others. */
  draw(sections) {
    this.#paths.clear();
    this.element.replaceChildren(...sections.map((section) => this.#section(section)));
  }

  /** Draws these seats as they are now; `fades`: so that the change is seen. */
  update(ids, fades) {
    for (const id of ids) {
      const path = this.#paths.get(id);
      if (!path) continue;
      this.#show(this.store.house.byId.get(id), path);
      if (fades) path.animate([{ opacity: 0.2 }, { opacity: path.classList.contains("is-dim") ? DIM : 1 }], 150);
    }
  }

  /** Seats of other prices than these fade; none: nobody does. */
  filter(ranks) {
    this.#ranks = ranks;
    for (const [id, path] of this.#paths) path.classList.toggle("is-dim", this.isDim(this.store.house.byId.get(id)));
  }

  isDim(seat) {
    return this.#ranks.size > 0 && !this.#ranks.has(seat.rank);
  }

  #section(section) {
    const group = svg("g", { role: "rowgroup", "aria-label": section.name });
    for (const row of section.rows) {
      const label = section.name === row.name ? t("rowNamed", { row: row.name }) : t("sectionRow", { section: section.name, row: row.name });
      group.append(svg("g", { role: "row", "aria-label": label }, row.seats.map((seat) => this.#seat(seat))));
    }
    return group;
  }

  #seat(seat) {
    const path = svg("path", { role: "gridcell", tabindex: "-1", transform: `translate(${round(seat.x)} ${round(seat.y)})` });
    path.dataset.seatId = seat.id;
    path.dataset.category = seat.rank;
    this.#paths.set(seat.id, path);
    this.#show(seat, path);
    return path;
  }

  #show(seat, path) {
    const { status, pending, mine } = this.store.shown(seat.id);
    set(path, "d", pending ? MARKS.pending : status === "available" ? seatPath(seat.rank, seat) : MARKS[status]);
    set(path, "data-status", status);
    set(path, "data-pending", pending);
    set(path, "class", `seat ${kindClass(seat.rank)}${this.isDim(seat) ? " is-dim" : ""}${mine && status === "booked" ? " is-mine" : ""}`);
    set(path, "aria-label", fullName(seat, this.store));
    set(path, "aria-selected", status === "reserved_by_me" || pending === "hold" ? "true" : "false");
    set(path, "aria-disabled", this.store.isOpen && (status === "available" || status === "reserved_by_me") ? null : "true");
    set(path, "aria-busy", pending ? "true" : null);
  }
}
