import { createHash, createHmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseQuery, splitTarget } from './raw-query.ts';
import { checkClaim, checkSignature, MAX_SKEW_MS, type ShownRequest } from './signature-check.ts';
import { readSignature } from './signature-claim.ts';
import { canonicalRequest, encodeUri, sameSignature, signatureOf } from './signature-v4.ts';

const KEY = 'AKSYABCDEFGHIJKLMNOP';
const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const NOW = Date.parse('2026-07-28T10:15:30Z');

/** What AWS's SDKs sign with, on SHA-256 of Node. */
class Sha256 {
  readonly #hash;
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash =
      secret === undefined
        ? createHash('sha256')
        : createHmac('sha256', typeof secret === 'string' ? secret : Buffer.from(secret as ArrayBuffer));
  }
  update(data: Uint8Array): void {
    this.#hash.update(data);
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
  reset(): void {}
}

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly query: Record<string, string | string[]>;
  readonly headers: Record<string, string>;
  readonly body: string;
}

const PLAIN: Sent = {
  method: 'POST',
  path: '/things/T/shadow',
  query: { name: 'n' },
  headers: { host: 'localhost:8443' },
  body: '{}',
};

function signer(options: { readonly service?: string; readonly sessionToken?: string } = {}) {
  return new SignatureV4({
    credentials: {
      accessKeyId: KEY,
      secretAccessKey: SECRET,
      ...(options.sessionToken !== undefined && { sessionToken: options.sessionToken }),
    },
    region: 'eu-central-1',
    service: options.service ?? 'iotdata',
    sha256: Sha256,
  });
}

/** As it goes over the wire. */
function shown(sent: Sent, isPrivate = true): ShownRequest {
  const query = Object.entries(sent.query)
    .flatMap(([name, value]) => [value].flat().map((each) => `${encodeUri(name)}=${encodeUri(each)}`))
    .join('&');
  const target = query === '' ? sent.path : `${sent.path}?${query}`;
  return {
    method: sent.method,
    target,
    query: parseQuery(splitTarget(target).query),
    headers: new Map(Object.entries(sent.headers).map(([name, value]) => [name.toLowerCase(), value])),
    isPrivate,
  };
}

async function signed(sent: Sent, options: Parameters<typeof signer>[0] & { readonly atMs?: number } = {}): Promise<Sent> {
  const request = { ...sent, protocol: 'https:', hostname: 'localhost' };
  const made = await signer(options).sign(request, { signingDate: new Date(options.atMs ?? NOW) });
  return { ...sent, headers: made.headers };
}

async function presigned(sent: Sent, expiresIn: number): Promise<Sent> {
  const request = { ...sent, protocol: 'https:', hostname: 'localhost' };
  const made = await signer().presign(request, { signingDate: new Date(NOW), expiresIn });
  return { ...sent, headers: made.headers, query: made.query as Sent['query'] };
}

function verify(sent: Sent, options: { nowMs?: number; secret?: string; isPrivate?: boolean } = {}): void {
  const request = shown(sent, options.isPrivate);
  const claim = readSignature(request.headers, request.query);
  if (claim === undefined) throw new Error('not signed');
  checkClaim(claim, request, ['iotdata', 'iot-jobs-data'], options.nowMs ?? NOW);
  checkSignature(claim, request, Buffer.from(sent.body), options.secret ?? SECRET);
}

it.each([
  ['/topics/a?qos=1', '/topics/a', 'qos=1'],
  ['http://evil.example:80/topics/a?qos=1', '/topics/a', 'qos=1'],
  ['HTTPS://h/topics/http://x/?', '/topics/http://x/', ''],
  ['/http://h/a', '/http://h/a', ''],
])('the path and the query of %s', (target, path, query) => {
  expect(splitTarget(target)).toEqual({ path, query });
});

