import {
  connectOf,
  openTestBroker,
  publishOf,
  subscribeOf,
  settled,
  TestClient,
  type TestBroker,
} from '@selsyn/platform/broker/broker.fixture.ts';
import { setTimeout as pause } from 'node:timers/promises';
import type { SessionStore } from '@selsyn/platform/session-store/session-store.ts';
import type { FakeClock } from '@selsyn/platform/kernel/fake-clock.ts';
import type { ConnectPacket, OutgoingPacket, ProtocolVersion, QoS } from '@selsyn/wire/mqtt/packets.ts';
import type { Random } from '../harness/random.ts';

const CLIENTS = 200;
const TOPICS = 60;
export const LONGEST_EXPIRY_SEC = 1_500;
const STEP_MS = 5_000;

/** What the clients of a day did. */
export interface SoakCounts {
  connects: number;
  published: number;
  delivered: number;
  subscribed: number;
  wills: number;
}

/**
 * A broker with a real session store and a clock that is turned by hand, and clients that do all that clients do: they come and go
 * with and without sessions, are taken over, leave wills, use aliases, retained messages and their expiry, shared groups, QoS 0 to 2,
 * and some acknowledge late.
 */
export class SoakDay {
  readonly #broker: TestBroker;
  readonly #random: Random;
  readonly #clients = new Map<string, TestClient>();
  readonly counts: SoakCounts = { connects: 0, published: 0, delivered: 0, subscribed: 0, wills: 0 };
  #packetId = 0;

  constructor(store: SessionStore, clock: FakeClock, random: Random) {
    this.#broker = openTestBroker({ store, clock, limits: { maxQueuedMessages: 200, maxInFlight: 50 } });
    this.#random = random;
  }

  async open(): Promise<void> {
    await this.#broker.broker.restore();
  }

