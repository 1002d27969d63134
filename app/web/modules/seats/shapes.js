// A seat is one path: its category's shape, or the mark of its status. Signs are cut out of it, so that no second element
// is needed and every colour of the ground shows through.

const POLYGONS = {
  1: rounded(0.4),
  2: regular(28, 0.41, 0),
  3: [[-0.22, -0.4], [0.22, -0.4], [0.44, 0], [0.22, 0.4], [-0.22, 0.4], [-0.44, 0]],
  4: [[0, -0.48], [0.48, 0], [0, 0.48], [-0.48, 0]],
  5: regular(5, 0.45, -Math.PI / 2),
  6: [[0, -0.44], [0.47, 0.38], [-0.47, 0.38]],
};
const TICK = outline([[-0.2, 0.02], [-0.06, 0.17], [0.21, -0.15]], 0.1);
const PLUS = "M-.045-.18h.09v.135h.135v.09h-.135v.135h-.09v-.135h-.135v-.09h.135z";
const CHAIR = [
  "M-.1-.3a.07.07 0 1 1 .14 0a.07.07 0 1 1-.14 0z",
  "M-.08-.2h.1v.12h.12v.08h-.22z",
  "M-.21.14a.15.15 0 1 1 .3 0a.15.15 0 1 1-.3 0zM-.14.14a.08.08 0 1 0 .16 0a.08.08 0 1 0-.16 0z",
  "M.1.02h.08l.08.24h-.09z",
].join("");
const known = new Map();

/** The path of an available seat, one unit wide. */
export function seatPath(category, { accessible = false, companion = false, restricted_view: restricted = false } = {}) {
  const name = `${category} ${accessible} ${companion} ${restricted}`;
  if (!known.has(name)) known.set(name, drawn(category, accessible, companion, restricted));
  return known.get(name);
}

/** Categories beyond six take shape and colour again, hollow. */
export function look(category) {
  return { kind: ((category - 1) % 6) + 1, hollow: category > 6 };
}

function drawn(category, accessible, companion, restricted) {
  const shape = POLYGONS[look(category).kind];
  const path = written(restricted ? cut(shape) : shape);
  return path + (accessible ? CHAIR : companion ? PLUS : "");
}

/** What a status looks like that is not "available". */
export const MARKS = {
  reserved_by_me: written(rounded(0.46)) + TICK,
  pending: `${written(rounded(0.46))}M-.2.02l.14.15l.27-.32`,
  reserved: "M-.2 0a.2.2 0 1 1 .4 0a.2.2 0 1 1-.4 0z",
  booked: "M-.17 0a.17.17 0 1 1 .34 0a.17.17 0 1 1-.34 0z",
  blocked: "M-.2-.035h.4v.07h-.4z",
};

function regular(corners, radius, from) {
  return Array.from({ length: corners }, (_, at) => {
    const angle = from + (at * 2 * Math.PI) / corners;
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });
}

function rounded(half, round = 0.1) {
  const corners = [[1, -1, -90], [1, 1, 0], [-1, 1, 90], [-1, -1, 180]];
  return corners.flatMap(([x, y, from]) =>
    [0, 30, 60, 90].map((step) => {
      const angle = ((from + step) * Math.PI) / 180;
      return [x * (half - round) + round * Math.cos(angle), y * (half - round) + round * Math.sin(angle)];
    }),
  );
}

/** Without its lower right corner: what lies beyond x + y = 0.36 is cut off. */
function cut(polygon, edge = 0.36) {
  const kept = [];
  polygon.forEach((point, at) => {
    const next = polygon[(at + 1) % polygon.length];
    const here = point[0] + point[1] - edge;
    const there = next[0] + next[1] - edge;
    if (here <= 0) kept.push(point);
    if (here <= 0 !== there <= 0) {
      const part = here / (here - there);
      kept.push([point[0] + part * (next[0] - point[0]), point[1] + part * (next[1] - point[1])]);
    }
  });
  return kept;
}

/** The outline of a line of this width. */
function outline(points, width) {
  const sides = points.slice(1).map(([x, y], at) => {
    const [fromX, fromY] = points[at];
    const length = Math.hypot(x - fromX, y - fromY);
    return [(-(y - fromY) / length) * (width / 2), ((x - fromX) / length) * (width / 2)];
  });
  const joined = (sign) =>
    points.map(([x, y], at) => {
      const [before, after] = [sides[Math.max(at - 1, 0)], sides[Math.min(at, sides.length - 1)]];
      const [nx, ny] = [before[0] + after[0], before[1] + after[1]];
      const scale = ((width / 2) ** 2 * 2) / (nx * nx + ny * ny || 1);
      return [x + sign * nx * scale, y + sign * ny * scale];
    });
  return written([...joined(1), ...joined(-1).reverse()]);
}

function written(polygon) {
  return `M${polygon.map(([x, y]) => `${+x.toFixed(3)} ${+y.toFixed(3)}`).join("L")}z`;
}
