// What people are told about their wishes: what is theirs now, what went to somebody else, what else there is.

import { announce } from "../page/announce.js";
import { money, sum } from "../page/money.js";
import { named, numbersOf, offer, sentence, takeLabel } from "../page/notices.js";
import { t } from "../words.js";

export class Telling {
  constructor(store, notices, { take, retake, replace, signIn }) {
    this.store = store;
    this.notices = notices;
    this.take = take;
    this.retake = retake;
    this.replace = replace;
    this.signIn = signIn;
  }

  settled(before) {
    const fresh = [...this.store.held.keys()].filter((id) => !before.has(id));
    if (fresh.length === 0) return;
    const seats = this.#seats(fresh);
    announce(`${t("areYours", { seats: named(seats), n: seats.length })} ${this.#all()}`);
  }

  givenBack(ids) {
    const seats = this.#seats(ids);
    if (seats.length) announce(t("givenBack", { seats: named(seats) }));
    if (this.store.wanted.size) announce(this.#all());
  }

  limit(most) {
    this.notices.show("limit-exceeded", t("limit_max_seats_per_reservation", { n: most }));
  }

  /** Seats went to somebody else. `rest`: what was wanted with them. */
  lost(ids, rest, problem, flight) {
    const seats = this.#seats(ids);
    const gone = t("gone", { seats: named(seats), n: seats.length });
    if (flight.again) {
      const actions = rest.length ? [{ label: t("takeRest", { n: rest.length }), testid: "take-rest", action: () => this.retake(rest) }] : [];
      return this.notices.show("seats-unavailable", gone, actions);
    }
    const found = this.#instead(seats, problem, flight);
    const code = rest.length ? "took-part" : "seats-unavailable";
    if (!found) return this.notices.show(code, gone);
    return this.notices.show(code, `${gone} ${offer(seats[0], found)}`, [this.#takes(found)]);
  }

  refused(problem, flight) {
    const { body, code } = problem;
    if (code === "leaves-single-seat") {
      const stranded = this.#labelled(body.stranded ?? []);
      const found = this.#labelled(body.suggestions?.[0] ?? []);
      const text = t("alone", { seats: stranded.length ? numbersOf(stranded) : "", n: stranded.length });
      return this.notices.show(code, text, found.length ? [{ ...this.#takes(found), action: () => this.replace(found.map((seat) => seat.id)) }] : []);
    }
    if (code === "unauthenticated") {
      return this.notices.show(code, t("problem_unauthenticated"), [{ label: t("signIn"), action: this.signIn }]);
    }
    const reference = problem.status >= 500 ? problem.requestId : null;
    const again = problem.status >= 500 && flight?.kind === "hold" ? [{ label: t("tryAgain"), testid: "try-again", action: () => this.take(flight.body.seat_ids) }] : [];
    return this.notices.show(code, sentence(problem), again, { reference });
  }

  #takes(seats) {
    return { label: takeLabel(seats), testid: "take-suggestion", action: () => this.take(seats.map((seat) => seat.id)) };
  }

  /** As many free seats in the place of the lost ones: what the service suggests, else the nearest in the row. */
  #instead(lost, problem, flight) {
    const isFree = (seat) => this.store.isFree(seat);
    if (flight.body.seat_ids.length === lost.length) {
      for (const labels of problem.body.suggestions ?? []) {
        const seats = this.#labelled(labels);
        if (seats.length === lost.length && seats.every(isFree)) return seats;
      }
    }
    return this.store.house.nearestRun(lost[0], lost.length, isFree);
  }

  #all() {
    const seats = this.store.mySeats;
    return t("inAll", { n: seats.length, total: money(sum(seats.map((seat) => this.store.price(seat)))) });
  }

  #seats(ids) {
    return ids.map((id) => this.store.house.byId.get(id)).filter(Boolean);
  }

  #labelled(labels) {
    return labels.map((label) => this.store.house.byLabel.get(label)).filter(Boolean);
  }
}