  /** Random traffic, and then some seconds that pass. */
  async bustle(): Promise<void> {
    const random = this.#random;
    for (let n = 0; n < 4; n += 1) await this.#connect();
    for (let n = 0; n < 3; n += 1) this.#leave();
    const here = [...this.#clients.values()];
    if (here.length > 0) {
      for (let n = 0; n < 6; n += 1) this.#subscribe(random.pick(here));
      for (let n = 0; n < 40; n += 1) this.#publish(random.pick(here));
    }
    await this.#answerAll();
    this.#broker.clock.advance(STEP_MS);
  }

  /** All go, their sessions and messages expire by themselves, retained messages are cleared. @returns what is left. */
  async calmDown(): Promise<Readonly<Record<string, number>>> {
    for (const client of this.#clients.values()) client.transport.destroy();
    this.#clients.clear();
    const cleaner = await this.#letIn(5, { clientId: 'cleaner' });
    for (let n = 0; n < TOPICS; n += 1) {
      for (const topic of [`t/${n}`, `wills/${n}`]) cleaner.send(publishOf(topic, '', { retain: true }));
    }
    await cleaner.take();
    for (let sec = 0; sec < LONGEST_EXPIRY_SEC + 60; sec += 30) {
      this.#broker.clock.advance(30_000);
      await settled();
    }
    // Wills that went out meanwhile may be retained.
    for (let n = 0; n < TOPICS; n += 1) cleaner.send(publishOf(`wills/${n}`, '', { retain: true }));
    cleaner.send({ type: 'disconnect', reasonCode: 0 });
    await cleaner.take();
    cleaner.transport.destroy();
    await settled();
    const { counters, retained, waitingAcks } = this.#broker.broker;
    const { sessions, offlineSessions, connections, subscriptions, sharedSubscriptions, queued, queuedBytes } = counters;
    return {
      sessions,
      offlineSessions,
      connections,
      subscriptions,
      sharedSubscriptions,
      queued,
      queuedBytes,
      waitingAcks,
      retained: retained.count,
      internalErrors: counters.closed.internal,
    };
  }

  async #connect(): Promise<void> {
    const random = this.#random;
    const version: ProtocolVersion = random.oneIn(2) ? 4 : 5;
    const clientId = `soak-${random.below(CLIENTS)}`;
    const persistent = version === 5 && random.oneIn(2);
    const delaySec = version === 5 ? random.below(60) : 0;
    const will: Partial<ConnectPacket> = random.oneIn(3)
      ? {
          will: {
            topic: `wills/${random.below(TOPICS)}`,
            payload: Buffer.from('gone'),
            qos: random.below(3) as QoS, // below 3
            retain: random.oneIn(3),
            properties: delaySec > 0 ? { willDelayIntervalSec: delaySec } : {},
          },
        }
      : {};
    const old = this.#clients.get(clientId);
    const client = await this.#letIn(version, {
      clientId,
      cleanStart: !persistent || random.oneIn(5),
      keepAliveSec: random.below(120),
      properties:
        version === 5
          ? {
              sessionExpirySec: persistent ? 1 + random.below(LONGEST_EXPIRY_SEC) : 0,
              topicAliasMaximum: random.below(8),
              receiveMaximum: 1 + random.below(20),
            }
          : {},
      ...will,
    });
    old?.transport.destroy();
    this.#clients.set(clientId, client);
    this.counts.connects += 1;
    if ('will' in will) this.counts.wills += 1;
  }

  /** A CONNACK comes once the session is on disk. */
  async #letIn(version: ProtocolVersion, options: Partial<ConnectPacket>): Promise<TestClient> {
    const client = new TestClient(this.#broker.broker, version);
    client.send(connectOf(version, options));
    const end = performance.now() + 10_000;
    while (performance.now() < end) {
      const packets = await client.take();
      const [connack, ...rest] = packets;
      if (connack?.type === 'connack' && connack.reasonCode === 0) {
        client.putBack(rest);
        return client;
      }
      if (connack !== undefined) throw new Error(`refused: ${JSON.stringify(connack)}`);
      await pause(1);
    }
    throw new Error('a client was not let in');
  }

  #leave(): void {
    const random = this.#random;
    if (this.#clients.size < 20) return;
    const [clientId, client] = random.pick([...this.#clients]);
    this.#clients.delete(clientId);
    if (random.oneIn(2)) client.send({ type: 'disconnect', reasonCode: client.version === 5 && random.oneIn(3) ? 4 : 0 });
    client.transport.destroy();
  }

  #subscribe(client: TestClient): void {
    const random = this.#random;
    const filter = random.pick([
      `t/${random.below(TOPICS)}`,
      't/+',
      `$share/g${random.below(3)}/t/+`,
      'wills/#',
      `t/${random.below(TOPICS)}/#`,
    ]);
    if (random.oneIn(3)) client.send({ type: 'unsubscribe', packetId: this.#nextId(), filters: [filter] });
    else client.send(subscribeOf(filter, random.below(3) as QoS)); // below 3
    this.counts.subscribed += 1;
  }

  #publish(client: TestClient): void {
    const random = this.#random;
    const qos = random.below(3) as QoS; // below 3
    const number = random.below(TOPICS);
    const isFive = client.version === 5;
    const aliased = isFive && random.oneIn(4);
    client.publish(`t/${number}`, random.oneIn(10) ? '' : 'x'.repeat(random.below(300)), {
      qos,
      packetId: qos === 0 ? 0 : this.#nextId(),
      retain: random.oneIn(6),
      ...(isFive && {
        properties: {
          ...(random.oneIn(3) && { messageExpirySec: 1 + random.below(600) }),
          ...(aliased && { topicAlias: 1 + (number % 8) }),
        },
      }),
    });
    this.counts.published += 1;
  }

  /** All acknowledge what came, but for a few that are late. */
  async #answerAll(): Promise<void> {
    for (let round = 0; round < 4; round += 1) {
      await settled();
      for (const [clientId, client] of this.#clients) {
        if (client.transport.ended || client.transport.destroyed) {
          // Keep-alive, or its queue was full.
          client.transport.destroy();
          this.#clients.delete(clientId);
          continue;
        }
        if (this.#random.oneIn(20)) continue;
        const answers: OutgoingPacket[] = [];
        for (const packet of await client.take()) {
          if (packet.type === 'publish') {
            this.counts.delivered += 1;
            if (packet.qos > 0)
              answers.push({ type: packet.qos === 1 ? 'puback' : 'pubrec', packetId: packet.packetId, reasonCode: 0 });
          } else if (packet.type === 'pubrec') answers.push({ type: 'pubrel', packetId: packet.packetId, reasonCode: 0 });
          else if (packet.type === 'pubrel') answers.push({ type: 'pubcomp', packetId: packet.packetId, reasonCode: 0 });
        }
        if (answers.length > 0) client.send(...answers);
      }
    }
  }

  #nextId(): number {
    this.#packetId = (this.#packetId % 65_000) + 1;
    return this.#packetId;
  }
}
