import type { SeriesPoints } from '../columnar/parquet-files.ts';
import { writeTextCell } from '../registry/import/cell.ts';
import type { PointValue } from '../telemetry/telemetry-queries.ts';

/*
 * Rows of points as text, each of which is taken again by an import:
 *
 *   CSV          device,metric,time,value,text,flag     time: ISO 8601, UTC, ms; one of the last three is filled
 *   JSON Lines   {"device":"pump-1","metric":"pressure","ts":1700000000000,"value":2.5}
 *
 * A text or name that a spreadsheet would take for a formula, or that would be read as something else, stands in CSV as JSON, in quotes.
 */
export const CSV_HEADER = 'device,metric,time,value,text,flag\n';

/** Rows that leave as one text. */
const ROWS = 1_000;

/** The rows of points, in pieces. */
export function* csvRows(points: readonly SeriesPoints[]): Generator<string> {
  const clock = new IsoTimes();
  yield* rows(points, ({ device, metric }) => {
    const start = `${device},${quoted(writeTextCell(metric))},`;
    return (timeMs, value) => {
      const head = start + clock.text(timeMs);
      if (typeof value === 'number') return `${head},${value},,\n`;
      return typeof value === 'string' ? `${head},,${quoted(writeTextCell(value))},\n` : `${head},,,${value}\n`;
    };
  });
}

/** The rows of points, in pieces. */
export function* jsonRows(points: readonly SeriesPoints[]): Generator<string> {
  yield* rows(points, ({ device, metric }) => {
    const start = `{"device":"${device}","metric":${JSON.stringify(metric)},"ts":`;
    return (timeMs, value) => `${start}${timeMs},"value":${typeof value === 'string' ? JSON.stringify(value) : value}}\n`;
  });
}

function* rows(
  points: readonly SeriesPoints[],
  writerOf: (series: SeriesPoints) => (timeMs: number, value: PointValue) => string,
): Generator<string> {
  let text = '';
  let count = 0;
  for (const series of points) {
    const write = writerOf(series);
    const { times, values } = series;
    for (let i = 0; i < times.length; i++) {
      text += write(times[i]!, values[i]!);
      if (++count % ROWS !== 0) continue;
      yield text;
      text = '';
    }
  }
  if (text !== '') yield text;
}

function quoted(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

/** Times as ISO 8601: those that follow one another share most of their text. */
class IsoTimes {
  #second = Number.NaN;
  #text = '';

  text(timeMs: number): string {
    const second = Math.floor(timeMs / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#text = new Date(second * 1000).toISOString().slice(0, 20);
    }
    const ms = timeMs - second * 1000;
    return `${this.#text}${ms < 10 ? '00' : ms < 100 ? '0' : ''}${ms}Z`;
  }
}