describe('a signature', () => {
  it('is that of the documentation', () => {
    // https://docs.aws.amazon.com/general/latest/gr/sigv4-create-canonical-request.html, the request that lists IAM users.
    const request = {
      method: 'GET',
      path: '/',
      query: parseQuery('Action=ListUsers&Version=2010-05-08'),
      headers: [
        ['content-type', 'application/x-www-form-urlencoded; charset=utf-8'],
        ['host', 'iam.amazonaws.com'],
        ['x-amz-date', '20150830T123600Z'],
      ],
      payloadHash: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    } as const;
    expect(createHash('sha256').update(canonicalRequest(request)).digest('hex')).toBe(
      'f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59',
    );
    const scope = { date: '20150830', region: 'us-east-1', service: 'iam' };
    expect(signatureOf(request, '20150830T123600Z', scope, 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY')).toBe(
      '5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
    );
  });

  it('is compared whole', () => {
    expect(sameSignature('ab', 'ab')).toBe(true);
    expect(sameSignature('ab', 'aB')).toBe(false);
    expect(sameSignature('ab', 'abc')).toBe(false);
  });

  it('of whatever an SDK sends is found right, in the header and in the query', async () => {
    const segment = fc
      .string({ minLength: 1, maxLength: 12, unit: 'grapheme' })
      .map(encodeUri)
      .filter((text) => !/^\.{1,2}$/.test(text));
    const word = fc.string({ maxLength: 10, unit: 'grapheme' });
    const request = fc.record({
      method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE'),
      path: fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => `/${segments.join('/')}`),
      query: fc.dictionary(
        fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,8}$/),
        fc.oneof(word, fc.array(word, { minLength: 2, maxLength: 3 })),
        {
          maxKeys: 4,
          noNullPrototype: true,
        },
      ),
      headers: fc
        .dictionary(fc.stringMatching(/^x-amz-[a-z0-9]{1,8}$/), fc.stringMatching(/^[!-~ ]{0,20}$/), {
          maxKeys: 3,
          noNullPrototype: true,
        })
        .map((headers) => ({ ...headers, host: 'iot.example.com:8443', 'content-type': 'application/json' })),
      body: fc.string({ maxLength: 50 }),
    });
    await fc.assert(
      fc.asyncProperty(request, async (sent) => {
        expect(() => verify({ ...sent, headers: { ...sent.headers } })).toThrow('not signed');
        verify(await signed(sent));
        verify(await presigned(sent, 900));
      }),
      { numRuns: 200 },
    );
  });

  it('holds for no other request, and for no other secret', async () => {
    const good = await signed(PLAIN);
    verify(good);
    const changed: readonly Partial<Sent>[] = [
      { method: 'DELETE' },
      { path: '/things/U/shadow' },
      { path: '/things%2FT/shadow' },
      { query: { name: 'm' } },
      { query: { name: 'n', more: '' } },
      { query: {} },
      { body: '{ }' },
      { headers: { ...good.headers, host: 'localhost:8444' } },
      { headers: { ...good.headers, 'x-amz-date': '20260728T101531Z' } },
    ];
    for (const change of changed) expect(() => verify({ ...good, ...change })).toThrow(/does not match|computed/);
    expect(() => verify(good, { secret: `${SECRET}x` })).toThrow('does not match');
  });

  it('tells a slash within a name from one between levels', async () => {
    const good = await signed({ ...PLAIN, path: '/topics/a%2Fb', query: { qos: '1' } });
    verify(good);
    expect(() => verify({ ...good, path: '/topics/a/b' })).toThrow('does not match');
    expect(() => verify({ ...good, path: '/topics/a%252Fb' })).toThrow('does not match');
    for (const path of ['/topics//b', '/topics/./b', '/topics/a/../b', '/topics/b/'])
      expect(() => verify({ ...good, path })).toThrow('The path must have');
  });

  it('holds for 15 minutes about its time, which its scope must name', async () => {
    const good = await signed(PLAIN);
    verify(good, { nowMs: NOW + MAX_SKEW_MS });
    verify(good, { nowMs: NOW - MAX_SKEW_MS });
    expect(() => verify(good, { nowMs: NOW + MAX_SKEW_MS + 1 })).toThrow(/^Signature expired: 20260728T101530Z is now earlier/);
    expect(() => verify(good, { nowMs: NOW - MAX_SKEW_MS - 1 })).toThrow(/^Signature not yet current: 20260728T101530Z/);
    const authorization = (good.headers['authorization'] ?? '').replace('/20260728/', '/20260727/');
    expect(() => verify({ ...good, headers: { ...good.headers, authorization } })).toThrow('Credential scope');
  });

  it('in a query holds until it says that it expires', async () => {
    const good = await presigned({ ...PLAIN, method: 'GET', body: '' }, 60);
    verify(good, { nowMs: NOW + 60_000 });
    expect(() => verify(good, { nowMs: NOW + 60_001 })).toThrow('Signature expired');
    for (const expires of ['0', '604801', '-1', 'x', ''])
      expect(() => verify({ ...good, query: { ...good.query, 'X-Amz-Expires': expires } })).toThrow('X-Amz-Expires');
    expect(() => verify({ ...good, query: { ...good.query, 'X-Amz-Expires': '61' } })).toThrow('does not match');
  });

  it('must cover the host and every X-Amz- header', async () => {
    const good = await signed(PLAIN);
    const { 'x-amz-date': time = '' } = good.headers;
    const headers = { ...good.headers, 'x-amz-mqtt5-user-properties': 'W10=' };
    expect(() => verify({ ...good, headers })).toThrow('x-amz-mqtt5-user-properties');
    const authorization = (good.headers['authorization'] ?? '').replace(
      /SignedHeaders=[^,]*/,
      'SignedHeaders=x-amz-content-sha256;x-amz-date',
    );
    expect(() => verify({ ...good, headers: { ...good.headers, authorization, 'x-amz-date': time } })).toThrow("'Host'");
  });

  it('without the payload counts only where nobody on the way can change it', async () => {
    const sent = { ...PLAIN, headers: { ...PLAIN.headers, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } };
    const good = await signed(sent);
    verify({ ...good, body: 'anything' });
    expect(() => verify(good, { isPrivate: false })).toThrow('The payload must be signed');
    const stated = { ...PLAIN, headers: { ...PLAIN.headers, 'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD' } };
    const streaming = await signed(stated);
    expect(() => verify(streaming)).toThrow('x-amz-content-sha256');
  });

  it('for another service is refused, and so is a session token', async () => {
    const jobs = await signed(PLAIN, { service: 'iot-jobs-data' });
    verify(jobs);
    const other = await signed(PLAIN, { service: 's3' });
    expect(() => verify(other)).toThrow("correct service: 'iotdata'");
    const temporary = await signed(PLAIN, { sessionToken: 'FwoGZXIvYXdz' });
    expect(() => verify(temporary)).toThrow('security token');
  });

  it('that is none is told so', () => {
    const authorizations = [
      'Bearer abc',
      'AWS4-HMAC-SHA256',
      'AWS4-ECDSA-P256-SHA256 Credential=x',
      `AWS4-HMAC-SHA256 Credential=${KEY}/20260728/eu-central-1/iotdata/aws4_request`,
      `AWS4-HMAC-SHA256 Credential=${KEY}/x, SignedHeaders=host, Signature=${'0'.repeat(64)}`,
      `AWS4-HMAC-SHA256 Credential=${KEY}/20260728/eu-central-1/iotdata/aws4_request, SignedHeaders=x;host, Signature=${'0'.repeat(64)}`,
      `AWS4-HMAC-SHA256 Credential=${KEY}/20260728/eu-central-1/iotdata/aws4_request, SignedHeaders=host;host, Signature=${'0'.repeat(64)}`,
      `AWS4-HMAC-SHA256 Credential=${KEY}/20260728/eu-central-1/iotdata/aws4_request, SignedHeaders=host, Signature=${'g'.repeat(64)}`,
      `AWS4-HMAC-SHA256 Credential=${KEY}/20260728/eu-central-1/iotdata/aws4_request,${'a'.repeat(100_000)}`,
    ];
    for (const authorization of authorizations) {
      const headers = new Map([
        ['authorization', authorization],
        ['x-amz-date', '20260728T101530Z'],
      ]);
      expect(() => readSignature(headers, [])).toThrow('incomplete');
    }
    expect(readSignature(new Map(), [])).toBeUndefined();
  });

  it('takes the header Date where there is no X-Amz-Date', () => {
    const authorization = `AWS4-HMAC-SHA256 Credential=${KEY}/20260728/eu-central-1/iotdata/aws4_request,SignedHeaders=date;host,Signature=${'0'.repeat(64)}`;
    for (const date of ['Tue, 28 Jul 2026 10:15:30 GMT', '20260728T101530Z'])
      expect(
        readSignature(
          new Map([
            ['authorization', authorization],
            ['date', date],
          ]),
          [],
        )?.signedAtMs,
      ).toBe(NOW);
  });
});
