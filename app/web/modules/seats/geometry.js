// The house as a plane: sections, rows, what is beside what. One unit is one pitch, the usual step from seat to seat.

const CELL = 1;

export class House {
  constructor(layout, prices) {
    const pitch = pitchOf(layout.seats);
    this.seats = layout.seats.map((seat, order) => ({ ...seat, order, x: seat.x / pitch, y: seat.y / pitch }));
    this.byId = new Map(this.seats.map((seat) => [seat.id, seat]));
    this.byLabel = new Map(this.seats.map((seat) => [seat.label, seat]));
    this.categories = rankedCategories(this.seats, prices);
    for (const seat of this.seats) seat.rank = this.categories.indexOf(seat.category) + 1;
    this.box = boxOf(this.seats);
    this.focus = focusOf(layout, this.seats, this.box, pitch);
    this.stage = stageOf(this.focus, this.seats, this.box);
    this.sections = sectionsOf(this.seats, this.focus);
    this.rowOf = new Map(this.sections.flatMap((section) => section.rows.flatMap((row) => row.seats.map((seat) => [seat.id, row]))));
    this.sectionOf = new Map(this.sections.map((section) => [section.name, section]));
    this.hasBlocks = place(this.sections);
    this.#index();
  }

  /** The nearest of the seats within this distance of a point; null if there is none. */
  nearest(x, y, within = 0.6) {
    let best = null;
    let least = within;
    for (let column = Math.floor((x - within) / CELL); column <= Math.floor((x + within) / CELL); column++) {
      for (let line = Math.floor((y - within) / CELL); line <= Math.floor((y + within) / CELL); line++) {
        for (const seat of this.cells.get(`${column} ${line}`) ?? []) {
          const distance = Math.hypot(seat.x - x, seat.y - y);
          if (distance <= least) [best, least] = [seat, distance];
        }
      }
    }
    return best;
  }

  /** The seat where an arrow key leads: along a row, or the nearest seat of what lies behind or before, over all aisles. */
  towards(seat, key) {
    const row = this.rowOf.get(seat.id);
    const at = row.seats.indexOf(seat);
    if (key === "ArrowRight" && at < row.seats.length - 1) return row.seats[at + 1];
    if (key === "ArrowLeft" && at > 0) return row.seats[at - 1];
    const along = key === "ArrowRight" || key === "ArrowLeft";
    const sign = key === "ArrowRight" || key === "ArrowDown" ? 1 : -1;
    let best = null;
    let least = Infinity;
    for (const other of this.seats) {
      const dx = other.x - seat.x;
      const dy = other.y - seat.y;
      const [ahead, aside] = along ? [dx * sign, Math.abs(dy)] : [dy * sign, Math.abs(dx)];
      if (ahead < 0.3 || (along && aside > 1.5) || this.rowOf.get(other.id) === row) continue;
      const distance = along ? ahead + 3 * aside : ahead + (aside <= 0.8 ? aside * 0.4 : aside);
      if (distance < least) [best, least] = [other, distance];
    }
    return best;
  }

  /** Free runs of `size` side by side in the seat's row, the nearest first. */
  nearestRun(seat, size, isFree) {
    const runs = [];
    for (const block of blocksOf(this.rowOf.get(seat.id).seats)) {
      for (let from = 0; from + size <= block.length; from++) {
        const run = block.slice(from, from + size);
        if (run.every((each) => isFree(each) && each.rank === seat.rank && !each.accessible && !each.companion)) runs.push(run);
      }
    }
    const distance = (run) => Math.abs(run.reduce((total, each) => total + each.x, 0) / size - seat.x);
    return runs.sort((one, other) => distance(one) - distance(other))[0] ?? null;
  }

  /**
   * Seats that taking this one would leave alone. A hint only: the service decides. `strict`: also at the end of a row.
   */
  leavesAlone(seat, isFree, strict) {
    const block = blocksOf(this.rowOf.get(seat.id).seats).find((each) => each.includes(seat)) ?? [];
    const at = block.indexOf(seat);
    const free = (index) => block[index] !== undefined && isFree(block[index]) && !block[index].accessible && !block[index].companion;
    return [[at - 1, at - 2], [at + 1, at + 2]]
      .filter(([beside, beyond]) => free(beside) && !free(beyond) && (strict || block[beyond] !== undefined))
      .map(([beside]) => block[beside]);
  }

  #index() {
    this.cells = new Map();
    for (const seat of this.seats) {
      const name = `${Math.floor(seat.x / CELL)} ${Math.floor(seat.y / CELL)}`;
      const cell = this.cells.get(name);
      if (cell) cell.push(seat);
      else this.cells.set(name, [seat]);
    }
  }
}

/** The usual step between seats that follow each other in a row. */
function pitchOf(seats) {
  const steps = [];
  for (let at = 1; at < seats.length && steps.length < 2000; at++) {
    const [one, other] = [seats[at - 1], seats[at]];
    if (one.section === other.section && one.row === other.row) steps.push(Math.hypot(one.x - other.x, one.y - other.y));
  }
  steps.sort((one, other) => one - other);
  return steps[steps.length >> 1] || 1;
}

/** Dearest first: 1 is the dearest. What has no price comes last. */
function rankedCategories(seats, prices) {
  const amount = (category) => prices[category]?.amount_minor ?? -1;
  return [...new Set(seats.map((seat) => seat.category))].sort((one, other) => amount(other) - amount(one) || (one < other ? -1 : 1));
}

