// The confirmation: what was booked, to keep and to print.

import { Problem } from "../../api.js";
import { el, icon } from "../page/dom.js";
import { categoryName, money, moment, signsOf } from "../page/money.js";
import { link, usher } from "../page/session.js";
import { t } from "../words.js";

const serves = new Set((document.documentElement.dataset.serves ?? "").split(" "));

/** The screen of a booking. `house` tells where its seats are. */
export async function ticketScreen(bookingId, { screening, theater, house }) {
  const { body: booking } = await usher.booking(bookingId);
  const codes = serves.has("tickets") ? await ticketsOf(booking.id) : new Map();
  const seats = booking.seats.map((each) => ({ ...each, ...(house.byLabel.get(each.label) ?? {}), price: each.price }));
  const isCancelled = booking.status === "cancelled";
  return el(
    "div",
    {},
    el("div", { class: "done" }, !isCancelled && icon("done", "done-sign"), el("h1", {}, t(isCancelled ? "bookingCancelled" : "booked!"))),
    el("p", { class: "what-for" }, el("b", {}, screening.title), el("br"), moment(screening.starts_at, theater.timezone), " · ", theater.name),
    el("ul", { class: "tickets" }, seats.map((seat) => ticket(seat, codes.get(seat.seat_id), screening, theater))),
    el("div", { class: "total" }, el("span", {}, t("total")), el("span", { testid: "booked-total" }, money(booking.total))),
    el("p", { class: "muted small" }, t("bookingNumber", { id: booking.id })),
    el(
      "div",
      { class: "does" },
      el("button", { type: "button", class: "button button-primary", testid: "print", on: { click: () => print() } }, icon("print"), t("print")),
      serves.has("calendar") && el("a", { class: "button", testid: "calendar", href: "#", on: { click: (event) => calendar(event, booking.id) } }, t("calendar")),
      el("a", { class: "button", href: link("/bookings") }, t("myBookings")),
    ),
  );
}

function ticket(seat, code, screening, theater) {
  const where = seat.section === undefined || seat.section === seat.row ? [] : [part(t("section"), seat.section)];
  const place = seat.row === undefined ? [part(t("seat"), seat.label)] : [...where, part(t("row"), seat.row), part(t("seat"), String(seat.number))];
  const about = seat.category ? [categoryName(seat.category), ...signsOf(seat)].join(" · ") : "";
  return el(
    "li",
    { class: "ticket", testid: "ticket" },
    el("p", { class: "print-only" }, screening.title, ", ", moment(screening.starts_at, theater.timezone, true)),
    el("dl", {}, place),
    el("p", { class: "small muted" }, about),
    el("p", {}, el("b", {}, money(seat.price))),
    code && el("img", { src: code.qr_url, alt: t("ticketCode", { code: code.code }), width: "160", height: "160" }),
    code && el("p", { class: "code" }, code.code),
  );
}

function part(name, value) {
  return el("div", {}, el("dt", {}, name), el("dd", {}, value));
}

async function ticketsOf(bookingId) {
  try {
    const { body } = await usher.tickets(bookingId);
    return new Map(body.items.filter((each) => each.status === "valid" || each.status === "used").map((each) => [each.seat.seat_id, each]));
  } catch (error) {
    if (error instanceof Problem) return new Map();
    throw error;
  }
}

// A link cannot carry a token: the file is fetched, and then handed over.
async function calendar(event, bookingId) {
  event.preventDefault();
  const answer = await fetch(`/api/v1/bookings/${bookingId}.ics`, { headers: { Authorization: `Bearer ${usher.token}` } });
  const anchor = el("a", { href: URL.createObjectURL(await answer.blob()), download: "usher.ics" });
  anchor.click();
}
