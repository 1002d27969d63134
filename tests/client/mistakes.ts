// What a client must not do, each line under a mark that it does not compile: if one did, tsc would say that the mark is
// of no use.

import type { operations } from "usher-api";
import type { HoldConflict } from "./client";
import { bookings, exchanges, ways } from "./client";

export function wrong(problem: HoldConflict): void {
  // @ts-expect-error Before `code` was looked at, nobody knows whether there are other seats.
  void problem.available_seats;

  if (problem.code === "limit-exceeded") {
    // @ts-expect-error That is a member of another kind.
    void problem.available_seats;
  }

  // @ts-expect-error There is no such kind.
  if (problem.code === "sold-out") return;

  // @ts-expect-error A hold never ends in this kind.
  if (problem.code === "username-taken") return;

  // @ts-expect-error The status is the one under which it is documented.
  const status: 404 = problem.status;
  void status;
}

// @ts-expect-error No seats are named.
ways.push({});

// @ts-expect-error Labels are text.
ways.push({ seats: [1] });

// @ts-expect-error No way to name seats takes null.
ways.push({ seats: null });

// @ts-expect-error There is neither a seat nor a reservation.
bookings.push({ screening_id: 1 });

// @ts-expect-error Nothing is given.
exchanges.push({ take: { seat: "A1" } });

// @ts-expect-error A section is left out, not null.
export const query: operations["listSeats"]["parameters"]["query"] = { section: null };
