import type { Forwarder, ForwarderState } from '../api/forwarders.ts';
import type { Json } from '../api/json.ts';
import { formatDuration } from '../format/number-format.ts';
import type { Tone } from '../ui/badge.tsx';

const KINDS: Readonly<Record<string, string>> = {
  webhook: 'webhook',
  kafka: 'Kafka',
  mqtt: 'MQTT broker',
  influxdb: 'InfluxDB',
};

/** What kind of target it is, and where. */
export function targetText(target: Json): { readonly kind: string; readonly place: string } {
  const word = (field: string): string => {
    const value = target[field];
    return Array.isArray(value) ? value.join(', ') : typeof value === 'string' ? value : '';
  };
  const kind = word('kind');
  const within = kind === 'influxdb' ? word('bucket') || word('database') : kind === 'webhook' ? '' : word('topic');
  const place = kind === 'kafka' ? word('brokers') : word('url');
  return { kind: KINDS[kind] ?? kind, place: within === '' ? place : `${place} · ${within}` };
}

/** How it gets on. */
export function forwarderState({ paused, state }: Pick<Forwarder, 'paused' | 'state'>): {
  readonly tone: Tone;
  readonly text: string;
} {
  if (paused) return { tone: 'plain', text: 'paused' };
  if (state === undefined) return { tone: 'plain', text: 'starting' };
  if (state.health === 'refusing') return { tone: 'bad', text: 'target refuses records' };
  switch (state.circuit) {
    case 'closed':
      return { tone: 'good', text: 'sending' };
    case 'retrying':
      return { tone: 'warn', text: 'trying again' };
    case 'half-open':
      return { tone: 'warn', text: 'trying the target' };
    default:
      return { tone: 'bad', text: 'target is away' };
  }
}

/** What the target, or the way to it, has against what is sent now; undefined: nothing. */
export function troubleOf(state: ForwarderState | undefined): string | undefined {
  if (state === undefined) return undefined;
  if (state.health === 'refusing') return state.lastRefusal?.message;
  return state.circuit === 'closed' ? undefined : state.lastError?.message;
}

/** How far it is behind. */
export function lagText({ lagRecords, lagSeconds }: Pick<ForwarderState, 'lagRecords' | 'lagSeconds'>): string {
  return lagRecords === 0 ? 'none' : longTime(lagSeconds);
}

function longTime(seconds: number): string {
  if (seconds < 5400) return formatDuration(seconds * 1000);
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`;
}

/** What of all telemetry it sends, in words. */
export function filterText(filter: Json): string {
  const words: string[] = [];
  for (const [field, label] of FIELDS) {
    const value = filter[field];
    if (Array.isArray(value) && value.length > 0) words.push(`${label} ${value.join(', ')}`);
    else if (typeof value === 'string' && value !== '') words.push(`${label} ${value}`);
  }
  return words.length === 0 ? 'everything' : words.join(' · ');
}

const FIELDS = [
  ['topics', 'topics'],
  ['idPrefix', 'ids that begin with'],
  ['group', 'group'],
  ['types', 'types'],
  ['filter', 'filter'],
  ['metrics', 'metrics'],
] as const;
