// Where the link of an offer leads: what somebody gives, and one button to have it.

import { NoAnswer, Problem, insist, newKey } from "../../api.js";
import { announce } from "../page/announce.js";
import { el, focusHeading, icon, say } from "../page/dom.js";
import { categoryName, moment, seatName } from "../page/money.js";
import { sentence } from "../page/notices.js";
import { failure, header, isSignedIn, link, signIn, usher } from "../page/session.js";
import { turn } from "../page/turn.js";
import { t } from "../words.js";

const KEPT = "usher.accepting";

/** The code in the address; null: the address is that of my bookings. */
export function offeredCode() {
  const [screen, code] = location.hash.slice(1).split("/");
  return screen === "transfer" && code ? code : null;
}

export async function giftPage(root, code) {
  const again = () => giftPage(root, code);
  const top = header({ changed: again });
  let page = null;
  const show = (offer) => [...top, (page = new Gift(code, offer)).element];
  const fail = (error) => [...top, error.status === 404 ? plain(t("noSuchGift")) : failure(error, again)];
  if (await turn(root, () => load(code), show, fail)) page?.resume();
}

/** The offer, where its seats are, and whether they are mine already. Throws Problem and NoAnswer. */
async function load(code) {
  const { body: transfer } = await usher.transfer(code);
  const { body: screening } = await usher.screening(transfer.screening.id);
  const ids = transfer.seats.map((seat) => seat.seat_id);
  const [theater, layout, booked] = await Promise.all([
    usher.theater(screening.theater_id),
    usher.layout(screening.theater_id, { seat_ids: ids.join(",") }),
    bookedHere(screening.id),
  ]);
  const known = new Map(layout.body.seats.map((seat) => [seat.id, seat]));
  const seats = transfer.seats.map((seat) => ({ ...seat, ...known.get(seat.seat_id) }));
  return { transfer, screening, theater: theater.body, seats, mine: booked.find((each) => ids.every((id) => each.seats.some((seat) => seat.seat_id === id))) };
}

/** My own bookings of a screening: staff are shown everybody's. */
async function bookedHere(screeningId) {
  if (!usher.token) return [];
  try {
    const [me, booked] = await Promise.all([usher.me(), usher.all(usher.bookings, { screening_id: screeningId, status: "confirmed" })]);
    return booked.filter((each) => each.user_id === me.body.id);
  } catch (error) {
    if (error.status === 401) return [];
    throw error;
  }
}

function plain(text) {
  return el("main", { class: "plain", testid: "error" }, el("h1", {}, t("notFound")), el("p", {}, text), el("p", { class: "does" }, el("a", { class: "button button-primary", href: link("/") }, t("allScreenings"))));
}

