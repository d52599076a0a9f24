import { encode } from 'cborg';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TestUnit, newCsr, openTestProvisioning, TEMPLATE } from './provisioning.fixture.ts';
import {
  decodePayload,
  encodePayload,
  MAX_PAYLOAD_BYTES,
  PayloadError,
  readParameters,
  readProvisionRequest,
} from './provisioning-payload.ts';
import { isProvisioningTopic, parseProvisioningTopic, rejectionOf } from './provisioning-topics.ts';

const faultOf = (read: () => unknown): string => {
  try {
    read();
  } catch (error) {
    // Anything else is a crash.
    if (error instanceof PayloadError) return error.message;
    throw error;
  }
  return '';
};

describe('topics', () => {
  it.each([
    ['$aws/certificates/create/json', { request: 'create', format: 'json' }],
    ['$aws/certificates/create-from-csr/cbor', { request: 'create-from-csr', format: 'cbor' }],
    ['$aws/provisioning-templates/a:b.c_d-e/provision/json', { request: 'provision', template: 'a:b.c_d-e', format: 'json' }],
  ])('%s asks for something', (topic, expected) => {
    expect(parseProvisioningTopic(topic)).toEqual(expected);
    expect(isProvisioningTopic(topic)).toBe(true);
  });

  it.each([
    '$aws/certificates/create/json/accepted',
    '$aws/certificates/create/xml',
    '$aws/certificates/create',
    '$aws/certificates/create/',
    '$aws/certificates/delete/json',
    '$aws/provisioning-templates/t/provision/json/rejected',
    '$aws/provisioning-templates//provision/json',
    '$aws/provisioning-templates/a b/provision/json',
    `$aws/provisioning-templates/${'t'.repeat(129)}/provision/json`,
    '$aws/provisioning-templates/t/delete/json',
    'telemetry/$aws/certificates/create/json',
    '',
  ])('%s does not', (topic) => expect(isProvisioningTopic(topic)).toBe(false));

  it('a refusal is in the format of the request', () => {
    const body = { statusCode: 429, errorCode: 'X', errorMessage: 'y' };
    for (const format of ['json', 'cbor'] as const) {
      const { topic, payload } = rejectionOf(`$aws/certificates/create/${format}`, 429, 'X', 'y');
      expect([topic, decodePayload(format, payload)]).toEqual([`$aws/certificates/create/${format}/rejected`, body]);
    }
  });
});

