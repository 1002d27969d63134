// What I have booked: a card for each booking.

import { NoAnswer, Problem } from "../../api.js";
import { BookingCard } from "./booking.js";
import { el } from "../page/dom.js";
import { myTransfers } from "./giving.js";
import { failure, header, isSignedIn, link, signIn, usher } from "../page/session.js";
import { turn } from "../page/turn.js";
import { t } from "../words.js";

const AT_ONCE = 200;
const LOOKED_AT_EVERY = 10_000;

export async function bookingsPage(root) {
  const again = () => bookingsPage(root);
  const top = header({ current: "bookings", changed: again });
  let cards = [];
  const show = (all) => [...top, content((cards = all), again)];
  const fail = (error) => [...top, error.status === 401 ? content([], again) : failure(error, again)];
  if (await turn(root, mine, show, fail)) watch(cards);
}

async function mine() {
  if (!usher.token) return [];
  const [bookings, transfers] = await Promise.all([usher.all(usher.bookings), myTransfers()]);
  const abouts = await aboutAll(bookings, transfers);
  return bookings.map((booking) => new BookingCard(booking, abouts.get(booking.screening_id), transfers));
}

/** Screening, theater and seats of each booking: each screening and theater is asked for once, and only for these seats. */
async function aboutAll(bookings, transfers) {
  const screenings = await each(new Set(bookings.map((booking) => booking.screening_id)), (id) => usher.screening(id));
  const theaterOf = (booking) => screenings.get(booking.screening_id).theater_id;
  const theaterIds = new Set(bookings.map(theaterOf));
  const [theaters, seats] = await Promise.all([
    each(theaterIds, (id) => usher.theater(id)),
    each(theaterIds, (id) => seatsOf(id, [...bookings, ...transfers.given].filter((each) => screenings.has(each.screening_id) && theaterOf(each) === id))),
  ]);
  const about = (screening) => ({ screening, theater: theaters.get(screening.theater_id), seats: seats.get(screening.theater_id) });
  return new Map([...screenings].map(([id, screening]) => [id, about(screening)]));
}

async function each(ids, ask) {
  return new Map(await Promise.all([...ids].map(async (id) => [id, (await ask(id)).body])));
}

/** Where the seats of these bookings and offers are, by their ids. A house that was rebuilt since may lack some. */
async function seatsOf(theaterId, bookings) {
  const ids = [...new Set(bookings.flatMap((each) => each.seats.map((seat) => seat.seat_id)))];
  const known = new Map();
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    const { body } = await usher.layout(theaterId, { seat_ids: ids.slice(at, at + AT_ONCE).join(",") });
    for (const seat of body.seats) known.set(seat.id, seat);
  }
  return { body: known };
}

/** What others do with what is offered here is seen without a reload, though not at once. */
function watch(cards) {
  const look = async () => {
    if (!cards.some((card) => card.node.isConnected)) return stop();
    if (document.hidden || !cards.some((card) => card.isOffering)) return;
    try {
      const transfers = await myTransfers();
      await Promise.all(cards.map((card) => card.learn(transfers)));
    } catch (error) {
      if (!(error instanceof Problem || error instanceof NoAnswer)) throw error; // looked at again, later
    }
  };
  const timer = setInterval(look, LOOKED_AT_EVERY);
  const stop = () => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", look);
  };
  document.addEventListener("visibilitychange", look);
}

function content(cards, again) {
  const none = el(
    "div",
    { class: "empty", testid: "empty" },
    el("p", { class: "muted" }, t("noBookings")),
    el("p", { class: "does" }, el("a", { class: "button button-primary", href: link("/") }, t("allScreenings")), !isSignedIn() && el("button", { type: "button", class: "button", on: { click: () => signIn(again) } }, t("signIn"))),
  );
  const list = el("ul", { class: "cards bookings" }, cards.map((card) => card.node));
  const forget = usher.token && !isSignedIn() && el("p", { class: "forget muted small" }, t("guestHint"), " ", el("button", { type: "button", class: "link", on: { click: () => (usher.forget(), again()) } }, t("forgetMe")));
  return el("main", { class: "wide-page" }, el("h1", {}, t("myBookings")), cards.length ? list : none, forget);
}
