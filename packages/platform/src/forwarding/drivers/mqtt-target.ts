import type { LookupFunction } from 'node:net';
import { lookup as systemLookup } from 'node:dns';
import type { ErrorWithReasonCode, MqttClient } from 'mqtt';
import { type Clock, systemClock } from '../../kernel/clock.ts';
import { allowedLookup } from '../../kernel/hook-addresses.ts';
import { DeliveryError, type Delivery, type DeliveryTarget, type OutgoingRecord } from '../delivery.ts';
import { sampleJson } from '../record-json.ts';
import type { MqttSettings, TargetSecrets } from '../target-settings.ts';
import { CLOSES, CloseSuspects } from './close-suspects.ts';
import { MqttConnection } from './mqtt-connection.ts';

/** Unacknowledged at most, where the broker allows more. */
const MAX_IN_FLIGHT = 1_000;
/** What a broker has against a message itself: not authorized for its topic, topic name invalid, packet too large, payload format invalid. */
const REFUSALS: ReadonlySet<number> = new Set([0x87, 0x90, 0x95, 0x99]);
/** Within a delivery: as many as it takes to find a record on which the broker closes the connection, and some. */
const MAX_CLOSES = 8;
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
  readonly #clock: Clock;
  readonly #suspects = new CloseSuspects();
  #connection: Promise<MqttConnection> | undefined;

  constructor(options: {
    readonly forwarder: string;
    readonly settings: MqttSettings;
    readonly secrets: TargetSecrets;
    readonly lookup?: LookupFunction | undefined;
    readonly clock?: Clock | undefined;
  }) {
    this.#settings = options.settings;
    this.#secrets = options.secrets;
    this.#clientId = options.settings.clientId ?? `selsyn-forwarder-${options.forwarder}`;
    this.#clock = options.clock ?? systemClock;
    this.#lookup = allowedLookup(options.lookup ?? systemLookup);
  }

  async deliver({ records }: Delivery, signal: AbortSignal): Promise<void> {
    for (let closes = 1; ; closes += 1) {
      const closed = await this.#attempt(records, signal);
      if (closed === undefined) return;
      if (!closed.isCloser || closes === MAX_CLOSES) throw closed.error;
      signal.throwIfAborted();
    }
  }

  /** @returns undefined: all were taken. @throws DeliveryError `refused` */
  async #attempt(
    records: readonly OutgoingRecord[],
    signal: AbortSignal,
  ): Promise<{ readonly error: unknown; readonly isCloser: boolean } | undefined> {
    const connecting = (this.#connection ??= this.#connect());
    let connection: MqttConnection | undefined;
    try {
      connection = await connecting;
      if (records.some((record) => this.#suspects.has(record))) {
        await connection.prove(signal);
        const quietMs = this.#suspects.quietMs(records);
        if (quietMs > 0) await connection.stays(quietMs, this.#clock, signal);
      }
      await this.#publish(connection, records, signal);
      return undefined;
    } catch (error) {
      if (error instanceof DeliveryError && error.kind === 'refused') throw error;
      if (this.#connection === connecting) this.#connection = undefined;
      void connecting.then((made) => made.drop()).catch(() => undefined);
      return { error, isCloser: connection?.isCloser === true };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const connection = await this.#connection?.catch(() => undefined);
    this.#connection = undefined;
    await connection?.end();
  }

  async #connect(): Promise<MqttConnection> {
    return await MqttConnection.open({
      settings: this.#settings,
      secrets: this.#secrets,
      clientId: this.#clientId,
      lookup: this.#lookup,
      onClosed: (inFlight, isProven) => this.#suspects.closed(inFlight, isProven),
    });
  }

  async #publish(connection: MqttConnection, records: readonly OutgoingRecord[], signal: AbortSignal): Promise<void> {
    const { client, inFlight } = connection;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const refused = new Set<number>();
    const window = Math.min(serverReceiveMaximum(client), MAX_IN_FLIGHT);
    const maxBytes = client.serverProperties?.maximumPacketSize ?? Infinity;
    let [next, open, openSuspects, reason] = [0, 0, 0, ''];
    let isOver = false;
    const fail = (error: unknown): void => {
      isOver = true;
      reject(error instanceof Error ? error : new Error('the connection was lost'));
    };
    const onClose = (): void => fail(new Error(connection.closeReason));
    const onAbort = (): void => fail(signal.reason);
    const send = (record: OutgoingRecord, topic: string, payload: Buffer): void => {
      const isSuspect = this.#suspects.has(record);
      open += 1;
      if (isSuspect) openSuspects += 1;
      inFlight.add(record);
      client.publish(topic, payload, { qos: 1 }, (error) => {
        if (isOver) return;
        open -= 1;
        if (isSuspect) openSuspects -= 1;
        if (error !== undefined && error !== null) {
          const code = (error as Partial<ErrorWithReasonCode>).code;
          if (code === undefined || !REFUSALS.has(code)) return fail(error);
          refused.add(record.offset);
          reason = error.message;
        }
        inFlight.delete(record);
        this.#suspects.acknowledged(record);
        if (next === records.length && open === 0) resolve();
        else pump();
      });
    };
    /** What is suspected is not sent together with what is not. */
    const mayGo = (record: OutgoingRecord): boolean =>
      this.#suspects.has(record)
        ? openSuspects === open && open < this.#suspects.windowOf(record.partition)
        : openSuspects === 0 && open < window;
    const pump = (): void => {
      for (; !isOver && next < records.length && mayGo(records[next]!); next += 1) {
        const record = records[next]!;
        const [topic, payload] = [this.#topicOf(record), payloadOf(record)];
        const fault = publishBytes(topic, payload, client) > maxBytes ? tooLarge(maxBytes) : this.#closing(record, payload);
        if (fault === undefined) {
          send(record, topic, payload);
          continue;
        }
        refused.add(record.offset);
        reason = fault;
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

  #closing(record: OutgoingRecord, { length }: Buffer): string | undefined {
    if (!this.#suspects.isRefused(record)) return undefined;
    return `it closed the connection ${CLOSES} times in a row on this record alone, of ${length} bytes, which may be more than it takes`;
  }

  #topicOf({ device, topic }: OutgoingRecord): string {
    const own = topic.startsWith(OWN_POINTS) ? `telemetry/${device}` : topic;
    return (this.#settings.topic ?? '${topic}').replaceAll('${topic}', () => own).replaceAll('${device}', () => device);
  }
}

/** MQTT 5.0 section 3.2.2.3.6: the broker would end the connection, each time anew. */
function tooLarge(maxBytes: number): string {
  return `it is larger than the ${maxBytes} bytes that a packet may have`;
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
