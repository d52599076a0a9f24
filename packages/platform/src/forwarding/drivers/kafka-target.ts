import { lookup as systemLookup } from 'node:dns/promises';
import { lookup as systemLookupOf } from 'node:dns';
import { isIP } from 'node:net';
import type { MessageToProduce, Producer } from '@platformatic/kafka';
import { allowedLookup, isForbiddenAddress } from '../../kernel/hook-addresses.ts';
import { DeliveryError, type Delivery, type DeliveryTarget, type OutgoingRecord } from '../delivery.ts';
import { sampleJson } from '../record-json.ts';
import type { KafkaSettings, TargetSecrets } from '../target-settings.ts';

type Message = MessageToProduce<string, Buffer, string, string>;
type KafkaProducer = Producer<string, Buffer, string, string>;

const CONNECT_MS = 5_000;
const REQUEST_MS = 20_000;
/** Within a delivery; the brokers know what they have by its sequence numbers then. */
const RETRIES = 2;
const RETRY_MS = 250;
/** Brokers take batches of 1 MB unless somebody said otherwise. */
const MAX_SEND_BYTES = 700_000;
/** Of a message, besides its key and value. */
const OVERHEAD_BYTES = 160;
/** What the brokers have against records themselves. */
const REFUSALS = [
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
  'INVALID_TIMESTAMP',
  'UNSUPPORTED_FOR_MESSAGE_FORMAT',
];

/**
 * Produces to a topic of Kafka: the key is the id of the device, so that its records stay in order; `acks=all` and idempotent, so that
 * retries within a delivery add nothing twice.
 *
 * A producer for each partition of the log: each has one request under way at a time.
 */
export class KafkaTarget implements DeliveryTarget {
  readonly #forwarder: string;
  readonly #settings: KafkaSettings;
  readonly #secrets: TargetSecrets;
  readonly #producers = new Map<number, KafkaProducer>();

  constructor(options: { readonly forwarder: string; readonly settings: KafkaSettings; readonly secrets: TargetSecrets }) {
    this.#forwarder = options.forwarder;
    this.#settings = options.settings;
    this.#secrets = options.secrets;
  }

  async deliver({ key, partition, records }: Delivery, signal: AbortSignal): Promise<void> {
    const [logName = ''] = key.split('-');
    const producer = await this.#producerOf(partition);
    try {
      for (const messages of chunksOf(records.flatMap((record) => messagesOf(record, this.#settings.topic, logName)))) {
        signal.throwIfAborted();
        await producer.send({ messages });
      }
    } catch (error) {
      const { findErrorBy } = await import('@platformatic/kafka');
      const refusal = error instanceof Error ? REFUSALS.find((id) => findErrorBy(error, 'apiId', id) !== null) : undefined;
      if (refusal !== undefined) throw new DeliveryError('refused', `Kafka refused it: ${refusal}`, { cause: error });
      // What it believes about the cluster may be wrong by now.
      this.#producers.delete(partition);
      void closeQuietly(producer);
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const producers = [...this.#producers.values()];
    this.#producers.clear();
    await Promise.all(producers.map(closeQuietly));
  }

  async #producerOf(partition: number): Promise<KafkaProducer> {
    const known = this.#producers.get(partition);
    if (known !== undefined) return known;
    const { brokers, secure, tls, sasl, compression } = this.#settings;
    await Promise.all(brokers.map(ensureAllowed));
    // Loaded where it is used: it takes longer to load than the rest of the thread.
    const { Producer: KafkaClient } = await import('@platformatic/kafka');
    const producer: KafkaProducer = new KafkaClient({
      clientId: `selsyn-${this.#forwarder}`,
      bootstrapBrokers: [...brokers],
      idempotent: true,
      compression: compression ?? 'none',
      autocreateTopics: false,
      connectTimeout: CONNECT_MS,
      requestTimeout: REQUEST_MS,
      timeout: CONNECT_MS,
      retries: RETRIES,
      retryDelay: RETRY_MS,
      serializers: { key: bytesOfText, value: (value) => value, headerKey: bytesOfText, headerValue: bytesOfText },
      ...(secure === true && {
        // An address is no server name (RFC 6066 section 3).
        tlsServerName: brokers.every((broker) => isIP(hostOf(broker)) === 0),
        tls: {
          lookup: allowedLookup(systemLookupOf),
          ...(tls?.ca !== undefined && { ca: tls.ca }),
          ...(tls?.certificate !== undefined && { cert: tls.certificate, key: this.#secrets.clientKey }),
        },
      }),
      ...(sasl !== undefined && { sasl: { ...sasl, password: this.#secrets.password ?? '' } }),
    });
    // The client listens for one error of a connection, and one that is refused while it authenticates has two: the second one, of which
    // nobody would hear, would end the thread. The delivery fails with the first one.
    for (const event of ['client:broker:failed', 'client:broker:connect'] as const)
      producer.on(event, ({ connection }) => void connection.on('error', () => undefined));
    this.#producers.set(partition, producer);
    return producer;
  }
}

/** One message a record as it is; or one a sample, which says itself whose it is. */
function messagesOf(record: OutgoingRecord, topic: string, logName: string): readonly Message[] {
  const { partition, offset, device, arrivalMs, payload, samples } = record;
  const headers = { 'selsyn-id': `${logName}-${partition}-${offset}`, 'selsyn-topic': record.topic };
  if (samples === undefined) {
    const value = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
    return [{ topic, key: device, value, timestamp: BigInt(Math.trunc(arrivalMs)), headers }];
  }
  return samples.map((sample) => ({
    topic,
    key: device,
    value: Buffer.from(JSON.stringify({ device, ...sampleJson(sample) })),
    timestamp: BigInt(Math.trunc(sample.timeMs)),
    headers,
  }));
}

function* chunksOf(messages: readonly Message[]): Generator<Message[]> {
  let chunk: Message[] = [];
  let sizeBytes = 0;
  for (const message of messages) {
    const messageBytes = (message.value?.length ?? 0) + (message.key?.length ?? 0) + OVERHEAD_BYTES;
    if (chunk.length > 0 && sizeBytes + messageBytes > MAX_SEND_BYTES) {
      yield chunk;
      chunk = [];
      sizeBytes = 0;
    }
    chunk.push(message);
    sizeBytes += messageBytes;
  }
  if (chunk.length > 0) yield chunk;
}

function bytesOfText(text: string | undefined): Buffer | undefined {
  return text === undefined ? undefined : Buffer.from(text);
}

/** The client connects without asking us, so a broker is looked at before. */
async function ensureAllowed(broker: string): Promise<void> {
  const host = hostOf(broker);
  const addresses = isIP(host) === 0 ? (await systemLookup(host, { all: true })).map(({ address }) => address) : [host];
  if (addresses.some(isForbiddenAddress)) throw new DeliveryError('failed', 'no forwarder may send to this address');
}

function hostOf(broker: string): string {
  return broker.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}

async function closeQuietly(producer: KafkaProducer): Promise<void> {
  try {
    await producer.close();
  } catch {
    // It is given up either way, and what went wrong with it was told by the delivery.
  }
}
