// The house as a picture that can be used: by mouse, touch and keys, and by screen readers as a grid.

import { Blocks, TEXT, blockPath } from "./blocks.js";
import { SeatCard } from "./card.js";
import { el, icon, reducedMotion, round, set, svg } from "../page/dom.js";
import { boxOf } from "./geometry.js";
import { Grid } from "./grid.js";
import { leads, seatFrom } from "../page/keys.js";
import { Labels, ROWS_FROM } from "./labels.js";
import { legend, zoomButtons } from "./legend.js";
import { MiniMap } from "./mini.js";
import { NEAR, View } from "./view.js";
import { t } from "../words.js";

const SECTIONS_FIRST = 3000;
const MOUSE_FROM = 8;
const TOUCH_FROM = 16;

export class SeatMap {
  #current = null;
  #byKeys = false;

  constructor(store, hall, { choose, leave }) {
    this.store = store;
    this.house = store.house;
    this.choose = choose;
    this.leave = leave;
    this.sectionsFirst = this.house.seats.length > SECTIONS_FIRST;
    this.picture = svg("svg", { class: "map", role: "group", "aria-label": t("seatMap"), preserveAspectRatio: "xMidYMid meet", viewBox: "0 0 1 1" });
    this.picture.dataset.testid = "map";
    this.room = el("div", { class: "room" }, this.picture);
    this.view = new View(this.room, this.picture, () => this.#home());
    this.#build(hall);
    this.card = new SeatCard(store, this.room, this.view);
    this.mini = new MiniMap(this.house, this.room, this.view, blockPath);
    this.element = el("div", { class: this.sectionsFirst ? "stage sections-first" : "stage" }, this.room, this.bar);
    this.view.addEventListener("view", () => this.#seen());
    this.#listen();
  }

  /** Draws these seats as they are now. */
  update(ids, fromOthers = false) {
    this.grid.update(ids, fromOthers && ids.size <= 50 && !reducedMotion() && !document.hidden);
    set(this.picture, "data-version", this.store.version);
    if (this.card.seat && ids.has(this.card.seat.id)) this.card.show(this.card.seat);
    if (ids.size) this.#number();
  }

  /** Seats of other prices than these fade; none: nobody does. */
  filter(ranks) {
    this.grid.filter(ranks);
    this.#number();
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
    this.grid.path(this.#current)?.focus();
  }

  /** Says how many are free where. It looks at every seat: not at each change. */
  sayFree() {
    this.free = this.store.freeBySection();
    this.blocks.say(this.free);
    this.#sayWhere();
  }

  #build(hall) {
    this.blocks = new Blocks(this.house, hall, this.sectionsFirst);
    this.labels = new Labels(this.store, this.view);
    this.grid = new Grid(this.store, hall);
    this.ring = svg("g", { class: "focus-ring", "aria-hidden": "true", visibility: "hidden" }, svg("circle", { class: "ring-gap", r: 0.56 }), svg("circle", { class: "ring", r: 0.62 }));
    const { ground, buttons, names } = this.blocks;
    this.picture.append(ground, this.sectionsFirst ? buttons : this.grid.element, this.labels.numbers, this.labels.rows, this.ring, names);
    this.where = el("p", { class: "where narrow muted" });
    this.allSections = el("button", { type: "button", class: "button button-small", testid: "all-sections", hidden: true, on: { click: () => this.#close() } }, icon("fit"), t("allSections"));
    this.bar = el("div", { class: "bar-under" }, legend(this.house), this.where, this.allSections, zoomButtons(this.view));
    if (!this.sectionsFirst) this.grid.draw(this.house.sections);
    this.#setCurrent(this.house.sections[0]?.rows[0].seats[0] ?? null);
    this.sayFree();
    set(this.picture, "data-version", this.store.version);
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
    if (this.opened === section) return;
    this.opened = section;
    this.grid.draw([section]);
    this.blocks.open(section);
    this.blocks.buttons.remove();
    this.picture.insertBefore(this.grid.element, this.labels.numbers);
    this.allSections.hidden = false;
    this.#setCurrent(section.rows[0].seats[0]);
    this.view.fit(slowly);
  }

  #close() {
    const was = this.blocks.button(this.opened.name);
    this.opened = null;
    this.ring.setAttribute("visibility", "hidden");
    this.grid.element.remove();
    this.grid.draw([]);
    this.blocks.open(null);
    this.picture.insertBefore(this.blocks.buttons, this.labels.numbers);
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
    if (x < this.view.seen.left + this.labels.covered) return null;
    const seat = this.house.nearest(x, y);
    return seat && this.grid.path(seat) ? seat : null;
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
    const { seatId, section } = event.target.dataset ?? {};
    const isPress = event.key === "Enter" || event.key === " ";
    if (section && isPress) {
      event.preventDefault();
      this.#open(this.house.sectionOf.get(section), false);
      this.focus();
    }
    if (event.key === "Escape") this.leave();
    const seat = this.house.byId.get(Number(seatId));
    if (!seat || event.altKey || event.metaKey) return;
    if (isPress) {
      event.preventDefault();
      if (!event.repeat) this.#take(seat);
    } else if (leads(event)) {
      event.preventDefault();
      this.#goTo(seatFrom(this.house, seat, event));
    }
  }

  #goTo(seat) {
    if (!seat) return;
    if (this.sectionsFirst) this.#open(this.house.sectionOf.get(seat.section), false);
    this.#setCurrent(seat);
    this.focus();
  }

  #setCurrent(seat) {
    const was = this.grid.path(this.#current);
    if (was) set(was, "tabindex", "-1");
    this.#current = seat;
    const path = this.grid.path(seat);
    if (path) set(path, "tabindex", "0");
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
    this.element.classList.toggle("is-near", k >= TOUCH_FROM);
    this.element.classList.toggle("is-home", this.view.isHome);
    const book = this.element.closest(".book");
    if (this.opened || (!this.view.isHome && k >= TOUCH_FROM)) book?.classList.add("near");
    else if (this.view.isHome) book?.classList.remove("near");
    this.blocks.resize(k, k >= ROWS_FROM && !this.view.isHome);
    this.labels.name(this.opened ? [this.opened] : this.sectionsFirst ? [] : this.house.sections);
    this.#number();
    this.#sayWhere();
    const seat = document.activeElement?.dataset?.seatId;
    if (seat && this.#byKeys) this.card.show(this.house.byId.get(Number(seat)));
  }

  #number() {
    this.labels.number(this.grid);
  }

  #sayWhere() {
    const { x, y } = this.view.at;
    const near = this.view.at.k >= TOUCH_FROM && !this.view.isHome;
    const section = this.opened ? this.opened : near && this.house.sections.find(({ box }) => x >= box.left - 1 && x <= box.right + 1 && y >= box.top - 1 && y <= box.bottom + 1);
    if (!section) return this.where.replaceChildren(near ? "" : this.sectionsFirst || this.house.sections.length > 1 ? t("tapASection") : t("tapToComeCloser"));
    const arrow = this.house.stage.y + this.house.stage.height / 2 < section.box.top ? "↑" : "↓";
    return this.where.replaceChildren(el("b", {}, section.name), ` ${t("free", { n: this.free.get(section.name).seats })} · ${t("stage")} ${arrow}`);
  }
}

function grown({ left, top, right, bottom }, by) {
  return { left: left - by, top: top - by, right: right + by, bottom: bottom + by };
}
