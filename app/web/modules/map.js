// The house as a picture that can be used: by mouse, touch and keys, and by screen readers as a grid.

import { SeatCard, fullName, kindClass } from "./card.js";
import { el, icon, reducedMotion, set, svg } from "./dom.js";
import { boxOf, hullOf, overlap } from "./geometry.js";
import { legend, zoomButtons } from "./legend.js";
import { MiniMap } from "./mini.js";
import { money } from "./money.js";
import { MARKS, seatPath } from "./shapes.js";
import { t } from "./words.js";
import { NEAR, View } from "./view.js";

const SECTIONS_FIRST = 3000;
const NUMBERS_FROM = 22;
const ROWS_FROM = 16;
const TEXT = 12.5;
const MOUSE_FROM = 8;
const TOUCH_FROM = 16;
const KEYS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"];

export class SeatMap {
  #drawn = new Map();
  #groups = new Map();
  #current = null;
  #byKeys = false;
  frozen = 0;

  constructor(store, hall, { choose, leave }) {
    this.store = store;
    this.house = store.house;
    this.choose = choose;
    this.leave = leave;
    this.sectionsFirst = this.house.seats.length > SECTIONS_FIRST;
    this.dimmed = new Set();
    this.#build(hall);
    this.view = new View(this.room, this.picture, () => this.#home());
    this.card = new SeatCard(store, this.room, this.view);
    this.mini = new MiniMap(this.house, this.room, this.view, (section) => this.#blockPath(section));
    this.bar = el("div", { class: "bar-under" }, legend(this.house), this.where, this.allSections, zoomButtons(this.view));
    this.element = el("div", { class: "stage" }, this.room, this.bar);
    this.view.addEventListener("view", () => this.#seen());
    this.#listen();
  }

  /** Draws these seats as they are now. */
  update(ids, fromOthers = false) {
    const fade = fromOthers && ids.size <= 50 && !reducedMotion();
    for (const id of ids) {
      const path = this.#drawn.get(id);
      if (!path) continue;
      this.#draw(this.house.byId.get(id), path);
      if (fade && !document.hidden) path.animate([{ opacity: 0.2 }, { opacity: path.classList.contains("is-dim") ? 0.28 : 1 }], 150);
    }
    set(this.picture, "data-version", this.store.version);
    if (this.card.seat && ids.has(this.card.seat.id)) this.card.show(this.card.seat);
    if (ids.size) this.#numbers();
  }

  /** Seats of other prices than these fade; none: nobody does. */
  filter(ranks) {
    this.dimmed = ranks;
    for (const [id, path] of this.#drawn) path.classList.toggle("is-dim", this.#isDim(this.house.byId.get(id)));
  }

  /** Comes closer to these seats. */
  showSeats(seats) {
    if (!seats.length) return;
    if (this.sectionsFirst) this.#open(this.house.sectionOf.get(seats[0].section), false);
    const box = boxOf(seats);
    const middle = { x: (box.left + box.right) / 2, y: (box.top + box.bottom) / 2 };
    if (box.right - box.left > 20) this.view.show(box);
    else this.view.to(middle.x, middle.y, NEAR);
  }

  showSection(name) {
    const section = this.house.sectionOf.get(name);
    if (this.sectionsFirst) return this.#open(section);
    // All of it, if its seats are large enough for a finger then.
    if (this.view.scaleFor(section.box) >= TOUCH_FROM) return this.view.show(section.box);
    return this.view.to((section.box.left + section.box.right) / 2, (section.box.top + section.box.bottom) / 2, NEAR);
  }

  focus() {
    this.#drawn.get(this.#current?.id)?.focus();
  }

  #build(hall) {
    this.hall = hall;
    this.ground = svg("g", { class: "ground" }, this.#stage());
    this.names = svg("g", { class: "names", "aria-hidden": "true" });
    this.grid = svg("g", { role: "grid", "aria-label": t("seatsOf", { hall }), "aria-multiselectable": "true" });
    this.numbers = svg("g", { class: "numbers", "aria-hidden": "true" });
    this.edge = svg("g", { class: "row-names", "aria-hidden": "true" });
    this.ring = svg("g", { class: "focus-ring", "aria-hidden": "true" }, svg("circle", { class: "ring-gap", r: 0.56 }), svg("circle", { class: "ring", r: 0.62 }));
    this.ring.setAttribute("visibility", "hidden");
    this.picture = svg("svg", { class: "map", role: "group", "aria-label": t("seatMap"), preserveAspectRatio: "xMidYMid meet", viewBox: "0 0 1 1" });
    this.picture.dataset.testid = "map";
    this.sections = svg("g", { role: "group", "aria-label": t("sectionsOf", { hall }) });
    this.#blocks();
    this.picture.append(this.ground, ...(this.sectionsFirst ? [this.sections] : [this.grid]), this.numbers, this.edge, this.ring, this.names);
    this.room = el("div", { class: "room" }, this.picture);
    this.where = el("p", { class: "where narrow muted" });
    this.allSections = el("button", { type: "button", class: "button button-small", testid: "all-sections", hidden: true, on: { click: () => this.#close() } }, icon("fit"), t("allSections"));
    if (!this.sectionsFirst) this.house.sections.forEach((section) => this.grid.append(this.#rows(section)));
    this.#setCurrent(this.#first());
    this.sayFree();
    set(this.picture, "data-version", this.store.version);
  }

  #stage() {
    const { x, y, width, height } = this.house.stage;
    this.stageWord = svg("text", { class: "centre-name", x: x + width / 2, "dominant-baseline": "central" }, t("stage"));
    this.stageBar = svg("rect", { class: "centre", x, y, width, height, "aria-hidden": "true" });
    return [this.stageBar, this.stageWord];
  }

  #blockPath(section) {
    if (section.block) {
      const { x, y, width, height } = section.block;
      const r = 1;
      return `M${x + r} ${y}h${width - 2 * r}a${r} ${r} 0 0 1 ${r} ${r}v${height - 2 * r}a${r} ${r} 0 0 1 ${-r} ${r}h${-(width - 2 * r)}a${r} ${r} 0 0 1 ${-r} ${-r}v${-(height - 2 * r)}a${r} ${r} 0 0 1 ${r} ${-r}z`;
    }
    return `M${hullOf(section.seats).map((point) => point.join(" ")).join("L")}z`;
  }

  #blocks() {
    for (const section of this.house.sections) {
      const path = svg("path", { class: section.block ? "block" : "block is-hull", d: this.#blockPath(section) });
      const name = svg("text", { class: "block-name" });
      const free = svg("text", { class: "block-free" });
      const from = svg("text", { class: "block-free" });
      const group = { section, path, name, free, from };
      this.#groups.set(section.name, group);
      if (this.sectionsFirst) {
        set(path, "role", "button");
        set(path, "tabindex", "0");
        path.dataset.testid = "section";
        path.dataset.section = section.name;
        this.sections.append(path);
        this.names.append(name, free, from);
      } else {
        this.ground.append(path);
        if (section.block && section.name !== section.rows[0].name) this.#nameBeside(group);
      }
    }
  }

  /** Name, free seats and price in a section: the lines that fit, in the middle. */
  #linesWithin({ section, name, free, from }, k) {
    const size = readable(0, k);
    const { left, right, top, bottom } = section.box;
    const fits = (line) => line.textContent && line.textContent.length * 0.62 * size < right - left + 1;
    const room = Math.max(1, Math.floor((bottom - top + 1) / (size * 1.2)));
    const lines = [name, free, from].filter(fits).slice(0, room);
    for (const line of [name, free, from]) {
      const at = lines.indexOf(line);
      set(line, "visibility", at < 0 ? "hidden" : null);
      set(line, "font-size", size);
      set(line, "x", (left + right) / 2);
      set(line, "y", (top + bottom) / 2 + (at - (lines.length - 1) / 2) * size * 1.2);
      set(line, "dominant-baseline", "central");
    }
  }

  /** A name above or below its block, where there is room. */
  #nameBeside(group) {
    const { section, name } = group;
    const { stage, focus } = this.house;
    const down = focus.depth !== undefined && section.block.y > stage.y;
    const { x, y, width, height } = section.block;
    const box = { x, y: down ? y + height + 0.1 : y - 2, width, height: 1.9 };
    const taken = [...this.house.sections.filter((each) => each !== section).map((each) => each.block), stage];
    if (taken.some((other) => overlap(box, other))) return;
    group.down = down;
    group.isBeside = true;
    set(name, "x", x + width / 2);
    set(name, "class", "block-name is-beside");
    this.names.append(name);
  }

  /** Words are readable at every size of the house. */
  #sizeWords() {
    const { k } = this.view.at;
    for (const group of this.#groups.values()) {
      const { section, name, down, isBeside } = group;
      if (this.sectionsFirst) this.#linesWithin(group, k);
      if (!isBeside) continue;
      const size = readable(1.3, k);
      const { y, height } = section.block;
      set(name, "font-size", size);
      set(name, "y", down ? y + height + size * 1.05 : y - size * 0.4);
    }
    this.names.classList.toggle("is-far", k < 7 && !this.sectionsFirst);
    const { y, height } = this.house.stage;
    const size = readable(1.1, k);
    const deep = this.house.focus.depth ? Math.max(height, Math.min(size * 1.3, this.house.focus.depth * 0.7)) : height;
    const room = this.house.stage.isBefore ? Math.max(Math.min(height, 40 / k), size * 1.5) : deep;
    const from = this.house.stage.isBefore ? y + height - room : y + (height - room) / 2;
    set(this.stageBar, "y", from);
    set(this.stageBar, "height", room);
    set(this.stageBar, "rx", room / 2);
    set(this.stageWord, "y", from + room / 2);
    set(this.stageWord, "font-size", size);
    set(this.stageWord, "visibility", room < size ? "hidden" : null);
  }

  #rows(section) {
    const group = svg("g", { role: "rowgroup", "aria-label": section.name });
    for (const row of section.rows) {
      const label = section.name === row.name ? t("rowNamed", { row: row.name }) : t("sectionRow", { section: section.name, row: row.name });
      const line = svg("g", { role: "row", "aria-label": label });
      for (const seat of row.seats) line.append(this.#path(seat));
      group.append(line);
    }
    return group;
  }

  #path(seat) {
    const path = svg("path", { role: "gridcell", tabindex: "-1", transform: `translate(${round(seat.x)} ${round(seat.y)})` });
    path.dataset.seatId = seat.id;
    path.dataset.category = seat.rank;
    this.#drawn.set(seat.id, path);
    this.#draw(seat, path);
    return path;
  }

  #draw(seat, path) {
    const { status, pending, mine } = this.store.shown(seat.id);
    const mark = pending ? MARKS.pending : status === "available" ? seatPath(seat.rank, seat) : MARKS[status];
    set(path, "d", mark);
    set(path, "data-status", status);
    set(path, "data-pending", pending);
    set(path, "class", `seat ${kindClass(seat.rank)}${this.#isDim(seat) ? " is-dim" : ""}${mine && status === "booked" ? " is-mine" : ""}`);
    set(path, "aria-label", fullName(seat, this.store));
    set(path, "aria-selected", status === "reserved_by_me" || pending === "hold" ? "true" : "false");
    set(path, "aria-disabled", status !== "available" && status !== "reserved_by_me" ? "true" : null);
    set(path, "aria-busy", pending ? "true" : null);
  }

  #isDim(seat) {
    return this.dimmed.size > 0 && !this.dimmed.has(seat.rank);
  }

  /** Says how many are free where. It looks at every seat: not at each change. */
  sayFree() {
    const free = new Map();
    for (const section of this.house.sections) {
      let [seats, from] = [0, null];
      for (const seat of section.seats) {
        if (this.store.statusOf(seat.id) !== "available") continue;
        seats += 1;
        const price = this.store.screening.prices[seat.category];
        if (price && (from === null || price.amount_minor < from.amount_minor)) from = price;
      }
      free.set(section.name, { seats, from });
      const group = this.#groups.get(section.name);
      const words = t("free", { n: seats });
      if (this.sectionsFirst) {
        group.name.textContent = section.name;
        group.free.textContent = words;
        group.from.textContent = from ? t("from", { price: money(from) }) : "";
        set(group.path, "aria-label", sectionLabel(section.name, seats, from));
      } else {
        group.name.replaceChildren(section.name, svg("tspan", { class: "block-free", dx: ".5" }, words));
      }
    }
    this.free = free;
    this.#sayWhere();
  }

  #home() {
    const box = this.opened && this.sectionsFirst ? grown(this.opened.box, 2) : grown(this.house.box, 2);
    if (this.opened) return box;
    const { x, y, width, height } = this.house.stage;
    const usual = Math.max(1.3, TEXT / Math.max(1, this.view.size.width / (box.right - box.left)));
    const names = this.house.hasBlocks ? usual * 1.2 : 0;
    return {
      left: Math.min(box.left, x - 0.5),
      top: Math.min(box.top - names, this.house.stage.isBefore ? y + height - Math.max(height, usual * 1.5) - 0.6 : y - 0.6),
      right: Math.max(box.right, x + width + 0.5),
      bottom: Math.max(box.bottom + names, y + height + 0.6),
    };
  }

  #open(section, slowly = true) {
    if (this.opened === section) return this.view.fit(slowly);
    this.opened = section;
    this.#drawn.clear();
    this.grid.replaceChildren(this.#rows(section));
    this.sections.remove();
    this.names.setAttribute("visibility", "hidden");
    this.ground.append(this.#groups.get(section.name).path.cloneNode());
    this.ground.lastChild.removeAttribute("data-testid");
    for (const name of ["role", "tabindex", "aria-label", "data-section"]) this.ground.lastChild.removeAttribute(name);
    this.picture.insertBefore(this.grid, this.numbers);
    this.allSections.hidden = false;
    this.#setCurrent(section.rows[0].seats[0]);
    this.view.fit(slowly);
    return undefined;
  }

  #close() {
    const was = this.#groups.get(this.opened.name).path;
    this.opened = null;
    this.#drawn.clear();
    this.ring.setAttribute("visibility", "hidden");
    this.grid.remove();
    this.grid.replaceChildren();
    this.ground.lastChild.remove();
    this.names.removeAttribute("visibility");
    this.picture.insertBefore(this.sections, this.numbers);
    this.allSections.hidden = true;
    this.card.hide();
    this.view.fit();
    was.focus({ preventScroll: true });
  }

  #listen() {
    const { picture } = this;
    picture.addEventListener("click", (event) => this.#clicked(event));
    picture.addEventListener("keydown", (event) => this.#key(event));
    picture.addEventListener("pointerdown", () => {
      this.#byKeys = false;
    });
    document.addEventListener("keydown", () => {
      this.#byKeys = true;
    }, true);
    picture.addEventListener("focusin", (event) => this.#focused(event.target));
    picture.addEventListener("focusout", () => {
      this.ring.setAttribute("visibility", "hidden");
      this.card.hide();
    });
    picture.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "mouse" || event.buttons) return;
      const seat = this.#at(event);
      if (seat && this.view.at.k >= MOUSE_FROM) seat !== this.card.seat && this.card.show(seat);
      else if (this.card.seat && !picture.contains(document.activeElement)) this.card.hide();
    });
    picture.addEventListener("pointerleave", () => !this.#byKeys && this.card.hide());
  }

  #at(event) {
    const { x, y } = this.view.point(event.clientX, event.clientY);
    if (x < this.view.seen.left + this.frozen) return null;
    const seat = this.house.nearest(x, y);
    return seat && this.#drawn.has(seat.id) ? seat : null;
  }

