import { printable } from './printable.ts';
import { counted, formatBytes, formatTable } from './table.ts';

/** What POST /api/v1/sql answers. */
export interface SqlAnswer {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly (readonly unknown[])[];
  readonly limited: boolean;
}

/** Wider cells are cut: rows stay rows. */
const MAX_CELL = 80;

/** Rows as a table; nothing stands for NULL. */
export function sqlTable({ columns, rows }: SqlAnswer): string {
  const table = formatTable(
    columns.map(({ name }) => printable(name)),
    rows.map((row) => row.map(cell)),
  );
  return `${table}\n(${counted(rows.length, 'row')})`;
}

function cell(value: unknown): string {
  if (value === null) return '';
  const text = printable(typeof value === 'string' ? value : JSON.stringify(value));
  return text.length <= MAX_CELL ? text : `${text.slice(0, MAX_CELL - 1)}…`;
}

/** An error with the line of the query that it speaks of, and a mark below the place. */
export function pointAt(message: string, sql: string): string {
  const place = /\(line (\d+), column (\d+)\)/.exec(message);
  const line = place === null ? undefined : sql.split('\n')[Number(place[1]) - 1];
  if (place === null || line === undefined) return message;
  const column = Number(place[2]);
  const start = Math.max(0, column - 60);
  const shown = printable(line.slice(start, start + 100));
  return `${message}\n  ${shown}\n  ${' '.repeat(printable(line.slice(start, column - 1)).length)}^`;
}

/** What was read for a query, from the header of the answer. */
export function statisticsLine(header: string | null): string {
  const read = JSON.parse(header ?? '{}') as Partial<Record<string, number>>;
  const of = (name: string): number => read[name] ?? 0;
  const parts = [
    `${counted(of('storedPoints'), 'stored point')}`,
    `${counted(of('hotPoints'), 'point')} in memory`,
    `${counted(of('rollupRows'), 'rollup')}`,
    `${counted(of('archiveFiles'), 'archived file')} (${formatBytes(of('archiveBytes'))})`,
  ];
  const time =
    read['fromMs'] === undefined && read['toMs'] === undefined
      ? ''
      : ` from ${iso(read['fromMs'])} to ${iso(read['toMs'])}${read['devices'] === undefined ? '' : ` of ${counted(of('devices'), 'device')}`}`;
  const waited = of('waitedMs') > 0 ? `, after waiting ${of('waitedMs')} ms` : '';
  return `read ${parts.join(', ')}${time}; ${of('elapsedMs')} ms${waited}`;
}

function iso(timeMs: number | undefined): string {
  return timeMs === undefined ? '…' : new Date(timeMs).toISOString();
}
