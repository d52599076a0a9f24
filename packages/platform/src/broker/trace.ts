import { PacketDecoder } from '@selsyn/wire/mqtt/decoder.ts';
import type { Packet, ProtocolVersion, QoS } from '@selsyn/wire/mqtt/packets.ts';
import { TopicCache } from '@selsyn/wire/mqtt/topic-cache.ts';
import { filterMatches } from '@selsyn/wire/topics/topic-filter.ts';
import type { Clock } from '../kernel/clock.ts';
import type { CloseReason } from './close-reasons.ts';
import { codeWords } from './reason-words.ts';
import type { TraceFilter } from './trace-filter.ts';

/** One packet, or the end of a connection, as plain JSON. Absent fields: the packet has none. */
export interface TraceEvent {
  /** Wall time, ms. */
  readonly atMs: number;
  readonly thread: string;
  readonly direction: 'in' | 'out' | 'end';
  readonly clientId: string;
  readonly packet: Packet['type'] | 'closed';
  /** Of the whole packet. */
  readonly sizeBytes?: number;
  readonly packetId?: number;
  readonly topic?: string;
  readonly qos?: QoS;
  readonly retain?: boolean;
  readonly dup?: boolean;
  /** SUBSCRIBE and UNSUBSCRIBE: the first ones, each with the QoS asked for. */
  readonly filters?: readonly string[];
  /** With its name; several for SUBACK and UNSUBACK. */
  readonly codes?: readonly string[];
  /** Other facts worth a word: keep-alive, clean start, session present. */
  readonly note?: string;
  readonly payloadBase64?: string;
  readonly payloadBytes?: number;
}

export interface TraceBatch {
  readonly events: readonly TraceEvent[];
  /** Events that there was no room for, since the batch before. */
  readonly dropped: number;
}

/** Whose packets pass: the broker's session or connection. */
export interface TracedClient {
  readonly clientId: string;
  readonly version: ProtocolVersion;
  /** The topic that an alias of this connection stands for. */
  topicOfAlias?(direction: 'in' | 'out', alias: number): string | undefined;
}

/**
 * The traces of one broker. Where none is on there is no Tracing, and each hook is a comparison with undefined.
 *
 * What is seen goes out in batches. A batch must be reported taken before {@link MAX_UNTAKEN} more; meanwhile events are gathered up
 * to {@link MAX_GATHERED}, then dropped and counted: a trace never holds up a client, nor more memory than that.
 */
export class Tracing {
  readonly #clock: Clock;
  readonly #thread: string;
  readonly #traces = new Map<number, Trace>();
  readonly #topics = new TopicCache(1_000);

  constructor(options: { readonly clock: Clock; readonly thread: string }) {
    this.#clock = options.clock;
    this.#thread = options.thread;
  }

  /** How many traces are on. */
  get size(): number {
    return this.#traces.size;
  }

  start(id: number, filter: TraceFilter, send: (batch: TraceBatch) => void): void {
    this.stop(id);
    this.#traces.set(id, new Trace(filter, this.#clock, send));
  }

  stop(id: number): void {
    this.#traces.get(id)?.stop();
    this.#traces.delete(id);
  }

  /** The reader of a trace has one batch less before it. */
  taken(id: number): void {
    this.#traces.get(id)?.taken();
  }

  /** A packet of this size came from a client. A PUBLISH is looked at during the call only. */
  received(client: TracedClient, packet: Packet, sizeBytes: number): void {
    const { version } = client;
    this.#see('in', packet.type === 'connect' ? { clientId: packet.clientId, version } : client, packet, sizeBytes);
  }

