// The page of a screening: choosing, paying, having paid. It brings the parts together and owns none of them.

import { NoAnswer, Problem } from "../../api.js";
import { announce } from "../page/announce.js";
import { Basket } from "./basket.js";
import { Checkout } from "./checkout.js";
import { learn, serverNow } from "../page/clock.js";
import { el, focusHeading, icon, say, set } from "../page/dom.js";
import { startTelling, tell, tellSelection } from "../page/embed.js";
import { House } from "../seats/geometry.js";
import { SeatList } from "../seats/list.js";
import { Live } from "./live.js";
import { known, load, ofMine } from "../page/load.js";
import { SeatMap } from "../seats/map.js";
import { dayAndHour, moment, sectionLabel, sum } from "../page/money.js";
import { Notices, named } from "../page/notices.js";
import { failure, header, isEmbedded, link, signIn, usher } from "../page/session.js";
import { Store } from "./store.js";
import { Sync } from "./sync.js";
import { Telling } from "./telling.js";
import { ticketScreen } from "../bookings/tickets.js";
import { BestSeats, priceChips, viewSwitch } from "../seats/tools.js";
import { t } from "../words.js";

const LONGEST_TIMER = 2 ** 31;

const serves = new Set((document.documentElement.dataset.serves ?? "").split(" "));

export async function bookPage(root, screeningId) {
  startTelling(screeningId);
  if (!root.firstChild || root.querySelector("noscript")) root.replaceChildren(...header(), skeleton());
  try {
    new BookPage(root, await load(screeningId)).start();
  } catch (error) {
    if (!(error instanceof Problem || error instanceof NoAnswer)) throw error;
    root.replaceChildren(...header(), failure(error, () => location.reload()));
    tell("error", { code: error.code ?? "no-answer", request_id: error.requestId ?? null });
  }
}

/** What takes the room of what is to come, with the title where it is known. Its heading is never empty. */
function skeleton() {
  const title = known()?.screening.title ?? t("loading");
  const what = el("div", { class: "what" }, el("div", {}, el("h1", {}, title), el("p", {}, "\u00a0")));
  const tools = [el("div", { class: "prices" }), el("div", { class: "switch" }), el("div", { class: "best" })];
  const choose = el("div", { class: "choose" }, what, tools, el("div", { class: "place" }, el("div", { class: "stage" })));
  return el("main", { class: "book skeleton", "aria-busy": "true" }, choose, el("aside", { class: "basket" }));
}

