// The reference client of Usher's API, as the pages use it. It needs nothing but fetch.
//
//   const usher = new Usher({ tokens: new StoredTokens(localStorage) });
//   const { body: hold } = await usher.hold(7, [17, 18], newKey());
//
// A call that changes seats takes a key. Whoever got no answer sends the same call with the same key again: it is done
// once. `insist` does that. Refusals are thrown as `Problem`, silence as `NoAnswer`.

const WAITS = [500, 1000, 2000];
const LONGEST_WAIT = 10_000;
const LOOKS_AGAIN = 50;
const IS_READ_BY_ALL = 60_000;

/** A refusal or failure that the service has said: RFC 9457. `code` is for programs, `message` for people. */
export class Problem extends Error {
  constructor(status, body, retryAfter = null) {
    super(body?.detail ?? body?.title ?? `HTTP ${status}`);
    this.name = "Problem";
    this.status = status;
    this.body = body ?? {};
    this.code = this.body.code ?? (status === 503 ? "busy" : "internal");
    this.requestId = this.body.request_id ?? null;
    this.retryAfter = retryAfter;
  }
}

/** Nobody knows what happened: no connection, or no answer in time. */
export class NoAnswer extends Error {
  constructor(cause) {
    super("No answer");
    this.name = "NoAnswer";
    this.cause = cause;
  }
}

/** A new idempotency key, a UUID. Pages on plain HTTP have no crypto.randomUUID. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** Whether the same call with the same key may be sent again and may succeed then. */
export function mayRepeat(error) {
  if (error instanceof NoAnswer) return true;
  return error instanceof Problem && (error.status >= 500 || error.status === 429 || error.code === "idempotency-key-in-use");
}

/** Sends a call up to four times, with what the service asks for between them. `again(error, attempt)` is told. */
export async function insist(call, again = () => {}) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      if (!mayRepeat(error) || attempt >= WAITS.length) throw error;
      again(error, attempt);
      await pause(waitAfter(error, attempt));
    }
  }
}

function pause(milliseconds) {
  return new Promise((done) => setTimeout(done, milliseconds));
}

function waitAfter(error, attempt) {
  const asked = error.retryAfter ? error.retryAfter * 1000 : 0;
  return Math.min(Math.max(asked, WAITS[attempt]), LONGEST_WAIT);
}

/** Tokens in memory: gone with the page. */
export class Tokens {
  #kept = {};

  read() {
    return this.#kept;
  }

  write(kept) {
    this.#kept = kept;
  }
}

/** Tokens in a Storage, shared by the tabs of an origin; in memory where there is none. */
export class StoredTokens extends Tokens {
  #storage;
  #name;

  constructor(storage, name = "usher") {
    super();
    this.#storage = storage;
    this.#name = name;
  }

  read() {
    try {
      const access = this.#storage.getItem(`${this.#name}.token`);
      return access ? { access, refresh: this.#storage.getItem(`${this.#name}.refresh`) } : {};
    } catch {
      return super.read();
    }
  }

  write({ access, refresh }) {
    super.write({ access, refresh });
    try {
      for (const [name, value] of [["token", access], ["refresh", refresh]]) {
        if (value) this.#storage.setItem(`${this.#name}.${name}`, value);
        else this.#storage.removeItem(`${this.#name}.${name}`);
      }
    } catch {
      // Kept in memory.
    }
  }
}

export class Usher extends EventTarget {
  #renewing = null;

  constructor({ base = "", tokens = new Tokens(), timeout = 8000 } = {}) {
    super();
    this.base = base;
    this.tokens = tokens;
    this.timeout = timeout;
  }

  get token() {
    return this.tokens.read().access ?? null;
  }

