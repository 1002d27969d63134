// Above the map: prices that are a legend and a filter, best seats, and the switch between map and list.

import { Problem } from "../../api.js";
import { sign } from "./card.js";
import { el, icon, set } from "../page/dom.js";
import { categoryName, money } from "../page/money.js";
import { count, t } from "../words.js";

/** Chips, one a category, dearest first. `changed(ranks)` is told which are pressed. */
export function priceChips(store, changed) {
  const pressed = new Set();
  const chip = (category, at) => {
    const rank = at + 1;
    const free = el("span", { class: "muted small" });
    const price = store.screening.prices[category];
    const toggle = () => {
      if (!pressed.delete(rank)) pressed.add(rank);
      set(button, "aria-pressed", String(pressed.has(rank)));
      changed(pressed);
    };
    const button = el("button", { type: "button", class: "price", testid: "price-filter", "aria-pressed": "false", on: { click: toggle } }, sign(rank), el("span", {}, categoryName(category), " ", price && el("b", {}, money(price))), free);
    button.dataset.category = category;
    return { button, free, rank };
  };
  const chips = store.house.categories.map(chip);
  const update = () => {
    const left = new Map();
    for (const seat of store.house.seats) if (store.statusOf(seat.id) === "available") left.set(seat.rank, (left.get(seat.rank) ?? 0) + 1);
    for (const { free, rank } of chips) free.textContent = t("free", { n: left.get(rank) ?? 0 });
  };
  update();
  const element = el("ul", { class: "prices", "aria-label": t("showOnly") }, chips.map(({ button }) => el("li", {}, button)));
  return { element, pressed, update };
}

export function viewSwitch(show) {
  const button = (view) => el("button", { type: "button", testid: `view-${view}`, "aria-pressed": "false", on: { click: () => show(view) } }, t(view));
  const buttons = { map: button("map"), list: button("list") };
  const element = el("div", { class: "switch", role: "group", "aria-label": t("view") }, buttons.map, buttons.list);
  return {
    element,
    focus: () => element.querySelector("[aria-pressed=true]").focus(),
    set: (view) => Object.entries(buttons).forEach(([name, each]) => set(each, "aria-pressed", String(name === view))),
  };
}

/** The best seats for so many, chosen by the service in the moment that they are taken. */
export class BestSeats {
  #count = 2;

  constructor(store, pressed, { best, preview, notices, chosen }) {
    Object.assign(this, { store, pressed, best, preview, notices, chosen });
    const step = (by) => () => this.#set(this.#count + by);
    this.output = el("output", { "aria-live": "polite" }, count(this.#count));
    this.fewer = el("button", { type: "button", "aria-label": t("oneFewer"), on: { click: step(-1) } }, "−");
    this.more = el("button", { type: "button", "aria-label": t("oneMore"), on: { click: step(1) } }, "+");
    this.limit = el("input", { type: "number", min: "0", step: "any", inputmode: "decimal", testid: "max-price", id: "max-price" });
    this.places = el("input", { type: "number", min: "0", max: "10", step: "1", inputmode: "numeric", testid: "wheelchair", id: "wheelchair" });
    this.together = el("input", { type: "checkbox", testid: "together", id: "together" });
    const stepper = el("div", { class: "stepper", role: "group", "aria-label": t("howMany"), testid: "best-count" }, this.fewer, this.output, this.more);
    const button = el("button", { type: "button", class: "button", testid: "best", on: { click: () => this.#take() } }, icon("star"), t("bestSeats"));
    const moreButton = el("button", { type: "button", class: "button button-quiet", testid: "best-more", "aria-expanded": "false", "aria-controls": "best-wishes", "aria-label": t("more"), on: { click: () => this.#open(moreButton) } }, el("span", { class: "wide" }, t("more")), el("span", { class: "narrow" }, icon("tune")));
    const currency = Object.values(store.screening.prices)[0]?.currency ?? "";
    this.panel = el(
      "div",
      { class: "wishes", id: "best-wishes", hidden: true },
      el("label", { for: "max-price" }, t("maxPrice", { currency }), this.limit),
      store.house.seats.some((seat) => seat.accessible) && el("label", { for: "wheelchair" }, t("wheelchairPlaces"), this.places),
      el("label", { class: "check", for: "together" }, this.together, t("onlyTogether")),
    );
    this.element = el("div", { class: "best" }, stepper, button, moreButton, this.panel);
    this.#set(this.#count);
  }

  #open(button) {
    this.panel.hidden = !this.panel.hidden;
    this.element.classList.toggle("is-open", !this.panel.hidden);
    set(button, "aria-expanded", String(!this.panel.hidden));
  }

  #set(wanted) {
    const most = this.store.screening.limits.max_seats_per_reservation;
    this.#count = Math.min(Math.max(wanted, 1), most);
    this.output.textContent = count(this.#count);
    set(this.fewer, "aria-disabled", this.#count === 1 ? "true" : null);
    set(this.more, "aria-disabled", this.#count === most ? "true" : null);
  }

  #wishes() {
    const wishes = {};
    const { house, screening } = this.store;
    if (this.pressed.size === 1) wishes.category = house.categories[[...this.pressed][0] - 1];
    const limit = Number.parseFloat(this.limit.value);
    if (limit >= 0) {
      const currency = Object.values(screening.prices)[0].currency;
      const digits = new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits;
      wishes.max_price = { amount_minor: Math.round(limit * 10 ** digits), currency };
    }
    const places = Number.parseInt(this.places.value, 10);
    if (places > 0) wishes.accessible = places;
    return wishes;
  }

  async #take(number = this.#count, apart = false) {
    const wanted = { count: number, ...this.#wishes(), together: apart ? "preferred" : "required" };
    if (wanted.accessible && !apart && !this.together.checked) wanted.together = "preferred";
    const hold = await this.best(wanted, (problem) => this.#refused(problem, wanted));
    if (hold) this.chosen(hold);
  }

  async #refused(problem, wanted) {
    const { code, body } = problem;
    if (code !== "not-enough-seats") return false;
    const largest = Math.min(body.largest_block ?? 0, wanted.count - 1);
    const actions = [];
    let text = t("notEnough", { n: body.available ?? 0 });
    if (largest > 0) {
      text = t("noneTogether", { n: wanted.count, largest });
      actions.push({ label: t("takeSeats", { n: largest, count: count(largest) }), testid: "take-suggestion", action: () => this.#take(largest) });
    }
    if ((body.available ?? 0) >= wanted.count && wanted.together === "required" && !this.together.checked) {
      const instead = await this.#instead(wanted);
      if (instead) {
        text += ` ${t("apart", { seats: instead })}`;
        actions.push({ label: t("takeApart", { n: wanted.count }), action: () => this.#take(wanted.count, true) });
      }
    }
    this.notices.show(code, text, actions);
    return true;
  }

  async #instead(wanted) {
    const { max_price: price, ...others } = wanted;
    try {
      const found = await this.preview({ ...others, together: "preferred", max_price_minor: price?.amount_minor });
      return found;
    } catch (error) {
      if (error instanceof Problem) return null;
      throw error;
    }
  }
}
