import { type Forwarder, TARGET_KINDS, type TargetKind } from '../api/forwarders.ts';
import type { Json } from '../api/json.ts';
import { TARGET_FIELDS, type TargetField, textOf, valueOf, withValue } from './target-fields.ts';

/** What is typed to add a forwarder or to change one; empty: not given. */
export interface ForwarderForm {
  readonly id: string;
  readonly description: string;
  readonly kind: TargetKind;
  readonly fields: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
  /** Secrets that it has and shall not have any more. */
  readonly removed: readonly string[];
  readonly format: 'raw' | 'samples';
  readonly filter: Readonly<Record<string, string>>;
  readonly batch: Readonly<Record<string, string>>;
  readonly fromBeginning: boolean;
}

export const EMPTY_FORWARDER: ForwarderForm = {
  id: '',
  description: '',
  kind: 'webhook',
  fields: {},
  secrets: {},
  removed: [],
  format: 'raw',
  filter: {},
  batch: {},
  fromBeginning: false,
};

/** What of all telemetry it sends. */
export const FILTER_FIELDS: readonly TargetField[] = [
  { name: 'group', label: 'Only devices in (optional)', placeholder: '/acme/berlin' },
  { name: 'types', label: 'Only of types (optional)', placeholder: 'boiler, pump', as: 'list' },
  { name: 'metrics', label: 'Only metrics (optional)', placeholder: 'temperature, power.*', as: 'list' },
  { name: 'topics', label: 'Only of topics', placeholder: 'telemetry/#', as: 'list', isMore: true },
  { name: 'idPrefix', label: 'Only ids that begin with', placeholder: 'pump-', isMore: true },
  { name: 'filter', label: 'Only devices that this filter matches', placeholder: 'tags has "north"', isMore: true },
];

/** How much goes out at once. */
export const BATCH_FIELDS: readonly TargetField[] = [
  { name: 'maxRecords', label: 'Records at once', placeholder: '1000' },
  { name: 'maxBytes', label: 'Bytes at once', placeholder: '1048576' },
  { name: 'lingerMs', label: 'Milliseconds that a record waits for others', placeholder: '100' },
];

export type ForwarderFaults = Readonly<Record<string, string>>;

/** A forwarder as it is, to be changed; its secrets are not known here. */
export function formOf({ id, description, target, format, filter, batch }: Forwarder): ForwarderForm {
  const kind = TARGET_KINDS.find((each) => each === target['kind']) ?? 'webhook';
  const texts = (source: Json, fields: readonly TargetField[]): Record<string, string> =>
    Object.fromEntries(fields.map((field) => [field.name, textOf(source, field)]));
  return {
    ...EMPTY_FORWARDER,
    id,
    description: description ?? '',
    kind,
    fields: texts(target, TARGET_FIELDS[kind].fields),
    format: format === 'samples' ? 'samples' : 'raw',
    filter: texts(filter, FILTER_FIELDS),
    batch: texts(batch, BATCH_FIELDS),
  };
}

/** What to send to add it, or what is not right yet, by field. */
export function forwarderDraft(form: ForwarderForm): { readonly draft: Json } | { readonly faults: ForwarderFaults } {
  const { id, fromBeginning } = form;
  const parts = partsOf(form, undefined);
  const idFault = /^[A-Za-z0-9_.-]{1,64}$/.test(id) ? {} : { id: '1 to 64 of A–Z a–z 0–9 _ . -' };
  const faults = { ...idFault, ...parts.faults };
  if (Object.keys(faults).length > 0) return { faults };
  const { description, target, format, filter, batch, secrets } = parts;
  return {
    draft: {
      id,
      target,
      format,
      ...(description !== '' && { description }),
      ...(hasAny(filter) && { filter }),
      ...(hasAny(batch) && { batch }),
      ...(fromBeginning && { startAt: 'beginning' }),
      ...(hasAny(secrets) && { secrets }),
    },
  };
}

/** What to send to change it, only what is not as it was; or what is not right yet. Secrets that were left empty stay. */
export function forwarderPatch(
  form: ForwarderForm,
  before: Forwarder,
): { readonly patch: Json } | { readonly faults: ForwarderFaults } {
  const { faults, secrets, ...parts } = partsOf(form, before);
  if (hasAny(faults)) return { faults };
  const were: Json = { ...before, description: before.description ?? '' };
  const changed = Object.entries(parts).filter(([name, value]) => canonical(value) !== canonical(were[name]));
  return { patch: { ...Object.fromEntries(changed), ...(hasAny(secrets) && { secrets }) } };
}

