// Where in the house one is, in small, while the house does not fit.

import { el, set, svg } from "../page/dom.js";

export class MiniMap {
  constructor(house, room, view, blockPath) {
    this.view = view;
    const { left, top, right, bottom } = house.box;
    const stage = house.stage;
    const box = { x: Math.min(left, stage.x) - 2, y: Math.min(top, stage.y) - 2, right: Math.max(right, stage.x + stage.width) + 2, bottom: Math.max(bottom, stage.y + stage.height) + 2 };
    this.frame = svg("rect", { class: "view" });
    this.node = el(
      "div",
      { class: "mini wide", "aria-hidden": "true", hidden: true },
      svg(
        "svg",
        { viewBox: `${box.x} ${box.y} ${box.right - box.x} ${box.bottom - box.y}` },
        house.sections.map((section) => svg("path", { class: "block", d: blockPath(section) })),
        svg("rect", { class: "centre", x: stage.x, y: stage.y, width: stage.width, height: stage.height, rx: stage.height / 2 }),
        this.frame,
      ),
    );
    room.append(this.node);
    view.addEventListener("view", () => this.#move());
  }

  #move() {
    this.node.hidden = this.view.isHome;
    const { left, top, right, bottom } = this.view.seen;
    for (const [name, value] of [["x", left], ["y", top], ["width", right - left], ["height", bottom - top]]) set(this.frame, name, value);
  }
}
