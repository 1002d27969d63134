// A small client of the API by the types that are generated from its document. It is compiled, never run: .ci/client.
// That it compiles says that a program which has looked at `code` knows the members of a problem.

import type { components, operations } from "usher-api";

type Schemas = components["schemas"];
type Body<Operation extends keyof operations> = operations[Operation] extends {
  requestBody: { content: { "application/json": infer Sent } };
}
  ? Sent
  : never;
type Problem<Operation extends keyof operations, Status extends number> = operations[Operation]["responses"] extends {
  [status in Status]: { content: { "application/problem+json": infer Told } };
}
  ? Told
  : never;

export type HoldConflict = Problem<"holdSeats", 409>;

export async function hold(screening: number, wanted: Body<"holdSeats">): Promise<Schemas["ReservationOut"] | string> {
  const answer = await fetch(`/api/v1/screenings/${screening}/reservations`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() },
    body: JSON.stringify(wanted),
  });
  switch (answer.status) {
    case 200:
    case 201:
      return (await answer.json()) as Schemas["ReservationOut"];
    case 409:
      return afterConflict((await answer.json()) as HoldConflict, Number(answer.headers.get("Retry-After")));
    default:
      return ((await answer.json()) as Schemas["Problem"]).detail;
  }
}

// Each case knows the members of its kind; a kind that is forgotten does not compile.
export function afterConflict(problem: HoldConflict, retryAfter: number): string {
  const status: 409 = problem.status;
  switch (problem.code) {
    case "seats-unavailable": {
      const gone: string[] = problem.seats.map((seat) => `${seat.label} (${seat.status}): ${seat.reason}`);
      return `${status}: ${gone.join(", ")}; free: ${problem.available_seats.join(", ")}`;
    }
    case "limit-exceeded": {
      const left: number = problem.allowed - problem.current;
      return `${problem.limit}: ${left} left`;
    }
    case "extension-limit":
      return problem.latest_expires_at;
    case "leaves-single-seat":
      return `${problem.stranded.join(", ")} would be left alone; rather: ${problem.suggestions.map((seats) => seats.join(" ")).join(" or ")}`;
    case "not-enough-seats":
      return `${problem.requested} wanted, ${problem.available} free, ${problem.largest_block} side by side`;
    case "sales-closed":
      return `${problem.opens_at ?? "at once"} to ${problem.closes_at}`;
    case "payment-pending":
      return `you are paying for ${problem.reservation_id}`;
    case "idempotency-key-in-use":
      return `again in ${retryAfter} s`;
    default:
      return forgotten(problem);
  }
}

export type AcceptConflict = Problem<"acceptOffer", 409>;

export async function accept(code: string): Promise<Schemas["BookingOut"] | string> {
  const answer = await fetch(`/api/v1/transfers/${code}/accept`, {
    method: "POST",
    headers: { "Idempotency-Key": crypto.randomUUID() },
  });
  if (answer.status === 201) {
    return (await answer.json()) as Schemas["BookingOut"];
  }
  return answer.status === 409
    ? afterAccepting((await answer.json()) as AcceptConflict)
    : ((await answer.json()) as Schemas["Problem"]).detail;
}

export function afterAccepting(problem: AcceptConflict): string {
  switch (problem.code) {
    case "transfer-over": {
      const status: Schemas["TransferStatus"] = problem.transfer_status;
      return `${status}: ask for another code`;
    }
    case "limit-exceeded":
      return `${problem.limit}: ${problem.allowed} at most`;
    case "idempotency-key-in-use":
      return "again in a moment";
    default:
      return forgotten(problem);
  }
}

function forgotten(problem: never): never {
  throw new Error(`a kind of problem that this client does not know: ${JSON.stringify(problem)}`);
}

export type ExchangeConflict = Problem<"exchangeSeats", 409>;

// A booking; or the reservation of the taken seats, while a difference is not paid yet; or what to do instead.
export async function exchange(
  booking: string,
  wanted: Body<"exchangeSeats">,
): Promise<Schemas["BookingOut"] | Schemas["ReservationOut"] | string> {
  const answer = await fetch(`/api/v1/bookings/${booking}/exchange`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() },
    body: JSON.stringify(wanted),
  });
  switch (answer.status) {
    case 200:
      return (await answer.json()) as Schemas["BookingOut"];
    case 202:
      return (await answer.json()) as Schemas["ReservationOut"];
    case 402:
      return ((await answer.json()) as Problem<"exchangeSeats", 402>).reason;
    case 409:
      return afterNoExchange((await answer.json()) as ExchangeConflict, Number(answer.headers.get("Retry-After")));
    default:
      return ((await answer.json()) as Schemas["Problem"]).detail;
  }
}

export function afterNoExchange(problem: ExchangeConflict, retryAfter: number): string {
  switch (problem.code) {
    case "seats-unavailable":
    case "limit-exceeded":
    case "leaves-single-seat":
    case "not-enough-seats":
    case "sales-closed":
    case "payment-pending":
    case "idempotency-key-in-use":
      return afterConflict(problem, retryAfter);
    case "cancellation-closed":
      return `until ${problem.cancel_until}`;
    case "reservation-ended":
      return `booking ${problem.booking_id} is cancelled`;
    default:
      return forgotten(problem);
  }
}

// Seats are named in exactly one way, and a booking is of seats or of a reservation.
export const ways: Body<"holdSeats">[] = [
  { seats: ["A1", "A2"] },
  { seat_ids: [1, 2] },
  { seat: "A1" },
  { seat_id: 1 },
  { seat_number: "A1" },
  { best_available: { count: 2 } },
];
export const bookings: Body<"bookSeats">[] = [
  { reservation_id: "01a1f8cd-ef9f-7096-b2d5-e6959f6f9f16" },
  { screening_id: 1, seats: ["A1"], payment: { token: "ok" } },
];

export const offers: Schemas["OfferIn"][] = [{ seats: ["A1"] }, { seat_id: 1 }, {}];
export const exchanges: Body<"exchangeSeats">[] = [
  { give: { seats: ["A1"] }, take: { seat_id: 21 } },
  { give: { seat_ids: [1, 2] }, take: { best_available: { count: 2 } }, payment: { token: "ok" } },
];

// What may be left out of a query is left out, never null.
export const query: operations["listSeats"]["parameters"]["query"] = { section: "A" };