class BookPage {
  constructor(root, { screening, theater, layout, availability, mine }) {
    Object.assign(this, { root, screening, theater });
    this.house = new House(layout, screening.prices);
    const store = (this.store = new Store(screening, this.house));
    store.takeSnapshot(availability);
    if (mine) this.#takeMine(mine);
    this.notices = new Notices();
    const readAll = () => this.readAll();
    const telling = new Telling(store, this.notices, { take: (ids) => this.sync.take(ids), retake: (ids) => this.sync.retake(ids), replace: (ids) => this.sync.replace(ids), signIn: () => signIn(() => this.#newPerson()) });
    this.sync = new Sync(usher, store, { readAll, tell: telling });
    this.live = new Live(usher, store, { readAll, ofMine: () => this.#soonReadMine() });
    this.basket = new Basket(store, {
      giveBack: (seat) => this.choose(seat),
      extend: () => this.sync.extend(),
      goOn: () => this.#goOn(),
      again: (ids) => this.sync.retake(ids),
      ended: (seats) => tell("expired", { seats: seats.map((seat) => ({ seat_id: seat.id, label: seat.label })) }),
    });
    this.#build();
    this.#listen();
  }

  start() {
    const { root } = this;
    const skip = el("a", { href: "#list" }, t("chooseFromList"));
    root.replaceChildren(...header({ skip, changed: () => this.#newPerson() }), this.main);
    this.#route(false);
    this.sync.resume();
    if (this.checkout.resume()) location.hash = "pay";
    this.live.start();
    tellSelection(this.store, (prices) => sum(prices, Object.values(this.screening.prices)[0]?.currency));
    requestAnimationFrame(() => {
      document.documentElement.dataset.ready = "true";
      tell("ready");
    });
  }

  /** A click, a key or the list: all come here. */
  choose(seat) {
    const { store } = this;
    if (!this.isOpen) return announce(this.free.textContent);
    if (store.link === "offline") return announce(t("offline"));
    if (this.checkout.isBusy) return announce(t("waitingForBank"));
    const { status, mine } = store.shown(seat.id);
    if (status === "booked" && mine) return announce(`${named([seat])}: ${t("bookedByYou")}`);
    if (!store.wanted.has(seat.id) && status !== "available") return announce(`${named([seat])}: ${t(status)}`);
    this.notices.clear();
    this.sync.toggle(seat.id);
  }

  get isOpen() {
    return this.store.isOpen;
  }

  async readAll() {
    const [availability, mine] = await Promise.all([usher.availability(this.screening.id), ofMine(this.screening.id)]);
    learn(availability);
    this.store.takeSnapshot(availability.body);
    if (mine) this.#takeMine(mine, this.sync.isBusy || !this.store.isSettled);
  }

  #takeMine({ held, booked, sentAt }, keepWanted = false) {
    if (held[0]) learn({ body: held[0], sentAt });
    this.store.takeBookings(booked);
    this.store.takeReservations(held, sentAt, keepWanted);
  }

  /** Asks what is mine, if the feed still says something else when nothing is on its way; `always`: in any case. */
  #soonReadMine(always = false) {
    clearTimeout(this.reading);
    this.reading = setTimeout(async () => {
      await this.sync.settled();
      if (!always && !this.store.disagrees) return;
      const mine = await ofMine(this.screening.id).catch(() => null);
      if (mine && !this.sync.isBusy && this.store.isSettled) this.#takeMine(mine);
    }, 300);
  }

  async #newPerson() {
    this.store.takeReservations([], 0);
    this.store.takeBookings([]);
    await this.readAll().catch(() => {});
  }

  #build() {
    const { store, screening, theater } = this;
    const choose = (seat) => this.choose(seat);
    this.map = new SeatMap(store, theater.name, { choose, leave: () => this.switch.focus() });
    this.list = new SeatList(store, { choose });
    this.chips = priceChips(store, (ranks) => {
      this.map.filter(ranks);
      this.list.filter(ranks);
    });
    this.switch = viewSwitch((view) => this.#show(view));
    const best = serves.has("best") && this.isOpen && new BestSeats(store, this.chips.pressed, {
      best: (wanted, refused) => this.sync.best(wanted, refused),
      preview: async (wanted) => {
        const { body } = await usher.bestAvailable(screening.id, wanted);
        return named(body.seats.map((each) => this.house.byId.get(each.seat_id)));
      },
      notices: this.notices,
      chosen: () => this.map.showSeats(store.mySeats),
    });
    this.connection = el("span", { class: "live", testid: "connection" });
    this.free = el("p", { class: "sale", hidden: true });
    this.place = el("div", { class: "place" }, this.free, this.map.element, this.list.element, this.notices.element);
    const when = el("p", { class: "muted" }, el("span", { class: "wide" }, moment(screening.starts_at, theater.timezone)), el("span", { class: "narrow" }, moment(screening.starts_at, theater.timezone, true)), ` · ${theater.name}`);
    const back = !isEmbedded && el("a", { class: "button button-quiet icon-button back narrow", href: link("/"), "aria-label": t("allScreenings") }, icon("back"));
    this.choosing = el(
      "section",
      { class: "choose", "aria-labelledby": "title" },
      el("div", { class: "what" }, back, el("div", {}, el("h1", { id: "title" }, screening.title), when), this.connection),
      this.chips.element,
      best && best.element,
      this.switch.element,
      this.place,
      this.#sections(),
    );
    this.checkout = new Checkout(store, this.sync, {
      paid: (booking) => location.replace(`#tickets/${booking.id}`),
      back: () => this.#show("map"),
      changed: () => this.#newPerson(),
      readAll: () => this.readAll(),
    });
    this.tickets = el("section", { class: "paid", hidden: true });
    this.main = el("main", { class: "book" }, this.choosing, this.checkout.element, this.tickets, this.basket.element);
    document.title = `${screening.title} – Usher`;
    this.#link();
    this.#sale();
  }

  /** On a small screen: sections as a list below the map. */
  #sections() {
    if (this.house.seats.length > 3000 || this.house.sections.length < 2) return null;
    this.sectionButtons = this.house.sections.map((section) => {
      const button = el("button", { type: "button", testid: "section", on: { click: () => this.map.showSection(section.name) } });
      button.dataset.section = section.name;
      return { section, button };
    });
    this.#fillSections();
    return el("div", { class: "sections narrow" }, el("h2", {}, t("chooseSection")), el("ul", {}, this.sectionButtons.map(({ button }) => el("li", {}, button))));
  }

  #fillSections() {
    for (const { section, button } of this.sectionButtons ?? []) {
      const { seats, from } = this.map.free.get(section.name);
      const label = sectionLabel(section.name, seats, from);
      if (button.dataset.label === label) continue;
      button.dataset.label = label;
      set(button, "aria-label", label);
      const parts = label.slice(section.name.length + 2).split(", ");
      button.replaceChildren(el("span", {}, el("b", {}, section.name), " ", el("br"), el("span", { class: "muted small" }, parts[0])), " ", el("span", {}, parts[1] ?? ""), icon("next"));
    }
  }

  #listen() {
    const { store } = this;
    let waiting = null;
    store.addEventListener("seats", ({ detail }) => {
      this.map.update(detail.ids, detail.fromOthers);
      this.list.update(detail.ids);
      waiting ??= setTimeout(() => {
        waiting = null;
        this.map.sayFree();
        this.chips.update();
        this.#fillSections();
        this.#sale();
      }, 100);
    });
    store.addEventListener("link", () => this.#link());
    addEventListener("hashchange", () => this.#route());
    this.#openInTime();
    document.addEventListener("visibilitychange", () => !document.hidden && this.#soonReadMine(true));
    let since = serverNow();
    setInterval(() => {
      since = store.redrawEnded(since);
    }, 500);
  }

  /** Who waits for the sale sees it begin. Nothing can be chosen before, so nothing is lost; not all ask at once. */
  #openInTime() {
    const wait = Date.parse(this.screening.sales_open_at ?? "") - serverNow();
    if (wait > 0 && wait < LONGEST_TIMER) setTimeout(() => location.reload(), wait + Math.random() * 1000);
  }

  #link() {
    const { link: state } = this.store;
    set(this.connection, "data-state", state);
    say(this.connection, t({ live: "live", reconnecting: "reconnecting", offline: "offline" }[state]));
    this.main?.classList.toggle("is-offline", state === "offline");
  }

  #sale() {
    const { screening, theater } = this;
    const opens = screening.sales_open_at && Date.parse(screening.sales_open_at) > serverNow();
    let text = null;
    if (screening.cancelled_at) text = t("screeningCancelled");
    else if (!screening.on_sale) text = opens ? t("opens", { time: dayAndHour(screening.sales_open_at, theater.timezone) }) : t("saleOver");
    else if (![...this.map.free.values()].some(({ seats }) => seats > 0) && this.store.wanted.size === 0) text = t("soldOutHint");
    else if (screening.orphan_rule && screening.orphan_rule !== "off") text = t("orphanHint");
    say(this.free, text ?? "");
    this.free.hidden = text === null;
    this.main.classList.toggle("is-closed", !this.isOpen);
    this.main.classList.toggle("is-gone", !this.isOpen && !opens);
    this.basket.sayWhyEmpty(this.isOpen ? t("chooseSeats") : text);
    set(this.free, "data-testid", text === t("soldOutHint") ? "empty" : null);
  }

  #show(view) {
    if (view === "map") {
      history.pushState(null, "", location.pathname + location.search);
      this.#route();
    } else {
      location.hash = view;
    }
  }

  async #goOn() {
    await this.sync.settled();
    if (this.store.held.size) location.hash = "pay";
  }

