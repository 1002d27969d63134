// What the page of a screening needs to begin with. It is asked for while the other modules still arrive.

import { isSignedIn, usher } from "./client.js";
import { learn } from "./clock.js";

const [, page, number] = location.pathname.split("/");
const early = page === "book" && /^\d+$/.test(number) ? ask(Number(number)) : null;
early?.catch(() => {}); // whoever asks for it hears of it

/** Screening and theater, where the document has them already; else null. */
export function known() {
  const meta = document.querySelector("meta[name=known]");
  return meta ? JSON.parse(meta.content) : null;
}

/** Screening, theater, layout, availability, and what is mine. Throws Problem and NoAnswer. */
export function load(screeningId) {
  return early ?? ask(screeningId);
}

async function ask(screeningId) {
  const own = ofMine(screeningId);
  own.catch(() => {});
  const { screening, theater } = known() ?? { screening: (await usher.screening(screeningId)).body };
  const { theater_id: theaterId } = screening;
  const [mine, house, layout, availability] = await Promise.all([
    own,
    theater ?? usher.theater(theaterId).then(({ body }) => body),
    first(`/theaters/${theaterId}/layout`, () => usher.layout(theaterId)),
    first(`/screenings/${screeningId}/availability`, () => usher.availability(screeningId)),
  ]);
  learn(availability);
  return { screening, theater: house, layout: layout.body, availability: availability.body, mine };
}

/** What the document lets the browser ask for before scripts have arrived. If that was in vain, it is asked for again. */
async function first(path, again) {
  try {
    const answer = await fetch(`/api/v1${path}`, { signal: AbortSignal.timeout(usher.timeout) });
    if (answer.ok) return { body: await answer.json(), date: answer.headers.get("Date") };
  } catch {
    // Asked again, with patience.
  }
  return again();
}

/** My holds and bookings here; null while nobody is signed in. */
export async function ofMine(screeningId) {
  if (!usher.token) return null;
  try {
    const sentAt = performance.now();
    const query = { screening_id: screeningId };
    const [me, held, paying, booked] = await Promise.all([
      isSignedIn() ? usher.me().then(({ body }) => body.id) : null,
      usher.all(usher.reservations, { ...query, status: "held" }),
      usher.all(usher.reservations, { ...query, status: "paying" }),
      usher.all(usher.bookings, { ...query, status: "confirmed" }),
    ]);
    // Staff are shown everybody's: here they are one buyer among others.
    const own = (list) => list.filter((each) => me === null || each.user_id === me);
    return { held: own([...held, ...paying]), booked: own(booked), sentAt };
  } catch (error) {
    if (error.status === 401) return null;
    throw error;
  }
}
