import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { QoS } from '@selsyn/wire/mqtt/packets.ts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type ClientLibrary,
  type ClientOptions,
  type Door,
  type LibraryClient,
  type Way,
  wayThrough,
} from '../harness/client-library.ts';
import { RawClient } from '../harness/mqtt-client.ts';
import { mqttjs } from '../harness/mqttjs-library.ts';
import { eventually, Selsyn } from '../harness/selsyn.ts';

/** Two servers for the tests of a file: one that anyone may enter, and one that asks everyone for a certificate. */
export class OpenServers {
  #all: { readonly anyone: Selsyn; readonly certified: Selsyn } | undefined;
  readonly #folder = mkdtempSync(join(tmpdir(), 'selsyn-clients-'));

  async start(): Promise<void> {
    const settings = ['access.mode=open', 'gateway.threads=2'];
    const [anyone, certified] = await Promise.all([
      Selsyn.start({ settings }),
      Selsyn.start({ settings: [...settings, 'tls.clientCertificates=required'] }),
    ]);
    this.#all = { anyone, certified };
    const made = await certified.cli('cert', 'issue', 'd1', '--create', '--out', this.#folder);
    if (made.code !== 0) throw new Error(made.stderr);
  }

  through(door: Door): Way {
    if (this.#all === undefined) throw new Error('the servers are not started');
    return wayThrough(door, door.endsWith('mutual TLS') ? this.#all.certified : this.#all.anyone, this.#folder);
  }

  /** The port without TLS of the server behind a door. */
  plainPort(door: Door): number {
    if (this.#all === undefined) throw new Error('the servers are not started');
    return (door.endsWith('mutual TLS') ? this.#all.certified : this.#all.anyone).mqttPort;
  }

  async stop(): Promise<void> {
    await this.#all?.anyone[Symbol.asyncDispose]();
    await this.#all?.certified[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true });
  }
}

/** Each library by each of its doors does all that a client does; the other side is mqtt.js over TCP. */
export function describeLibraries(libraries: readonly ClientLibrary[]): OpenServers {
  const servers = new OpenServers();
  beforeAll(async () => await servers.start());
  afterAll(async () => await servers.stop());
  const ways = libraries.flatMap((library) => library.doors.map((door) => ({ name: library.name, library, door })));
  describe.each(ways)('$name by $door', ({ library, door }) => describeLibrary(library, door, servers));
  return servers;
}

const QOS: readonly QoS[] = [0, 1, 2];
let count = 0;

function describeLibrary(library: ClientLibrary, door: Door, servers: OpenServers): void {
  const clients: LibraryClient[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.leave();
  });
  /** A name that no other test has, for topics and client ids. */
  const unused = (): string => `t${process.pid}-${count++}`;
  const open = async (options: Partial<ClientOptions> = {}): Promise<LibraryClient> => {
    const client = await library.open(servers.through(door), { clientId: unused(), ...options });
    clients.push(client);
    return client;
  };
  const leave = async (client: LibraryClient): Promise<void> => {
    clients.splice(clients.indexOf(client), 1);
    await client.leave();
  };
  const openPeer = async (): Promise<LibraryClient> => {
    const way = servers.through('TCP');
    const port = servers.plainPort(door);
    const peer = await mqttjs(5).open({ ...way, port, url: `mqtt://localhost:${port}` }, { clientId: unused() });
    clients.push(peer);
    return peer;
  };
  const heardBy = async ({ heard }: LibraryClient, atLeast: number): Promise<LibraryClient['heard']> =>
    await eventually(async () => (heard.length >= atLeast ? heard : undefined));
  const known = QOS.filter((qos) => qos <= library.maxQos);
  const long = 'x'.repeat(70_000);

  it('subscribes, hears and publishes at every QoS it knows', async () => {
    const [topic, client, peer] = [unused(), await open(), await openPeer()];
    for (const qos of known) expect(await client.subscribe(`${topic}/in/${qos}/#`, qos)).toBe(qos);
    expect(await peer.subscribe(`${topic}/out/#`, 2)).toBe(2);
    for (const qos of known) {
      await peer.publish(`${topic}/in/${qos}/long`, long, { qos });
      await client.publish(`${topic}/out/${qos}`, long, { qos });
    }
    expect(
      (await heardBy(client, known.length)).map(({ topic: where, text, qos, retain }) => [where, text === long, qos, retain]),
    ).toEqual(known.map((qos) => [`${topic}/in/${qos}/long`, true, qos, false]));
    expect((await heardBy(peer, known.length)).map(({ topic: where, text, qos }) => [where, text === long, qos])).toEqual(
      known.map((qos) => [`${topic}/out/${qos}`, true, qos]),
    );
  });

  it('leaves a retained message, gets one, and takes it back', async () => {
    const [topic, client] = [unused(), await open()];
    await client.publish(topic, 'kept', { qos: 1, retain: true });
    await client.subscribe(topic, 1);
    expect(await heardBy(client, 1)).toMatchObject([{ topic, text: 'kept', qos: 1, retain: true }]);
    await client.publish(topic, '', { qos: 1, retain: true });
    const peer = await openPeer();
    await peer.subscribe(`${topic}/#`, 1);
    await peer.publish(topic, 'later', { qos: 1 });
    expect((await heardBy(peer, 1)).map(({ text, retain }) => [text, retain])).toEqual([['later', false]]);
  });

  it('leaves a will when its connection is lost, and none when it says goodbye', async () => {
    const [topic, peer] = [unused(), await openPeer()];
    await peer.subscribe(`${topic}/#`, 1);
    const will = (name: string) => ({ topic: `${topic}/${name}`, text: 'gone', qos: 1, retain: false }) as const;
    await leave(await open({ will: will('polite') }));
    const clientId = unused();
    await open({ clientId, will: will('lost') });
    // Another client with its id takes its connection away [MQTT-3.1.4-2], [MQTT-3.1.4-3].
    const taker = await RawClient.connect({ port: servers.plainPort(door), connect: { clientId } });
    expect((await heardBy(peer, 1)).map((message) => [message.topic, message.text, message.qos])).toEqual([
      [`${topic}/lost`, 'gone', 1],
    ]);
    await taker.disconnect();
  });

  it('finds its session again, with all that came in between', async () => {
    const [topic, clientId, peer] = [unused(), unused(), await openPeer()];
    const highest = library.maxQos;
    const before = await open({ clientId, kept: true });
    expect(before.sessionPresent).toBe(false);
    await before.subscribe(`${topic}/#`, highest);
    await leave(before);
    const sent = (known.length === 3 ? ([1, 2] as const) : ([1] as const)).flatMap((qos) =>
      Array.from({ length: 10 }, (_, n) => ({ topic: `${topic}/${n}`, qos })),
    );
    for (const message of sent) await peer.publish(message.topic, 'while away', { qos: message.qos });
    const after = await open({ clientId, kept: true });
    expect(after.sessionPresent).toBe(true);
    // In order at each QoS; a library hands out QoS 2 when it likes: on PUBLISH or on PUBREL (MQTT 5.0, section 4.3.3).
    const heard = (await heardBy(after, sent.length)).map((message) => ({ topic: message.topic, qos: message.qos }));
    expect(heard.toSorted((one, other) => one.qos - other.qos)).toEqual(sent);
    await peer.publish(`${topic}/now`, 'there', { qos: 1 });
    expect((await heardBy(after, sent.length + 1)).at(-1)?.text).toBe('there');
  });

  it('shares a subscription with another client', async () => {
    const [topic, peer] = [unused(), await openPeer()];
    const members = [await open(), await open()];
    for (const member of members) expect(await member.subscribe(`$share/group/${topic}/#`, 1)).toBe(1);
    for (let n = 0; n < 20; n++) await peer.publish(`${topic}/${n}`, String(n), { qos: 1 });
    const all = (): string[] => members.flatMap(({ heard }) => heard.map(({ text }) => text));
    await eventually(async () => (all().length >= 20 ? true : undefined));
    expect(all().toSorted((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 20 }, (_, n) => String(n)));
    for (const { heard } of members) expect(heard.length).toBeGreaterThan(0);
  });

  if (library.version < 5) return;
  it('carries the properties of a message both ways', async () => {
    const [topic, client, peer] = [unused(), await open(), await openPeer()];
    const properties = {
      contentType: 'text/plain',
      responseTopic: `${topic}/answer`,
      correlationData: 'question 1',
      messageExpirySec: 3_600,
      userProperties: [
        ['unit', '°C'],
        ['unit', 'K'],
        ['place', ''],
      ],
    } as const;
    await client.subscribe(`${topic}/in`, 1);
    await peer.subscribe(`${topic}/out`, 1);
    await peer.publish(`${topic}/in`, 'a', { qos: 1, properties });
    await client.publish(`${topic}/out`, 'b', { qos: 1, properties });
    for (const end of [client, peer]) expect((await heardBy(end, 1))[0]?.properties).toEqual(properties);
  });
}