/** Whether it would send to another place: then its secrets must be given again. */
export function goesElsewhere(form: ForwarderForm, before: Forwarder): boolean {
  return placeOf(targetOf(form, before)) !== placeOf(before.target);
}

/** InfluxDB takes nothing else than samples. */
export function formatOf({ kind, format }: Pick<ForwarderForm, 'kind' | 'format'>): 'raw' | 'samples' {
  return kind === 'influxdb' ? 'samples' : format;
}

function partsOf(form: ForwarderForm, before: Forwarder | undefined) {
  const format = formatOf(form);
  const target = targetOf(form, before);
  const filters = format === 'samples' ? FILTER_FIELDS : FILTER_FIELDS.filter(({ name }) => name !== 'metrics');
  const filter = filters.reduce<Json>(
    (built, field) => withValue(built, field.name, valueOf(form.filter[field.name] ?? '', field)),
    {},
  );
  const faults: Record<string, string> = targetFaults(form, target);
  const batch: Record<string, number> = {};
  for (const { name } of BATCH_FIELDS) {
    const text = (form.batch[name] ?? '').trim();
    const known = before?.batch[name];
    if (text === '' && typeof known === 'number') batch[name] = known;
    else if (/^\d{1,9}$/.test(text)) batch[name] = Number(text);
    else if (text !== '') faults[name] = 'A whole number.';
  }
  const secrets = secretsOf(form, before, faults);
  return { faults, target, format, filter, batch, secrets, description: form.description.trim() };
}

/** Settings that no field is for stay as they are. */
function targetOf({ kind, fields }: ForwarderForm, before: Forwarder | undefined): Json {
  const known = before?.target['kind'] === kind ? before.target : { kind };
  const target = TARGET_FIELDS[kind].fields.reduce<Json>(
    (built, field) => withValue(built, field.name, valueOf(fields[field.name] ?? '', field)),
    known,
  );
  if (kind !== 'kafka') return target;
  const username = valueOf(fields['sasl.username'] ?? '', { name: '', label: '' });
  const mechanism = fields['sasl.mechanism'] ?? '';
  return withValue(
    target,
    'sasl',
    username === undefined ? undefined : { mechanism: mechanism === '' ? 'SCRAM-SHA-256' : mechanism, username },
  );
}

function targetFaults({ kind, fields }: ForwarderForm, target: Json): Record<string, string> {
  const faults: Record<string, string> = {};
  for (const { name, required, as } of TARGET_FIELDS[kind].fields) {
    if (required === true && target[name] === undefined) faults[name] = 'It is needed.';
    const lines = (fields[name] ?? '').split('\n').filter((line) => line.trim() !== '');
    if (as === 'headers' && lines.some((line) => !/^[^:\s]+\s*:/.test(line))) faults[name] = 'Name: value, a line each.';
  }
  if (kind === 'influxdb' && (target['bucket'] === undefined) === (target['database'] === undefined))
    faults['bucket'] = 'Either a bucket or a database.';
  else if (target['bucket'] !== undefined && target['org'] === undefined) faults['org'] = 'A bucket is one of an organisation.';
  return faults;
}

/** Null takes one away: also those that another kind of target does not have. */
function secretsOf(form: ForwarderForm, before: Forwarder | undefined, faults: Record<string, string>): Json {
  const names = TARGET_FIELDS[form.kind].secrets.map(({ name }) => name);
  const given = names.flatMap((name) => (form.secrets[name] ? [[name, form.secrets[name]] as const] : []));
  const secrets: Record<string, string | null> = Object.fromEntries(given);
  for (const name of before?.secretNames ?? []) {
    if (secrets[name] !== undefined) continue;
    if (!names.includes(name) || form.removed.includes(name)) secrets[name] = null;
    else if (before !== undefined && goesElsewhere(form, before)) faults[name] = 'It goes to another place: give it again.';
  }
  return secrets;
}

/** As the server tells places apart: without TLS whoever is on the way there reads what is secret. */
function placeOf(target: Json): string {
  const { brokers, secure, url } = target;
  if (Array.isArray(brokers)) return [secure === true, ...brokers.map(String).toSorted()].join();
  if (typeof url !== 'string') return '';
  const parsed = URL.parse(url);
  return parsed === null ? url : `${parsed.protocol}//${parsed.host}`;
}

function hasAny(of: Json): boolean {
  return Object.keys(of).length > 0;
}

/** The same for objects whose fields stand in another order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
}
