import { connect, type Socket } from 'node:net';
import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import type { OutgoingPacket, ProtocolVersion } from '@selsyn/wire/mqtt/packets.ts';
import { RawClient } from '../harness/mqtt-client.ts';
import { Random } from '../harness/random.ts';
import { Mutants } from './mutants.ts';

export interface FuzzOptions {
  readonly port: number;
  /** Mutated packets to send. */
  readonly packets: number;
  readonly connections: number;
  readonly seed: number;
  /** Called about once a second. */
  readonly onProgress?: (progress: FuzzProgress) => void;
}

export interface FuzzProgress {
  /** Mutated packets that were written. */
  readonly sent: number;
  /** Of them, those that the server has certainly come to: it answered a ping behind them, or closed the connection. */
  readonly examined: number;
  readonly connections: number;
  /** Connections that ended before all of their packets were examined: the server would have no more. */
  readonly cutOff: number;
  /** Messages that the control client has published and heard throughout. */
  readonly controlRoundTrips: number;
}

export interface FuzzResult extends FuzzProgress {
  readonly seconds: number;
  /** Connections that were neither closed nor answered within the deadline, with what was sent. */
  readonly stuck: readonly string[];
  /** Longest time the control client waited for its own message, ms. */
  readonly controlWorstMs: number;
}

const POOL = 60_000;
/** The last of them is one that is likely to end the connection. */
const PACKETS_EACH = 16;
const ANSWER_DEADLINE_MS = 20_000;
/** More than any packet that the server takes: whatever length a mutant announced, it is over. */
const FILLER_BYTES = 70_000;
const PING = encodePacket({ type: 'pingreq' }, 4);
const PING_ANSWER = 0xd0;

/**
 * Sends changed packets over many connections. Each connection begins with a valid CONNECT, mostly goes on with a valid SUBSCRIBE
 * or half of a QoS 2 exchange, and then sends mutants with a PINGREQ behind each: the answers count how far the server came. In the end
 * it either ends its direction, or sends so many pings that any announced length is over: the server must close it or answer.
 *
 * The server is expected to take packets of less than {@link FILLER_BYTES}.
 */
export async function fuzzSockets(options: FuzzOptions): Promise<FuzzResult> {
  const run = new FuzzRun(options);
  return await run.run();
}

class FuzzRun {
  readonly #options: FuzzOptions;
  readonly #random: Random;
  readonly #mutants: Readonly<Record<ProtocolVersion, Mutants>>;
  readonly #prefixes: Readonly<Record<ProtocolVersion, readonly Uint8Array[]>>;
  readonly #stuck: string[] = [];
  #sent = 0;
  #examined = 0;
  #connections = 0;
  #cutOff = 0;
  #roundTrips = 0;
  #worstMs = 0;
  #isOver = false;

  constructor(options: FuzzOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    const count = Math.min(POOL, options.packets);
    this.#mutants = { 4: new Mutants(4, this.#random, count), 5: new Mutants(5, this.#random, count) };
    this.#prefixes = { 4: prefixesOf(4), 5: prefixesOf(5) };
  }

