// Seats for somebody else: which, the link to hand over, and what became of it. The link is sent to nobody from here.

import { NoAnswer, Problem, insist, newKey } from "../../api.js";
import { announce } from "../page/announce.js";
import { el, say } from "../page/dom.js";
import { moment, money } from "../page/money.js";
import { sentence } from "../page/notices.js";
import { usher } from "../page/session.js";
import { t } from "../words.js";

/** Where whoever has the code accepts. Behind the # it is sent to no server, so that none writes it down. */
export function linkOf(code) {
  return `${location.origin}/bookings#transfer/${code}`;
}

/** What I offered, and what I accepted, newest first. */
export async function myTransfers() {
  const [given, taken] = await Promise.all([usher.all(usher.transfers, { side: "giver" }), usher.all(usher.transfers, { side: "taker" })]);
  return { given, taken };
}

export class Give {
  /** `seats` may be given; `nameOf(seat)` says where one is; `done(offer)` and `close()` end it. */
  constructor({ booking, seats, nameOf, done, close }) {
    Object.assign(this, { booking, done });
    this.flight = null;
    this.give = seats.map((seat) => ({ seat, box: el("input", { type: "checkbox", checked: true, value: seat.seat_id, on: { change: () => this.#choose() } }) }));
    const labels = this.give.map(({ seat, box }) => el("label", { class: "check" }, box, el("span", {}, `${nameOf(seat)}, ${money(seat.price)}`)));
    this.hint = el("p", {}, t("giveHint", { n: seats.length }));
    this.error = el("p", { class: "bad", role: "alert", hidden: true });
    this.go = el("button", { type: "submit", class: "button button-primary", testid: "confirm-give" }, t("makeLink"));
    this.back = el("button", { type: "button", class: "button button-quiet", on: { click: close } }, t("keepIt"));
    this.element = el(
      "form",
      { class: "exchange", on: { submit: (event) => this.#submit(event) } },
      seats.length > 1 ? el("fieldset", {}, el("legend", {}, t("giveWhich")), labels) : el("p", {}, el("b", {}, t("giveOne", { seat: nameOf(seats[0]) }))),
      this.hint,
      this.error,
      el("div", { class: "does" }, this.go, this.back),
    );
  }

  get #chosen() {
    return this.give.filter(({ box }) => box.checked).map(({ seat }) => seat.seat_id);
  }

  #choose() {
    this.flight = null;
    this.go.disabled = this.#chosen.length === 0;
    say(this.hint, t("giveHint", { n: this.#chosen.length }));
  }

  async #submit(event) {
    event.preventDefault();
    if (this.go.disabled) return;
    // Sent again after no answer, it is the same request, and the code is the same.
    this.flight ??= { key: newKey(), seats: this.#chosen };
    this.#working(true);
    try {
      const { body } = await insist(() => usher.offer(this.booking.id, this.flight.seats, this.flight.key));
      this.done({ ...body, booking_id: this.booking.id });
    } catch (error) {
      if (!(error instanceof NoAnswer)) this.flight = null;
      this.#working(false);
      this.error.hidden = false;
      say(this.error, inWords(error));
    }
  }

  #working(isBusy) {
    this.element.setAttribute("aria-busy", String(isBusy));
    for (const input of this.element.querySelectorAll("input, button")) input.disabled = isBusy;
    this.error.hidden = true;
  }
}

/** One offer in a booking's card. `names` says its seats; `changed(text)` is told when it is over. */
export class Offer {
  constructor(offer, { names, zone, changed }) {
    Object.assign(this, { offer, names, changed });
    this.node = el("div", { class: offer.status === "offered" ? "offer" : "offer is-over", testid: "transfer" });
    this.node.dataset.status = offer.status;
    this.node.append(...(offer.status === "offered" ? this.#open(zone) : [el("p", { class: "muted" }, t("givenAway", { seats: names }))]));
  }

  #open(zone) {
    const { offer, names } = this;
    const key = newKey();
    const back = el("button", { type: "button", class: "button", testid: "take-back", "aria-label": t("takeBackNamed", { seats: names }), on: { click: () => this.#takeBack(back, key) } }, t("takeBack"));
    this.error = el("p", { class: "bad", role: "alert", hidden: true });
    return [
      el("p", {}, el("b", {}, t("offered", { seats: names })), el("br"), el("span", { class: "muted small" }, t("offeredUntil", { time: moment(offer.expires_at, zone, true) }))),
      // What made the code may be forgotten: offered again, the seats get another one.
      ...(offer.code ? [...this.#link(), this.error, el("div", { class: "does" }, this.copy, back)] : [el("p", {}, t("linkForgotten"))]),
    ];
  }

  #link() {
    this.input = el("input", { type: "text", readonly: true, dir: "ltr", value: linkOf(this.offer.code), testid: "transfer-link", "aria-label": t("transferLink", { seats: this.names }), on: { focus: () => this.input.select() } });
    this.copy = el("button", { type: "button", class: "button button-primary", testid: "copy-link", on: { click: () => this.#copy() } }, t("copyLink"));
    return [this.input, el("p", { class: "muted small" }, t("linkHint", { n: this.offer.seats.length }))];
  }

  async #copy() {
    const text = (await copied(this.input)) ? t("copied") : t("copyByHand");
    say(this.copy, text);
    announce(text);
  }

  async #takeBack(button, key) {
    button.disabled = true;
    this.error.hidden = true;
    try {
      await insist(() => usher.withdraw(this.offer.code, key));
      this.changed(t("takenBack", { seats: this.names }));
    } catch (error) {
      if (error.code === "transfer-over") return this.changed(t("takenMeanwhile"));
      button.disabled = false;
      this.error.hidden = false;
      say(this.error, inWords(error));
    }
  }
}

function inWords(error) {
  if (!(error instanceof Problem || error instanceof NoAnswer)) throw error;
  return error instanceof NoAnswer ? t("noAnswer") : sentence(error);
}

/** Whether the text of this field is in the clipboard now. Pages on plain HTTP have no navigator.clipboard. */
async function copied(input) {
  try {
    await navigator.clipboard.writeText(input.value);
    return true;
  } catch {
    input.focus();
    input.select();
    return document.execCommand("copy");
  }
}