  async #route(isNew = true) {
    const [screen, booking] = location.hash.slice(1).split("/");
    const isPaid = screen === "tickets" && booking;
    const isPaying = screen === "pay";
    const isList = screen === "list";
    const changed = this.screen !== undefined && this.screen !== (isPaid || isPaying ? screen : "choose");
    this.screen = isPaid || isPaying ? screen : "choose";
    this.choosing.hidden = Boolean(isPaid || isPaying);
    this.checkout.element.hidden = !isPaying;
    this.tickets.hidden = !isPaid;
    this.basket.element.hidden = Boolean(isPaid);
    this.main.classList.toggle("is-paying", isPaying);
    this.main.classList.toggle("is-paid", Boolean(isPaid));
    this.switch.set(isList ? "list" : "map");
    this.map.element.hidden = isList;
    this.choosing.classList.toggle("is-list", isList);
    this.list.show(isList);
    if (isPaying) {
      this.basket.open(false);
      this.checkout.payer.update();
    }
    if (isPaid) await this.#ticket(booking);
    if (isNew && changed) {
      scrollTo(0, 0);
      focusHeading(isPaid ? this.tickets : isPaying ? this.checkout.element : this.choosing);
    } else if (isNew && isList) {
      const first = this.list.element.querySelector("summary");
      if (document.activeElement?.closest(".skip")) first?.focus();
    }
  }

  async #ticket(bookingId) {
    if (this.tickets.dataset.bookingId === bookingId) return;
    try {
      this.tickets.replaceChildren(await ticketScreen(bookingId, this));
      this.tickets.dataset.bookingId = bookingId;
    } catch (error) {
      if (!(error instanceof Problem || error instanceof NoAnswer)) throw error;
      const problem = failure(error, () => location.reload());
      this.tickets.replaceChildren(el("div", { testid: "error" }, ...problem.childNodes));
    }
  }
}
