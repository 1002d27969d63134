// Other seats for the same booking, in place: which are given, what is to be had for them, and what that costs.

import { NoAnswer, Problem, insist, mayRepeat, newKey } from "../../api.js";
import { announce } from "../page/announce.js";
import { POLL, tokenOf } from "../buying/checkout.js";
import { el, say } from "../page/dom.js";
import { categoryName, money, sum } from "../page/money.js";
import { named, sentence } from "../page/notices.js";
import { usher } from "../page/session.js";
import { t } from "../words.js";

export class Exchange {
  /** `nameOf(seat)` says where a seat of the booking is; `done(booking, seats, text)` and `close()` end it. */
  constructor({ booking, screening, nameOf, done, close }) {
    Object.assign(this, { booking, screening, done, close });
    this.flight = null;
    this.offers = [];
    this.give = booking.seats.map((seat) => ({ seat, box: el("input", { type: "checkbox", checked: true, value: seat.seat_id, on: { change: () => this.#look() } }) }));
    const labels = this.give.map(({ seat, box }) => el("label", { class: "check" }, box, el("span", {}, `${nameOf(seat)}, ${money(seat.price)}`)));
    this.places = el("div", {});
    this.card = el("input", { type: "text", autocomplete: "off", spellcheck: "false", testid: "card" });
    this.pays = el("label", { hidden: true }, t("card"), this.card);
    this.state = el("p", { role: "status", hidden: true });
    this.error = el("p", { class: "bad", role: "alert", hidden: true });
    this.go = el("button", { type: "submit", class: "button button-primary", testid: "confirm-exchange", disabled: true }, t("exchange"));
    this.back = el("button", { type: "button", class: "button button-quiet", on: { click: close } }, t("keepIt"));
    this.element = el(
      "form",
      { class: "exchange", on: { submit: (event) => this.#submit(event) } },
      el("fieldset", {}, el("legend", {}, t("exchangeGive")), labels),
      el("fieldset", {}, el("legend", {}, t("exchangeTake")), this.places),
      this.pays,
      this.state,
      this.error,
      el("div", { class: "does" }, this.go, this.back),
    );
    this.#look();
  }

  /** What is to be had for the seats that are given now: those that are held, and the best of each price. */
  async #look() {
    const given = this.#given;
    const asked = (this.asked = {});
    this.offers = [];
    this.#show();
    if (given.length === 0) return;
    try {
      const offers = (await Promise.all([this.#held(given.length), ...Object.keys(this.screening.prices).map((category) => this.#best(category, given.length))])).filter(Boolean);
      if (this.asked !== asked) return;
      this.offers = offers.sort((one, other) => sum(one.prices).amount_minor - sum(other.prices).amount_minor);
      this.#show(offers.length ? null : t("exchangeNone"));
    } catch (error) {
      this.#failed(error);
    }
  }

  async #held(count) {
    const { body } = await usher.reservations({ status: "held", screening_id: this.booking.screening_id });
    const seats = body.items.flatMap((each) => each.seats);
    if (seats.length !== count) return null;
    return { seats, prices: seats.map((seat) => seat.price), text: t("exchangeHeld", { seats: seats.map((seat) => seat.label).join(", ") }) };
  }

  async #best(category, count) {
    try {
      const { body } = await usher.bestAvailable(this.booking.screening_id, { count, category });
      return { seats: body.seats, prices: body.seats.map((seat) => seat.price), text: `${categoryName(category)}: ${named(body.seats)}` };
    } catch (error) {
      if (error.code === "not-enough-seats") return null;
      throw error;
    }
  }

  get #given() {
    return this.give.filter(({ box }) => box.checked).map(({ seat }) => seat);
  }

  get #chosen() {
    const radio = this.places.querySelector("input:checked");
    return radio ? this.offers[Number(radio.value)] : null;
  }

  /** How much more is paid; less than nothing goes back. */
  #more(offer) {
    const given = sum(this.#given.map((seat) => seat.price), this.booking.total.currency);
    return { amount_minor: sum(offer.prices).amount_minor - given.amount_minor, currency: given.currency };
  }

  #show(nothing = null) {
    const offer = (each, at) =>
      el("label", { class: "check" }, el("input", { type: "radio", name: `take-${this.booking.id}`, value: at, testid: "exchange-offer", on: { change: () => this.#choose() } }), el("span", {}, `${each.text} (${difference(this.#more(each))})`));
    this.places.replaceChildren(...(nothing ? [el("p", { class: "muted" }, nothing)] : this.offers.map(offer)));
    this.#choose();
  }

  #choose() {
    const chosen = this.#chosen;
    const more = chosen ? this.#more(chosen) : null;
    const pays = more !== null && more.amount_minor > 0;
    this.flight = null;
    this.pays.hidden = !pays;
    this.go.disabled = !chosen;
    say(this.go, pays ? t("exchangeAndPay", { total: money(more) }) : t("exchange"));
  }

  async #submit(event) {
    event.preventDefault();
    const chosen = this.#chosen;
    if (!chosen || this.go.disabled) return;
    const ids = (seats) => ({ seat_ids: seats.map((seat) => seat.seat_id) });
    const wanted = { give: ids(this.#given), take: ids(chosen.seats), payment: { method: "card", token: tokenOf(this.card.value) } };
    // Sent again after no answer, it is the same request.
    this.flight ??= { key: newKey(), wanted, chosen };
    this.#working(true);
    try {
      const answer = await insist(() => usher.exchange(this.booking.id, this.flight.wanted, this.flight.key), () => this.#wait(null));
      const booking = answer.status === 202 ? await this.#decided(answer.body) : answer.body;
      if (booking) this.done(booking, this.flight.chosen.seats, t("exchanged", { what: difference(this.#more(asBooked(this.flight.chosen, booking))) }));
      else this.#refuse(t("declined"));
    } catch (error) {
      this.#failed(error);
    }
  }

  /** The provider has not decided: asks until it has. Null: nothing was exchanged. */
  async #decided(reservation) {
    for (let said = reservation; ; ) {
      this.#wait(said.payment);
      await new Promise((done) => setTimeout(done, POLL));
      try {
        said = (await usher.reservation(reservation.id)).body;
      } catch (error) {
        if (!mayRepeat(error)) throw error;
        continue;
      }
      if (said.status !== "paying") return said.booking_id ? (await usher.booking(said.booking_id)).body : null;
    }
  }

  #wait(payment) {
    const url = payment?.status === "requires_action" ? payment.redirect_url : null;
    this.state.hidden = false;
    if (this.waitsAt === url && this.state.hasChildNodes()) return;
    this.waitsAt = url;
    this.state.replaceChildren(t(url ? "bankAsks" : "waitingForBank"), ...(url ? [" ", el("a", { class: "button", href: url, target: "_blank", rel: "noopener" }, t("continueAtBank"))] : []));
    announce(t("waitingForBank"));
  }

  #failed(error) {
    if (!(error instanceof Problem || error instanceof NoAnswer)) throw error;
    if (!(error instanceof NoAnswer)) this.flight = null;
    this.#refuse(error instanceof NoAnswer ? t("noAnswer") : error.code === "payment-declined" ? t("declined") : sentence(error));
    if (["seats-unavailable", "not-found", "leaves-single-seat"].includes(error.code)) this.#look();
  }

  #refuse(text) {
    this.#working(false);
    this.error.hidden = false;
    say(this.error, text);
  }

  #working(isBusy) {
    this.element.setAttribute("aria-busy", String(isBusy));
    for (const input of this.element.querySelectorAll("input, button")) input.disabled = isBusy;
    this.error.hidden = true;
    this.state.hidden = true;
    this.state.replaceChildren();
  }
}

/** The offer at the prices at which its seats were taken: they may have changed since it was made. */
function asBooked(offer, booking) {
  const prices = new Map(booking.seats.map((seat) => [seat.seat_id, seat.price]));
  return { prices: offer.seats.map((seat, at) => prices.get(seat.seat_id) ?? offer.prices[at]) };
}

function difference(more) {
  if (more.amount_minor === 0) return t("exchangeEven");
  return t(more.amount_minor > 0 ? "exchangeMore" : "exchangeBack", { total: money({ ...more, amount_minor: Math.abs(more.amount_minor) }) });
}
