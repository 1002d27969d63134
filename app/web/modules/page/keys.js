// Where a key leads from a seat: along its row, into the next row or section, to either end.

const LEADING = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"];

export function leads({ key }) {
  return LEADING.includes(key);
}

/** The seat to which a key leads; null if there is none. With Ctrl, Home and End are those of the house. */
export function seatFrom(house, seat, { key, ctrlKey }) {
  if (key.startsWith("Arrow")) return house.towards(seat, key);
  const { sections } = house;
  const row = house.rowOf.get(seat.id).seats;
  if (key === "Home") return ctrlKey ? sections[0].rows[0].seats[0] : row[0];
  if (key === "End") return last(ctrlKey ? last(last(sections).rows).seats : row);
  const at = sections.indexOf(house.sectionOf.get(seat.section)) + (key === "PageDown" ? 1 : -1);
  return sections[at]?.rows[0].seats[0] ?? null;
}

function last(list) {
  return list[list.length - 1];
}
