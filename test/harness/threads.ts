import { slotOf } from '@selsyn/platform/bus/slot.ts';
import type { ConnackPacket, ConnectPacket } from '@selsyn/wire/mqtt/packets.ts';
import { RawClient, type RawClientOptions, type Received } from './mqtt-client.ts';
import { eventually, Selsyn } from './selsyn.ts';

export type ConnectedClient = RawClient & { readonly connack: ConnackPacket };
type ConnectOptions = Omit<RawClientOptions, 'port'> & { readonly connect?: Partial<ConnectPacket> };

/** Asks for a session that outlives its connection; in 3.1.1 clean session 0 alone says so. */
export const PERSISTENT = { cleanStart: false, properties: { sessionExpirySec: 600 } } as const;

/** Selsyn with several gateway threads, in open mode, and what tells which of them does what. */
export class Threads implements AsyncDisposable {
  readonly selsyn: Selsyn;
  readonly count: number;

  private constructor(selsyn: Selsyn, count: number) {
    this.selsyn = selsyn;
    this.count = count;
  }

  static async start(count: number, settings: readonly string[] = [], data?: string): Promise<Threads> {
    const all = [`gateway.threads=${count}`, 'access.mode=open', ...settings];
    return new Threads(await Selsyn.start({ settings: all, ...(data !== undefined && { data }) }), count);
  }

  get port(): number {
    return this.selsyn.mqttPort;
  }

  get all(): readonly number[] {
    return Array.from({ length: this.count }, (_, thread) => thread);
  }

  /** A name that begins so, and has its home in this thread: of a persistent session its client id, of a retained message its topic. */
  nameAt(thread: number, prefix: string): string {
    for (let n = 0; ; n += 1) if (slotOf(`${prefix}${n}`) % this.count === thread) return `${prefix}${n}`;
  }

  async connect(clientId: string, options: ConnectOptions = {}): Promise<ConnectedClient> {
    const { connect, ...rest } = options;
    return await RawClient.connect({ port: this.port, ...rest, connect: { clientId, ...connect } });
  }

  /** One client in each thread, whose sessions live there, which hear all that matches; what each heard. */
  async listeners(prefix: string, filter: string): Promise<{ readonly clients: RawClient[]; readonly heard: string[][] }> {
    const heard = this.all.map((): string[] => []);
    const clients = await Promise.all(
      this.all.map(async (thread) => {
        const onPacket = (packet: Received): void =>
          void (packet.type === 'publish' && heard[thread]?.push(`${packet.topic} ${packet.text}`));
        const client = await this.connect(this.nameAt(thread, prefix), { onPacket, connect: PERSISTENT });
        await client.subscribe([{ filter, qos: 1 }]);
        return client;
      }),
    );
    return { clients, heard };
  }

  /** The state of each client whose id begins so, by id. */
  async states(prefix: string): Promise<Record<string, string>> {
    const path = `/api/v1/clients?limit=1000&prefix=${encodeURIComponent(prefix)}`;
    const { items } = await this.selsyn.get<{ items: { clientId: string; state: string }[] }>(path);
    return Object.fromEntries(items.map(({ clientId, state }) => [clientId, state]));
  }

  /** The sum of a metric over its series, or by thread. */
  async metric(name: string, labels = ''): Promise<Map<string, number>> {
    const text = await (await this.selsyn.fetch('/metrics')).text();
    const byThread = new Map<string, number>();
    for (const line of text.split('\n')) {
      if (!line.startsWith(`${name}{`) || !line.includes(labels)) continue;
      const thread = /thread="([^"]*)"/.exec(line)?.[1] ?? '';
      byThread.set(thread, (byThread.get(thread) ?? 0) + Number(line.split(' ').at(-1)));
    }
    return byThread;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.selsyn[Symbol.asyncDispose]();
  }
}

/** Which thread served each connection of the clients whose ids begin so, in order, as presence events tell. */
export class ThreadWatch implements Disposable {
  readonly #client: RawClient;
  readonly #threads: Map<string, number[]>;

  private constructor(client: RawClient, threads: Map<string, number[]>) {
    this.#client = client;
    this.#threads = threads;
  }

  static async open(threads: Threads): Promise<ThreadWatch> {
    const seen = new Map<string, number[]>();
    const client = await threads.connect('watch of threads', {
      onPacket: (packet) => {
        if (packet.type !== 'publish') return;
        const { clientId, sessionIdentifier } = JSON.parse(packet.text) as { clientId: string; sessionIdentifier: string };
        seen.set(clientId, [...(seen.get(clientId) ?? []), Number(sessionIdentifier.split('-').at(-1))]);
      },
    });
    await client.subscribe([{ filter: '$aws/events/presence/connected/#', qos: 1 }]);
    return new ThreadWatch(client, seen);
  }

  /** Waits until so many connections of it were told. */
  async threadsOf(clientId: string, connections: number): Promise<readonly number[]> {
    return await eventually(async () => {
      const threads = this.#threads.get(clientId) ?? [];
      return threads.length >= connections ? threads : undefined;
    });
  }

  [Symbol.dispose](): void {
    this.#client.destroy();
  }
}
