// What the page of a screening needs to begin with. It is asked for while the other modules still arrive.

import { isSignedIn, usher } from "./client.js";
import { learn } from "./clock.js";

const [, page, number] = location.pathname.split("/");
const early = page === "book" && /^\d+$/.test(number) ? ask(Number(number)) : null;
early?.catch(() => {}); // whoever asks for it hears of it

/** Screening, theater, layout, availability, and what is mine. Throws Problem and NoAnswer. */
export function load(screeningId) {
  return early ?? ask(screeningId);
}

/** First the screening, then everything else together. */
async function ask(screeningId) {
  const { body: screening } = await usher.screening(screeningId);
  const [theater, layout, availability, mine] = await Promise.all([
    usher.theater(screening.theater_id),
    usher.layout(screening.theater_id),
    usher.availability(screeningId),
    ofMine(screeningId),
  ]);
  learn(availability);
  return { screening, theater: theater.body, layout: layout.body, availability: availability.body, mine };
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
