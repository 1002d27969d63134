// What is known of a screening's seats: the truth as the service said it, under what is wanted and on its way.
//
// Every word of the service has a version. A message or an answer writes a seat if it is newer than what the seat says, a
// snapshot also if it is as new. A snapshot knows nobody, so what my reservations and bookings have is mine.

import { endOf, serverNow } from "../page/clock.js";

export class Store extends EventTarget {
  truth = new Map();
  base = 0;
  version = 0;
  reservations = new Map();
  held = new Map();
  booked = new Set();
  wanted = new Set();
  link = "live";

  constructor(screening, house) {
    super();
    this.screening = screening;
    this.house = house;
  }

  /** Whether seats can be had at all. */
  get isOpen() {
    return this.screening.on_sale && !this.screening.cancelled_at;
  }

  /** {status, pending, mine} as it is drawn. */
  shown(id) {
    if (this.booked.has(id)) return { status: "booked", pending: null, mine: true };
    const wanted = this.wanted.has(id);
    if (this.held.has(id)) return { status: "reserved_by_me", pending: wanted ? null : "release", mine: true };
    const status = this.statusOf(id);
    return { status, pending: wanted ? "hold" : null, mine: false };
  }

  /** As the service said it: a hold whose time is over is none. */
  statusOf(id) {
    const said = this.truth.get(id);
    if (!said || (said.ends !== null && said.ends <= serverNow())) return "available";
    return said.status === "reserved_by_me" ? (this.held.has(id) ? "reserved_by_me" : "reserved") : said.status;
  }

  isFree(seat) {
    return this.statusOf(seat.id) === "available" && !this.wanted.has(seat.id);
  }

  price(seat) {
    const kept = this.held.get(seat.id)?.seats.find((each) => each.seat_id === seat.id)?.price;
    return kept ?? this.screening.prices[seat.category] ?? { amount_minor: 0, currency: "EUR" };
  }

  /** How many seats are free in each section, and from which price. It looks at every seat. */
  freeBySection() {
    const free = new Map();
    for (const section of this.house.sections) {
      let [seats, from] = [0, null];
      for (const seat of section.seats) {
        if (this.statusOf(seat.id) !== "available") continue;
        seats += 1;
        const price = this.screening.prices[seat.category];
        if (price && (from === null || price.amount_minor < from.amount_minor)) from = price;
      }
      free.set(section.name, { seats, from });
    }
    return free;
  }

  get mySeats() {
    return [...this.wanted].map((id) => this.house.byId.get(id)).filter(Boolean);
  }

  get isSettled() {
    return this.wanted.size === this.held.size && [...this.wanted].every((id) => this.held.has(id));
  }

  /** The first end of my holds in performance.now(), null when there is none. */
  get endsAt() {
    const ends = [...this.reservations.values()].map((each) => each.endsAt);
    return ends.length ? Math.min(...ends) : null;
  }

  takeSnapshot({ version, taken }) {
    const before = new Set(this.truth.keys());
    for (const [id, said] of this.truth) if (version >= said.v) this.truth.delete(id);
    for (const [id, status, expiresAt] of taken) {
      const said = this.truth.get(id);
      if (!said) this.truth.set(id, { status, ends: moment(expiresAt), v: version });
      before.add(id);
    }
    this.base = Math.max(this.base, version);
    this.version = Math.max(this.version, version);
    this.#changed(before);
  }

