// What I have booked, and the ways to give it back (all of it, or one seat) or to have other seats for it.

import { NoAnswer, Problem, insist, newKey } from "../api.js";
import { announce } from "./announce.js";
import { el } from "./dom.js";
import { Exchange } from "./exchange.js";
import { money, moment, seatName } from "./money.js";
import { sentence } from "./notices.js";
import { failure, header, isSignedIn, link, signIn, usher } from "./session.js";
import { t } from "./words.js";

const AT_ONCE = 200;

export async function bookingsPage(root) {
  const again = () => bookingsPage(root);
  const top = header({ current: "bookings", changed: again });
  try {
    const bookings = usher.token ? await usher.all(usher.bookings) : [];
    const abouts = await aboutAll(bookings);
    root.replaceChildren(...top, content(bookings, abouts, again));
  } catch (error) {
    if (!(error instanceof Problem || error instanceof NoAnswer)) throw error;
    root.replaceChildren(...top, error.status === 401 ? content([], new Map(), again) : failure(error, again));
  }
}

/** Screening, theater and seats of each booking: each screening and theater is asked for once, and only for these seats. */
async function aboutAll(bookings) {
  const screenings = await each(new Set(bookings.map((booking) => booking.screening_id)), (id) => usher.screening(id));
  const theaterOf = (booking) => screenings.get(booking.screening_id).theater_id;
  const theaterIds = new Set(bookings.map(theaterOf));
  const [theaters, seats] = await Promise.all([
    each(theaterIds, (id) => usher.theater(id)),
    each(theaterIds, (id) => seatsOf(id, bookings.filter((booking) => theaterOf(booking) === id))),
  ]);
  const about = (screening) => ({ screening, theater: theaters.get(screening.theater_id), seats: seats.get(screening.theater_id) });
  return new Map([...screenings].map(([id, screening]) => [id, about(screening)]));
}

async function each(ids, ask) {
  return new Map(await Promise.all([...ids].map(async (id) => [id, (await ask(id)).body])));
}

/** Where these bookings' seats are, by their ids. A house that was rebuilt since may lack some. */
async function seatsOf(theaterId, bookings) {
  const ids = [...new Set(bookings.flatMap((booking) => booking.seats.map((seat) => seat.seat_id)))];
  const known = new Map();
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    const { body } = await usher.layout(theaterId, { seat_ids: ids.slice(at, at + AT_ONCE).join(",") });
    for (const seat of body.seats) known.set(seat.id, seat);
  }
  return { body: known };
}

function content(bookings, abouts, again) {
  const none = el(
    "div",
    { class: "empty", testid: "empty" },
    el("p", { class: "muted" }, t("noBookings")),
    el("p", { class: "does" }, el("a", { class: "button button-primary", href: link("/") }, t("allScreenings")), !isSignedIn() && el("button", { type: "button", class: "button", on: { click: () => signIn(again) } }, t("signIn"))),
  );
  const list = el("ul", { class: "cards bookings" }, bookings.map((booking) => new Card(booking, abouts.get(booking.screening_id)).node));
  const forget = usher.token && !isSignedIn() && el("p", { class: "forget muted small" }, t("guestHint"), " ", el("button", { type: "button", class: "link", on: { click: () => (usher.forget(), again()) } }, t("forgetMe")));
  return el("main", { class: "wide-page" }, el("h1", {}, t("myBookings")), bookings.length ? list : none, forget);
}

class Card {
  constructor(booking, about) {
    this.booking = booking;
    this.about = about;
    this.node = el("li", { class: "booking", testid: "booking" });
    this.node.dataset.bookingId = booking.id;
    this.#show();
  }

  get #isOpen() {
    const { screening } = this.about;
    return this.booking.status === "confirmed" && Date.parse(screening.cancel_until ?? screening.starts_at) > Date.now();
  }

  #name(seat) {
    const known = this.about.seats.get(seat.seat_id);
    if (!known) return seat.label;
    return known.section === known.row ? seatName(known) : `${seatName(known)}, ${known.section}`;
  }

  #show(said = null) {
    const { booking, about } = this;
    const isCancelled = booking.status === "cancelled";
    const seat = (each) =>
      el("li", {}, el("span", {}, this.#name(each)), el("span", {}, money(each.price)), this.#isOpen && booking.seats.length > 1 && el("button", { type: "button", class: "button button-small", testid: "cancel-seat", "aria-label": t("cancelSeatNamed", { seat: this.#name(each) }), on: { click: () => this.#ask(each) } }, t("cancelSeat")));
    this.question = el("div", { class: "question", hidden: true });
    const parts = [
      el("div", { class: "booking-head" }, el("div", {}, el("h2", {}, about.screening.title), el("p", { class: "muted" }, moment(about.screening.starts_at, about.theater.timezone), " · ", about.theater.name)), el("p", { class: isCancelled ? "status muted" : "status good" }, t(isCancelled ? "statusCancelled" : "statusConfirmed"))),
      el("ul", { class: "booking-seats" }, booking.seats.map(seat)),
      el("p", { class: "total" }, el("span", {}, t("total")), el("span", {}, money(booking.total))),
      said && el("p", { class: "good", role: "status" }, said),
      !isCancelled && el("div", { class: "does" }, el("a", { class: "button", href: link(`/book/${booking.screening_id}#tickets/${booking.id}`) }, t("tickets")), this.#isOpen && about.screening.on_sale && el("button", { type: "button", class: "button", testid: "exchange", on: { click: () => this.#exchange() } }, t("exchange")), this.#isOpen && el("button", { type: "button", class: "button", testid: "cancel-booking", on: { click: () => this.#ask(null) } }, t("cancelAll"))),
      this.question,
    ];
    this.node.replaceChildren(...parts.filter(Boolean));
  }

  /** In place: what would be cancelled, and two buttons. */
  #ask(seat) {
    const what = seat ? t("cancelSeatQuestion", { seat: this.#name(seat), price: money(seat.price) }) : t("cancelQuestion", { n: this.booking.seats.length, total: money(this.booking.total) });
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
      this.#changed(text);
    };
    const panel = new Exchange({ booking: this.booking, screening: this.about.screening, nameOf: (seat) => this.#name(seat), done, close: () => this.#close("exchange") });
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

  async #cancel(seat, key, button) {
    button.disabled = true;
    const { id } = this.booking;
    try {
      const { body } = await insist(() => (seat ? usher.cancelSeat(id, seat.seat_id, key) : usher.cancelBooking(id, key)));
      const amount = seat ? seat.price : this.booking.total;
      const before = this.booking.seats;
      this.booking = body.seats.length ? body : { ...body, seats: before, total: this.booking.total };
      this.#changed(t("cancelled", { total: money(amount) }));
    } catch (error) {
      if (!(error instanceof Problem || error instanceof NoAnswer)) throw error;
      const text = error instanceof Problem ? sentence(error) : t("noAnswer");
      this.question.append(el("p", { class: "bad", role: "alert" }, text));
      button.disabled = false;
    }
  }
}
