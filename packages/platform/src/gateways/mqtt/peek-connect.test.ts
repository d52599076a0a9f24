import { arbitraryConnect } from '@selsyn/wire/mqtt/arbitrary-packets.ts';
import { PacketDecoder } from '@selsyn/wire/mqtt/decoder.ts';
import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import { MqttError } from '@selsyn/wire/mqtt/mqtt-error.ts';
import type { ConnectPacket, ConnectProperties, Packet } from '@selsyn/wire/mqtt/packets.ts';
import { TopicCache } from '@selsyn/wire/mqtt/topic-cache.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ConnectPeek, peekConnect } from './peek-connect.ts';

const MAX_PACKET_BYTES = 100_000;

function connectOf(
  version: 4 | 5,
  {
    clientId = 'c',
    cleanStart = false,
    properties = {},
  }: { clientId?: string; cleanStart?: boolean; properties?: ConnectProperties },
): Uint8Array {
  const packet: ConnectPacket = {
    type: 'connect',
    version,
    clientId,
    cleanStart,
    keepAliveSec: 60,
    username: 'u',
    password: undefined,
    will: undefined,
    properties,
  };
  return encodePacket(packet, version);
}

const peek = (bytes: Uint8Array): ConnectPeek => peekConnect(bytes, MAX_PACKET_BYTES);

/** What the decoder makes of the first packet. */
function decode(bytes: Uint8Array): Packet | MqttError | undefined {
  const decoder = new PacketDecoder({ maxPacketBytes: MAX_PACKET_BYTES, from: 'client', topics: new TopicCache(10) });
  try {
    decoder.feed(bytes);
    return decoder.next();
  } catch (error) {
    if (error instanceof MqttError) return error;
    throw error;
  }
}

/** By the standard: 3.1.1 without clean session; 5.0 without clean start, or with a session expiry. */
function expected({ version, clientId, cleanStart, properties }: ConnectPacket): ConnectPeek {
  const lasts = !cleanStart || (version === 5 && (properties.sessionExpirySec ?? 0) > 0);
  return lasts && clientId !== '' ? { kind: 'persistent', clientId } : { kind: 'anywhere' };
}

/** Holds the peek against the decoder, for these bytes cut off after `from` bytes and each one more. */
function check(bytes: Uint8Array, from = 0): ConnectPeek['kind'] {
  let told: ConnectPeek | undefined;
  for (let end = from; end <= bytes.length; end++) {
    const seen = bytes.subarray(0, end);
    const said = peek(seen);
    if (told !== undefined) expect(said).toEqual(told);
    else if (said.kind !== 'short') told = said;
    else {
      expect(said.neededBytes).toBeGreaterThan(end);
      expect(said.neededBytes).toBeLessThanOrEqual(MAX_PACKET_BYTES);
    }
    const decoded = decode(seen);
    if (decoded !== undefined) expect(said.kind).not.toBe('short');
    if (decoded instanceof Error || decoded === undefined) continue;
    expect(said).toEqual(decoded.type === 'connect' ? expected(decoded) : { kind: 'not-connect' });
  }
  return told?.kind ?? 'short';
}