  #clicked(event) {
    const target = event.target.closest?.("[data-seat-id], [data-section]");
    if (target?.dataset.section) {
      if (!this.view.wasDrag || event.detail === 0) this.#open(this.house.sectionOf.get(target.dataset.section));
      return;
    }
    if (event.detail === 0) {
      if (target) this.#take(this.house.byId.get(Number(target.dataset.seatId)));
      return;
    }
    if (this.view.wasDrag) return;
    const seat = this.#at(event);
    const least = event.pointerType === "touch" || event.pointerType === "pen" ? TOUCH_FROM : MOUSE_FROM;
    if (this.view.at.k < least) {
      const place = this.view.point(event.clientX, event.clientY);
      this.view.to(place.x, place.y, NEAR);
    } else if (seat) {
      this.#take(seat);
    }
  }

  #take(seat) {
    this.#setCurrent(seat);
    this.choose(seat);
  }

  #key(event) {
    const name = event.target.dataset?.section;
    if (name && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      this.#open(this.house.sectionOf.get(name), false);
      this.focus();
      return;
    }
    const seat = this.house.byId.get(Number(event.target.dataset?.seatId));
    if (event.key === "Escape") {
      this.leave();
      return;
    }
    if (!seat || event.altKey || event.metaKey) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      if (!event.repeat) this.#take(seat);
    } else if (KEYS.includes(event.key)) {
      event.preventDefault();
      const next = this.#next(seat, event);
      if (next) {
        this.#setCurrent(next);
        this.focus();
      }
    }
  }

  #next(seat, { key, ctrlKey }) {
    const among = this.opened ? this.opened.seats : this.house.seats;
    if (key.startsWith("Arrow")) return this.house.towards(seat, key, among);
    const row = this.house.rowOf.get(seat.id).seats;
    if (key === "Home") return ctrlKey ? this.#first() : row[0];
    if (key === "End") return ctrlKey ? this.#last() : row[row.length - 1];
    if (this.opened) return null;
    const { sections } = this.house;
    const at = sections.indexOf(this.house.sectionOf.get(seat.section)) + (key === "PageDown" ? 1 : -1);
    return sections[at]?.rows[0].seats[0] ?? null;
  }

  #first() {
    return (this.opened ?? this.house.sections[0])?.rows[0].seats[0] ?? null;
  }

  #last() {
    const rows = (this.opened ?? this.house.sections[this.house.sections.length - 1]).rows;
    return rows[rows.length - 1].seats[rows[rows.length - 1].seats.length - 1];
  }

  #setCurrent(seat) {
    if (this.#current) set(this.#drawn.get(this.#current.id) ?? el("i"), "tabindex", "-1");
    this.#current = seat;
    if (seat && this.#drawn.has(seat.id)) set(this.#drawn.get(seat.id), "tabindex", "0");
  }

  #focused(target) {
    const seat = this.house.byId.get(Number(target.dataset?.seatId));
    if (!seat || !this.#byKeys) return;
    this.#setCurrent(seat);
    this.ring.setAttribute("transform", `translate(${round(seat.x)} ${round(seat.y)})`);
    this.ring.removeAttribute("visibility");
    this.view.reveal(seat.x, seat.y, NEAR);
    const shown = () => document.activeElement === target && this.card.show(seat);
    shown();
    setTimeout(shown, 300);
  }

  #seen() {
    const { k } = this.view.at;
    this.element?.classList.toggle("is-near", k >= TOUCH_FROM);
    this.element?.classList.toggle("is-home", this.view.isHome);
    const book = this.element?.closest(".book");
    if (this.opened || (!this.view.isHome && k >= TOUCH_FROM)) book?.classList.add("near");
    else if (this.view.isHome) book?.classList.remove("near");
    this.names.classList.toggle("is-near", k >= ROWS_FROM);
    this.#sizeWords();
    this.#numbers();
    this.#rowNames();
    this.#sayWhere();
    const seat = document.activeElement?.dataset?.seatId;
    if (seat && this.#byKeys) this.card.show(this.house.byId.get(Number(seat)));
  }

  #numbers() {
    if (!this.view) return;
    const texts = [];
    if (this.view.at.k >= NUMBERS_FROM) {
      const { left, top, right, bottom } = this.view.seen;
      for (const id of this.#drawn.keys()) {
        const seat = this.house.byId.get(id);
        if (seat.x < left || seat.x > right || seat.y < top || seat.y > bottom || seat.accessible || seat.companion) continue;
        const { status, pending } = this.store.shown(id);
        if (status !== "available" || pending) continue;
        const size = Math.max(TEXT / this.view.at.k, 0.36) * (seat.number > 99 ? 0.75 : 1);
        texts.push(svg("text", { "font-size": round(size), class: `number ${kindClass(seat.rank)}${this.#isDim(seat) ? " is-dim" : ""}`, x: round(seat.x), y: round(seat.y), "dominant-baseline": "central" }, String(seat.number)));
      }
    }
    this.numbers.replaceChildren(...texts);
  }

  #rowNames() {
    const nodes = [];
    const { k } = this.view.at;
    if (k >= ROWS_FROM) {
      const { left, right, top, bottom } = this.view.seen;
      const size = Math.max(TEXT / k, 0.36);
      let clamped = false;
      for (const section of this.opened ? [this.opened] : this.sectionsFirst ? [] : this.house.sections) {
        for (const row of section.rows) {
          const [first, last] = [row.seats[0], row.seats[row.seats.length - 1]];
          if (first.x > right || last.x < left || Math.max(first.y, last.y) < top || Math.min(first.y, last.y) > bottom) continue;
          const starts = first.x - 1;
          const at = Math.max(starts, left + 0.75);
          clamped ||= at > starts;
          const anchor = at > starts ? row.seats.reduce((best, seat) => (Math.abs(seat.x - at) < Math.abs(best.x - at) ? seat : best), first) : first;
          nodes.push(svg("text", { class: "row-name", x: round(at), y: round(anchor.y), "dominant-baseline": "central", "font-size": size }, row.name));
          if (last.x + 1 < right) nodes.push(svg("text", { class: "row-name", x: round(last.x + 1), y: round(last.y), "dominant-baseline": "central", "font-size": size }, row.name));
        }
      }
      this.frozen = clamped ? 1.5 : 0;
      if (clamped) nodes.unshift(svg("rect", { class: "frozen", x: left, y: top, width: this.frozen, height: bottom - top }));
    } else {
      this.frozen = 0;
    }
    this.edge.replaceChildren(...nodes);
  }

  #sayWhere() {
    if (!this.view) return;
    const { x, y } = this.view.at;
    const near = this.view.at.k >= TOUCH_FROM && !this.view.isHome;
    const section = this.opened ? this.opened : near && this.house.sections.find(({ box }) => x >= box.left - 1 && x <= box.right + 1 && y >= box.top - 1 && y <= box.bottom + 1);
    if (!section) return this.where.replaceChildren(near ? "" : this.sectionsFirst || this.house.sections.length > 1 ? t("tapASection") : t("tapToComeCloser"));
    const arrow = this.house.stage.y + this.house.stage.height / 2 < section.box.top ? "↑" : "↓";
    return this.where.replaceChildren(el("b", {}, section.name), ` ${t("free", { n: this.free.get(section.name).seats })} · ${t("stage")} ${arrow}`);
  }
}

/** "Block B, 129 free, from €59.00". */
export function sectionLabel(name, seats, from) {
  return [name, t("free", { n: seats }), from && t("from", { price: money(from) })].filter(Boolean).join(", ");
}

/** A size in units that is 12.5 to 16 pixels, as near to the usual one as that allows. */
function readable(usual, k) {
  return Math.min(Math.max(usual, TEXT / k), 16 / k);
}

function grown({ left, top, right, bottom }, by) {
  return { left: left - by, top: top - by, right: right + by, bottom: bottom + by };
}

function round(number) {
  return +number.toFixed(3);
}