describe('payloads', () => {
  it('say the same in JSON and CBOR', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 50 }),
        fc.dictionary(fc.stringMatching(/^\w{1,20}$/), fc.string({ unit: 'grapheme', maxLength: 50 }), { maxKeys: 10 }),
        (token, parameters) => {
          const body = { certificateOwnershipToken: token, parameters };
          const [json, cbor] = (['json', 'cbor'] as const).map((format) => readOrFault(format, encodePayload(format, body)));
          expect(cbor).toEqual(json);
        },
      ),
    );
  });

  function readOrFault(format: 'json' | 'cbor', payload: Uint8Array): unknown {
    try {
      const { certificateOwnershipToken, parameters } = readProvisionRequest(format, payload);
      return { certificateOwnershipToken, parameters: { ...parameters } };
    } catch (error) {
      if (error instanceof PayloadError) return error.message;
      throw error;
    }
  }

  it.each(['json', 'cbor'] as const)('of any bytes are read or refused in %s, and never crash', (format) => {
    const valid = encodePayload(format, { certificateOwnershipToken: 't', parameters: { SerialNumber: '1', a: 'b' } });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void faultOf(() => readProvisionRequest(format, bytes))),
      { numRuns: 2_000 },
    );
    fc.assert(
      fc.property(fc.nat(valid.length - 1), fc.nat(255), fc.nat(valid.length), (at, byte, cut) => {
        const changed = Uint8Array.from(valid);
        changed[at] = byte;
        faultOf(() => readProvisionRequest(format, changed.subarray(0, cut)));
      }),
      { numRuns: 2_000 },
    );
    for (let cut = 0; cut < valid.length; cut++)
      expect(faultOf(() => readProvisionRequest(format, valid.subarray(0, cut)))).not.toBe('');
  });

  it.each<[string, 'json' | 'cbor', Uint8Array]>([
    ['arrays within arrays, JSON', 'json', Buffer.from('['.repeat(15_000) + ']'.repeat(15_000))],
    ['arrays within arrays, CBOR', 'cbor', new Uint8Array(30_000).fill(0x81)],
    ['arrays without end within arrays, CBOR', 'cbor', new Uint8Array(30_000).fill(0x9f)],
    ['maps within maps, CBOR', 'cbor', new Uint8Array(30_000).fill(0xbf)],
    ['an array that says it has 2^32 items', 'cbor', Uint8Array.of(0x9a, 0xff, 0xff, 0xff, 0xff)],
    ['a text that says it has 2^53 bytes', 'cbor', Uint8Array.of(0x7b, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)],
    ['a tag', 'cbor', Uint8Array.of(0xc0, 0x61, 0x30)],
    ['a length that is longer than it need be', 'cbor', Uint8Array.of(0x78, 0x01, 0x61)],
    ['a text that is not UTF-8', 'cbor', Uint8Array.of(0x61, 0xff)],
    ['a name twice', 'cbor', Uint8Array.of(0xa2, 0x61, 0x61, 0x01, 0x61, 0x61, 0x02)],
    ['bytes behind the end', 'cbor', Uint8Array.of(0xa0, 0xa0)],
    ['JSON that is not UTF-8', 'json', Uint8Array.of(0x22, 0xff, 0x22)],
    ['one byte too many', 'json', Buffer.alloc(MAX_PAYLOAD_BYTES + 1, ' ')],
  ])('with %s are refused', (_, format, bytes) => expect(faultOf(() => decodePayload(format, bytes))).not.toBe(''));

  it('may hold as many levels as they need, and siblings as they like', () => {
    const wide = { a: [[1], [2], [3]], b: { c: {} }, d: Array.from({ length: 100 }, () => ({ e: 1 })) };
    expect(decodePayload('cbor', encode(wide))).toEqual(wide);
    expect(decodePayload('json', Buffer.from(JSON.stringify(wide)))).toEqual(wide);
    expect(faultOf(() => decodePayload('cbor', encode({ a: { b: { c: { d: 1 } } } })))).toBe('');
    expect(faultOf(() => decodePayload('cbor', encode({ a: { b: { c: { d: {} } } } })))).toContain('levels');
  });

  it('parameters are texts by name, of bounded number and length, and a name is only a name', () => {
    expect(readParameters({ constructor: 'x' })['toString']).toBeUndefined();
    for (const value of [
      { a: 1 },
      { a: null },
      { '': 'a' },
      { a: 'x'.repeat(2_049) },
      { ['n'.repeat(129)]: '' },
      ['a'],
      'a',
      null,
      { a: '\ud800' },
    ])
      expect(faultOf(() => readParameters(value))).not.toBe('');
    expect(faultOf(() => readParameters(Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`p${i}`, '']))))).toContain(
      'at most 64',
    );
  });
});

it('whatever is sent to a provisioning topic gets one answer that says no, and nothing of it stays', async () => {
  await using test = await openTestProvisioning();
  await test.putTemplate();
  const certificateId = await test.claim({ ratePerMinute: 10_000_000 });
  const topics = ['$aws/certificates/create-from-csr', `$aws/provisioning-templates/${TEMPLATE}/provision`];
  const junk = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.json().map((text) => Buffer.from(text)),
    fc.anything().map(encodeAny),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...topics),
      fc.constantFrom('json' as const, 'cbor' as const),
      junk,
      async (topic, format, payload) => {
        const { accepted, body } = await new TestUnit(test.provisioning, { certificateId }, format).send(topic, payload);
        expect(accepted).toBe(false);
        expect(body.statusCode).toBe(400);
        expect(typeof body.errorMessage).toBe('string');
      },
    ),
    { numRuns: 400 },
  );
  expect(await test.devices()).toEqual([]);
  expect(await test.pki.database.selectFrom('certificate_ownership').selectAll().execute()).toEqual([]);
});

it('a request that is larger than any honest one is refused unread', async () => {
  await using test = await openTestProvisioning();
  await test.putTemplate();
  const unit = new TestUnit(test.provisioning, { certificateId: await test.claim() });
  const huge = `${newCsr()}${'x'.repeat(10_000_000)}`;
  expect(await unit.createFromCsr(huge)).toMatchObject({
    accepted: false,
    body: { statusCode: 400, errorCode: 'InvalidPayload' },
  });
});

function encodeAny(value: unknown): Uint8Array {
  try {
    return encode({ certificateSigningRequest: value, certificateOwnershipToken: value, parameters: value });
  } catch {
    return new Uint8Array();
  }
}
