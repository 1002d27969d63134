// Types of api.js, the reference client of Usher's API.

export interface Money { amount_minor: number; currency: string }
export type SeatStatus = "available" | "reserved" | "reserved_by_me" | "booked" | "blocked";
export type ReservationStatus = "held" | "paying" | "booked" | "released" | "expired";
export interface NamedSeat { seat_id: number; label: string }
export interface PricedSeat extends NamedSeat { price: Money }

export interface Screening {
  id: number; theater_id: number; title: string; starts_at: string;
  sales_open_at: string | null; sales_close_at: string | null;
  hold_seconds: number; max_hold_seconds: number; prices: Record<string, Money>;
  limits: {
    max_seats_per_reservation: number; max_seats_per_user: number | null;
    max_active_reservations_per_user: number | null; bookings_per_user_per_day: number | null;
  };
  orphan_rule: "off" | "lenient" | "strict";
  on_sale: boolean; cancelled_at: string | null; revision: number; version: number;
}
export interface Theater { id: number; name: string; timezone: string; seat_count: number; screenings_count: number }
export interface Seat {
  id: number; label: string; section: string; row: string; number: number; category: string;
  accessible: boolean; companion: boolean; restricted_view: boolean; x: number; y: number;
  aisle_after?: boolean; left?: number | null; right?: number | null;
}
export interface Layout {
  theater_id: number; sections: { name: string; seat_count: number; rows: string[]; categories: string[] }[];
  seats: Seat[]; focal_point?: { x: number; y: number } | null;
}
export interface Availability {
  screening_id: number; version: number;
  counts: { available: number; reserved: number; booked: number; blocked: number };
  sections: { name: string; available: number; largest_block: number }[];
  taken: [seat_id: number, status: SeatStatus, expires_at: string | null][];
}
export interface SeatUpdate extends NamedSeat {
  status: SeatStatus; is_mine: boolean; expires_at: string | null; previously_reserved_by: number | null;
}
export interface Changes { version: number; updates: SeatUpdate[] }
export interface Reservation {
  id: string; screening_id: number; user_id: number; status: ReservationStatus; seats: PricedSeat[]; total: Money;
  created_at: string; expires_at: string; expires_in_seconds: number; server_time: string; extensions_left: number;
  booking_id: string | null; version: number; guest_token?: string; adjacent?: boolean;
  payment?: { provider: string; status: string; redirect_url: string | null; client_secret: string | null } | null;
}
export interface Booking {
  id: string; screening_id: number; user_id: number; status: "confirmed" | "cancelled"; seats: PricedSeat[];
  total: Money; payment: { status: string; provider: string; reference: string; amount: Money; refunded: Money }; created_at: string; cancelled_at: string | null;
  version: number; guest_token?: string;
}
export interface Me {
  id: number; username: string | null; email: string | null; role: string; is_guest: boolean;
  active_reservations: number; bookings_today: number;
}
export interface BestAvailable {
  count: number; section?: string; category?: string; max_price?: Money; accessible?: number;
  together?: "preferred" | "required";
}
export interface Exchange {
  give: { seat_ids: number[] };
  take: { seat_ids: number[] } | { best_available: BestAvailable };
  payment?: { method?: string; token?: string };
}
export interface Best { screening_id: number; version: number; adjacent: boolean; seats: (PricedSeat & { section: string; row: string; number: number; category: string })[]; total: Money }
export interface Ticket { id: string; code: string; status: string; seat: NamedSeat & { section: string; row: string; number: number }; qr_url: string }
export type TransferStatus = "offered" | "accepted" | "withdrawn" | "expired";
export interface Offer { code: string; status: TransferStatus; seats: PricedSeat[]; expires_at: string }
export interface Transfer { status: TransferStatus; screening: { id: number; title: string; starts_at: string }; seats: PricedSeat[]; expires_at: string }
export interface ListedTransfer { booking_id: string; screening_id: number; code: string | null; status: TransferStatus; seats: PricedSeat[]; expires_at: string }
export interface Page<T> { items: T[]; next_cursor: string | null }
export interface Answer<T> { status: number; body: T; date: string | null; sentAt: number }

export class Problem extends Error {
  constructor(status: number, body: object | null, retryAfter?: number | null);
  readonly status: number;
  readonly code: string;
  readonly requestId: string | null;
  /** Seconds. */
  readonly retryAfter: number | null;
  readonly body: Record<string, unknown>;
}
export class NoAnswer extends Error {
  constructor(cause?: unknown);
  readonly cause: unknown;
}

