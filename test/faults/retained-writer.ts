import { setTimeout as pause } from 'node:timers/promises';
import { RawClient } from '../harness/mqtt-client.ts';

/** Every third write removes. */
const removes = (n: number): boolean => n % 3 === 2;

/** Writes a retained message of one topic again and again, one at a time, and knows what may be there. */
export class RetainedWriter {
  readonly topic: string;
  #sent = -1;
  #acknowledged = -1;

  constructor(topic: string) {
    this.topic = topic;
  }

  get writes(): number {
    return this.#acknowledged + 1;
  }

  async run(port: number): Promise<void> {
    try {
      using client = await RawClient.connect({ port, version: 4, connect: { clientId: `writer of ${this.topic}` } });
      while (client.isOpen) {
        const n = ++this.#sent;
        await client.publish(this.topic, removes(n) ? '' : String(n), { qos: 1, retain: true });
        this.#acknowledged = n;
        await pause(3);
      }
    } catch (error) {
      if (!(error instanceof Error && /ECONN|closed|EPIPE/.test(error.message))) throw error;
    }
  }

  /** What is retained is the last write that was acknowledged, or a later one. @returns what is wrong with it. */
  async check(port: number): Promise<string | undefined> {
    using client = await RawClient.connect({ port, version: 5 });
    let found: string | undefined;
    client.onPacket = (packet) => void (packet.type === 'publish' && packet.topic === this.topic && (found = packet.text));
    await client.subscribe([{ filter: this.topic }]);
    for (let tries = 0; tries < 1_500 && found === undefined; tries += 1) {
      await client.ping();
      if (this.#mayBe(undefined) && tries > 5) break;
      await pause(20);
    }
    if (this.#mayBe(found)) return undefined;
    return `${this.topic} has ${found ?? 'nothing'}; write ${this.#acknowledged} was acknowledged, ${this.#sent} was the last`;
  }

  #mayBe(text: string | undefined): boolean {
    for (let n = Math.max(this.#acknowledged, 0); n <= this.#sent; n += 1) {
      if (text === (removes(n) ? undefined : String(n))) return true;
    }
    return this.#acknowledged < 0 && text === undefined;
  }
}