export function boxOf(seats) {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { x, y } of seats) {
    if (x < left) left = x;
    if (x > right) right = x;
    if (y < top) top = y;
    if (y > bottom) bottom = y;
  }
  return seats.length ? { left, top, right, bottom } : { left: 0, top: 0, right: 0, bottom: 0 };
}

/** Where everybody looks: a place that the organizer gave, an empty band in the middle, or before the first row. */
function focusOf(layout, seats, box, pitch) {
  const middle = { x: (box.left + box.right) / 2, y: box.top };
  const given = layout.focal_point && { x: layout.focal_point.x / pitch, y: layout.focal_point.y / pitch };
  if (given && Math.hypot(given.x - middle.x, given.y - middle.y) > 0.01) return { ...given, given: true };
  const band = bandOf(seats);
  return band ? { x: middle.x, y: band.middle, depth: band.depth } : middle;
}

function bandOf(seats) {
  const ys = seats.map((seat) => seat.y).sort((one, other) => one - other);
  let best = null;
  for (let at = Math.ceil(ys.length / 5); at <= Math.floor((ys.length * 4) / 5); at++) {
    const depth = ys[at] - ys[at - 1];
    if (depth >= 6 && depth > (best?.depth ?? 0)) best = { depth, middle: (ys[at] + ys[at - 1]) / 2 };
  }
  return best;
}

function stageOf(focus, seats, box) {
  const width = Math.max(6, (box.right - box.left) * 0.54);
  const bar = (y, height) => ({ x: focus.x - width / 2, y: y - height / 2, width, height });
  if (focus.depth) return bar(focus.y, Math.min(4.8, focus.depth * 0.4));
  if (focus.y < box.top + 0.01) return { ...bar(Math.min(focus.y, box.top - 3.2), 1.8), isBefore: true };
  if (focus.y > box.bottom) return bar(Math.max(focus.y, box.bottom + 3), 1.8);
  const room = Math.min(...seats.map((seat) => Math.hypot(seat.x - focus.x, seat.y - focus.y)));
  const half = Math.max(0.6, Math.min(room * 0.6, 4));
  return { x: focus.x - half * 1.4, y: focus.y - half * 0.6, width: half * 2.8, height: half * 1.2 };
}

function sectionsOf(seats, focus) {
  const sections = new Map();
  for (const seat of seats) {
    let section = sections.get(seat.section);
    if (!section) sections.set(seat.section, (section = { name: seat.section, seats: [], byRow: new Map() }));
    section.seats.push(seat);
    let row = section.byRow.get(seat.row);
    if (!row) section.byRow.set(seat.row, (row = { name: seat.row, section, seats: [] }));
    row.seats.push(seat);
  }
  const natural = new Intl.Collator("en", { numeric: true });
  const away = (box) => Math.round(Math.max(0, box.top - focus.y, focus.y - box.bottom));
  for (const section of sections.values()) {
    section.box = boxOf(section.seats);
    section.rows = [...section.byRow.values()];
    for (const row of section.rows) {
      row.seats.sort((one, other) => one.x - other.x || one.y - other.y || one.order - other.order);
      row.box = boxOf(row.seats);
      row.y = row.seats.reduce((total, seat) => total + seat.y, 0) / row.seats.length;
    }
    section.rows.sort((one, other) => Math.abs(one.y - focus.y) - Math.abs(other.y - focus.y));
  }
  return [...sections.values()].sort((one, other) => away(one.box) - away(other.box) || natural.compare(one.name, other.name));
}

/** Gives each section a block: a padded box where no two overlap, else its hull. True: boxes. */
function place(sections) {
  for (const pad of [1.4, 1, 0.7]) {
    const blocks = sections.map(({ box }) => ({ x: box.left - pad, y: box.top - pad, width: box.right - box.left + 2 * pad, height: box.bottom - box.top + 2 * pad }));
    if (!blocks.some((one, at) => blocks.slice(at + 1).some((other) => overlap(one, other)))) {
      sections.forEach((section, at) => {
        section.block = blocks[at];
      });
      return true;
    }
  }
  return false;
}

export function overlap(one, other) {
  return one.x < other.x + other.width && other.x < one.x + one.width && one.y < other.y + other.height && other.y < one.y + one.height;
}

/** The convex hull of seats (Andrew's chain), corner by corner. */
export function hullOf(seats) {
  const points = seats.map(({ x, y }) => [x, y]).sort((one, other) => one[0] - other[0] || one[1] - other[1]);
  const half = (ordered) => {
    const chain = [];
    for (const point of ordered) {
      while (chain.length > 1 && turn(chain[chain.length - 2], chain[chain.length - 1], point) <= 0) chain.pop();
      chain.push(point);
    }
    chain.pop();
    return chain;
  };
  return points.length < 3 ? points : [...half(points), ...half(points.reverse())];
}

function turn([ax, ay], [bx, by], [cx, cy]) {
  return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);
}

/** A row's seats that stand side by side: cut at aisles. */
export function blocksOf(row) {
  const steps = row.slice(1).map((seat, at) => Math.hypot(seat.x - row[at].x, seat.y - row[at].y)).sort((one, other) => one - other);
  const usual = steps[(steps.length - 1) >> 1] ?? 1;
  const blocks = [[]];
  row.forEach((seat, at) => {
    const before = row[at - 1];
    if (before && (before.aisle_after || Math.hypot(seat.x - before.x, seat.y - before.y) > 1.5 * usual + 1e-9)) blocks.push([]);
    blocks[blocks.length - 1].push(seat);
  });
  return blocks;
}
