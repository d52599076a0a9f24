import type { TargetKind } from '../api/forwarders.ts';
import { isJson, type Json } from '../api/json.ts';

/** A setting of a target, as it is typed. */
export interface TargetField {
  /** Where it is in the target, with dots between: `tls.ca`. */
  readonly name: string;
  readonly label: string;
  readonly placeholder?: string;
  readonly required?: boolean;
  /** Text, if it is not said otherwise. `list`: commas between. `headers`: a line each. `pem`: several lines. `truth`: a checkbox. */
  readonly as?: 'list' | 'headers' | 'pem' | 'truth' | 'number';
  /** One of these; the first one is what an absent value means. */
  readonly choices?: readonly { readonly value: string; readonly label: string }[];
  /** Among those that few need. */
  readonly isMore?: boolean;
}

export interface TargetForm {
  readonly label: string;
  readonly fields: readonly TargetField[];
  readonly secrets: readonly TargetField[];
}

const TLS: readonly TargetField[] = [
  { name: 'tls.ca', label: 'CA certificates of the target (PEM)', as: 'pem', isMore: true },
  { name: 'tls.certificate', label: 'Client certificate (PEM)', as: 'pem', isMore: true },
];
const CLIENT_KEY: TargetField = { name: 'clientKey', label: 'Key of the client certificate (PEM)', as: 'pem', isMore: true };

/** What each kind of target is told, in the order of its form. */
export const TARGET_FIELDS: Readonly<Record<TargetKind, TargetForm>> = {
  webhook: {
    label: 'Webhook (HTTP POST)',
    fields: [
      { name: 'url', label: 'URL', placeholder: 'https://example.com/telemetry', required: true },
      { name: 'headers', label: 'Headers, a line each', placeholder: 'X-Site: berlin', as: 'headers', isMore: true },
      ...TLS,
    ],
    secrets: [
      { name: 'signingKey', label: 'Key that signs (HMAC, optional)' },
      { name: 'authorization', label: 'Authorization header (optional)', placeholder: 'Bearer …' },
      CLIENT_KEY,
    ],
  },
  kafka: {
    label: 'Kafka',
    fields: [
      { name: 'brokers', label: 'Brokers', placeholder: 'kafka-1:9092, kafka-2:9092', required: true, as: 'list' },
      { name: 'topic', label: 'Topic', placeholder: 'telemetry', required: true },
      { name: 'secure', label: 'The brokers speak TLS', as: 'truth' },
      { name: 'sasl.username', label: 'User name (SASL, optional)' },
      {
        name: 'sasl.mechanism',
        label: 'Mechanism of SASL',
        isMore: true,
        choices: ['SCRAM-SHA-256', 'SCRAM-SHA-512', 'PLAIN'].map((value) => ({ value, label: value })),
      },
      {
        name: 'compression',
        label: 'Compression',
        isMore: true,
        choices: ['none', 'gzip', 'snappy', 'zstd'].map((value) => ({ value, label: value })),
      },
      ...TLS,
    ],
    secrets: [{ name: 'password', label: 'Password (optional)' }, CLIENT_KEY],
  },
  mqtt: {
    label: 'MQTT broker',
    fields: [
      { name: 'url', label: 'URL', placeholder: 'mqtts://broker.example.com:8883', required: true },
      { name: 'topic', label: 'Topic (optional)', placeholder: '${topic}' },
      { name: 'username', label: 'User name (optional)' },
      { name: 'clientId', label: 'Client id', isMore: true },
      {
        name: 'version',
        label: 'Version of MQTT',
        as: 'number',
        isMore: true,
        choices: [
          { value: '5', label: '5.0' },
          { value: '4', label: '3.1.1' },
        ],
      },
      ...TLS,
    ],
    secrets: [{ name: 'password', label: 'Password (optional)' }, CLIENT_KEY],
  },
  influxdb: {
    label: 'InfluxDB',
    fields: [
      { name: 'url', label: 'URL', placeholder: 'http://influx.example.com:8086', required: true },
      { name: 'bucket', label: 'Bucket (version 2)' },
      { name: 'org', label: 'Organisation (version 2)' },
      { name: 'database', label: 'Database (version 1)' },
      { name: 'username', label: 'User name (version 1, optional)' },
      { name: 'measurement', label: 'Measurement', placeholder: 'telemetry', isMore: true },
      { name: 'retentionPolicy', label: 'Retention policy (version 1)', isMore: true },
      ...TLS,
    ],
    secrets: [
      { name: 'token', label: 'Token (version 2)' },
      { name: 'password', label: 'Password (version 1, optional)' },
      CLIENT_KEY,
    ],
  },
};

/** A setting as it stands in its field. */
export function textOf(target: Json, { name, as }: TargetField): string {
  const value = name.split('.').reduce<unknown>((at, part) => (isJson(at) ? at[part] : undefined), target);
  if (as === 'truth') return value === true ? 'true' : '';
  if (Array.isArray(value)) return value.join(', ');
  if (isJson(value)) {
    const lines = Object.entries(value).map(([key, of]) => `${key}: ${String(of)}`);
    return lines.join('\n');
  }
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** What stands in a field, as a setting; undefined: nothing. */
export function valueOf(text: string, { as, choices }: TargetField): unknown {
  const trimmed = text.trim();
  if (trimmed === '' || trimmed === choices?.[0]?.value) return undefined;
  if (as === 'truth') return true;
  if (as === 'number') return Number(trimmed);
  if (as === 'list') return listOf(trimmed);
  if (as === 'pem') return `${trimmed}\n`;
  if (as !== 'headers') return trimmed;
  const lines = trimmed.split('\n').filter((line) => line.trim() !== '');
  return Object.fromEntries(lines.map((line) => [line.split(':', 1)[0]!.trim(), line.slice(line.indexOf(':') + 1).trim()]));
}

/** The target with a setting as it is now. */
export function withValue(target: Json, name: string, value: unknown): Json {
  const [first = '', ...rest] = name.split('.');
  const within = isJson(target[first]) ? target[first] : {};
  const next = rest.length === 0 ? value : withValue(within, rest.join('.'), value);
  const { [first]: _, ...others } = target;
  const isNothing = next === undefined || (rest.length > 0 && isJson(next) && Object.keys(next).length === 0);
  return isNothing ? others : { ...others, [first]: next };
}

export function listOf(text: string): readonly string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
