import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Random } from '../harness/random.ts';
import { eventually, Selsyn } from '../harness/selsyn.ts';
import { PersistentPublisher, type PublisherOptions } from './persistent-publisher.ts';
import { PersistentSubscriber, type SubscriberOptions } from './persistent-subscriber.ts';
import { RetainedWriter } from './retained-writer.ts';
import { SubscriptionChurn } from './subscription-churn.ts';

/** More in a long run; each takes about two seconds. */
const ROUNDS = Number(process.env['SELSYN_KILL_ROUNDS'] ?? 12);
const DRAIN_DEADLINE_MS = 120_000;

const publishers: readonly PublisherOptions[] = ([1, 2] as const).flatMap((qos) =>
  ([4, 5] as const).flatMap((version) =>
    [true, false].map((persistent) => {
      const id = `p-${persistent ? 'persistent' : 'clean'}-${version}-${qos}`;
      return { id, version, qos, persistent, topic: `kill/q${qos}/${id}`, perConnection: 200 };
    }),
  ),
);

const subscribers: readonly (SubscriberOptions & { readonly group?: string; readonly isOften: boolean })[] = [
  { id: 's-all-4', version: 4, filter: 'kill/#', qos: 2, slownessMs: 3, receiveMaximum: undefined, isOften: true },
  { id: 's-all-5', version: 5, filter: 'kill/#', qos: 2, slownessMs: 10, receiveMaximum: 30, isOften: true },
  { id: 's-all-offline', version: 5, filter: 'kill/+/+', qos: 2, slownessMs: 3, receiveMaximum: undefined, isOften: false },
  { id: 's-down-1', version: 4, filter: 'kill/q2/#', qos: 1, slownessMs: 20, receiveMaximum: undefined, isOften: true },
  { id: 's-q2', version: 5, filter: 'kill/q2/+', qos: 2, slownessMs: 20, receiveMaximum: 5, isOften: true },
  { id: 's-q1-offline', version: 4, filter: 'kill/q1/+', qos: 1, slownessMs: 3, receiveMaximum: undefined, isOften: false },
  ...([4, 5, 5] as const).map((version, n) => ({
    id: `s-shared-${n}`,
    version,
    filter: '$share/group/kill/#',
    group: 'group',
    qos: 2 as const,
    slownessMs: 5,
    receiveMaximum: undefined,
    isOften: n > 0,
  })),
];

