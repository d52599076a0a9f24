import type { TargetKind } from '../api/forwarders.ts';
import type { Json } from '../api/json.ts';

/** What is typed to add a forwarder; empty: not given. */
export interface ForwarderForm {
  readonly id: string;
  readonly description: string;
  readonly kind: TargetKind;
  readonly fields: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
  readonly format: 'raw' | 'samples';
  readonly group: string;
  readonly types: string;
  readonly metrics: string;
  readonly fromBeginning: boolean;
}

export const EMPTY_FORWARDER: ForwarderForm = {
  id: '',
  description: '',
  kind: 'webhook',
  fields: {},
  secrets: {},
  format: 'raw',
  group: '',
  types: '',
  metrics: '',
  fromBeginning: false,
};

export interface TargetField {
  readonly name: string;
  readonly label: string;
  readonly placeholder?: string;
  readonly required?: boolean;
  readonly isList?: boolean;
}

/** What each kind of target is told, in the order of its form. */
export const TARGET_FIELDS: Readonly<
  Record<
    TargetKind,
    { readonly label: string; readonly fields: readonly TargetField[]; readonly secrets: readonly TargetField[] }
  >
> = {
  webhook: {
    label: 'Webhook (HTTP POST)',
    fields: [{ name: 'url', label: 'URL', placeholder: 'https://example.com/telemetry', required: true }],
    secrets: [
      { name: 'signingKey', label: 'Key that signs (HMAC, optional)' },
      { name: 'authorization', label: 'Authorization header (optional)', placeholder: 'Bearer …' },
    ],
  },
  kafka: {
    label: 'Kafka',
    fields: [
      { name: 'brokers', label: 'Brokers', placeholder: 'kafka-1:9092, kafka-2:9092', required: true, isList: true },
      { name: 'topic', label: 'Topic', placeholder: 'telemetry', required: true },
      { name: 'username', label: 'User name (SASL, optional)' },
    ],
    secrets: [{ name: 'password', label: 'Password (optional)' }],
  },
  mqtt: {
    label: 'MQTT broker',
    fields: [
      { name: 'url', label: 'URL', placeholder: 'mqtts://broker.example.com:8883', required: true },
      { name: 'topic', label: 'Topic (optional)', placeholder: '${topic}' },
      { name: 'username', label: 'User name (optional)' },
    ],
    secrets: [{ name: 'password', label: 'Password (optional)' }],
  },
  influxdb: {
    label: 'InfluxDB',
    fields: [
      { name: 'url', label: 'URL', placeholder: 'http://influx.example.com:8086', required: true },
      { name: 'bucket', label: 'Bucket (version 2)' },
      { name: 'org', label: 'Organisation (version 2)' },
      { name: 'database', label: 'Database (version 1)' },
      { name: 'username', label: 'User name (version 1, optional)' },
    ],
    secrets: [
      { name: 'token', label: 'Token (version 2)' },
      { name: 'password', label: 'Password (version 1, optional)' },
    ],
  },
};

export type ForwarderFaults = Readonly<Record<string, string>>;

/** What to send, or what is not right yet, by field. */
export function forwarderDraft(form: ForwarderForm): { readonly draft: Json } | { readonly faults: ForwarderFaults } {
  const { fields, secrets } = TARGET_FIELDS[form.kind];
  const faults: Record<string, string> = {};
  if (!/^[A-Za-z0-9_.-]{1,64}$/.test(form.id)) faults['id'] = '1 to 64 of A–Z a–z 0–9 _ . -';
  const target: Record<string, unknown> = { kind: form.kind };
  for (const { name, required, isList } of fields) {
    const value = (form.fields[name] ?? '').trim();
    if (value === '' && required === true) faults[name] = 'It is needed.';
    if (value !== '') target[name] = isList === true ? listOf(value) : value;
  }
  if (form.kind === 'influxdb' && (target['bucket'] === undefined) === (target['database'] === undefined)) {
    faults['bucket'] = 'Either a bucket or a database.';
  } else if (target['bucket'] !== undefined && target['org'] === undefined) faults['org'] = 'A bucket is one of an organisation.';
  if (form.kind === 'kafka' && target['username'] !== undefined) {
    target['sasl'] = { mechanism: 'SCRAM-SHA-256', username: target['username'] };
    delete target['username'];
  }
  if (Object.keys(faults).length > 0) return { faults };
  const format = formatOf(form);
  const [types, metrics] = [listOf(form.types), format === 'samples' ? listOf(form.metrics) : []];
  const filter = {
    ...(form.group.trim() !== '' && { group: form.group.trim() }),
    ...(types.length > 0 && { types }),
    ...(metrics.length > 0 && { metrics }),
  };
  const given = secrets.flatMap(({ name }) => (form.secrets[name] ? [[name, form.secrets[name]]] : []));
  return {
    draft: {
      id: form.id,
      target,
      format,
      ...(form.description.trim() !== '' && { description: form.description.trim() }),
      ...(Object.keys(filter).length > 0 && { filter }),
      ...(form.fromBeginning && { startAt: 'beginning' }),
      ...(given.length > 0 && { secrets: Object.fromEntries(given) }),
    },
  };
}

/** InfluxDB takes nothing else than samples. */
export function formatOf({ kind, format }: Pick<ForwarderForm, 'kind' | 'format'>): 'raw' | 'samples' {
  return kind === 'influxdb' ? 'samples' : format;
}

function listOf(text: string): readonly string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
