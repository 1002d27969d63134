// What part of the house is seen. Gestures move the picture by a CSS transform, which costs nothing; when they end, the
// viewBox is set once.

import { reducedMotion } from "../page/dom.js";

const SLOWLY = 250;
const DRAG = 6;
export const NEAR = 28;
const LARGEST = 44;

export class View extends EventTarget {
  at = { x: 0, y: 0, k: 10 };
  isHome = true;
  #pointers = new Map();
  #moved = false;
  #gesture = null;
  #ending = null;

  constructor(room, picture, home) {
    super();
    this.room = room;
    this.picture = picture;
    this.home = home;
    this.size = { width: 0, height: 0 };
    new ResizeObserver(() => this.#resized()).observe(room);
    room.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    for (const name of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) picture.addEventListener(name, (event) => this.#pointer(event));
  }

  /** Whether the click that comes now belongs to a drag. */
  get wasDrag() {
    return this.#moved;
  }

  get homeScale() {
    const { left, top, right, bottom } = this.home();
    return Math.min(this.size.width / (right - left), this.size.height / (bottom - top), LARGEST);
  }

  get seen() {
    const { x, y, k } = this.at;
    const [w, h] = [this.size.width / k, this.size.height / k];
    return { left: x - w / 2, top: y - h / 2, right: x + w / 2, bottom: y + h / 2 };
  }

  /** A place of the screen in the house. */
  point(clientX, clientY) {
    const box = this.room.getBoundingClientRect();
    const seen = this.seen;
    return { x: seen.left + (clientX - box.left) / this.at.k, y: seen.top + (clientY - box.top) / this.at.k };
  }

  /** A place of the house in the room, in CSS pixels. */
  pixel(x, y) {
    const seen = this.seen;
    return { x: (x - seen.left) * this.at.k, y: (y - seen.top) * this.at.k };
  }

  fit(slowly = true) {
    const { left, top, right, bottom } = this.home();
    this.isHome = true;
    this.#go({ x: (left + right) / 2, y: (top + bottom) / 2, k: this.homeScale }, slowly, true);
  }

  /** How large a seat is when all of a box is seen. */
  scaleFor({ left, top, right, bottom }) {
    return Math.min(this.size.width / (right - left + 3), this.size.height / (bottom - top + 3), LARGEST);
  }

  /** All of a box. */
  show(box, slowly = true) {
    this.#go({ x: (box.left + box.right) / 2, y: (box.top + box.bottom) / 2, k: this.scaleFor(box) }, slowly);
  }

  to(x, y, k = NEAR, slowly = true) {
    this.#go({ x, y, k: Math.max(k, this.homeScale) }, slowly);
  }

  zoom(factor, slowly = true) {
    this.#go({ ...this.at, k: this.at.k * factor }, slowly);
  }

  pan(dx, dy) {
    this.#go({ ...this.at, x: this.at.x + dx / this.at.k, y: this.at.y + dy / this.at.k }, false);
  }

  /** Moves no more than needed for a place to be seen. */
  reveal(x, y, k = null) {
    const margin = 1.2;
    const seen = this.seen;
    const inside = x > seen.left + margin && x < seen.right - margin && y > seen.top + margin && y < seen.bottom - margin;
    if (inside && (k === null || this.at.k >= k)) return;
    this.to(x, y, Math.max(this.at.k, k ?? 0));
  }

  #bounded({ x, y, k }) {
    const scale = Math.min(Math.max(k, this.homeScale * 0.999), Math.max(LARGEST, this.homeScale));
    const { left, top, right, bottom } = this.home();
    const within = (value, from, to, half) => (to - from <= 2 * half ? (from + to) / 2 : Math.min(Math.max(value, from + half), to - half));
    return { k: scale, x: within(x, left, right, this.size.width / scale / 2), y: within(y, top, bottom, this.size.height / scale / 2) };
  }

  #go(wanted, slowly, home = false) {
    this.#settle();
    const from = this.at;
    const to = this.#bounded(wanted);
    this.isHome = home || to.k <= this.homeScale * 1.001;
    this.at = to;
    if (!slowly || reducedMotion() || this.size.width === 0 || document.hidden) return this.#commit();
    this.dispatchEvent(new Event("start"));
    const scale = to.k / from.k;
    this.#transform((from.x - to.x) * to.k, (from.y - to.y) * to.k, scale, `transform ${SLOWLY}ms ease-out`);
    this.#ending = setTimeout(() => this.#settle(), SLOWLY + 10);
  }