/** A world of clients that outlive the server, and what they have seen. */
class World {
  readonly publishers = publishers.map((options) => new PersistentPublisher(options));
  readonly subscribers: readonly PersistentSubscriber[];
  readonly writers = [0, 1, 2, 3].map((n) => new RetainedWriter(`kept/${n}`));
  readonly churns: readonly SubscriptionChurn[];
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
    this.subscribers = subscribers.map((options) => new PersistentSubscriber(options, random));
    this.churns = ['churn-a', 'churn-b'].map((id) => new SubscriptionChurn(id, random));
  }

  /** Traffic of all, until the server is killed in its midst. */
  async round(selsyn: Selsyn, round: number): Promise<void> {
    for (const [index, subscriber] of this.subscribers.entries()) {
      const { isOften } = subscribers[index] ?? { isOften: true };
      if (!subscriber.isOnline && (isOften || this.#random.oneIn(3))) await subscriber.connect(selsyn.mqttPort);
    }
    const running = [...this.publishers, ...this.writers, ...this.churns].map(async (one) => await one.run(selsyn.mqttPort));
    await pause(100 + this.#random.below(300));
    if (this.#random.oneIn(2)) {
      this.#random.pick(this.subscribers).drop();
      await pause(this.#random.below(50));
    }
    // There is to be something to lose, also where all goes slowly.
    await eventually(async () => (this.progress().every(([, count]) => count > round + 1) ? true : undefined));
    await selsyn.end('SIGKILL');
    await Promise.all(running);
  }

  /** Everybody comes back, everything is acknowledged and heard. */
  async settle(port: number): Promise<void> {
    for (const subscriber of this.subscribers) {
      subscriber.hurry();
      if (!subscriber.isOnline) await subscriber.connect(port);
    }
    for (const publisher of this.publishers) await publisher.finish(port);
    const end = performance.now() + DRAIN_DEADLINE_MS;
    while (this.losses().length > 0 && performance.now() < end) await pause(50);
    // What would come twice is on its way by now.
    await pause(500);
  }

  /** What each has done so far that was acknowledged. */
  progress(): (readonly [name: string, count: number])[] {
    return [
      ...this.publishers.map(({ options, acknowledged }) => [options.id, acknowledged.size] as const),
      ...this.writers.map(({ topic, writes }) => [topic, writes] as const),
      ...this.churns.map(({ confirmed }, n) => [`churn ${n}`, confirmed] as const),
    ];
  }

  /** Acknowledged messages that a matching subscriber, or the whole of a group, has not. */
  losses(): string[] {
    return this.#audiences().flatMap(({ name, filter, heard }) =>
      this.#matching(filter).flatMap(({ options, acknowledged }) => {
        const numbers = new Set(heard.flatMap((one) => one.heard.get(options.topic) ?? []));
        const lost = [...acknowledged].filter((n) => !numbers.has(n));
        return lost.length === 0 ? [] : [`${name} has not ${lost.length} of ${options.topic}: ${lost.slice(0, 10).join()}`];
      }),
    );
  }

  /** QoS 2 messages that came to the application more than once, to a subscriber or to a whole group. */
  doubles(): string[] {
    return this.#audiences().flatMap(({ name, filter, qos, heard }) =>
      this.#matching(filter).flatMap(({ options }) => {
        if (Math.min(qos, options.qos) < 2) return [];
        const numbers = heard.flatMap((one) => one.heard.get(options.topic) ?? []);
        const twice = numbers.filter((n, index) => numbers.indexOf(n) !== index);
        return twice.length === 0 ? [] : [`${name} has twice of ${options.topic}: ${twice.slice(0, 10).join()}`];
      }),
    );
  }

  /** First arrivals that came behind later ones of their topic. A group promises no order among its members. */
  disorders(): string[] {
    return this.subscribers.flatMap(({ options, heard }) =>
      options.filter.startsWith('$share')
        ? []
        : [...heard].flatMap(([topic, numbers]) => {
            const first = [...new Set(numbers)];
            const wrong = first.find((n, index) => index > 0 && n < (first[index - 1] ?? 0));
            return wrong === undefined ? [] : [`${options.id}: ${topic} ${wrong} came too late`];
          }),
    );
  }

  #audiences(): {
    readonly name: string;
    readonly filter: string;
    readonly qos: number;
    readonly heard: PersistentSubscriber[];
  }[] {
    const members = this.subscribers.filter(({ options }) => options.filter.startsWith('$share'));
    const others = this.subscribers.filter((one) => !members.includes(one));
    return [
      ...others.map((one) => ({ name: one.options.id, filter: one.options.filter, qos: one.options.qos, heard: [one] })),
      { name: 'the group', filter: 'kill/#', qos: 2, heard: members },
    ];
  }

  #matching(filter: string): readonly PersistentPublisher[] {
    const levels = filter.split('/');
    return this.publishers.filter(
      ({ options }) => levels[1] === '#' || levels[1] === '+' || options.topic.split('/')[1] === levels[1],
    );
  }
}

describe('kill -9 with persistent sessions, again and again', () => {
  for (const threads of [1, 2]) {
    const rounds = Math.ceil(ROUNDS / 2);
    it(
      `loses nothing that was acknowledged and delivers QoS 2 once, in ${rounds} rounds with ${threads} gateway thread(s)`,
      async () => {
        const random = Random.ofRun(`kill -9, ${threads} thread(s)`);
        // Small segments, so that kills also hit the roll of a segment and the snapshots.
        await using selsyn = await Selsyn.start({
          settings: ['access.mode=open', `gateway.threads=${threads}`, 'log.segmentBytes=1048576'],
        });
        const world = new World(random);
        for (const subscriber of world.subscribers) await subscriber.connect(selsyn.mqttPort);
        for (let round = 0; round < rounds; round += 1) {
          await world.round(selsyn, round);
          await selsyn.restart();
          const wrong = await Promise.all([
            ...world.writers.map(async (writer) => await writer.check(selsyn.mqttPort)),
            ...world.churns.map(async (churn) => (await churn.check(selsyn.mqttPort)).join(', ')),
          ]);
          expect(
            wrong.filter((text) => text !== undefined && text !== ''),
            `after round ${round}`,
          ).toEqual([]);
        }
        await world.settle(selsyn.mqttPort);
        expect(world.losses()).toEqual([]);
        expect(world.doubles()).toEqual([]);
        expect(world.disorders()).toEqual([]);
        // There was something to lose.
        for (const [name, count] of world.progress()) expect(count, name).toBeGreaterThan(rounds);
      },
      ROUNDS * 30_000 + 120_000,
    );
  }
});
