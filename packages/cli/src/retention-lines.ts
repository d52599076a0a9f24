import { printable } from './printable.ts';
import { formatBytes, formatTable } from './table.ts';

export type Level = 'raw' | 'hourly' | 'daily' | 'archive';
export type KeepDays = { readonly [level in Level]?: number | null };

export interface Plan {
  readonly freesBytes: number;
  readonly steps: readonly {
    readonly level: string;
    readonly file: string;
    readonly from: string;
    readonly to: string;
    readonly action: string;
    readonly bytes: number;
    readonly freesBytes: number;
    readonly blocked?: string;
  }[];
  readonly more: number;
  readonly refused?: string;
}

const BLOCKED: Readonly<Record<string, string>> = {
  held: 'under legal hold',
  'not-archived': 'not archived yet',
  'finer-kept': 'finer points of the same days stay',
  'no-room': 'no room for a copy of what stays',
  failed: 'it could not be done, see the log',
};

/** Why something that is too old stays, for people. */
export function blockedText(because: string): string {
  return BLOCKED[because] ?? `points have just come (${because})`;
}

/**
 * `raw 7 d, hourly for ever`: the finest first; `daily 2 d (really 90 d)` where finer points are kept longer.
 *
 * @param effective how long each level is really kept
 */
export function keptText(days: KeepDays, effective: KeepDays): string {
  const text = (kept: number | null): string => (kept === null ? 'for ever' : `${kept} d`);
  return (['raw', 'hourly', 'daily', 'archive'] as const)
    .flatMap((level) => {
      const [kept, really] = [days[level], effective[level]];
      if (kept === undefined) return [];
      return [`${level} ${text(kept)}${really === undefined || really === kept ? '' : ` (really ${text(really)})`}`];
    })
    .join(', ');
}

/** What a dry run has found. */
export function planText({ freesBytes, steps, more, refused }: Plan): string {
  const said = refused === undefined ? [] : [printable(refused), ''];
  if (steps.length === 0) return [...said, 'nothing is too old'].join('\n');
  const rows = steps.map(({ level, file, from, to, action, bytes, freesBytes: frees, blocked }) => [
    level,
    from === to ? from : `${from} to ${to}`,
    printable(file),
    formatBytes(bytes),
    blocked === undefined ? (action === 'drop' ? 'all of it' : 'a part of it') : `stays: ${blockedText(blocked)}`,
    blocked === undefined ? formatBytes(frees) : '',
  ]);
  return [
    ...said,
    formatTable(['level', 'days (UTC)', 'file', 'size', 'goes', 'frees'], rows),
    ...(more > 0 ? [`and ${more} more`] : []),
    `${formatBytes(freesBytes)} would be freed`,
  ].join('\n');
}
