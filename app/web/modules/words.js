// Words come from files, one a language. English is complete; what another language lacks is said in English.

import english from "../words/en.js";

const OTHERS = { de: () => import("../words/de.js"), ar: () => import("../words/ar.js") };
const RTL = new Set(["ar"]);
const KEPT = "usher.language";

export const language = chosen();
const own = OTHERS[language] ? (await OTHERS[language]()).default : english;
/** For Intl: days before months, and money as the language writes it. */
export const locale = { en: "en-GB", ar: "ar-u-nu-latn" }[language] ?? language;
const numbers = new Intl.NumberFormat(locale);

document.documentElement.lang = language;
document.documentElement.dir = RTL.has(language) ? "rtl" : "ltr";

function chosen() {
  const known = ["en", ...Object.keys(OTHERS)];
  const asked = new URLSearchParams(location.search).get("lang");
  if (known.includes(asked)) return asked;
  let kept = null;
  try {
    kept = localStorage.getItem(KEPT);
  } catch {
    // A browser that keeps nothing.
  }
  if (known.includes(kept)) return kept;
  return navigator.languages?.map((each) => each.slice(0, 2)).find((each) => known.includes(each)) ?? "en";
}

/** Keeps the language for the next visit. */
export function choose(wanted) {
  try {
    localStorage.setItem(KEPT, wanted);
  } catch {
    // Then the address alone says it.
  }
}

/** A sentence, with values in the place of {names}. Sentences with several forms are functions of the values. */
export function t(name, values = {}) {
  const word = own[name] ?? english[name];
  if (word === undefined) return name;
  if (typeof word === "function") return word(values, count);
  return word.replace(/\{(\w+)\}/g, (_, key) => String(values[key] ?? ""));
}

export function has(name) {
  return name in own || name in english;
}

/** A whole number with the separators of the language. */
export function count(number) {
  return numbers.format(number);
}

/** "9", "9 and 10", "9, 10 and 11". */
export function listed(items) {
  return new Intl.ListFormat(language === "en" ? "en-GB" : language, { type: "conjunction" }).format(items.map(String));
}
