// Paying: an address for the tickets, a card, one button. A payment has one key until it is answered, over a reload too.

import { NoAnswer, Problem, insist, mayRepeat, newKey } from "../../api.js";
import { alertAll, announce } from "../page/announce.js";
import { learn } from "../page/clock.js";
import { el } from "../page/dom.js";
import { tell } from "../page/embed.js";
import { money, sum } from "../page/money.js";
import { named, sentence } from "../page/notices.js";
import { Payer } from "./payer.js";
import { usher } from "../page/session.js";
import { locale, t } from "../words.js";

export const POLL = 1500;

export class Checkout {
  #busy = false;

  constructor(store, sync, { paid, back, changed, readAll }) {
    Object.assign(this, { store, sync, paid, readAll });
    this.kept = `usher.pay.${store.screening.id}`;
    this.payer = new Payer({ changed });
    this.card = el("input", { id: "card", type: "text", autocomplete: "off", inputmode: "text", spellcheck: "false", testid: "card", "aria-describedby": "card-hint" });
    this.error = el("div", { class: "bad pay-error", testid: "pay-error", hidden: true });
    this.state = el("p", { class: "waiting", hidden: true });
    this.until = el("p", { class: "muted small until" });
    this.button = el("button", { type: "submit", class: "button button-primary go", testid: "pay" });
    this.form = el(
      "form",
      { class: "pay-form", novalidate: true, on: { submit: (event) => this.#submit(event) } },
      this.payer.element,
      el("fieldset", {}, el("legend", {}, t("payment")), el("label", { for: "card" }, t("card"), this.card), el("p", { class: "muted small", id: "card-hint" }, t("cardHint"))),
      this.error,
      this.state,
      this.button,
      this.until,
    );
    this.element = el(
      "section",
      { class: "pay", hidden: true, "aria-labelledby": "pay-title" },
      el("button", { type: "button", class: "button button-quiet back-link", on: { click: back } }, t("backToSeats")),
      el("h1", { id: "pay-title" }, t("pay")),
      el("p", { class: "muted" }, store.screening.title),
      this.form,
    );
    store.addEventListener("hold", () => this.update());
    this.update();
  }

  get isBusy() {
    return this.#busy;
  }

  update() {
    const seats = this.store.mySeats;
    const total = money(sum(seats.map((seat) => this.store.price(seat)), Object.values(this.store.screening.prices)[0]?.currency));
    this.button.textContent = t("payTotal", { total });
    this.button.disabled = seats.length === 0 || this.#busy;
    const ends = this.store.endsAt;
    this.until.textContent = ends === null ? "" : t("heldUntil", { time: this.#hour(ends) });
  }

  /** A payment that a reload interrupted is carried on. */
  resume() {
    const flight = this.#stored();
    const paying = [...this.store.reservations.values()].find((each) => each.status === "paying");
    if (flight) this.#send(flight);
    else if (paying) this.#wait(paying);
    return Boolean(flight || paying);
  }

  async #submit(event) {
    event.preventDefault();
    if (this.#busy) return;
    this.#say(null);
    if (!this.payer.isComplete()) return this.#refuse(t("emailNeeded"));
    this.#working(true);
    try {
      const reservation = await this.#oneReservation();
      if (!reservation) return this.#working(false);
      await this.payer.give();
    } catch (error) {
      this.#working(false);
      if (error.code !== "validation") return this.#failed(error);
      this.payer.refuse(); // the service knows better what an address is
      return this.#refuse(t("emailNeeded"));
    }
    const [id] = this.store.reservations.keys();
    await this.#send({ id, key: newKey(), payment: { method: "card", token: tokenOf(this.card.value) } });
  }

  /** What is held in several parts becomes one. Null if it could not. */
  async #oneReservation() {
    await this.sync.settled();
    if (this.store.reservations.size > 1) {
      const ids = [...this.store.held.keys()];
      const key = newKey();
      const answer = await insist(() => usher.hold(this.store.screening.id, ids, key));
      learn(answer);
      this.store.takeReservation(answer.body, answer.sentAt);
    }
    return this.store.reservations.size === 1;
  }

  async #send(flight) {
    this.#working(true);
    this.#keep(flight);
    for (;;) {
      try {
        const answer = await insist(() => usher.confirm(flight.id, flight.payment, flight.key), () => this.#say(t("waitingForBank")));
        this.#keep(null);
        if (answer.status === 202) return await this.#wait(answer.body);
        return this.#done(answer.body);
      } catch (error) {
        if (error instanceof NoAnswer || error.code === "idempotency-key-in-use") {
          this.#say(t("waitingForBank"));
          await pause();
          continue;
        }
        this.#keep(null);
        if (error.code === "payment-pending") return await this.#wait({ id: flight.id });
        return await this.#failed(error);
      }
    }
  }

  /** The provider has not decided: asks until it has. The seats are nobody else's meanwhile. */
  async #wait(reservation) {
    this.#working(true);
    announce(t("waitingForBank"));
    for (let said = reservation; ; ) {
      this.#sayWaiting(said.payment);
      await pause();
      try {
        const { body, sentAt } = await usher.reservation(reservation.id);
        said = body;
        if (body.status === "paying") this.store.takeReservation(body, sentAt);
        else return await this.#decided(body, sentAt);
      } catch (error) {
        if (!mayRepeat(error)) return await this.#failed(error);
      }
    }
  }

  #sayWaiting(payment) {
    const url = payment?.status === "requires_action" ? payment.redirect_url : null;
    if (this.waitsAt === url && !this.state.hidden) return;
    this.waitsAt = url;
    // A bank's page may refuse to be shown in a frame, and this one waits for what it decides.
    this.#say(t(url ? "bankAsks" : "waitingForBank"), url && el("a", { class: "button", href: url, target: "_blank", rel: "noopener" }, t("continueAtBank")));
  }

  async #decided(reservation, sentAt) {
    if (reservation.booking_id) return this.#done((await usher.booking(reservation.booking_id)).body);
    const seats = this.store.reservations.get(reservation.id)?.seats ?? [];
    this.store.takeReservation(reservation, sentAt);
    // Nobody wants any more what has ended: else the basket would show it, and wait for it.
    if (reservation.status !== "held") this.store.want(seats.map((each) => each.seat_id), false);
    const code = reservation.status === "held" ? "payment-declined" : "reservation-expired";
    return this.#failed(new Problem(code === "payment-declined" ? 402 : 409, { code, expires_at: reservation.expires_at }));
  }

