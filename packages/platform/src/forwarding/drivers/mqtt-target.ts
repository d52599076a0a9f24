import { connect as connectPlain, isIP, type LookupFunction, type Socket } from 'node:net';
import { lookup as systemLookup } from 'node:dns';
import { connect as connectSecure } from 'node:tls';
import { type ErrorWithReasonCode, type IClientOptions, MqttClient } from 'mqtt';
import { allowedLookup, isForbiddenAddress } from '../../kernel/hook-addresses.ts';
import { DeliveryError, type Delivery, type DeliveryTarget, type OutgoingRecord } from '../delivery.ts';
import { sampleJson } from '../record-json.ts';
import type { MqttSettings, TargetSecrets } from '../target-settings.ts';

const CONNECT_MS = 10_000;
const KEEPALIVE_SEC = 30;
/** Unacknowledged at most, where the broker allows more. */
const MAX_IN_FLIGHT = 1_000;
/** What a broker has against a message itself: not authorized for its topic, topic name invalid, packet too large, payload format invalid. */
const REFUSALS: ReadonlySet<number> = new Set([0x87, 0x90, 0x95, 0x99]);
/** Topics of our own, at which no broker lets anybody publish. */
const OWN_POINTS = '$selsyn/points/';

/**
 * Publishes to another broker at QoS 1: a record is delivered once its PUBACK is there. One connection for all partitions, which keep
 * their order on it; made anew after each failure, so that the client sends nothing by itself.
 */
export class MqttTarget implements DeliveryTarget {
  readonly #settings: MqttSettings;
  readonly #secrets: TargetSecrets;
  readonly #clientId: string;
  readonly #lookup: LookupFunction;
  #client: Promise<MqttClient> | undefined;

  constructor(options: {
    readonly forwarder: string;
    readonly settings: MqttSettings;
    readonly secrets: TargetSecrets;
    readonly lookup?: LookupFunction | undefined;
  }) {
    this.#settings = options.settings;
    this.#secrets = options.secrets;
    this.#clientId = options.settings.clientId ?? `selsyn-forwarder-${options.forwarder}`;
    this.#lookup = allowedLookup(options.lookup ?? systemLookup);
  }

