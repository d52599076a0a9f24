import { createHmac } from 'node:crypto';
import type { LookupFunction } from 'node:net';
import type { Clock } from '../../kernel/clock.ts';
import type { Delivery, DeliveryTarget } from '../delivery.ts';
import { recordJson } from '../record-json.ts';
import type { TargetSecrets, WebhookSettings } from '../target-settings.ts';
import { HttpSender } from './http-sender.ts';

/**
 * Posts `{"forwarder":…,"records":[…]}`.
 *
 * `Idempotency-Key` names the range of the log that is in it. `X-Selsyn-Signature: t=<seconds>,v1=<hex>` is, where there is a signing key,
 * HMAC-SHA256 of `<seconds>.<body>`: with the time in it an old request cannot be sent again by somebody else for ever.
 */
export class WebhookTarget implements DeliveryTarget {
  readonly #forwarder: string;
  readonly #sender: HttpSender;
  readonly #signingKey: string | undefined;
  readonly #clock: Clock;

  constructor(options: {
    readonly forwarder: string;
    readonly settings: WebhookSettings;
    readonly secrets: TargetSecrets;
    readonly clock: Clock;
    readonly lookup?: LookupFunction | undefined;
  }) {
    const { settings, secrets } = options;
    this.#forwarder = options.forwarder;
    this.#signingKey = secrets.signingKey;
    this.#clock = options.clock;
    this.#sender = new HttpSender({
      url: new URL(settings.url),
      headers: {
        'user-agent': 'selsyn',
        ...settings.headers,
        ...(secrets.authorization !== undefined && { authorization: secrets.authorization }),
        'content-type': 'application/json',
      },
      tls: settings.tls,
      clientKey: secrets.clientKey,
      lookup: options.lookup,
    });
  }

  async deliver({ key, records }: Delivery, signal: AbortSignal): Promise<void> {
    const [logName = ''] = key.split('-');
    const body = Buffer.from(
      JSON.stringify({ forwarder: this.#forwarder, records: records.map((record) => recordJson(record, logName)) }),
    );
    await this.#sender.post(body, { 'idempotency-key': key, ...this.#signature(body) }, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#sender[Symbol.dispose]();
  }

  #signature(body: Buffer): Readonly<Record<string, string>> {
    if (this.#signingKey === undefined) return {};
    const seconds = Math.trunc(this.#clock.now() / 1000);
    const signature = createHmac('sha256', this.#signingKey).update(`${seconds}.`).update(body).digest('hex');
    return { 'x-selsyn-signature': `t=${seconds},v1=${signature}` };
  }
}