  async run(): Promise<FuzzResult> {
    const startedMs = performance.now();
    const control = this.#control();
    const progress = setInterval(() => this.#options.onProgress?.(this.#progress()), 1_000);
    try {
      await Promise.all(Array.from({ length: this.#options.connections }, async (_, lane) => await this.#lane(lane)));
    } finally {
      this.#isOver = true;
      clearInterval(progress);
    }
    await control;
    const seconds = (performance.now() - startedMs) / 1_000;
    return { ...this.#progress(), seconds, stuck: this.#stuck, controlWorstMs: this.#worstMs };
  }

  #progress(): FuzzProgress {
    return {
      sent: this.#sent,
      examined: this.#examined,
      connections: this.#connections,
      cutOff: this.#cutOff,
      controlRoundTrips: this.#roundTrips,
    };
  }

  /** A client that does nothing wrong. What it publishes no `#` matches. @throws when it is not served. */
  async #control(): Promise<void> {
    using client = await RawClient.connect({ port: this.#options.port, version: 5 });
    await client.subscribe([{ filter: '$control/it', qos: 1 }]);
    for (let n = 0; !this.#isOver; n += 1) {
      const startedMs = performance.now();
      const heard = new Promise<void>((resolve, reject) => {
        const deadline = setTimeout(() => reject(new Error('the control client was not sent its message')), ANSWER_DEADLINE_MS);
        client.onPacket = (packet) => {
          if (packet.type !== 'publish' || packet.text !== String(n)) return;
          clearTimeout(deadline);
          resolve();
        };
      });
      const code = await client.publish('$control/it', String(n), { qos: 1 });
      if (code !== 0) throw new Error(`the control client was refused with ${code}`);
      await heard;
      this.#roundTrips += 1;
      this.#worstMs = Math.max(this.#worstMs, performance.now() - startedMs);
    }
  }

  /** One connection after the other. */
  async #lane(lane: number): Promise<void> {
    const version: ProtocolVersion = lane % 2 === 0 ? 4 : 5;
    while (this.#sent < this.#options.packets && !this.#isOver) {
      const random = this.#random;
      const parts: Uint8Array[] = [random.pick(this.#prefixes[version])];
      const { lasting, ending } = this.#mutants[version];
      for (let n = 1; n < PACKETS_EACH; n += 1) parts.push(random.pick(lasting), PING);
      parts.push(random.pick(ending), PING);
      const endsItself = !random.oneIn(40);
      if (!endsItself) parts.push(FILLER);
      const bytes = Buffer.concat(parts);
      this.#sent += PACKETS_EACH;
      this.#connections += 1;
      const { answers, isStuck } = await this.#converse(bytes, endsItself);
      // The one that it was closed at was examined too.
      const examined = Math.min(PACKETS_EACH, answers + 1);
      this.#examined += examined;
      if (examined < PACKETS_EACH) this.#cutOff += 1;
      if (isStuck) this.#stuck.push(bytes.subarray(0, 2_000).toString('hex'));
    }
  }

  /** Sends it all, in two writes that are cut anywhere, and waits until the server has closed or answered the last ping. */
  async #converse(bytes: Buffer, endsItself: boolean): Promise<{ readonly answers: number; readonly isStuck: boolean }> {
    return await new Promise((resolve, reject) => {
      let answers = 0;
      let isStuck = false;
      const socket: Socket = connect({ port: this.#options.port, host: '127.0.0.1', noDelay: true });
      const deadline = setTimeout(() => {
        isStuck = true;
        socket.destroy();
      }, ANSWER_DEADLINE_MS);
      socket.on('data', (chunk) => {
        answers += countPingAnswers(chunk);
        if (!endsItself && answers > PACKETS_EACH) socket.destroy();
      });
      socket.on('error', (error: NodeJS.ErrnoException) => {
        // Nobody listens any more: the server is gone.
        if (error.code === 'ECONNREFUSED') reject(error);
      });
      socket.on('close', () => {
        clearTimeout(deadline);
        resolve({ answers, isStuck });
      });
      const cut = this.#random.below(bytes.length);
      socket.write(bytes.subarray(0, cut));
      if (endsItself) socket.end(bytes.subarray(cut));
      else socket.write(bytes.subarray(cut));
    });
  }
}

/** PINGRESP is two bytes; a few more in payloads do no harm to what it is for. */
function countPingAnswers(chunk: Uint8Array): number {
  let count = 0;
  for (let at = 0; at + 1 < chunk.length; at += 1) {
    if (chunk[at] !== PING_ANSWER || chunk[at + 1] !== 0) continue;
    count += 1;
    at += 1;
  }
  return count;
}

const FILLER: Uint8Array = Buffer.concat(Array.from({ length: FILLER_BYTES / 2 }, () => PING));

/** Valid beginnings of a connection: without a session that outlives it, and with one. */
function prefixesOf(version: ProtocolVersion): readonly Uint8Array[] {
  const connects = [true, true, true, false].map((cleanStart, index): OutgoingPacket => ({
    type: 'connect',
    version,
    clientId: cleanStart ? '' : `fuzz-${version}-${index}`,
    cleanStart,
    keepAliveSec: 0,
    username: undefined,
    password: undefined,
    will: undefined,
    properties: version === 5 ? { receiveMaximum: 10, ...(!cleanStart && { sessionExpirySec: 1 }) } : {},
  }));
  const option = { noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
  const behind: readonly OutgoingPacket[][] = [
    [],
    [{ type: 'subscribe', packetId: 1, subscriptions: [{ filter: 'fuzz/#', qos: 2, ...option }] }],
    [
      {
        type: 'subscribe',
        packetId: 1,
        subscriptions: [
          { filter: '+', qos: 1, ...option },
          { filter: '$share/g/a', qos: 1, ...option },
        ],
      },
    ],
    [{ type: 'publish', topic: 'fuzz/a', payload: Buffer.from('half'), qos: 2, packetId: 1 }],
  ];
  return connects.flatMap((first) =>
    behind.map((rest) => Buffer.concat([first, ...rest].map((packet) => encodePacket(packet, version)))),
  );
}