  #done(booking) {
    this.#working(false);
    this.#say(null);
    this.store.takeBooking(booking);
    tell("booked", { booking_id: booking.id, seats: booking.seats, total: booking.total });
    this.paid(booking);
  }

  async #failed(error) {
    this.#working(false);
    this.#say(null);
    if (error.code === "reservation-ended" && error.body.booking_id) {
      return this.#done((await usher.booking(error.body.booking_id)).body);
    }
    await this.readAll().catch(() => {});
    const ends = this.store.endsAt;
    const held = ends === null ? "" : ` ${t("seatsHeldUntil", { time: this.#hour(ends) })}`;
    if (error.code === "payment-declined") return this.#refuse(`${t("declined")}${held}`);
    if (error.code === "reservation-expired") {
      const gone = (error.body.seats ?? []).map((each) => this.store.house.byId.get(each.seat_id)).filter(Boolean);
      const names = gone.length ? ` ${t("gone", { seats: named(gone), n: gone.length })}` : "";
      return this.#refuse(`${t("ended")} ${t("nothingCharged")}${names}`);
    }
    if (error instanceof NoAnswer) return this.#refuse(t("noAnswer"));
    if (!(error instanceof Problem)) throw error;
    tell("error", { code: error.code, request_id: error.requestId });
    return this.#refuse(`${sentence(error)}${error.code === "payments-unavailable" ? held : ""}`, error.requestId);
  }

  #refuse(text, reference = null) {
    this.error.replaceChildren(el("p", {}, text), ...(reference ? [el("p", { class: "small" }, t("reference", { id: reference }))] : []));
    this.error.hidden = false;
    alertAll(text);
  }

  #say(text, action = null) {
    this.state.hidden = !text;
    this.state.replaceChildren(...[text, action].filter(Boolean));
    if (text || !this.#busy) this.error.hidden = true;
  }

  #working(isBusy) {
    this.#busy = isBusy;
    this.form.setAttribute("aria-busy", String(isBusy));
    this.update();
  }

  #hour(ends) {
    return new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(new Date(Date.now() + ends - performance.now()));
  }

  #keep(flight) {
    try {
      if (flight) sessionStorage.setItem(this.kept, JSON.stringify(flight));
      else sessionStorage.removeItem(this.kept);
    } catch {
      // Without a storage, the reservation says after a reload how the payment ended.
    }
  }

  #stored() {
    try {
      return JSON.parse(sessionStorage.getItem(this.kept));
    } catch {
      return null;
    }
  }
}

function pause() {
  return new Promise((done) => setTimeout(done, POLL));
}

/** The demonstration takes words for cards; a number that looks like one is as good as its word. */
export function tokenOf(text) {
  const said = text.trim();
  if (/^[\d\s-]{8,}$/.test(said)) return /0002$/.test(said.replace(/\D/g, "")) ? "declined" : "ok";
  return said || "ok";
}
