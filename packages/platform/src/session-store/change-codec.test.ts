import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isSelsynError } from '../kernel/errors.ts';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { decodeChange } from './change-decoder.ts';
import { encodeChange } from './change-encoder.ts';
import { KIND, MARKED_HELD, MARKED_MESSAGE } from './change-format.ts';
import type { SessionNumber, StoreChange } from './session-store.ts';

const number = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }));
const session = number.map((value) => value as SessionNumber);
const packetId = fc.integer({ min: 0, max: 0xffff });
const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ minLength: 200, maxLength: 300 }));
const packet = fc.uint8Array({ maxLength: 300 });
const time = fc.oneof(fc.constant(Infinity), fc.double({ noNaN: true }));
const option = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });
const holders = fc.array(
  fc.record({
    session,
    packetId,
    qos: fc.constantFrom(1, 2),
    retain: fc.boolean(),
    identifiers: option(fc.array(fc.integer({ min: 0, max: 268_435_455 }), { maxLength: 4 })),
    share: option(text),
  }),
  { maxLength: 5 },
);
const mark = fc.record({ origin: text, session, packetId });
const ofPacket = fc.constantFrom('released', 'settled', 'received', 'completed');
const change: fc.Arbitrary<StoreChange> = fc.oneof(
  fc.record({
    kind: fc.constant('session'),
    fresh: fc.boolean(),
    session: fc.record({
      number: session,
      clientId: text,
      namespace: text,
      principalId: text,
      version: fc.constantFrom(4, 5),
      expirySec: fc.oneof(fc.constantFrom(0, 0xffff_ffff, Infinity), fc.nat()),
      offlineSinceMs: option(time),
      will: option(fc.record({ packet, delaySec: fc.nat(0xffff_ffff) })),
    }),
  }),
  fc.record({ kind: fc.constant('session-removed'), session }),
  fc.record({
    kind: fc.constant('subscribed'),
    session,
    filter: text,
    options: fc.record({
      qos: fc.constantFrom(0, 1, 2),
      noLocal: fc.boolean(),
      retainAsPublished: fc.boolean(),
      identifier: fc.nat(268_435_455),
    }),
  }),
  fc.record({ kind: fc.constant('unsubscribed'), session, filter: text }),
  fc.record({
    kind: fc.constant('message'),
    message: fc.record({ number, packet, expiresAtMs: time }),
    holders,
    mark: option(mark),
  }),
  fc.record({ kind: fc.constant('held'), message: number, holders, mark: option(mark) }),
  fc.record({ kind: fc.constant('marked'), mark, group: text }),
  fc.record({ kind: fc.constant('unmarked'), mark }),
  fc.record({ kind: ofPacket, session, packetId }),
  fc.record({ kind: fc.constant('retained'), topic: text, packet, expiresAtMs: time }),
  fc.record({ kind: fc.constant('retained-removed'), topic: text }),
);

function encoded(...changes: readonly StoreChange[]): Buffer {
  const writer = new ByteWriter();
  for (const one of changes) encodeChange(writer, one, false);
  return Buffer.from(writer.bytes.subarray(0, writer.size));
}

function decoded(bytes: Uint8Array, end = bytes.length): StoreChange {
  const reader = new ByteReader();
  reader.open(bytes, 0, end);
  return decodeChange(reader, reader.u8());
}

test('gives back every change as it was', () => {
  const property = fc.property(change, (one) => {
    expect(decoded(encoded(one))).toEqual(one);
  });
  fc.assert(property, { numRuns: 1000 });
});

test('calls everything that is cut short, or goes on, damaged', () => {
  const property = fc.property(change, (one) => {
    const bytes = encoded(one);
    const longer = Buffer.concat([bytes, Buffer.alloc(1)]);
    for (let end = 0; end < bytes.length; end += 1) expect(() => decoded(bytes, end)).toThrow(damaged);
    expect(() => decoded(longer)).toThrow(damaged);
  });
  fc.assert(property, { numRuns: 60 });
});

test('reads random bytes as a change or as damage, never with another error or much memory', () => {
  const bytes = fc.tuple(fc.integer({ min: 0, max: 18 }), fc.uint8Array({ maxLength: 40 }));
  const property = fc.property(bytes, ([kind, rest]) => {
    try {
      decoded(Uint8Array.of(kind, ...rest));
    } catch (error) {
      if (!isSelsynError(error, 'data.corrupt')) throw error;
    }
  });
  fc.assert(property, { numRuns: 5000 });
});

test('has the layout that is drawn', () => {
  const ids = { session: 300 as SessionNumber, packetId: 0x1234 };
  expect(encoded({ kind: 'settled', ...ids }).toString('hex')).toBe('08ac023412');
  const expiresAtMs = 1;
  const message = { number: 5, packet: Uint8Array.of(0x30, 0), expiresAtMs };
  const one = { ...ids, qos: 2, retain: false, identifiers: [7], share: '$share/g/a' } as const;
  expect(encoded({ kind: 'message', message, holders: [one] }).toString('hex')).toBe(
    `05${'05'}${'000000000000f03f'}${'023000'}${'01'}${'ac02'}${'3412'}${'0d'}${'0107'}${'0a'}${Buffer.from('$share/g/a').toString('hex')}`,
  );
  expect(encoded({ kind: 'retained-removed', topic: 'ä' }).toString('hex')).toBe('0c02c3a4');
  const mark = { ...ids, origin: 'p' };
  expect(encoded({ kind: 'held', message: 5, holders: [], mark }).toString('hex')).toBe('0e0500ac0234120170');
  expect(encoded({ kind: 'message', message, holders: [], mark }).toString('hex')).toBe(
    '0d05000000000000f03f02300000ac0234120170',
  );
  expect(encoded({ kind: 'marked', mark, group: 'g' }).toString('hex')).toBe('0fac02341201700167');
  expect(encoded({ kind: 'unmarked', mark }).toString('hex')).toBe('10ac0234120170');
  // A kind is stored: none may ever change its number.
  expect(Object.values(KIND)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 16]);
  expect([MARKED_MESSAGE, MARKED_HELD]).toEqual([13, 14]);
});

test('refuses what no encoder writes', () => {
  for (const hex of [
    '00',
    '11',
    '1000010001',
    '7f',
    '0200',
    '07000100',
    '0301030000',
    '0301100000',
    '06010101000010',
    '02ffffffffffffffff7f',
  ]) {
    expect(() => decoded(Buffer.from(hex, 'hex')), hex).toThrow(damaged);
  }
});

const damaged = expect.objectContaining({ code: 'data.corrupt' });