class Gift {
  constructor(code, { transfer, screening, theater, seats, mine }) {
    Object.assign(this, { code, transfer, screening, theater, n: seats.length });
    const seat = (each) => el("li", {}, el("span", {}, placeOf(each)), el("span", { class: "muted" }, each.category && categoryName(each.category)));
    this.heading = el("h1", {}, this.#say("gift"));
    document.title = `${this.#say("gift")} – Usher`;
    this.done = el("div", { class: "done" }, this.heading);
    this.about = el("div", { class: "gift" });
    this.card = el(
      "section",
      { class: "booking", testid: "transfer" },
      el("div", {}, el("h2", {}, screening.title), el("p", { class: "muted" }, moment(screening.starts_at, theater.timezone), " · ", theater.name)),
      el("ul", { class: "booking-seats" }, seats.map(seat)),
      this.about,
    );
    this.element = el("main", { class: "wide-page" }, this.done, this.card);
    this.flight = unanswered(code);
    if (transfer.status === "accepted" && mine) this.#accepted(mine);
    else if (this.flight) this.#offer();
    else if (transfer.status !== "offered") this.#over(transfer.status);
    else if (mine) this.#own();
    else this.#offer();
  }

  /** An acceptance that a reload interrupted is sent again as it was: only its answer tells a guest who they are. */
  resume() {
    if (this.flight) this.#send();
  }

  #offer() {
    this.card.dataset.status = "offered";
    this.error = el("p", { class: "bad", role: "alert", hidden: true });
    this.accept = el("button", { type: "button", class: "button button-primary", testid: "accept", on: { click: () => this.#send() } }, t("accept"));
    this.about.replaceChildren(
      el("p", {}, this.#say("giftFree")),
      el("p", { class: "muted small" }, t("giftUntil", { time: moment(this.transfer.expires_at, this.theater.timezone, true) })),
      this.error,
      el("div", { class: "does" }, this.accept, !isSignedIn() && el("button", { type: "button", class: "button button-quiet", on: { click: () => signIn(() => giftPage(this.element.parentElement, this.code)) } }, t("signInFirst"))),
      ...(isSignedIn() ? [] : [el("p", { class: "muted small" }, t("giftGuest"))]),
    );
  }

  async #send() {
    this.flight ??= { code: this.code, key: newKey(), anonymous: !usher.token };
    this.#working(true);
    keep(this.flight);
    try {
      const path = `/transfers/${encodeURIComponent(this.code)}/accept`;
      const { body } = await insist(() => usher.send("POST", path, this.flight));
      this.#accepted(body);
      announce(this.#say("giftAccepted"));
      focusHeading(this.element);
    } catch (error) {
      if (!(error instanceof Problem || error instanceof NoAnswer)) throw error;
      this.#failed(error);
    }
  }

  #failed(error) {
    this.#working(false);
    if (error instanceof NoAnswer) return this.#refuse(t("noAnswer")); // the same key again, when it is pressed again
    keep(null);
    this.flight = null;
    if (error.code === "transfer-over") this.#over(error.body.transfer_status);
    else if (error.code === "not-found") this.#over("withdrawn");
    else if (error.code === "validation" && error.body.errors?.some((each) => each.code === "own_transfer")) this.#own();
    else return this.#refuse(sentence(error));
    announce(this.about.textContent);
    focusHeading(this.element);
  }

  #accepted(booking) {
    keep((this.flight = null));
    this.card.dataset.status = "accepted";
    say(this.heading, this.#say("giftAccepted"));
    if (!this.done.querySelector("svg")) this.done.prepend(icon("done", "done-sign"));
    const tickets = el("a", { class: "button button-primary", href: link(`/book/${this.screening.id}#tickets/${booking.id}`) }, t("tickets"));
    this.about.replaceChildren(
      el("div", { class: "does" }, tickets, el("a", { class: "button", href: link("/bookings") }, t("myBookings"))),
      ...(isSignedIn() ? [] : [el("p", { class: "muted small" }, t("guestHint"))]),
    );
  }

  #over(status) {
    this.card.dataset.status = status;
    say(this.heading, t("giftOver"));
    this.about.replaceChildren(el("p", {}, el("b", {}, this.#say(`gift_${status}`))), el("div", { class: "does" }, el("a", { class: "button", href: link(`/book/${this.screening.id}`) }, t("chooseSeatsShort"))));
  }

  #own() {
    this.card.dataset.status = "own";
    say(this.heading, t("giftYours"));
    this.about.replaceChildren(el("p", {}, el("b", {}, this.#say("giftOwn"))), el("div", { class: "does" }, el("a", { class: "button button-primary", href: link("/bookings") }, t("myBookings"))));
  }

  /** Of one seat, or of several. */
  #say(name) {
    return t(name, { n: this.n });
  }

  #refuse(text) {
    this.error.hidden = false;
    say(this.error, text);
  }

  #working(isBusy) {
    this.about.setAttribute("aria-busy", String(isBusy));
    this.accept.disabled = isBusy;
    this.error.hidden = true;
  }
}

function placeOf(seat) {
  if (seat.row === undefined) return seat.label;
  return seat.section === seat.row ? seatName(seat) : `${seatName(seat)}, ${seat.section}`;
}

function keep(flight) {
  try {
    if (flight) sessionStorage.setItem(KEPT, JSON.stringify(flight));
    else sessionStorage.removeItem(KEPT);
  } catch {
    // Without a storage, whoever had no account and no answer has to ask the giver.
  }
}

/** The acceptance of this code that got no answer, if there is one. */
function unanswered(code) {
  try {
    const flight = JSON.parse(sessionStorage.getItem(KEPT));
    return flight?.code === code ? flight : null;
  } catch {
    return null;
  }
}