  async deliver({ records }: Delivery, signal: AbortSignal): Promise<void> {
    const connecting = (this.#client ??= this.#connect());
    try {
      const client = await connecting;
      await this.#publish(client, records, signal);
    } catch (error) {
      if (error instanceof DeliveryError && error.kind === 'refused') throw error;
      if (this.#client === connecting) this.#client = undefined;
      void connecting.then((client) => client.end(true)).catch(() => undefined);
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    this.#client = undefined;
    await client?.endAsync();
  }

  async #publish(client: MqttClient, records: readonly OutgoingRecord[], signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const refused = new Set<number>();
    const window = Math.min(serverReceiveMaximum(client), MAX_IN_FLIGHT);
    const maxBytes = client.serverProperties?.maximumPacketSize ?? Infinity;
    let [next, open, reason] = [0, 0, ''];
    let isOver = false;
    const fail = (error: unknown): void => {
      isOver = true;
      reject(error instanceof Error ? error : new Error('the connection was lost'));
    };
    const onClose = (): void => fail(new Error('the connection was lost'));
    const onAbort = (): void => fail(signal.reason);
    const pump = (): void => {
      while (!isOver && open < window && next < records.length) {
        const record = records[next++]!;
        const [topic, payload] = [this.#topicOf(record), payloadOf(record)];
        if (publishBytes(topic, payload, client) > maxBytes) {
          // MQTT 5.0 section 3.2.2.3.6: the broker would end the connection, each time anew.
          refused.add(record.offset);
          reason = `it is larger than the ${maxBytes} bytes that a packet may have`;
          continue;
        }
        open += 1;
        client.publish(topic, payload, { qos: 1 }, (error) => {
          open -= 1;
          if (error !== undefined && error !== null) {
            const code = (error as Partial<ErrorWithReasonCode>).code;
            if (code === undefined || !REFUSALS.has(code)) return fail(error);
            refused.add(record.offset);
            reason = error.message;
          }
          if (next === records.length && open === 0) resolve();
          else pump();
        });
      }
      if (next === records.length && open === 0) resolve();
    };
    client.once('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      if (!client.connected) throw new Error('the connection was lost');
      if (records.length === 0) return;
      pump();
      await promise;
    } finally {
      isOver = true;
      client.removeListener('close', onClose);
      signal.removeEventListener('abort', onAbort);
    }
    if (refused.size > 0) throw new DeliveryError('refused', `the broker refused it: ${reason}`, { offsets: refused });
  }

  #topicOf({ device, topic }: OutgoingRecord): string {
    const own = topic.startsWith(OWN_POINTS) ? `telemetry/${device}` : topic;
    return (this.#settings.topic ?? '${topic}').replaceAll('${topic}', () => own).replaceAll('${device}', () => device);
  }

  async #connect(): Promise<MqttClient> {
    const url = new URL(this.#settings.url);
    if (isForbiddenAddress(url.hostname)) throw new DeliveryError('failed', 'no forwarder may send to this address');
    const { username, version } = this.#settings;
    const options: IClientOptions = {
      clientId: this.#clientId,
      protocolVersion: version ?? 5,
      clean: true,
      keepalive: KEEPALIVE_SEC,
      connectTimeout: CONNECT_MS,
      reconnectPeriod: 0,
      ...(username !== undefined && { username }),
      ...(this.#secrets.password !== undefined && { password: this.#secrets.password }),
    };
    const client = new MqttClient(() => this.#openSocket(url), options);
    try {
      await new Promise<void>((resolve, reject) => {
        client.once('connect', () => resolve());
        client.once('error', reject);
        client.once('close', () => reject(new Error('the connection was closed before the broker had accepted it')));
      });
    } catch (error) {
      client.on('error', () => undefined);
      client.end(true);
      throw error;
    }
    // What is wrong with the connection is told by its close.
    client.on('error', () => undefined);
    return client;
  }

  #openSocket(url: URL): Socket {
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
    const isSecure = url.protocol === 'mqtts:';
    const place = { host, port: Number(url.port || (isSecure ? 8883 : 1883)), lookup: this.#lookup };
    if (!isSecure) return connectPlain({ ...place, noDelay: true });
    const { ca, certificate } = this.#settings.tls ?? {};
    return connectSecure({
      ...place,
      // An address is no server name (RFC 6066 section 3).
      ...(isIP(host) === 0 && { servername: host }),
      ...(ca !== undefined && { ca }),
      ...(certificate !== undefined && { cert: certificate, key: this.#secrets.clientKey }),
    });
  }
}

/** How many QoS 1 messages the broker takes unacknowledged: MQTT 5.0 section 3.2.2.3.3. */
function serverReceiveMaximum({ serverProperties }: MqttClient): number {
  return serverProperties?.receiveMaximum ?? MAX_IN_FLIGHT;
}

/** Of a PUBLISH of QoS 1 without properties: MQTT 5.0 section 3.3. */
function publishBytes(topic: string, payload: Buffer, { options }: MqttClient): number {
  const rest = 2 + Buffer.byteLength(topic) + 2 + (options.protocolVersion === 5 ? 1 : 0) + payload.length;
  return 1 + (rest < 128 ? 1 : rest < 16_384 ? 2 : rest < 2_097_152 ? 3 : 4) + rest;
}

function payloadOf({ payload, samples }: OutgoingRecord): Buffer {
  if (samples === undefined) return Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  const [only, ...others] = samples.map(sampleJson);
  return Buffer.from(JSON.stringify(others.length === 0 ? only : [only, ...others]));
}
