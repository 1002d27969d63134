// What is on sale, or will be: the soonest first.

import { NoAnswer, Problem } from "../../api.js";
import { el } from "../page/dom.js";
import { dayAndHour, money, moment } from "../page/money.js";
import { failure, header, link, usher } from "../page/session.js";
import { t } from "../words.js";

const AT_ONCE = 24;

export async function screeningsPage(root) {
  try {
    const [first, theaters] = await Promise.all([page(null), usher.all(usher.theaters)]);
    show(root, first, new Map(theaters.map((theater) => [theater.id, theater])));
  } catch (error) {
    if (!(error instanceof Problem || error instanceof NoAnswer)) throw error;
    root.replaceChildren(...header({ current: "screenings" }), failure(error, () => location.reload()));
  }
}

async function page(cursor) {
  const query = { from: new Date().toISOString(), limit: AT_ONCE, cursor };
  try {
    return (await usher.screenings({ ...query, counts: true })).body;
  } catch (error) {
    if (!(error instanceof Problem && error.status >= 500)) throw error;
    return (await usher.screenings(query)).body; // what is sold out cannot be told now
  }
}

function show(root, first, theaters) {
  const list = el("ul", { class: "cards screenings" });
  const more = el("button", { type: "button", class: "button", hidden: true }, t("more"));
  const none = el("p", { class: "empty muted", testid: "empty", hidden: true }, t("nothingOnSale"));
  let cursor = null;
  const add = ({ items, next_cursor: next }) => {
    const shown = items.filter((each) => !each.cancelled_at && (each.on_sale || opensLater(each)));
    const cards = shown.map((screening) => card(screening, theaters.get(screening.theater_id)));
    list.append(...cards);
    cursor = next;
    more.hidden = !next;
    none.hidden = list.childElementCount > 0 || Boolean(next);
    return cards[0];
  };
  more.addEventListener("click", async () => add(await page(cursor))?.querySelector("a")?.focus());
  add(first);
  root.replaceChildren(...header({ current: "screenings" }), el("main", { class: "wide-page" }, el("h1", {}, t("screenings")), none, list, more));
}

function opensLater(screening) {
  return screening.sales_open_at && Date.parse(screening.sales_open_at) > Date.now();
}

function card(screening, theater) {
  const prices = Object.values(screening.prices);
  const from = prices.reduce((least, price) => (price.amount_minor < least.amount_minor ? price : least), prices[0]);
  const several = prices.some((price) => price.amount_minor !== from?.amount_minor);
  const zone = theater?.timezone ?? "UTC";
  const node = el(
    "li",
    { class: "screening", testid: "screening" },
    el("div", {}, el("h2", {}, screening.title), el("p", { class: "muted" }, moment(screening.starts_at, zone), theater && ` · ${theater.name}`)),
    el("p", { class: "from" }, from && (several ? t("from", { price: money(from) }) : money(from))),
    el("p", { class: "do" }, action(screening, zone)),
  );
  node.dataset.screeningId = screening.id;
  return node;
}

function action(screening, zone) {
  if (!screening.on_sale) return el("span", { class: "muted" }, t("opens", { time: dayAndHour(screening.sales_open_at, zone) }));
  const href = link(`/book/${screening.id}`);
  if (screening.counts?.available === 0) return el("a", { class: "sold-out", href, "aria-label": `${t("soldOut")}: ${screening.title}` }, t("soldOut"));
  return el("a", { class: "button button-primary", href, "aria-label": t("chooseSeatsFor", { title: screening.title }) }, t("chooseSeatsShort"));
}