describe('the peek at a CONNECT', () => {
  it('tells the sessions of 3.1.1 that last by clean session', () => {
    expect(peek(connectOf(4, { clientId: 'dé' }))).toEqual({ kind: 'persistent', clientId: 'dé' });
    expect(peek(connectOf(4, { cleanStart: true }))).toEqual({ kind: 'anywhere' });
  });

  it('tells those of 5.0 by clean start and session expiry', () => {
    const expiring = { userProperties: [['a', 'b']] as const, receiveMaximum: 3, sessionExpirySec: 1 };
    expect(peek(connectOf(5, {}))).toEqual({ kind: 'persistent', clientId: 'c' });
    expect(peek(connectOf(5, { cleanStart: true, properties: expiring }))).toEqual({ kind: 'persistent', clientId: 'c' });
    expect(peek(connectOf(5, { cleanStart: true, properties: { ...expiring, sessionExpirySec: 0 } }))).toEqual({
      kind: 'anywhere',
    });
    expect(peek(connectOf(5, { cleanStart: true, properties: { receiveMaximum: 3 } }))).toEqual({ kind: 'anywhere' });
  });

  it('leaves a client without an id where it is: its id will be made there', () => {
    expect(peek(connectOf(5, { clientId: '', properties: { sessionExpirySec: 9 } }))).toEqual({ kind: 'anywhere' });
  });

  it('leaves what is no CONNECT of these versions, or too large, to the broker', () => {
    const others = [
      'e0 00',
      'c0 00',
      '00',
      '11',
      '10 ff ff ff ff',
      '10 0c 0005',
      '10 0c 0004 4d515454 03 02',
      '16 03 01',
      '10 09',
    ];
    for (const hex of others) {
      const bytes = Buffer.concat([Buffer.from(hex.replaceAll(' ', ''), 'hex'), Buffer.alloc(40)]);
      expect([hex, peek(bytes)]).toEqual([hex, { kind: 'not-connect' }]);
    }
    expect(peek(Buffer.from('10ffffff7f', 'hex'))).toEqual({ kind: 'not-connect' });
  });

  it('asks for all that it needs at once, however long', () => {
    const bytes = connectOf(5, { clientId: 'x'.repeat(60_000), properties: { userProperties: [['k', 'v'.repeat(30_000)]] } });
    const needed: number[] = [];
    for (let end = 0; ;) {
      const said = peek(bytes.subarray(0, end));
      if (said.kind === 'short') needed.push((end = said.neededBytes));
      else {
        expect(said).toEqual({ kind: 'persistent', clientId: 'x'.repeat(60_000) });
        break;
      }
    }
    expect(needed.length).toBeLessThan(10);
  });

  it.each([4, 5] as const)('agrees with the decoder on every beginning of any CONNECT of version %i', (version) => {
    const kinds = new Set<string>();
    fc.assert(
      fc.property(arbitraryConnect(version), fc.uint8Array({ maxLength: 3 }), (packet, behind) => {
        kinds.add(check(Buffer.concat([encodePacket(packet, version), behind])));
      }),
      { numRuns: 150 },
    );
    expect([...kinds].toSorted()).toEqual(['anywhere', 'persistent']);
  });

  it('agrees with the decoder on changed and random bytes', () => {
    const seeds = ([4, 5] as const).flatMap((version) =>
      fc.sample(arbitraryConnect(version), { numRuns: 60, seed: 7, path: '' }).map((packet) => encodePacket(packet, version)),
    );
    const change = fc.record({ at: fc.nat(60), byte: fc.nat(255), kind: fc.constantFrom('set', 'insert', 'remove') });
    const mutant = fc
      .tuple(fc.constantFrom(...seeds), fc.array(change, { maxLength: 3 }), fc.boolean())
      .map(([seed, changes, fit]) => {
        const bytes = [...seed];
        for (const { at, byte, kind } of changes)
          bytes.splice(at, kind === 'insert' ? 0 : 1, ...(kind === 'remove' ? [] : [byte]));
        if (fit && bytes.length < 130) bytes[1] = bytes.length - 2;
        return Uint8Array.from(bytes);
      });
    const kinds = new Map<string, number>();
    fc.assert(
      fc.property(fc.oneof({ weight: 5, arbitrary: mutant }, fc.uint8Array({ maxLength: 40 })), (bytes) => {
        const kind = check(bytes, Math.max(0, bytes.length - 120));
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      }),
      { numRuns: 2_000 },
    );
    for (const kind of ['short', 'not-connect', 'anywhere', 'persistent']) expect(kinds.get(kind) ?? 0).toBeGreaterThan(20);
  });
});
