import type { ForwarderJson } from '@selsyn/platform/api/forwarder-schemas.ts';
import { printable } from './printable.ts';
import { formatAge, formatDuration } from './table.ts';

/** One line of a table. */
export function forwarderRow(item: ForwarderJson): string[] {
  const { id, state } = item;
  return [
    id,
    targetOf(item),
    stateOf(item),
    String(state?.lagRecords ?? ''),
    formatDuration((state?.lagSeconds ?? 0) * 1000),
    String(state?.sent ?? ''),
    String(state?.refused ?? ''),
    String(state?.skipped ?? ''),
    printable(troubleOf(item)).slice(0, 60),
  ];
}

/** All of it, a line each. */
export function forwarderLines(item: ForwarderJson, nowMs: number): string {
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
    const { lastError, lastRefusal, lastSentMs } = state;
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
      [
        'last refusal',
        lastRefusal === undefined ? undefined : `${lastRefusal.message} (${formatAge(nowMs - lastRefusal.atMs)} ago)`,
      ],
      ['skipped', String(state.skipped)],
      ['undecodable', state.undecodable === 0 ? undefined : String(state.undecodable)],
    );
  }
  return lines.flatMap(([label, text]) => (text === undefined ? [] : [`${label.padEnd(12)}  ${printable(text)}`])).join('\n');
}

function targetOf({ target }: ForwarderJson): string {
  return target.kind === 'kafka' ? `kafka ${target.brokers[0] ?? ''}/${target.topic}` : `${target.kind} ${target.url}`;
}

function stateOf({ paused, state }: ForwarderJson): string {
  if (paused) return 'paused';
  if (state === undefined) return 'starting';
  return state.health;
}

/** What the target said, while it is not well. */
function troubleOf({ state }: ForwarderJson): string {
  if (state === undefined || state.health === 'well') return '';
  return (state.health === 'refusing' ? state.lastRefusal?.message : state.lastError?.message) ?? '';
}