  // What everybody may read.
  screenings(query = {}) { return this.#get("/screenings", query); }
  screening(id) { return this.#get(`/screenings/${id}`); }
  theaters(query = {}) { return this.#get("/theaters", query); }
  theater(id) { return this.#get(`/theaters/${id}`); }
  layout(theaterId, query = {}) { return this.#get(`/theaters/${theaterId}/layout`, query); }
  availability(id) { return this.#get(`/screenings/${id}/availability`); }
  changes(id, since) { return this.#get(`/screenings/${id}/changes`, { since }); }
  bestAvailable(id, wanted) { return this.#get(`/screenings/${id}/best-available`, wanted); }
  checkSelection(id, seatIds) { return this.send("POST", `/screenings/${id}/check-selection`, { body: { seat_ids: seatIds } }); }

  // Seats.
  hold(id, seatIds, key) { return this.send("POST", `/screenings/${id}/reservations`, { body: { seat_ids: seatIds }, key }); }
  holdBest(id, wanted, key) { return this.send("POST", `/screenings/${id}/reservations`, { body: { best_available: wanted }, key }); }
  releaseSeat(reservationId, seatId, key) { return this.send("DELETE", `/reservations/${reservationId}/seats/${seatId}`, { key }); }
  release(reservationId, key) { return this.send("DELETE", `/reservations/${reservationId}`, { key }); }
  extend(reservationId, key) { return this.send("POST", `/reservations/${reservationId}/extend`, { key }); }
  confirm(reservationId, payment, key) { return this.send("POST", `/reservations/${reservationId}/confirm`, { body: payment ? { payment } : undefined, key }); }
  reservations(query = {}) { return this.#get("/reservations", query); }
  reservation(id) { return this.#get(`/reservations/${id}`); }

  // Bookings.
  bookings(query = {}) { return this.#get("/bookings", query); }
  booking(id) { return this.#get(`/bookings/${id}`); }
  tickets(bookingId) { return this.#get(`/bookings/${bookingId}/tickets`); }
  cancelBooking(id, key) { return this.send("DELETE", `/bookings/${id}`, { key }); }
  exchange(id, wanted, key) { return this.send("POST", `/bookings/${id}/exchange`, { body: wanted, key }); }
  cancelSeat(id, seatId, key) { return this.send("DELETE", `/bookings/${id}/seats/${seatId}`, { key }); }

  // Seats that change hands.
  offer(bookingId, seatIds, key) { return this.send("POST", `/bookings/${bookingId}/transfers`, { body: seatIds ? { seat_ids: seatIds } : {}, key }); }
  transfers(query = {}) { return this.#get("/transfers", query); }
  transfer(code) { return this.#get(`/transfers/${encodeURIComponent(code)}`); }
  withdraw(code, key) { return this.send("DELETE", `/transfers/${encodeURIComponent(code)}`, { key }); }
  accept(code, key) { return this.send("POST", `/transfers/${encodeURIComponent(code)}/accept`, { key }); }

  // Who is asking.
  me() { return this.#get("/me"); }
  giveEmail(email) { return this.send("PATCH", "/me", { body: { email } }); }

  /** Signs in. What a guest holds and has booked comes along. */
  async signIn(username, password) {
    const { access, refresh } = this.tokens.read();
    const guest = access && !refresh ? { guest_token: access } : {};
    const answer = await this.send("POST", "/auth/login", { body: { username, password, ...guest }, anonymous: true });
    this.#keep({ access: answer.body.access_token, refresh: answer.body.refresh_token });
    return answer;
  }

  /** Signs out, here and at the service. */
  async signOut() {
    const { refresh } = this.tokens.read();
    this.forget();
    if (refresh) await this.send("POST", "/auth/logout", { body: { refresh_token: refresh }, anonymous: true });
  }

  /** Forgets who is asking, here only. */
  forget() {
    this.#keep({});
  }

  /** All items of a list, page by page, at most `most`. */
  async all(list, query = {}, most = 1000) {
    const items = [];
    let cursor = null;
    do {
      const { body } = await list.call(this, { ...query, limit: 200, ...(cursor ? { cursor } : {}) });
      items.push(...body.items);
      cursor = body.next_cursor;
    } while (cursor && items.length < most);
    return items;
  }

  #get(path, query = {}) {
    const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
    const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
    return this.send("GET", text ? `${path}?${text}` : path);
  }

  /**
   * One call, once. Gives {status, body, version, sentAt}; `sentAt` is performance.now() when it was sent.
   * Throws Problem and NoAnswer. `anonymous`: no token is sent; a first hold's repeat must be sent as it was.
   */
  async send(method, path, { body, key, anonymous = false } = {}) {
    const token = anonymous ? null : this.token;
    try {
      return await this.#once(method, path, body, key, token);
    } catch (error) {
      if (error.status !== 401 || token === null) throw error;
      const renewed = await this.renew(token);
      return await this.#once(method, path, body, key, renewed);
    }
  }

  async #once(method, path, body, key, token) {
    const headers = { Accept: "application/json" };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (key) headers["Idempotency-Key"] = key;
    if (token) headers.Authorization = `Bearer ${token}`;
    const sentAt = performance.now();
    const answer = await this.#answer(`${this.base}/api/v1${path}`, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: method === "GET" ? "no-cache" : "no-store",
      credentials: "omit",
    });
    if (!answer.ok) throw new Problem(answer.status, answer.said, answer.retryAfter);
    if (answer.said?.guest_token && !this.token) this.#keep({ access: answer.said.guest_token });
    return { status: answer.status, body: answer.said, date: answer.date, sentAt };
  }

  async #answer(url, request) {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), this.timeout);
    try {
      const response = await fetch(url, { ...request, signal: stop.signal });
      const text = await response.text();
      const seconds = Number(response.headers.get("Retry-After"));
      return {
        ok: response.ok,
        status: response.status,
        said: text ? parsed(text, response) : null,
        date: response.headers.get("Date"),
        retryAfter: Number.isFinite(seconds) && seconds > 0 ? seconds : null,
      };
    } catch (error) {
      throw error instanceof Problem ? error : new NoAnswer(error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** A fresh access token in the place of a stale one; null if there is none, and then nobody is signed in. */
  renew(stale) {
    this.#renewing ??= this.#renew(stale).finally(() => {
      this.#renewing = null;
    });
    return this.#renewing;
  }

  // A refresh token is good once, and used twice it ends the session: one tab at a time, and who waited looks again.
  #renew(stale) {
    const work = async () => {
      const { access, refresh } = await this.#newest();
      if (access && access !== stale) return access;
      if (refresh) {
        try {
          const { body } = await this.#once("POST", "/auth/refresh", { refresh_token: refresh }, undefined, null);
          this.#keep({ access: body.access_token, refresh: body.refresh_token });
          if (this.tokens instanceof StoredTokens) await markUsed(refresh);
          return body.access_token;
        } catch (error) {
          if (error.status !== 401 && error.status !== 422) throw error;
        }
      }
      const now = this.tokens.read();
      if (refresh && now.refresh && now.refresh !== refresh) return now.access;
      this.forget();
      return null;
    };
    return navigator.locks ? navigator.locks.request("usher.refresh", work) : work();
  }

  // A tab reads what another has written a moment late, and the lock may be faster: marked as used, a token is not the newest.
  async #newest() {
    const marks = navigator.locks ? (await navigator.locks.query()).held.map((lock) => lock.name) : [];
    for (let waited = 0; waited < LONGEST_WAIT; waited += LOOKS_AGAIN) {
      const kept = this.tokens.read();
      if (!marks.includes(usedMark(kept.refresh))) return kept;
      await pause(LOOKS_AGAIN);
    }
    throw new NoAnswer(new Error("another tab has renewed the session, and its tokens did not arrive"));
  }

  #keep(tokens) {
    this.tokens.write(tokens);
    this.dispatchEvent(new Event("token"));
  }
}

function usedMark(refresh) {
  return `usher.used.${refresh}`;
}

// All tabs see at once which locks are held. This one is let go when what was written has long been read by all.
function markUsed(refresh) {
  if (!navigator.locks) return null;
  return new Promise((done) => {
    const held = () => {
      done();
      return pause(IS_READ_BY_ALL);
    };
    navigator.locks.request(usedMark(refresh), held).catch(done);
  });
}

function parsed(text, response) {
  try {
    return JSON.parse(text);
  } catch {
    if (response.ok) throw new NoAnswer(new Error("the answer is no JSON"));
    return { title: response.statusText };
  }
}
