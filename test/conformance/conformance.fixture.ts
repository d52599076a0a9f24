import type { ConnackPacket, ConnectPacket, ProtocolVersion } from '@selsyn/wire/mqtt/packets.ts';
import { expect } from 'vitest';
import {
  connectOf,
  openTestBroker,
  settled,
  type TestBroker,
  TestClient,
} from '../../packages/platform/src/broker/broker.fixture.ts';
import { MemorySessionStore } from '../../packages/platform/src/session-store/drivers/memory/memory-session-store.ts';

/** The protocol levels of MQTT 3.1.1 and 5.0. */
export const BOTH: readonly ProtocolVersion[] = [4, 5];

export type Taken = Awaited<ReturnType<TestClient['take']>>;

/** A broker that keeps sessions, in memory. */
export async function openBroker(options: Parameters<typeof openTestBroker>[0] = {}): Promise<TestBroker> {
  const test = openTestBroker({ store: new MemorySessionStore(), ...options });
  await test.broker.restore();
  return test;
}

/** What a CONNECT of this version asks for when its session is to outlive the connection. */
export function kept(version: ProtocolVersion, options: Partial<ConnectPacket> = {}): Partial<ConnectPacket> {
  const properties = version === 5 ? { sessionExpirySec: 3_600, ...options.properties } : {};
  return { clientId: 'kept', cleanStart: false, ...options, properties };
}

/** Connects and keeps everything that comes: CONNACK, and what is sent at once behind it. */
export async function arrive(
  { broker }: TestBroker,
  version: ProtocolVersion,
  options: Partial<ConnectPacket>,
): Promise<{ client: TestClient; connack: ConnackPacket; rest: Taken }> {
  const client = new TestClient(broker, version);
  client.send(connectOf(version, options));
  const [connack, ...rest] = await client.take();
  if (connack?.type !== 'connack') throw new Error(`no CONNACK but ${JSON.stringify(connack)}`);
  return { client, connack, rest };
}

/** Loses the connection of a client. */
export async function lose(client: TestClient): Promise<void> {
  client.transport.destroy();
  await settled();
}

/** What the server wrote since the last call, packet by packet, as bytes. */
export async function packetsAsBytes(client: TestClient): Promise<Uint8Array[]> {
  await settled();
  const bytes = Buffer.concat(client.transport.chunks.splice(0));
  const packets: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    let length = 0;
    let head = at + 1;
    for (let shift = 0, byte = 0x80; byte > 0x7f; shift += 7) {
      byte = bytes[head++] ?? 0;
      length |= (byte & 0x7f) << shift;
    }
    packets.push(Uint8Array.from(bytes.subarray(at, head + length)));
    at = head + length;
  }
  return packets;
}

/** What the first byte and the packet id of a PUBLISH say. */
export interface PublishHead {
  readonly dup: boolean;
  readonly qos: number;
  readonly retain: boolean;
  /** 0 at QoS 0. */
  readonly packetId: number;
}

/** The PUBLISH packets among them; for packets with a length of one byte. */
export async function publishHeads(client: TestClient): Promise<PublishHead[]> {
  return (await packetsAsBytes(client)).flatMap((bytes) => {
    const [first = 0, , high = 0, low = 0] = bytes;
    if (first >> 4 !== 3) return [];
    const at = 4 + high * 256 + low;
    const qos = (first >> 1) & 3;
    const packetId = qos === 0 ? 0 : bytes[at]! * 256 + bytes[at + 1]!;
    return [{ dup: (first & 8) !== 0, qos, retain: (first & 1) !== 0, packetId }];
  });
}

/** A string as it stands in packets: two bytes of length, then the bytes. */
export function field(content: string | Uint8Array): Uint8Array {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  return Buffer.concat([Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes]);
}

/** A packet of this first byte and body, whether it makes sense or not. */
export function packetOf(first: number, ...body: readonly (number | Uint8Array)[]): Uint8Array {
  const content = Buffer.concat(body.map((part) => (typeof part === 'number' ? Uint8Array.of(part) : part)));
  const length: number[] = [];
  for (let rest = content.length; ; rest >>= 7) {
    length.push(rest > 127 ? (rest & 0x7f) | 0x80 : rest);
    if (rest <= 127) break;
  }
  return Buffer.concat([Uint8Array.of(first, ...length), content]);
}

/** A CONNECT with these flags and payload, whether they fit together or not. */
export function connectBytes(version: ProtocolVersion, flags: number, ...payload: readonly Uint8Array[]): Uint8Array {
  return packetOf(0x10, field('MQTT'), version, flags, 0, 0, ...(version === 5 ? [0] : []), ...payload);
}

/** A client that was let in has been closed: 5.0 was told this code by DISCONNECT, 3.1.1 nothing. */
export async function expectClosed(client: TestClient, code: number): Promise<void> {
  expect(await client.take()).toMatchObject(client.version === 5 ? [{ type: 'disconnect', reasonCode: code }] : []);
  expect(client.transport.ended || client.transport.destroyed).toBe(true);
}

/** It is still served. */
export async function expectOpen(client: TestClient): Promise<void> {
  client.send({ type: 'pingreq' });
  expect((await client.take()).at(-1)).toEqual({ type: 'pingresp' });
}

/** The types of what came, in order. */
export function types(packets: Taken): string[] {
  return packets.map(({ type }) => type);
}
