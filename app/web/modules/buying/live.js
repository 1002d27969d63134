// What others do, as it happens: the WebSocket, and where none can be had, questions every five seconds.

import { Problem } from "../../api.js";
import { announce } from "../page/announce.js";
import { t } from "../words.js";

const SHOWN_AFTER = 3000;
const SILENCE = 50_000;
const POLL = 5000;

export class Live {
  #socket = null;
  #failures = 0;
  #unanswered = 0;
  #timers = {};
  #confirmed = false;
  #stopped = false;

  constructor(usher, store, { readAll, ofMine }) {
    this.usher = usher;
    this.store = store;
    this.readAll = readAll;
    this.ofMine = ofMine;
    addEventListener("offline", () => this.#offline());
    addEventListener("online", () => this.#again());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && !this.#confirmed) this.#again();
    });
    usher.addEventListener("token", () => this.#newToken());
  }

  start() {
    if (navigator.onLine === false) this.#offline();
    else this.#connect();
  }

  stop() {
    this.#stopped = true;
    this.#cancel("shown", "poll");
    this.#drop();
  }

  #connect() {
    if (this.#stopped) return;
    this.#drop();
    this.#soon("shown", SHOWN_AFTER, () => this.#show("reconnecting"));
    const { protocol, host } = location;
    const url = `${protocol === "https:" ? "wss" : "ws"}://${host}/ws/screenings/${this.store.screening.id}?since=${this.store.version}`;
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.onopen = () => this.#authenticate(socket);
    socket.onmessage = ({ data }) => this.#socket === socket && this.#heard(JSON.parse(data));
    socket.onclose = ({ code }) => this.#socket === socket && this.#closed(code);
    this.#soon("silence", SILENCE, () => this.#closed(0));
  }

  #authenticate(socket) {
    if (this.usher.token) socket.send(JSON.stringify({ type: "authenticate", token: this.usher.token }));
  }

  #newToken() {
    if (!this.usher.token) this.#again();
    else if (this.#socket?.readyState === WebSocket.OPEN) this.#authenticate(this.#socket);
  }

  #heard(message) {
    this.#soon("silence", SILENCE, () => this.#closed(0));
    if (message.type === "connection_confirmed") {
      this.#confirmed = true;
      this.#failures = 0;
      this.#unanswered = 0;
      this.#cancel("shown", "poll");
      if (navigator.onLine !== false) this.#show("live");
    } else if (message.type === "bulk_seat_update") {
      if (this.store.takeUpdates(message)) this.ofMine();
    } else if (message.type === "resync") {
      this.readAll().catch(() => {});
    } else if (message.type === "token_expiring") {
      this.usher.renew(this.usher.token).catch(() => {});
    }
  }

  async #closed(code) {
    this.#drop();
    if (this.#stopped || code === 4404) return;
    this.#failures += 1;
    if (!this.#timers.shown) this.#soon("shown", SHOWN_AFTER, () => this.#show("reconnecting"));
    if (code === 4401 && this.usher.token) await this.usher.renew(this.usher.token).catch(() => {});
    if (code === 4408) this.readAll().catch(() => {});
    if (this.#failures >= 3 && !this.#timers.poll) this.#soon("poll", 0, () => this.#poll());
    if (navigator.onLine === false) return;
    const wait = Math.min(1000 * 2 ** (this.#failures - 1), 30_000);
    this.#soon("connect", wait * (0.75 + Math.random() / 2), () => this.#connect());
  }

  async #poll() {
    try {
      const { body } = await this.usher.changes(this.store.screening.id, this.store.version);
      if (this.store.takeUpdates(body)) this.ofMine();
      this.#unanswered = 0;
      if (this.store.link === "offline") this.#show("reconnecting");
    } catch (error) {
      if (error instanceof Problem && error.code === "changes-gone") await this.readAll().catch(() => {});
      else if (!(error instanceof Problem)) this.#unanswered += 1;
      if (this.#unanswered >= 3) this.#show("offline");
    }
    if (!this.#confirmed && !this.#stopped) this.#soon("poll", POLL, () => this.#poll());
  }

  #offline() {
    this.#show("offline");
    this.#drop();
  }

  #again() {
    if (this.#stopped) return;
    if (this.store.link === "offline") this.#show("reconnecting");
    this.#failures = 0;
    this.#connect();
  }

  #show(link) {
    const before = this.store.link;
    if (before === link) return;
    this.store.setLink(link);
    announce(t({ live: "liveAgain", reconnecting: "reconnecting", offline: "offline" }[link]));
  }

  #drop() {
    this.#confirmed = false;
    const socket = this.#socket;
    this.#socket = null;
    this.#cancel("silence", "connect");
    socket?.close();
  }

  #cancel(...names) {
    for (const name of names) {
      clearTimeout(this.#timers[name]);
      this.#timers[name] = null;
    }
  }

  #soon(name, wait, what) {
    this.#cancel(name);
    this.#timers[name] = setTimeout(() => {
      this.#timers[name] = null;
      what();
    }, wait);
  }
}
