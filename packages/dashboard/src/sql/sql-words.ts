import type { SqlStatistics } from '../api/sql.ts';
import { formatTime } from '../format/age.ts';
import { formatBytes, formatCount, formatDuration } from '../format/number-format.ts';

/** What was read for a query, as facts with a name. */
export function readFacts(statistics: SqlStatistics): readonly (readonly [name: string, text: string])[] {
  const { fromMs, toMs, devices, hotPoints, storedPoints, rollupRows, archiveFiles, archiveRows, archiveBytes } = statistics;
  const { waitedMs, elapsedMs } = statistics;
  const facts: (readonly [string, string])[] = [['Took', formatDuration(elapsedMs)]];
  if (waitedMs > 0) facts.push(['Waited for its turn', formatDuration(waitedMs)]);
  if (fromMs !== undefined || toMs !== undefined) facts.push(['Time read', timeWords(fromMs, toMs)]);
  if (devices !== undefined) facts.push(['Devices named', formatCount(devices)]);
  if (storedPoints > 0) facts.push(['Stored points read', formatCount(storedPoints)]);
  if (hotPoints > 0) facts.push(['Points from memory', formatCount(hotPoints)]);
  if (rollupRows > 0) facts.push(['Hours and days read', formatCount(rollupRows)]);
  if (archiveFiles > 0) {
    facts.push([
      'From the archive',
      `${formatCount(archiveRows)} rows of ${formatCount(archiveFiles)} files, ${formatBytes(archiveBytes)}`,
    ]);
  }
  return facts;
}

function timeWords(fromMs: number | undefined, toMs: number | undefined): string {
  if (fromMs === undefined) return `before ${formatTime(toMs ?? 0)}`;
  return toMs === undefined ? `from ${formatTime(fromMs)}` : `${formatTime(fromMs)} to ${formatTime(toMs)}`;
}

/** Where in a text line and column lie, both from 1: as a place of the text, inside of it. */
export function offsetOf(text: string, line: number, column: number): number {
  const lines = text.split('\n');
  let offset = 0;
  for (const each of lines.slice(0, line - 1)) offset += each.length + 1;
  return Math.min(text.length, offset + column - 1);
}

/** A line of the query with a mark below the place. */
export function markedLine(sql: string, line: number, column: number): string | undefined {
  const shown = sql.split('\n')[line - 1];
  return shown === undefined ? undefined : `${shown}\n${' '.repeat(Math.max(0, column - 1))}^`;
}

/** A value of a result as a cell shows it. */
export function cellText(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

const NUMBERS = /^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL.*)$/;

export function isNumberType(type: string): boolean {
  return NUMBERS.test(type);
}
