// In a frame of somebody else's page: what happens is told to that page, and to nobody else. Never a token, and nothing
// is listened to.

import { isEmbedded } from "./session.js";

const target = isEmbedded && window.parent !== window && document.referrer ? new URL(document.referrer).origin : null;
let screeningId = null;

export function tell(type, more = {}) {
  if (target) window.parent.postMessage({ source: "usher", v: 1, type, screening_id: screeningId, ...more }, target);
}

/** Tells the height whenever it changes. */
export function startTelling(id) {
  screeningId = id;
  if (!target) return;
  let last = 0;
  new ResizeObserver(() => {
    const height = Math.ceil(document.documentElement.getBoundingClientRect().height);
    if (height !== last) tell("resize", { height: (last = height) });
  }).observe(document.documentElement);
}

/** What is chosen, whenever that changes. */
export function tellSelection(store, total) {
  let last = "";
  const changed = () => {
    const seats = [...store.held.keys()].map((id) => store.house.byId.get(id)).filter(Boolean);
    const prices = seats.map((seat) => store.price(seat));
    const ends = [...store.reservations.values()].map((each) => each.expires_at).sort()[0] ?? null;
    const said = { seats: seats.map((seat, at) => ({ seat_id: seat.id, label: seat.label, price: prices[at] })), total: total(prices), expires_at: ends };
    const text = JSON.stringify(said);
    if (text === last) return;
    last = text;
    tell("selection", said);
  };
  store.addEventListener("hold", changed);
}
