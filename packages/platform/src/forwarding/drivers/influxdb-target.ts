import type { LookupFunction } from 'node:net';
import type { Delivery, DeliveryTarget } from '../delivery.ts';
import { linesOf } from '../line-protocol.ts';
import type { InfluxdbSettings, TargetSecrets } from '../target-settings.ts';
import { HttpSender } from './http-sender.ts';

/** Writes lines to a bucket (`/api/v2/write`) or a database (`/write`). Times are in ns, the default of both. A point that comes twice is one. */
export class InfluxdbTarget implements DeliveryTarget {
  readonly #sender: HttpSender;
  readonly #measurement: string;

  constructor(options: {
    readonly settings: InfluxdbSettings;
    readonly secrets: TargetSecrets;
    readonly lookup?: LookupFunction | undefined;
  }) {
    const { settings, secrets } = options;
    this.#measurement = settings.measurement ?? 'telemetry';
    this.#sender = new HttpSender({
      url: writeUrl(settings),
      headers: { 'user-agent': 'selsyn', 'content-type': 'text/plain; charset=utf-8', ...authorization(settings, secrets) },
      tls: settings.tls,
      clientKey: secrets.clientKey,
      lookup: options.lookup,
    });
  }

  async deliver({ records }: Delivery, signal: AbortSignal): Promise<void> {
    const lines = records.map((record) => linesOf(record, this.#measurement)).join('');
    if (lines === '') return;
    await this.#sender.post(Buffer.from(lines), {}, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#sender[Symbol.dispose]();
  }
}

function writeUrl({ url, database, retentionPolicy, org, bucket }: InfluxdbSettings): URL {
  const base = url.endsWith('/') ? url : `${url}/`;
  const target = new URL(bucket === undefined ? 'write' : 'api/v2/write', base);
  const query = bucket === undefined ? { db: database, rp: retentionPolicy } : { org, bucket };
  for (const [name, value] of Object.entries(query)) if (value !== undefined) target.searchParams.set(name, value);
  return target;
}

function authorization({ username }: InfluxdbSettings, { token, password }: TargetSecrets): Readonly<Record<string, string>> {
  if (token !== undefined) return { authorization: `Token ${token}` };
  if (username === undefined) return {};
  return { authorization: `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}` };
}
