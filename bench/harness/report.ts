import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine } from './machine.ts';
import { isRecorded } from './phase.ts';

export interface Row {
  readonly what: string;
  readonly selsyn: string;
  readonly target?: string;
  readonly peer?: string;
  readonly ratio?: string;
  readonly holds?: boolean;
}

/** One claim, measured: what is printed, and everything that was measured. */
export interface ClaimResult {
  readonly claim: string;
  readonly workload: string;
  readonly machine: Machine;
  readonly rows: readonly Row[];
  readonly measured: unknown;
}

/** Prints the rows as a table and writes the whole to bench/results/{claim}.json (see writeResult). */
export function report(result: ClaimResult): void {
  const cells = result.rows.map((row) => [
    row.what,
    row.selsyn,
    row.target ?? '',
    row.peer ?? '',
    row.ratio ?? '',
    row.holds === undefined ? '' : row.holds ? 'yes' : 'NO',
  ]);
  process.stdout.write(`\n${result.claim}: ${result.workload}\n`);
  printTable([['what', 'selsyn', 'target', 'peer', 'ratio', 'holds'], ...cells]);
  writeResult(result.claim, result);
}

export function printTable(table: readonly (readonly string[])[]): void {
  const widths = table[0]?.map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0))) ?? [];
  for (const line of table)
    process.stdout.write(
      `  ${line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    );
}

/** Not of a run that is short or of a part: what is recorded was measured in full. */
export function writeResult(name: string, result: unknown): void {
  if (!isRecorded()) return;
  const folder = join(import.meta.dirname, '..', 'results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(result, undefined, 2)}\n`);
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

export function whole(number: number): string {
  return Math.round(number).toLocaleString('en-US');
}

export function ms(value: number): string {
  return `${value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : whole(value)} ms`;
}

/** `1.31 x`: ours over theirs for rates, theirs over ours for times and sizes, so that more is better. */
export function times(better: number, worse: number): string {
  return `${(better / worse).toFixed(2)} x`;
}
