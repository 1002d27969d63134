// What the seats stand on: the stage, and each section as a block with its name. In a large house the blocks come first,
// as buttons.

import { svg, set } from "../page/dom.js";
import { hullOf, overlap } from "./geometry.js";
import { money, sectionLabel } from "../page/money.js";
import { t } from "../words.js";

/** The least size of words on the map, in pixels. */
export const TEXT = 12.5;
const FAR = 7;

export class Blocks {
  #blocks = new Map();

  /** `areButtons`: sections come first. */
  constructor(house, hall, areButtons) {
    this.house = house;
    this.areButtons = areButtons;
    this.ground = svg("g", { class: "ground" }, this.#stage());
    this.names = svg("g", { class: "names", "aria-hidden": "true" });
    this.buttons = svg("g", { role: "group", "aria-label": t("sectionsOf", { hall }) });
    for (const section of house.sections) this.#block(section);
  }

  button(name) {
    return this.#blocks.get(name).path;
  }

  /** Shows one section's ground alone, or all sections again. */
  open(section) {
    this.opened?.remove();
    this.opened = section && svg("path", { class: section.block ? "block" : "block is-hull", d: blockPath(section) });
    if (this.opened) this.ground.append(this.opened);
    set(this.names, "visibility", section ? "hidden" : null);
  }

  /** Says of each section how many seats are free, and from which price. */
  say(free) {
    for (const { section, path, name, free: seats, from } of this.#blocks.values()) {
      const said = free.get(section.name);
      const words = t("free", { n: said.seats });
      if (this.areButtons) {
        name.textContent = section.name;
        seats.textContent = words;
        from.textContent = said.from ? t("from", { price: money(said.from) }) : "";
        set(path, "aria-label", sectionLabel(section.name, said.seats, said.from));
      } else {
        name.replaceChildren(section.name, svg("tspan", { class: "block-free", dx: ".5" }, words));
      }
    }
  }

  /** Words are readable at every size of the house: `k` pixels are one unit. */
  resize(k, isNear) {
    for (const block of this.#blocks.values()) {
      if (this.areButtons) linesWithin(block, k);
      else if (block.isBeside) sizeBeside(block, k);
    }
    this.names.classList.toggle("is-near", isNear);
    this.names.classList.toggle("is-far", k < FAR && !this.areButtons);
    this.#sizeStage(k);
  }

  #block(section) {
    const path = svg("path", { class: section.block ? "block" : "block is-hull", d: blockPath(section) });
    const [name, free, from] = [svg("text", { class: "block-name" }), svg("text", { class: "block-free" }), svg("text", { class: "block-free" })];
    const block = { section, path, name, free, from };
    this.#blocks.set(section.name, block);
    if (this.areButtons) {
      set(path, "role", "button");
      set(path, "tabindex", "0");
      path.dataset.testid = "section";
      path.dataset.section = section.name;
      this.buttons.append(path);
      this.names.append(name, free, from);
      return;
    }
    this.ground.append(path);
    if (section.block && section.name !== section.rows[0].name) this.#nameBeside(block);
  }

  /** A name above or below its block, where there is room. */
  #nameBeside(block) {
    const { section, name } = block;
    const { stage, focus, sections } = this.house;
    const { x, y, width, height } = section.block;
    const isBelow = focus.depth !== undefined && y > stage.y;
    const room = { x, y: isBelow ? y + height + 0.1 : y - 2, width, height: 1.9 };
    if ([...sections.filter((each) => each !== section).map((each) => each.block), stage].some((other) => overlap(room, other))) return;
    Object.assign(block, { isBeside: true, isBelow });
    set(name, "x", x + width / 2);
    set(name, "class", "block-name is-beside");
    this.names.append(name);
  }

  #stage() {
    const { x, y, width, height } = this.house.stage;
    this.word = svg("text", { class: "centre-name", x: x + width / 2, "dominant-baseline": "central" }, t("stage"));
    this.bar = svg("rect", { class: "centre", x, y, width, height, "aria-hidden": "true" });
    return [this.bar, this.word];
  }

  /** The stage is as deep as its word needs, and never touches a section. */
  #sizeStage(k) {
    const { y, height, isBefore } = this.house.stage;
    const size = readable(1.1, k);
    let [from, room] = [y, height];
    if (isBefore) {
      room = Math.max(Math.min(height, 40 / k), size * 1.5);
      from = y + height - room;
    } else if (this.house.focus.depth) {
      const [top, bottom] = this.#gap();
      room = Math.min(Math.max(height, size * 1.3), bottom - top);
      from = (top + bottom - room) / 2;
    }
    for (const [name, value] of [["y", from], ["height", room], ["rx", room / 2]]) set(this.bar, name, value);
    for (const [name, value] of [["y", from + room / 2], ["font-size", size], ["visibility", room < size ? "hidden" : null]]) set(this.word, name, value);
  }

  /** Between the sections before and behind the stage. */
  #gap() {
    const { y, height } = this.house.stage;
    const middle = y + height / 2;
    let [top, bottom] = [-Infinity, Infinity];
    for (const { block, box } of this.house.sections) {
      const [above, below] = block ? [block.y + block.height, block.y] : [box.bottom + 0.9, box.top - 0.9];
      if (box.bottom < middle) top = Math.max(top, above + 0.4);
      else if (box.top > middle) bottom = Math.min(bottom, below - 0.4);
    }
    return top < middle && bottom > middle && bottom - top < Infinity ? [top, bottom] : [y, y + height];
  }
}

/** The outline of a section: a box with round corners, or its hull. */
export function blockPath(section) {
  if (!section.block) return `M${hullOf(section.seats).map((point) => point.join(" ")).join("L")}z`;
  const { x, y, width, height } = section.block;
  const r = 1;
  return `M${x + r} ${y}h${width - 2 * r}a${r} ${r} 0 0 1 ${r} ${r}v${height - 2 * r}a${r} ${r} 0 0 1 ${-r} ${r}h${-(width - 2 * r)}a${r} ${r} 0 0 1 ${-r} ${-r}v${-(height - 2 * r)}a${r} ${r} 0 0 1 ${r} ${-r}z`;
}

/** Name, free seats and price in a section: the lines that fit, in the middle. */
function linesWithin({ section, name, free, from }, k) {
  const size = readable(0, k);
  const { left, right, top, bottom } = section.box;
  const fits = (line) => line.textContent && line.textContent.length * 0.62 * size < right - left + 1;
  const room = Math.max(1, Math.floor((bottom - top + 1) / (size * 1.2)));
  const lines = [name, free, from].filter(fits).slice(0, room);
  for (const line of [name, free, from]) {
    const at = lines.indexOf(line);
    set(line, "visibility", at < 0 ? "hidden" : null);
    set(line, "font-size", size);
    set(line, "x", (left + right) / 2);
    set(line, "y", (top + bottom) / 2 + (at - (lines.length - 1) / 2) * size * 1.2);
    set(line, "dominant-baseline", "central");
  }
}

function sizeBeside({ section, name, isBelow }, k) {
  const size = readable(1.3, k);
  const { y, height } = section.block;
  set(name, "font-size", size);
  set(name, "y", isBelow ? y + height + size * 1.05 : y - size * 0.4);
}

/** A size in units that is 12.5 to 16 pixels, as near to the usual one as that allows. */
function readable(usual, k) {
  return Math.min(Math.max(usual, TEXT / k), 16 / k);
}
