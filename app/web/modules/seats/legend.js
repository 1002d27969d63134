// What the marks mean, and the buttons that bring the house closer.

import { el, icon, svg } from "../page/dom.js";
import { MARKS, seatPath } from "./shapes.js";
import { t } from "../words.js";

export function legend(house) {
  const some = (what) => house.seats.some((seat) => seat[what]);
  const entries = [
    ["reserved_by_me", MARKS.reserved_by_me, "yours"],
    ["reserved", MARKS.reserved, "reserved"],
    ["booked", MARKS.booked, "booked"],
    ["blocked", MARKS.blocked, "blocked"],
    some("accessible") && ["signs", seatPath(2, { accessible: true }), "wheelchairShort"],
    some("companion") && ["signs", seatPath(2, { companion: true }), "companionShort"],
    some("restricted_view") && ["signs", seatPath(2, { restricted_view: true }), "restrictedShort"],
  ];
  const line = ([status, path, word]) =>
    el("li", {}, svg("svg", { class: "sign", viewBox: "-.5 -.5 1 1", "aria-hidden": "true" }, svg("path", { class: `mark ${status}`, d: path })), capital(t(word)));
  return el("ul", { class: "signs wide", "aria-label": t("legend") }, entries.filter(Boolean).map(line));
}

export function zoomButtons(view) {
  const button = (name, testid, picture, action) =>
    el("button", { type: "button", "aria-label": t(name), testid, on: { click: action } }, icon(picture));
  return el(
    "div",
    { class: "zoom", role: "group", "aria-label": t("zoom") },
    button("zoomOut", "zoom-out", "minus", () => view.zoom(1 / 1.6)),
    button("zoomIn", "zoom-in", "plus", () => view.zoom(1.6)),
    button("zoomFit", "zoom-fit", "fit", () => view.fit()),
  );
}

export function capital(text) {
  return text.charAt(0).toLocaleUpperCase() + text.slice(1);
}
