import { setTimeout as pause } from 'node:timers/promises';
import { RawClient } from '../harness/mqtt-client.ts';
import type { Random } from '../harness/random.ts';

const FILTERS = 12;

/** One persistent session whose subscriptions come and go, and that knows which it must have and must not have. */
export class SubscriptionChurn {
  readonly #id: string;
  readonly #random: Random;
  /** By filter; undefined while a change was asked for and not confirmed. */
  readonly #has = new Map<number, boolean | undefined>();
  confirmed = 0;
  #wasConnected = false;

  constructor(id: string, random: Random) {
    this.#id = id;
    this.#random = random;
    for (let n = 0; n < FILTERS; n += 1) this.#has.set(n, false);
  }

  async run(port: number): Promise<void> {
    try {
      using client = await this.#connect(port);
      while (client.isOpen) {
        const n = this.#random.below(FILTERS);
        const wanted = this.#random.oneIn(2);
        this.#has.set(n, undefined);
        if (wanted) await client.subscribe([{ filter: this.#topic(n), qos: 1 }]);
        else await client.unsubscribe(this.#topic(n));
        this.#has.set(n, wanted);
        this.confirmed += 1;
        await pause(1);
      }
    } catch (error) {
      if (!(error instanceof Error && /ECONN|closed|EPIPE/.test(error.message))) throw error;
    }
  }

  /** Publishes to every topic. @returns what is heard and must not be, or is not heard and must be. */
  async check(port: number): Promise<readonly string[]> {
    using client = await this.#connect(port);
    using publisher = await RawClient.connect({ port, version: 5 });
    const token = `${this.#random.u32()}`;
    const heard = new Set<string>();
    client.onPacket = (packet) => void (packet.type === 'publish' && packet.text === token && heard.add(packet.topic));
    for (let n = 0; n < FILTERS; n += 1) await publisher.publish(this.#topic(n), token, { qos: 1 });
    const missing = (): string[] =>
      [...this.#has].filter(([n, has]) => has === true && !heard.has(this.#topic(n))).map(([n]) => `${this.#topic(n)} is lost`);
    for (let tries = 0; tries < 1_500 && missing().length > 0; tries += 1) await pause(20);
    await client.ping();
    const surplus = [...this.#has].filter(([n, has]) => has === false && heard.has(this.#topic(n)));
    // What the server has is known now.
    for (const [n, has] of this.#has) if (has === undefined) this.#has.set(n, heard.has(this.#topic(n)));
    return [...missing(), ...surplus.map(([n]) => `${this.#topic(n)} was unsubscribed`)];
  }

  #topic(n: number): string {
    return `churn/${this.#id}/${n}`;
  }

  async #connect(port: number): Promise<RawClient> {
    const client = await RawClient.connect({ port, version: 4, connect: { clientId: this.#id, cleanStart: false } });
    if (client.connack.sessionPresent !== this.#wasConnected) throw new Error(`${this.#id} has lost its session`);
    this.#wasConnected = true;
    return client;
  }
}