  #settle() {
    if (this.#ending === null) return;
    clearTimeout(this.#ending);
    this.#ending = null;
    this.#commit();
  }

  #transform(dx, dy, scale, transition = "none") {
    this.picture.style.transition = transition;
    this.picture.style.transform = `translate(${dx}px, ${dy}px) scale(${scale})`;
  }

  #commit() {
    const { left, top, right, bottom } = this.seen;
    this.picture.style.transition = "none";
    this.picture.style.transform = "";
    if (this.size.width) this.picture.setAttribute("viewBox", `${left} ${top} ${right - left} ${bottom - top}`);
    this.dispatchEvent(new Event("view"));
  }

  #resized() {
    const { clientWidth: width, clientHeight: height } = this.room;
    if (!width || !height || (width === this.size.width && height === this.size.height)) return;
    const { x, y, k } = this.at;
    const [wider, taller] = [width - this.size.width, height - this.size.height];
    this.size = { width, height };
    // What is near stays where it is on the screen: the room grows to the right and below.
    if (this.isHome) this.fit(false);
    else this.#go({ x: x + wider / 2 / k, y: y + taller / 2 / k, k }, false);
  }

  #wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.#settle();
    const gesture = (this.#gesture ??= { x: 0, y: 0, scale: 1 });
    const box = this.room.getBoundingClientRect();
    this.#scale(gesture, Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0025)), event.clientX - box.left, event.clientY - box.top);
    clearTimeout(this.wheeling);
    this.wheeling = setTimeout(() => this.#finish(), 120);
  }

  #pointer(event) {
    if (event.type === "pointerdown") {
      if (event.button !== 0) return;
      if (this.#pointers.size === 0) this.#moved = false;
      this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY, fromX: event.clientX, fromY: event.clientY });
      return;
    }
    const pointer = this.#pointers.get(event.pointerId);
    if (!pointer) return;
    if (event.type !== "pointermove") {
      this.#pointers.delete(event.pointerId);
      if (this.#pointers.size === 0 && this.#gesture) this.#finish();
      return;
    }
    const before = [...this.#pointers.values()].map(({ x, y }) => ({ x, y }));
    pointer.x = event.clientX;
    pointer.y = event.clientY;
    if (!this.#moved) {
      if (Math.hypot(pointer.x - pointer.fromX, pointer.y - pointer.fromY) <= DRAG && this.#pointers.size === 1) return;
      this.#moved = true;
      this.#settle();
      this.picture.setPointerCapture(event.pointerId);
    }
    const after = [...this.#pointers.values()];
    if (after.length === 1 && this.isHome) return;
    const gesture = (this.#gesture ??= { x: 0, y: 0, scale: 1 });
    const [from, to] = [middle(before), middle(after)];
    gesture.x += to.x - from.x;
    gesture.y += to.y - from.y;
    if (after.length > 1) {
      const box = this.room.getBoundingClientRect();
      this.#scale(gesture, spread(after) / (spread(before) || 1), to.x - box.left, to.y - box.top);
    } else {
      this.#shown(gesture);
    }
  }

  /** Scales about a place in the room, which stays where it is. */
  #scale(gesture, factor, x, y) {
    const least = (this.homeScale * 0.9) / this.at.k;
    const most = (LARGEST * 1.1) / this.at.k;
    const scale = Math.min(Math.max(gesture.scale * factor, least), Math.max(most, least));
    const change = scale / gesture.scale;
    const [cx, cy] = [x - this.size.width / 2, y - this.size.height / 2];
    gesture.x = cx - (cx - gesture.x) * change;
    gesture.y = cy - (cy - gesture.y) * change;
    gesture.scale = scale;
    this.#shown(gesture);
  }

  #shown(gesture) {
    this.dispatchEvent(new Event("start"));
    this.#transform(gesture.x, gesture.y, gesture.scale);
  }

  #finish() {
    const gesture = this.#gesture;
    this.#gesture = null;
    if (!gesture) return;
    const k = this.at.k * gesture.scale;
    this.#go({ k, x: this.at.x - gesture.x / k, y: this.at.y - gesture.y / k }, false);
  }
}

function middle(points) {
  return { x: points.reduce((sum, each) => sum + each.x, 0) / points.length, y: points.reduce((sum, each) => sum + each.y, 0) / points.length };
}

function spread([one, other]) {
  return Math.hypot(one.x - other.x, one.y - other.y);
}