  /** Whole packets, one after another, go to a client. */
  wrote(client: TracedClient, bytes: Uint8Array): void {
    if (!this.#follows(client.clientId)) return;
    const { version } = client;
    const decoder = new PacketDecoder({ maxPacketBytes: Infinity, from: 'server', topics: this.#topics, version });
    decoder.feed(bytes);
    for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) {
      this.#see('out', client, packet, decoder.packetBytes);
    }
  }

  /** The connection of a client is over. */
  closed(client: TracedClient, reason: CloseReason): void {
    for (const trace of this.#traces.values()) {
      if (trace.filter.topicFilter !== undefined || !followsClient(trace.filter, client.clientId)) continue;
      const { clientId } = client;
      trace.add({ atMs: this.#clock.now(), thread: this.#thread, direction: 'end', clientId, packet: 'closed', note: reason });
    }
  }

  #follows(clientId: string): boolean {
    for (const { filter } of this.#traces.values()) if (followsClient(filter, clientId)) return true;
    return false;
  }

  #see(direction: 'in' | 'out', client: TracedClient, packet: Packet, sizeBytes: number): void {
    let event: TraceEvent | undefined;
    let topic: string | undefined;
    for (const trace of this.#traces.values()) {
      const { filter } = trace;
      if (!followsClient(filter, client.clientId)) continue;
      if (filter.topicFilter !== undefined) {
        if (packet.type !== 'publish') continue;
        topic ??= topicOf(direction, client, packet);
        if (!filterMatches(filter.topicFilter, topic)) continue;
      }
      event ??= {
        atMs: this.#clock.now(),
        thread: this.#thread,
        direction,
        clientId: cut(client.clientId),
        packet: packet.type,
        sizeBytes,
        ...factsOf(packet, direction, client),
      };
      trace.add(filter.payload && packet.type === 'publish' ? { ...event, ...payloadOf(packet) } : event);
    }
  }
}

class Trace {
  readonly filter: TraceFilter;
  readonly #clock: Clock;
  readonly #send: (batch: TraceBatch) => void;
  #events: TraceEvent[] = [];
  #dropped = 0;
  #untaken = 0;
  #cancel: (() => void) | undefined;

  constructor(filter: TraceFilter, clock: Clock, send: (batch: TraceBatch) => void) {
    this.filter = filter;
    this.#clock = clock;
    this.#send = send;
  }

  add(event: TraceEvent): void {
    if (this.#events.length === MAX_GATHERED) this.#dropped++;
    else this.#events.push(event);
    this.#cancel ??= this.#clock.after(SEND_EVERY_MS, () => this.#flush());
  }

  taken(): void {
    this.#untaken--;
    if (this.#events.length > 0 && this.#cancel === undefined) this.#flush();
  }

  stop(): void {
    this.#cancel?.();
    this.#events = [];
  }

  #flush(): void {
    this.#cancel = undefined;
    if (this.#untaken >= MAX_UNTAKEN) return;
    const batch = { events: this.#events, dropped: this.#dropped };
    this.#events = [];
    this.#dropped = 0;
    this.#untaken++;
    this.#send(batch);
  }
}

const SEND_EVERY_MS = 50;
const MAX_GATHERED = 1_000;
const MAX_UNTAKEN = 4;
/** Of a payload that is shown. */
const MAX_PAYLOAD_BYTES = 200;
const MAX_FILTERS = 20;
const MAX_TEXT_LENGTH = 512;

function followsClient(filter: TraceFilter, clientId: string): boolean {
  return filter.clientId === undefined || filter.clientId === clientId;
}

type PublishSeen = Extract<Packet, { type: 'publish' }>;

function topicOf(direction: 'in' | 'out', client: TracedClient, packet: PublishSeen): string {
  const alias = packet.properties?.topicAlias;
  if (packet.topic.name !== '' || alias === undefined) return packet.topic.name;
  return client.topicOfAlias?.(direction, alias) ?? '';
}

function payloadOf({ data, start, end }: PublishSeen): Partial<TraceEvent> {
  const shown = Buffer.from(data.buffer, data.byteOffset + start, Math.min(end - start, MAX_PAYLOAD_BYTES));
  return { payloadBase64: shown.toString('base64'), payloadBytes: end - start };
}

/** What of a packet is shown: never user name or password, nor the data of an authentication. */
function factsOf(packet: Packet, direction: 'in' | 'out', client: TracedClient): Partial<TraceEvent> {
  switch (packet.type) {
    case 'connect':
      return { note: connectNote(packet) };
    case 'connack':
      return {
        codes: [client.version === 5 ? codeWords(packet.reasonCode) : String(packet.reasonCode)],
        ...(packet.sessionPresent && { note: 'session present' }),
      };
    case 'publish': {
      const { qos, retain, dup, packetId, properties } = packet;
      const topic = topicOf(direction, client, packet);
      return {
        topic: topic === '' ? `(alias ${properties?.topicAlias ?? 0})` : cut(topic),
        qos,
        retain,
        dup,
        ...(qos > 0 && { packetId }),
      };
    }
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp':
      return { packetId: packet.packetId, ...(packet.reasonCode !== 0 && { codes: [codeWords(packet.reasonCode)] }) };
    case 'subscribe':
      return {
        packetId: packet.packetId,
        filters: packet.subscriptions.slice(0, MAX_FILTERS).map(({ filter, qos }) => `${cut(filter)} (QoS ${qos})`),
      };
    case 'unsubscribe':
      return { packetId: packet.packetId, filters: packet.filters.slice(0, MAX_FILTERS).map(cut) };
    case 'suback':
      return { packetId: packet.packetId, codes: packet.reasonCodes.slice(0, MAX_FILTERS).map(grantWords) };
    case 'unsuback':
      return { packetId: packet.packetId, codes: packet.reasonCodes.slice(0, MAX_FILTERS).map(codeWords) };
    case 'disconnect':
    case 'auth':
      return { codes: [codeWords(packet.reasonCode)] };
    default:
      return {};
  }
}

function connectNote(packet: Extract<Packet, { type: 'connect' }>): string {
  const { version, cleanStart, keepAliveSec, will, properties } = packet;
  const words = [
    version === 5 ? 'MQTT 5.0' : 'MQTT 3.1.1',
    cleanStart ? (version === 5 ? 'clean start' : 'clean session') : 'resumes its session',
    `keep-alive ${keepAliveSec} s`,
  ];
  if (properties.sessionExpirySec !== undefined) words.push(`session expiry ${properties.sessionExpirySec} s`);
  if (will !== undefined) words.push(`will on ${cut(will.topic)}`);
  return words.join(', ');
}

/** The three granted codes of a SUBACK say a QoS; the same numbers mean other things elsewhere. */
function grantWords(code: number): string {
  return code <= 2 ? `QoS ${code}` : codeWords(code);
}

function cut(text: string): string {
  return text.length > MAX_TEXT_LENGTH ? `${text.slice(0, MAX_TEXT_LENGTH).toWellFormed()}…` : text;
}
