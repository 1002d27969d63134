// Money, days and hours as people write them; categories and seats by name.

import { language, locale, t } from "../words.js";

const formats = new Map();

/** {amount_minor: 8900, currency: "EUR"} as "€89.00". */
export function money({ amount_minor: amount, currency }) {
  let format = formats.get(currency);
  if (!format) {
    try {
      format = new Intl.NumberFormat(locale, { style: "currency", currency, currencyDisplay: "narrowSymbol" });
    } catch {
      format = new Intl.NumberFormat(locale, { minimumFractionDigits: 2 });
    }
    formats.set(currency, format);
  }
  const written = format.format(amount / 10 ** format.resolvedOptions().maximumFractionDigits);
  return written.replace(/[\u00a0\u202f]/g, " "); // as people type it; where it must not break, the stylesheet says so
}

export function sum(prices, currency = "EUR") {
  return { amount_minor: prices.reduce((total, price) => total + price.amount_minor, 0), currency: prices[0]?.currency ?? currency };
}

/** "Tuesday 1 December 2026, 20:00" in the house's time zone; short: "Tue 1 Dec, 20:00". */
export function moment(text, zone, short = false) {
  const at = new Date(text);
  const day = short ? { weekday: "short", day: "numeric", month: "short" } : { weekday: "long", day: "numeric", month: "long", year: "numeric" };
  const written = inZone(at, zone, day);
  return `${language === "en" ? written.replace(/^(\p{L}+), (?=\d)/u, "$1 ") : written}, ${clock(text, zone)}`;
}

/** "1 Dec 10:00" in the house's time zone. */
export function dayAndHour(text, zone) {
  return `${inZone(new Date(text), zone, { day: "numeric", month: "short" })} ${clock(text, zone)}`;
}

/** "20:00" in the house's time zone. */
export function clock(text, zone) {
  return inZone(new Date(text), zone, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

function inZone(at, zone, options) {
  try {
    return new Intl.DateTimeFormat(locale, { ...options, timeZone: zone }).format(at);
  } catch {
    return new Intl.DateTimeFormat(locale, options).format(at);
  }
}

/** "3:48". */
export function minutes(seconds) {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** "category-1" reads "Category 1", "vip" reads "VIP". */
export function categoryName(category) {
  const numbered = /^category[-_ ]?(\w+)$/i.exec(category);
  if (numbered) return t("category", { n: numbered[1] });
  if (/^[a-z]{1,3}$/.test(category)) return category.toUpperCase();
  const words = category.replace(/[-_]+/g, " ").trim();
  return words.charAt(0).toLocaleUpperCase(locale) + words.slice(1);
}

/** "Row 5, seat 9". */
export function seatName(seat) {
  return t("rowSeat", { row: seat.row, seat: seat.number });
}

/** The same in the middle of a sentence. */
export function seatNameWithin(seat) {
  return t("rowSeatWithin", { row: seat.row, seat: seat.number });
}

/** "Block B, 129 free, from €59.00". */
export function sectionLabel(name, seats, from) {
  return [name, t("free", { n: seats }), from && t("from", { price: money(from) })].filter(Boolean).join(", ");
}

/** Wheelchair, companion, restricted view: in this order. */
export function signsOf(seat) {
  return [seat.accessible && t("wheelchair"), seat.companion && t("companion"), seat.restricted_view && t("restricted")].filter(Boolean);
}