export interface KeptTokens { access?: string | null; refresh?: string | null }
export class Tokens {
  read(): KeptTokens;
  write(kept: KeptTokens): void;
}
export class StoredTokens extends Tokens {
  constructor(storage: Pick<Storage, "getItem" | "setItem" | "removeItem">, name?: string);
}

export function newKey(): string;
export function mayRepeat(error: unknown): boolean;
export function insist<T>(call: () => Promise<T>, again?: (error: unknown, attempt: number) => void): Promise<T>;

export interface ListedScreening extends Screening { counts?: Availability["counts"] | null }
export interface ScreeningsQuery { theater_id?: number; from?: string; to?: string; counts?: boolean; limit?: number; cursor?: string }
export interface ReservationsQuery { status?: ReservationStatus; screening_id?: number; limit?: number; cursor?: string }
export interface BookingsQuery { status?: "confirmed" | "cancelled"; screening_id?: number; limit?: number; cursor?: string }
export interface TransfersQuery { side?: "giver" | "taker"; screening_id?: number; limit?: number; cursor?: string }

/** Fires the event `token` whenever somebody else is asking from now on. */
export class Usher extends EventTarget {
  constructor(options?: { base?: string; tokens?: Tokens; timeout?: number });
  readonly base: string;
  readonly tokens: Tokens;
  readonly token: string | null;
  timeout: number;

  screenings(query?: ScreeningsQuery): Promise<Answer<Page<ListedScreening>>>;
  screening(id: number): Promise<Answer<Screening>>;
  theaters(query?: { limit?: number; cursor?: string }): Promise<Answer<Page<Theater>>>;
  theater(id: number): Promise<Answer<Theater>>;
  layout(theaterId: number, query?: { seat_ids?: string }): Promise<Answer<Layout>>;
  availability(id: number): Promise<Answer<Availability>>;
  changes(id: number, since: number): Promise<Answer<Changes>>;
  bestAvailable(id: number, wanted: { count: number; section?: string; category?: string; max_price_minor?: number; accessible?: number; together?: string }): Promise<Answer<Best>>;
  checkSelection(id: number, seatIds: number[]): Promise<Answer<{ ok: boolean; total: Money; problem: object | null }>>;

  hold(id: number, seatIds: number[], key?: string): Promise<Answer<Reservation>>;
  holdBest(id: number, wanted: BestAvailable, key?: string): Promise<Answer<Reservation>>;
  releaseSeat(reservationId: string, seatId: number, key?: string): Promise<Answer<Reservation>>;
  release(reservationId: string, key?: string): Promise<Answer<Reservation>>;
  extend(reservationId: string, key?: string): Promise<Answer<Reservation>>;
  confirm(reservationId: string, payment: { method?: string; token?: string } | null | undefined, key?: string): Promise<Answer<Booking | Reservation>>;
  reservations(query?: ReservationsQuery): Promise<Answer<Page<Reservation>>>;
  reservation(id: string): Promise<Answer<Reservation>>;

  bookings(query?: BookingsQuery): Promise<Answer<Page<Booking>>>;
  booking(id: string): Promise<Answer<Booking>>;
  tickets(bookingId: string): Promise<Answer<Page<Ticket>>>;
  cancelBooking(id: string, key?: string): Promise<Answer<Booking>>;
  exchange(id: string, wanted: Exchange, key?: string): Promise<Answer<Booking | Reservation>>;
  cancelSeat(id: string, seatId: number, key?: string): Promise<Answer<Booking>>;

  offer(bookingId: string, seatIds?: number[] | null, key?: string): Promise<Answer<Offer>>;
  transfers(query?: TransfersQuery): Promise<Answer<Page<ListedTransfer>>>;
  transfer(code: string): Promise<Answer<Transfer>>;
  withdraw(code: string, key?: string): Promise<Answer<null>>;
  accept(code: string, key?: string): Promise<Answer<Booking>>;

  me(): Promise<Answer<Me>>;
  giveEmail(email: string): Promise<Answer<Me>>;
  signIn(username: string, password: string): Promise<Answer<{ access_token: string; refresh_token: string }>>;
  signOut(): Promise<void>;
  forget(): void;
  renew(stale: string): Promise<string | null>;
  all<T, Q>(list: (query: Q) => Promise<Answer<Page<T>>>, query?: Q, most?: number): Promise<T[]>;
  send(method: string, path: string, options?: { body?: unknown; key?: string; anonymous?: boolean }): Promise<Answer<any>>;
}
