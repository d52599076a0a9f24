import { printable } from './printable.ts';
import { formatAge, formatDuration } from './table.ts';

/** A forwarder as the API shows it. */
export interface ForwarderItem {
  readonly id: string;
  readonly description?: string;
  readonly target: {
    readonly kind: string;
    readonly url?: string;
    readonly brokers?: readonly string[];
    readonly topic?: string;
  };
  readonly format: string;
  readonly filter: Readonly<Record<string, unknown>>;
  readonly paused: boolean;
  readonly secretNames: readonly string[];
  readonly state?: {
    readonly lagRecords: number;
    readonly lagSeconds: number;
    readonly lagBytes: number;
    readonly sent: number;
    readonly sentBytes: number;
    readonly batches: number;
    readonly failures: number;
    readonly filtered: number;
    readonly skipped: number;
    readonly undecodable: number;
    readonly refused: number;
    readonly circuit: string;
    readonly lastError?: { readonly message: string; readonly atMs: number };
    readonly lastSentMs?: number;
  };
}

/** One line of a table. */
export function forwarderRow(item: ForwarderItem): string[] {
  const { id, state } = item;
  const error = state === undefined || state.circuit === 'closed' ? '' : (state.lastError?.message ?? '');
  return [
    id,
    targetOf(item),
    stateOf(item),
    String(state?.lagRecords ?? ''),
    formatDuration((state?.lagSeconds ?? 0) * 1000),
    String(state?.sent ?? ''),
    String(state?.refused ?? ''),
    String(state?.skipped ?? ''),
    printable(error).slice(0, 60),
  ];
}

/** All of it, a line each. */
export function forwarderLines(item: ForwarderItem, nowMs: number): string {
  const { id, description, format, filter, secretNames, state } = item;
  const lines: (readonly [string, string | undefined])[] = [
    ['id', id],
    ['what for', description],
    ['target', targetOf(item)],
    ['format', format],
    ['filter', Object.keys(filter).length === 0 ? 'everything' : JSON.stringify(filter)],
    ['secrets', secretNames.length === 0 ? undefined : secretNames.join(', ')],
    ['state', stateOf(item)],
  ];
  if (state !== undefined) {
    const { lastError, lastSentMs } = state;
    lines.push(
      ['behind', `${state.lagRecords} records, ${formatDuration(state.lagSeconds * 1000)}, ${state.lagBytes} bytes`],
      [
        'sent',
        `${state.sent} records (${state.sentBytes} bytes) in ${state.batches} ${state.batches === 1 ? 'batch' : 'batches'}`,
      ],
      ['last sent', lastSentMs === undefined ? undefined : `${formatAge(nowMs - lastSentMs)} ago`],
      ['failures', String(state.failures)],
      ['last error', lastError === undefined ? undefined : `${lastError.message} (${formatAge(nowMs - lastError.atMs)} ago)`],
      ['filtered', String(state.filtered)],
      ['refused', String(state.refused)],
      ['skipped', String(state.skipped)],
      ['undecodable', state.undecodable === 0 ? undefined : String(state.undecodable)],
    );
  }
  return lines.flatMap(([label, text]) => (text === undefined ? [] : [`${label.padEnd(11)}  ${printable(text)}`])).join('\n');
}

function targetOf({ target: { kind, url, brokers, topic } }: ForwarderItem): string {
  return kind === 'kafka' ? `kafka ${brokers?.[0] ?? ''}/${topic ?? ''}` : `${kind} ${url ?? ''}`;
}

function stateOf({ paused, state }: ForwarderItem): string {
  if (paused) return 'paused';
  if (state === undefined) return 'starting';
  return state.circuit === 'closed' ? 'well' : state.circuit === 'retrying' ? 'retrying' : 'failing';
}
