// One booking as a card: its seats, and in place what one can do with it: give it back (all of it, or one seat), have other
// seats for it, or give it to somebody else.

import { NoAnswer, Problem, insist, newKey } from "../../api.js";
import { announce } from "../page/announce.js";
import { el } from "../page/dom.js";
import { Exchange } from "./exchange.js";
import { Give, Offer, myTransfers } from "./giving.js";
import { money, moment, seatName } from "../page/money.js";
import { named, sentence } from "../page/notices.js";
import { link, usher } from "../page/session.js";
import { listed, t } from "../words.js";

export class BookingCard {
  constructor(booking, about, transfers) {
    this.booking = booking;
    this.about = about;
    this.#take(transfers);
    this.node = el("li", { class: "booking", testid: "booking" });
    this.node.dataset.bookingId = booking.id;
    this.#show();
  }

  get #isOpen() {
    const { screening } = this.about;
    return this.booking.status === "confirmed" && Date.parse(screening.cancel_until ?? screening.starts_at) > Date.now();
  }

  get isOffering() {
    return this.given.some((offer) => offer.status === "offered");
  }

  /** All of it went to somebody else: with its seats went all that was paid. */
  get #isGivenAway() {
    const { status, payment } = this.booking;
    return status === "cancelled" && payment.amount.amount_minor === 0 && this.given.some((offer) => offer.status === "accepted");
  }

  #take(transfers) {
    this.given = this.#givenOf(transfers);
    this.isTaken = transfers.taken.some((transfer) => transfer.booking_id === this.booking.id);
  }

  #givenOf({ given }) {
    return given.filter((offer) => offer.booking_id === this.booking.id && ["offered", "accepted"].includes(offer.status));
  }

  /** Shows what became of the offers, unless somebody is being asked something here, or has done something since it was read. */
  async learn(transfers, said = null) {
    const { booking, question } = this;
    const next = this.#givenOf(transfers);
    const isSame = this.given.length === next.length && this.given.every((offer, at) => offer.code === next[at].code && offer.status === next[at].status);
    if (said === null && (isSame || !question.hidden)) return;
    const { body } = await usher.booking(booking.id);
    if (said === null && (this.question !== question || !question.hidden)) return; // it is looked at again
    this.#take(transfers);
    this.booking = body;
    if (said === null) this.#show();
    else this.#changed(said);
  }

  #name(seat) {
    const known = this.about.seats.get(seat.seat_id);
    if (!known) return seat.label;
    return known.section === known.row ? seatName(known) : `${seatName(known)}, ${known.section}`;
  }

  #names(seats) {
    const known = seats.map((seat) => this.about.seats.get(seat.seat_id));
    return known.every((seat) => seat && seat.section === seat.row) ? named(known) : listed(seats.map((seat) => this.#name(seat)));
  }

  /** What is neither offered already nor gone. */
  get #givable() {
    const offered = new Set(this.given.filter((offer) => offer.status === "offered" && offer.code).flatMap((offer) => offer.seats.map((seat) => seat.seat_id)));
    return this.booking.seats.filter((seat) => !offered.has(seat.seat_id));
  }

  #offers() {
    const zone = this.about.theater.timezone;
    const changed = (text) => myTransfers().then((transfers) => this.learn(transfers, text)).catch(() => location.reload());
    return this.given.map((offer) => new Offer(offer, { names: this.#names(offer.seats), zone, changed }).node);
  }

  #show(said = null) {
    const { booking, about } = this;
    const isCancelled = booking.status === "cancelled";
    const isGone = this.#isGivenAway;
    const status = t(isGone ? "statusGiven" : isCancelled ? "statusCancelled" : "statusConfirmed");
    const seat = (each) =>
      el("li", {}, el("span", {}, this.#name(each)), el("span", {}, money(each.price)), this.#isOpen && booking.seats.length > 1 && el("button", { type: "button", class: "button button-small", testid: "cancel-seat", "aria-label": t("cancelSeatNamed", { seat: this.#name(each) }), on: { click: () => this.#ask(each) } }, t("cancelSeat")));
    this.question = el("div", { class: "question", hidden: true });
    const parts = [
      el("div", { class: "booking-head" }, el("div", {}, el("h2", {}, about.screening.title), el("p", { class: "muted" }, moment(about.screening.starts_at, about.theater.timezone), " · ", about.theater.name)), el("p", { class: isCancelled ? "status muted" : "status good" }, status)),
      !isGone && el("ul", { class: "booking-seats" }, booking.seats.map(seat)),
      !isGone && el("p", { class: "total" }, el("span", {}, t("total")), el("span", {}, money(booking.total))),
      this.isTaken && el("p", { class: "muted small" }, t("wasGiven")),
      ...this.#offers(),
      said && el("p", { class: "good", role: "status" }, said),
      !isCancelled && el("div", { class: "does" }, el("a", { class: "button", href: link(`/book/${booking.screening_id}#tickets/${booking.id}`) }, t("tickets")), this.#isOpen && about.screening.on_sale && el("button", { type: "button", class: "button", testid: "exchange", on: { click: () => this.#exchange() } }, t("exchange")), this.#isOpen && this.#givable.length > 0 && el("button", { type: "button", class: "button", testid: "give", on: { click: () => this.#give() } }, t("give")), this.#isOpen && el("button", { type: "button", class: "button", testid: "cancel-booking", on: { click: () => this.#ask(null) } }, t("cancelAll"))),
      this.question,
    ];
    this.node.replaceChildren(...parts.filter(Boolean));
  }

  /** In place: what would be cancelled, and two buttons. */
  #ask(seat) {
    const { seats, total } = this.booking;
    const back = t(this.isTaken ? "backToPayer" : "backToYou", { total: money(seat ? seat.price : total) });
    const what = `${seat ? t("cancelSeatQuestion", { seat: this.#name(seat) }) : t("cancelQuestion", { n: seats.length })} ${back}`;
    const key = newKey();
    const yes = el("button", { type: "button", class: "button button-bad", testid: "confirm-cancel", on: { click: () => this.#cancel(seat, key, yes) } }, t("yesCancel"));
    const no = el("button", { type: "button", class: "button button-quiet", on: { click: () => this.#close() } }, t("keepIt"));
    this.question.replaceChildren(el("p", {}, what), el("div", { class: "does" }, yes, no));
    this.question.hidden = false;
    no.focus();
  }

  /** In place: which seats for which. */
  #exchange() {
    const done = (booking, seats, text) => {
      for (const seat of seats) if (seat.row) this.about.seats.set(seat.seat_id, seat);
      this.booking = booking;
      this.#endOffers().then(() => this.#changed(text));
    };
    const panel = new Exchange({ booking: this.booking, screening: this.about.screening, nameOf: (seat) => this.#name(seat), done, close: () => this.#close("exchange") });
    this.question.replaceChildren(panel.element);
    this.question.hidden = false;
    panel.back.focus();
  }

  /** In place: which seats for somebody else. */
  #give() {
    const done = (offer) => {
      this.given = [offer, ...this.given];
      this.#show();
      announce(t("offered", { seats: this.#names(offer.seats) }));
      this.node.querySelector("[data-testid=copy-link]").focus();
    };
    const panel = new Give({ booking: this.booking, seats: this.#givable, nameOf: (seat) => this.#name(seat), done, close: () => this.#close("give") });
    this.question.replaceChildren(panel.element);
    this.question.hidden = false;
    panel.back.focus();
  }

  #close(opener = "cancel-booking") {
    this.question.hidden = true;
    this.node.querySelector(`[data-testid=${opener}]`)?.focus();
  }

  #changed(text) {
    this.#show(text);
    announce(text);
    const heading = this.node.querySelector("h2");
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }

  /** Offers of seats that have left the booking are over. */
  async #endOffers() {
    if (!this.isOffering) return;
    const transfers = await myTransfers().catch(() => null);
    if (transfers) this.#take(transfers);
  }

  async #cancel(seat, key, button) {
    button.disabled = true;
    const { id } = this.booking;
    try {
      const { body } = await insist(() => (seat ? usher.cancelSeat(id, seat.seat_id, key) : usher.cancelBooking(id, key)));
      this.booking = body;
      await this.#endOffers();
      this.#changed(t(this.isTaken ? "cancelledTaken" : "cancelled", { total: money(seat ? seat.price : body.total) }));
    } catch (error) {
      if (!(error instanceof Problem || error instanceof NoAnswer)) throw error;
      const text = error instanceof Problem ? sentence(error) : t("noAnswer");
      this.question.append(el("p", { class: "bad", role: "alert" }, text));
      button.disabled = false;
    }
  }
}