  /** Live messages and `changes`. Gives true if they say something of mine that my reservations do not know. */
  takeUpdates({ version, updates }) {
    const ids = [];
    let mine = false;
    for (const { seat_id: id, status, is_mine: isMine, expires_at: expiresAt } of updates) {
      if (version <= this.#versionOf(id)) continue;
      this.truth.set(id, { status, ends: moment(expiresAt), v: version, mine: isMine });
      mine ||= isMine !== (this.held.has(id) || this.booked.has(id));
      ids.push(id);
    }
    this.version = Math.max(this.version, version);
    this.#changed(ids, true);
    return mine;
  }

  /** Whether the feed says of some seat that it is mine, or is not, against what my reservations and bookings say. */
  get disagrees() {
    for (const [id, said] of this.truth) {
      if (said.mine !== undefined && said.mine !== (this.held.has(id) || this.booked.has(id))) return true;
    }
    return false;
  }

  /** What a refusal says of seats: it has no version, so that any message overrules it. */
  mark(seats) {
    for (const { seat_id: id, status } of seats) {
      if (!this.held.has(id)) this.truth.set(id, { status: status ?? "reserved", ends: null, v: this.#versionOf(id) });
    }
    this.#changed(seats.map((each) => each.seat_id));
  }

  /** All that I hold here. `keepWanted`: something is on its way. */
  takeReservations(list, sentAt, keepWanted = false) {
    const before = [...this.held.keys(), ...this.wanted];
    this.reservations.clear();
    for (const each of list) if (isHeld(each)) this.reservations.set(each.id, { ...each, endsAt: endOf(each, sentAt) });
    this.#rebuild();
    if (!keepWanted) this.wanted = new Set(this.held.keys());
    this.#changed([...before, ...this.held.keys()]);
    this.#emit("hold");
  }

  /** One reservation as an answer says it. Its seats have left every other one. */
  takeReservation(said, sentAt) {
    const before = [...(this.reservations.get(said.id)?.seats ?? [])];
    this.reservations.delete(said.id);
    const ids = new Set(isHeld(said) ? said.seats.map((each) => each.seat_id) : []);
    for (const [id, other] of this.reservations) {
      const seats = other.seats.filter((each) => !ids.has(each.seat_id));
      if (seats.length === 0) this.reservations.delete(id);
      else if (seats.length < other.seats.length) this.reservations.set(id, { ...other, seats });
    }
    if (ids.size) this.reservations.set(said.id, { ...said, endsAt: endOf(said, sentAt) });
    this.#rebuild();
    for (const { seat_id: id } of before) if (!ids.has(id)) this.#write(id, "available", null, said.version);
    for (const id of ids) this.#write(id, "reserved_by_me", moment(said.expires_at), said.version);
    this.#changed([...before.map((each) => each.seat_id), ...ids]);
    this.#emit("hold");
  }

  takeBookings(list) {
    const before = [...this.booked];
    this.booked = new Set(list.filter((each) => each.status === "confirmed").flatMap((each) => each.seats.map((seat) => seat.seat_id)));
    this.#changed([...before, ...this.booked]);
  }

  takeBooking(booking) {
    for (const { seat_id: id } of booking.seats) {
      this.booked.add(id);
      this.#write(id, "booked", null, booking.version);
    }
    this.reservations.clear();
    this.#rebuild();
    this.wanted.clear();
    this.#changed(booking.seats.map((each) => each.seat_id));
    this.#emit("hold");
  }

  /** My holds are over. Gives the seats that they had. */
  endHolds() {
    const seats = [...this.held.keys()].map((id) => this.house.byId.get(id)).filter(Boolean);
    this.reservations.clear();
    this.held.clear();
    this.wanted.clear();
    this.#changed(seats.map((each) => each.id));
    this.#emit("hold");
    return seats;
  }

  want(ids, isWanted = true) {
    for (const id of ids) {
      if (isWanted) this.wanted.add(id);
      else this.wanted.delete(id);
    }
    this.#changed(ids);
    this.#emit("hold");
  }

  /** What is wanted is what is held: after a refusal. */
  wantOnlyHeld() {
    const before = [...this.wanted];
    this.wanted = new Set(this.held.keys());
    this.#changed([...before, ...this.wanted]);
    this.#emit("hold");
  }

  setLink(link) {
    if (this.link === link) return;
    this.link = link;
    this.#emit("link");
  }

  /** Holds of others whose time has come since are drawn anew. */
  redrawEnded(since) {
    const now = serverNow();
    const ids = [...this.truth].filter(([, said]) => said.ends !== null && said.ends > since && said.ends <= now).map(([id]) => id);
    if (ids.length) this.#changed(ids);
    return now;
  }

  #versionOf(id) {
    return this.truth.get(id)?.v ?? this.base;
  }

  #write(id, status, ends, version) {
    if (version >= this.#versionOf(id)) this.truth.set(id, { status, ends, v: version });
  }

  #rebuild() {
    this.held = new Map([...this.reservations.values()].flatMap((each) => each.seats.map((seat) => [seat.seat_id, each])));
  }

  #changed(ids, fromOthers = false) {
    const all = new Set(ids);
    if (all.size || fromOthers) this.dispatchEvent(new CustomEvent("seats", { detail: { ids: all, fromOthers } }));
  }

  #emit(name) {
    this.dispatchEvent(new Event(name));
  }
}

function isHeld(reservation) {
  return reservation.status === "held" || reservation.status === "paying";
}

function moment(text) {
  return text ? Date.parse(text) : null;
}
