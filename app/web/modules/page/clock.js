// The service's clock, by what its answers say. Monotonic, so that nobody's wrong watch shortens a hold.

let offset = Date.now() - performance.now();
let exact = false;

/** Takes the time from an answer: `server_time` is exact, a Date header is within a second. */
export function learn(answer) {
  const said = answer.body?.server_time ?? answer.body?.reservation?.server_time;
  if (said) {
    offset = Date.parse(said) - answer.sentAt;
    exact = true;
  } else if (!exact && answer.date) {
    offset = Date.parse(answer.date) + 500 - performance.now();
  }
}

/** Milliseconds, as Date.parse gives them. */
export function serverNow() {
  return performance.now() + offset;
}

/** When a hold ends, in performance.now(): what the service said is left, counted from when it was asked. */
export function endOf(reservation, sentAt) {
  return sentAt + Date.parse(reservation.expires_at) - Date.parse(reservation.server_time);
}
