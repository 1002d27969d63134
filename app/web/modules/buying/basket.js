// What is mine, what it costs, and how long: at the side, or a sheet at the bottom of a small screen.

import { alertAll, announce } from "../page/announce.js";
import { sign } from "../seats/card.js";
import { el, icon, say, set } from "../page/dom.js";
import { categoryName, minutes, money, seatName, seatNameWithin, signsOf, sum } from "../page/money.js";
import { count, t } from "../words.js";

const WARN = 60;
const SAID = [120, 60, 20];

export class Basket {
  #last = null;
  #ended = [];

  constructor(store, { giveBack, extend, goOn, again, ended }) {
    this.store = store;
    this.giveBack = giveBack;
    this.ended = ended;
    this.seats = el("ul", { class: "seats" });
    this.amount = el("span", { class: "muted small" });
    this.none = el("p", { class: "muted none" }, t("chooseSeats"));
    this.total = el("span", { testid: "total" });
    this.time = el("span", { class: "left", role: "timer", "aria-live": "off", testid: "countdown" });
    this.bar = el("i");
    this.held = el("span", { class: "clock-word" });
    this.times = el("span", { class: "times small" });
    this.extendButton = el("button", { type: "button", class: "button button-small", testid: "extend", on: { click: () => this.#extend(extend) } }, t("keep", { n: Math.max(1, Math.round(store.screening.hold_seconds / 60)) }));
    this.clock = el("div", { class: "clock", hidden: true }, this.held, this.time, el("div", { class: "bar", "aria-hidden": "true" }, this.bar), this.times, this.extendButton);
    this.continueButton = el("button", { type: "button", class: "button button-primary go", testid: "continue", on: { click: goOn } }, t("continue"));
    this.howMany = el("b");
    this.toggle = el("button", { type: "button", class: "grip narrow", "aria-expanded": "false", testid: "basket-toggle", on: { click: () => this.open(!this.isOpen) } }, this.howMany, icon("up"));
    this.over = el("div", { class: "over", testid: "expired", hidden: true }, el("p", {}, el("b", {}, t("ended")), " ", t("nothingCharged")), el("button", { type: "button", class: "button button-primary", testid: "same-seats", on: { click: () => again(this.#ended.map((seat) => seat.id)) } }, t("sameSeats")));
    this.element = el(
      "aside",
      { class: "basket", testid: "basket", "aria-labelledby": "yours" },
      this.toggle,
      el("header", {}, el("h2", { id: "yours" }, t("yourSeats")), this.amount),
      this.none,
      this.seats,
      this.over,
      this.clock,
      el("div", { class: "total" }, el("span", { class: "word" }, t("total")), this.total),
      this.continueButton,
      el("p", { class: "muted small promise" }, t("noFees")),
    );
    store.addEventListener("hold", () => this.update());
    store.addEventListener("link", () => this.update());
    setInterval(() => this.#tick(), 250);
    this.update();
  }

  get isOpen() {
    return this.element.classList.contains("is-open");
  }

  open(isOpen) {
    this.element.classList.toggle("is-open", isOpen);
    set(this.toggle, "aria-expanded", String(isOpen));
  }

  update() {
    const { store } = this;
    const seats = store.mySeats;
    const total = money(sum(seats.map((seat) => store.price(seat)), Object.values(store.screening.prices)[0]?.currency));
    say(this.total, total);
    say(this.amount, t("ofMost", { n: seats.length, most: count(store.screening.limits.max_seats_per_reservation) }));
    say(this.howMany, t("seats", { n: seats.length }));
    this.none.hidden = seats.length > 0 || !this.over.hidden;
    this.element.classList.toggle("is-empty", seats.length === 0 && this.over.hidden);
    this.element.classList.toggle("is-over", seats.length === 0 && !this.over.hidden);
    this.continueButton.disabled = seats.length === 0;
    this.#list(seats);
    if (store.held.size) {
      this.over.hidden = true;
      this.none.hidden = true;
    }
    this.#tick();
  }

  /** What stands where no seats are. */
  sayWhyEmpty(text) {
    say(this.none, text);
  }

  /** Seats of which the hold has ended: the way back is one button. */
  showEnded(seats) {
    this.#ended = seats;
    this.over.hidden = false;
    this.update();
  }

  #list(seats) {
    const known = new Map([...this.seats.children].map((line) => [Number(line.dataset.seatId), line]));
    const lines = seats.map((seat) => known.get(seat.id) ?? this.#line(seat));
    lines.forEach((line, at) => {
      const { pending } = this.store.shown(seats[at].id);
      set(line, "data-pending", pending);
      say(line.querySelector(".price"), money(this.store.price(seats[at])));
      if (this.seats.children[at] !== line) this.seats.insertBefore(line, this.seats.children[at] ?? null);
    });
    const wanted = new Set(lines);
    for (const line of [...this.seats.children]) if (!wanted.has(line)) this.#remove(line);
  }

  // The focus goes on to a neighbour, else to the heading of the basket: never to nowhere.
  #remove(line) {
    const hadFocus = line.contains(document.activeElement);
    const next = (line.nextElementSibling ?? line.previousElementSibling)?.querySelector("button");
    line.remove();
    if (!hadFocus) return;
    const heading = this.element.querySelector("h2");
    heading.tabIndex = -1;
    (next ?? heading).focus({ preventScroll: true });
  }

  #line(seat) {
    const section = seat.section === seat.row ? [] : [seat.section];
    const about = [...section, categoryName(seat.category), ...signsOf(seat)].join(" · ");
    const line = el(
      "li",
      { testid: "basket-seat" },
      sign(seat.rank),
      el("div", {}, el("b", {}, seatName(seat)), el("br"), el("span", { class: "muted small" }, about)),
      el("span", { class: "price" }),
      el("button", { type: "button", class: "button button-quiet icon-button", "aria-label": t("giveBack", { seat: seatNameWithin(seat) }), on: { click: () => this.giveBack(seat) } }, icon("close")),
    );
    line.dataset.seatId = seat.id;
    return line;
  }

  async #extend(extend) {
    this.extendButton.setAttribute("aria-disabled", "true");
    await extend();
    this.extendButton.removeAttribute("aria-disabled");
    this.#tick();
  }

  #tick() {
    const ends = this.store.endsAt;
    this.clock.hidden = ends === null;
    this.element.classList.toggle("has-clock", ends !== null);
    if (ends === null) {
      this.#last = null;
      this.element.classList.remove("is-ending");
      return;
    }
    const paying = [...this.store.reservations.values()].some((each) => each.status === "paying");
    const left = Math.max(0, Math.ceil((ends - performance.now()) / 1000));
    set(this.time, "data-seconds", left);
    say(this.time, minutes(left));
    const isEnding = left <= WARN;
    this.element.classList.toggle("is-ending", isEnding);
    say(this.held, t(isEnding ? "holdEnds" : "heldForYou"));
    const part = Math.min(1, left / this.store.screening.hold_seconds);
    this.bar.style.transform = `scaleX(${part.toFixed(3)})`;
    this.#extensions(paying);
    for (const seconds of SAID) if (this.#last !== null && this.#last > seconds && left <= seconds) announce(t("timeLeft", { n: seconds }));
    this.#last = left;
    if (left === 0 && !paying) this.#end();
  }

  #extensions(isPaying) {
    const left = Math.min(...[...this.store.reservations.values()].map((each) => each.extensions_left));
    say(this.times, isPaying ? t("waitingForBank") : left > 0 ? t("timesLeft", { n: left }) : t("noTimesLeft"));
    this.extendButton.hidden = isPaying || left <= 0;
  }

  #end() {
    this.#last = null;
    const seats = this.store.endHolds();
    if (seats.length === 0) return;
    this.showEnded(seats);
    alertAll(`${t("ended")} ${t("nothingCharged")}`);
    this.ended(seats);
  }
}
