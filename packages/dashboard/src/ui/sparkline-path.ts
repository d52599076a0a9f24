export interface SparkPoint {
  readonly x: number;
  readonly y: number;
}

export interface SparkBox {
  readonly width: number;
  readonly height: number;
  /** The scale begins at zero. */
  readonly fromZero?: boolean;
  /** The width stands for so much of x, its right edge for the last point; absent: from the first point to the last. */
  readonly spanX?: number;
  /** Points further apart are not joined. */
  readonly breakAfter?: number;
}

/** SVG path data of a line through the points, with a margin of one unit above and below; `''` for fewer than two points. */
export function sparklinePath(points: readonly SparkPoint[], box: SparkBox): string {
  const { width, height, fromZero = false, breakAfter = Infinity } = box;
  const first = points[0];
  const last = points.at(-1);
  if (first === undefined || last === undefined || last.x <= first.x) return '';
  const spanX = box.spanX ?? last.x - first.x;
  const startX = last.x - spanX;
  let low = fromZero ? 0 : Infinity;
  let high = fromZero ? 0 : -Infinity;
  for (const { y } of points) {
    low = Math.min(low, y);
    high = Math.max(high, y);
  }
  const level = fromZero ? height - 1 : height / 2;
  const place = (y: number) => (high === low ? level : height - 1 - ((y - low) / (high - low)) * (height - 2));
  let path = '';
  let beforeX = -Infinity;
  for (const { x, y } of points) {
    if (x < startX) continue;
    path += `${path === '' || x - beforeX > breakAfter ? 'M' : 'L'}${(((x - startX) / spanX) * width).toFixed(1)} ${place(y).toFixed(1)}`;
    beforeX = x;
  }
  return path;
}

/** The same line closed down to the bottom, to be filled; only for a line without breaks. */
export function sparklineArea(path: string, box: SparkBox): string {
  const startX = /^M(-?[\d.]+) /.exec(path)?.[1];
  return startX === undefined ? '' : `${path}L${box.width} ${box.height}L${startX} ${box.height}Z`;
}
