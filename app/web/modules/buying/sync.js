// Brings what is held to what is wanted: one request at a time, each with a key of its own, which is kept with its body
// until an answer has come, also over a reload. A request that got no answer is sent again as it was: it is done once.

import { NoAnswer, insist, mayRepeat, newKey } from "../../api.js";
import { learn } from "../page/clock.js";

const WAITS = [1000, 2000, 4000, 8000];

export class Sync extends EventTarget {
  #flight = null;
  #queue = [];
  #running = null;

  constructor(usher, store, { readAll, tell }) {
    super();
    this.usher = usher;
    this.store = store;
    this.readAll = readAll;
    this.tell = tell;
    this.kept = `usher.flight.${store.screening.id}`;
  }

  get isBusy() {
    return this.#flight !== null || this.#queue.length > 0;
  }

  /** What a reload interrupted is carried on. */
  resume() {
    const flight = this.#stored();
    if (!flight) return;
    this.#flight = flight;
    if (flight.kind === "hold") this.store.want(flight.body.seat_ids);
    if (flight.kind === "release") this.store.want(flight.seats, false);
    this.run();
  }

  /** Holds a seat, or gives it back. */
  toggle(id) {
    if (this.store.wanted.has(id)) {
      this.store.want([id], false);
    } else {
      const most = this.store.screening.limits.max_seats_per_reservation;
      if (this.store.wanted.size >= most) return this.tell.limit(most);
      this.store.want([id]);
    }
    return this.run();
  }

  take(ids) {
    this.store.want(ids);
    return this.run();
  }

  /** These seats in the place of all others: the others go back once these are held. */
  async replace(ids) {
    const others = [...this.store.wanted].filter((id) => !ids.includes(id));
    await this.take(ids);
    if (ids.every((id) => this.store.held.has(id))) {
      this.store.want(others, false);
      await this.run();
    }
  }

  /** Seats of a hold that has ended, all or none: what is gone is named, and the rest is offered. */
  retake(ids) {
    this.store.want(ids);
    this.#queue.push(this.#hold(ids, { again: true }));
    return this.run();
  }

  /** The service chooses; then what was held before goes back. Gives the reservation, or null; `refused` may say why. */
  best(wanted, refused) {
    const path = `/screenings/${this.store.screening.id}/reservations`;
    return this.#send({ kind: "best", method: "POST", path, body: { best_available: wanted }, refused });
  }

  extend() {
    const all = [...this.store.reservations.keys()];
    return Promise.all(all.map((id) => this.#send({ kind: "extend", method: "POST", path: `/reservations/${id}/extend` })));
  }

  #send(flight) {
    return new Promise((done) => {
      this.#queue.push({ ...flight, key: newKey(), anonymous: !this.usher.token, done });
      this.run();
    });
  }

  run() {
    this.#running ??= this.#loop().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /** When nothing is on its way. */
  async settled() {
    while (this.#running) await this.#running;
  }

  async #loop() {
    const before = new Set(this.store.held.keys());
    for (;;) {
      const flight = this.#flight ?? this.#queue.shift() ?? this.#next();
      if (!flight) break;
      this.#keep(flight);
      try {
        const answer = await insist(() => this.usher.send(flight.method, flight.path, flight));
        this.#keep(null);
        this.#landed(flight, answer);
      } catch (error) {
        if (error instanceof NoAnswer) {
          await this.#untilReachable();
          continue;
        }
        this.#keep(null);
        await this.#refused(flight, error);
      }
    }
    this.tell.settled(before);
  }

  #next() {
    const { store } = this;
    for (const reservation of store.reservations.values()) {
      if (reservation.status !== "held") continue;
      const unwanted = reservation.seats.filter((seat) => !store.wanted.has(seat.seat_id)).map((seat) => seat.seat_id);
      if (unwanted.length === 0) continue;
      const all = unwanted.length === reservation.seats.length;
      const path = all ? `/reservations/${reservation.id}` : `/reservations/${reservation.id}/seats/${unwanted[0]}`;
      return { kind: "release", method: "DELETE", path, key: newKey(), seats: all ? unwanted : [unwanted[0]] };
    }
    const missing = [...store.wanted].filter((id) => !store.held.has(id));
    return missing.length ? this.#hold([...store.wanted]) : null;
  }

  #hold(ids, more = {}) {
    const path = `/screenings/${this.store.screening.id}/reservations`;
    return { kind: "hold", method: "POST", path, body: { seat_ids: ids }, key: newKey(), anonymous: !this.usher.token, ...more };
  }

  #landed(flight, answer) {
    learn(answer);
    const { body, sentAt } = answer;
    if (flight.kind === "best") {
      this.store.takeReservation(body, sentAt);
      this.store.want([...this.store.wanted], false);
      this.store.want(body.seats.map((seat) => seat.seat_id));
    } else if (body?.id) {
      this.store.takeReservation(body, sentAt);
    }
    if (flight.kind === "release") this.tell.givenBack(flight.seats);
    flight.done?.(body);
  }

  async #refused(flight, error) {
    const { store } = this;
    flight.done?.(null);
    if (mayRepeat(error) || flight.kind === "release") {
      // The service could not, or it is gone already: what it says now is true.
      await this.readAll().catch(() => {});
      store.wantOnlyHeld();
      if (error.code !== "not-found" && error.code !== "reservation-ended") this.tell.refused(error, flight);
      return;
    }
    const lost = error.code === "seats-unavailable" ? (error.body.seats ?? []) : [];
    const ids = lost.map((seat) => seat.seat_id).filter((id) => store.wanted.has(id));
    store.mark(lost);
    if (flight.kind === "hold" && ids.length) {
      const fresh = flight.body.seat_ids.filter((id) => !store.held.has(id));
      store.want(flight.again ? fresh : ids, false);
      this.tell.lost(ids, fresh.filter((id) => !ids.includes(id)), error, flight);
      return;
    }
    if (flight.kind !== "extend") store.wantOnlyHeld();
    if (!(await flight.refused?.(error))) this.tell.refused(error, flight);
    if (["reservation-ended", "reservation-expired", "not-found", "unknown-seats"].includes(error.code)) {
      await this.readAll().catch(() => {});
      store.wantOnlyHeld();
    }
  }

  /** Until the service answers again, whatever it answers. */
  async #untilReachable() {
    for (let attempt = 0; ; attempt++) {
      await pause(WAITS[Math.min(attempt, WAITS.length - 1)]);
      try {
        await this.usher.screening(this.store.screening.id);
        return;
      } catch (error) {
        if (!mayRepeat(error)) return;
      }
    }
  }

  #keep(flight) {
    this.#flight = flight;
    try {
      if (flight && flight.kind !== "extend") sessionStorage.setItem(this.kept, JSON.stringify(flight));
      else sessionStorage.removeItem(this.kept);
    } catch {
      // Without a storage a reload forgets what was on its way; the service then says what is held.
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

/** For so many milliseconds, or until the browser is back online. */
function pause(milliseconds) {
  return new Promise((done) => {
    const timer = setTimeout(finish, milliseconds);
    function finish() {
      clearTimeout(timer);
      removeEventListener("online", finish);
      done();
    }
    addEventListener("online", finish);
  });
}
