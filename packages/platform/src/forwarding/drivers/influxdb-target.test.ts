import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Delivery } from '../delivery.ts';
import type { SampleValue } from '../samples.ts';
import { InfluxdbTarget } from './influxdb-target.ts';

/**
 * What InfluxDB 2 says of POST /api/v2/write: org, bucket and a token must be there and right, the body is UTF-8 lines of a documented
 * form, the answer 204, or an error as JSON.
 */
const ORG = 'the org & co';
const BUCKET = 'site/7';
const TOKEN = 'a-token==';
const MAX_BYTES = 2_000;
/** measurement,tag=value fields time: each part with its own signs escaped (reference of the line protocol). */
const KEY = String.raw`(?:\\[,= \\]|[^,=\s\\]|\\(?![,= ]))+`;
const FIELD = String.raw`${KEY}=(?:-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|true|false|"(?:\\["\\]|[^"\\])*")`;
const LINE = new RegExp(`${KEY}(?:,${KEY}=${KEY})* ${FIELD}(?:,${FIELD})* -?\\d{1,19}\n`, 'uy');

let server: Server;
let lines: string[];
let busy: boolean;
beforeEach(async () => {
  [lines, busy] = [[], false];
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => answer(request, Buffer.concat(chunks), response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function answer({ method, url = '', headers }: IncomingMessage, body: Buffer, response: ServerResponse): void {
  const { pathname, searchParams } = new URL(url, 'http://influx');
  const fail = (status: number, code: string, message: string): void =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ code, message }));
  if (method !== 'POST' || pathname !== '/base/api/v2/write') return fail(404, 'not found', 'path not found');
  if (headers.authorization !== `Token ${TOKEN}`) return fail(401, 'unauthorized', 'unauthorized access');
  if (searchParams.get('org') !== ORG) return fail(404, 'not found', `organization name "${searchParams.get('org')}" not found`);
  if (searchParams.get('bucket') !== BUCKET) return fail(404, 'not found', `bucket "${searchParams.get('bucket')}" not found`);
  if (!['ns', null].includes(searchParams.get('precision')))
    return fail(400, 'invalid', 'invalid precision; valid precision units are ns');
  if (headers['content-type'] !== 'text/plain; charset=utf-8') return fail(415, 'invalid', 'unsupported media type');
  if (headers['content-length'] !== String(body.length)) return fail(400, 'invalid', 'length');
  if (busy) {
    response.setHeader('Retry-After', '7');
    return fail(429, 'too many requests', 'write rate limit exceeded');
  }
  if (body.length > MAX_BYTES) return fail(413, 'request too large', `unable to read data: points batch is too large`);
  const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  // A text may have a line feed within its quotes.
  const given = text.match(new RegExp(LINE, 'uyg')) ?? [];
  const rest = text.slice(given.join('').length);
  if (rest !== '') return fail(400, 'invalid', `unable to parse '${rest}': missing field value`);
  const conflict = given.find((line) => line.includes(' conflict='));
  lines.push(...given.filter((line) => line !== conflict));
  if (conflict !== undefined)
    return fail(422, 'unprocessable entity', 'failure writing points to database: partial write: field type conflict: dropped=1');
  response.writeHead(204).end();
}

function targetTo(more: { readonly bucket?: string; readonly token?: string } = {}): InfluxdbTarget {
  const { port } = server.address() as AddressInfo;
  const { bucket = BUCKET, token = TOKEN } = more;
  return new InfluxdbTarget({
    settings: { kind: 'influxdb', url: `http://127.0.0.1:${port}/base/`, org: ORG, bucket, measurement: 'tele, metry' },
    secrets: { token },
  });
}

function deliveryOf(...values: readonly Readonly<Record<string, SampleValue>>[]): Delivery {
  const records = values.map((of, offset) => ({
    partition: 0,
    offset,
    arrivalMs: 5,
    device: 'dev:1',
    topic: 't',
    payload: new Uint8Array(),
    samples: [{ timeMs: 1_700_000_000_000 + offset, isAssigned: false, values: of }],
  }));
  return { key: 'k', partition: 0, nextOffset: 1, records, sizeBytes: 0, filtered: 0, undecodable: 0 };
}

const { signal } = new AbortController();

test('InfluxDB 2 gets lines for its bucket, with its token, in the form that it wants', async () => {
  await using target = targetTo();
  await target.deliver(deliveryOf({ 'a b': -1.5e-7, 'c,d=e': true, text: 'say "hi" \\ ünd, so=on\nand on' }, { n: 2 }), signal);
  expect(lines).toEqual([
    String.raw`tele\,\ metry,device=dev:1 a\ b=-1.5e-7,c\,d\=e=true,text="say \"hi\" \\ ünd, so=on` +
      '\nand on" 1700000000000000000\n',
    String.raw`tele\,\ metry,device=dev:1 n=2 1700000000001000000` + '\n',
  ]);
});

test.each([
  ['a token that is wrong', { token: 'other' }, /401.*unauthorized access/],
  ['a bucket that is not there', { bucket: 'gone' }, /404.*bucket .*gone.* not found/],
])('%s is no fault of the records: they wait', async (_, more, message) => {
  await using target = targetTo(more);
  await expect(target.deliver(deliveryOf({ n: 1 }), signal)).rejects.toMatchObject({
    kind: 'failed',
    message: expect.stringMatching(message),
  });
});

test('a limit of writes is waited for as long as InfluxDB says', async () => {
  await using target = targetTo();
  busy = true;
  await expect(target.deliver(deliveryOf({ n: 1 }), signal)).rejects.toMatchObject({ kind: 'failed', retryAfterMs: 7_000 });
});

test('points that it drops, and a body that it does not take, are looked for among the records', async () => {
  await using target = targetTo();
  await expect(target.deliver(deliveryOf({ n: 1 }, { conflict: 2 }), signal)).rejects.toMatchObject({
    kind: 'refused',
    message: expect.stringContaining('field type conflict'),
  });
  await expect(target.deliver(deliveryOf({ text: 'x'.repeat(MAX_BYTES) }), signal)).rejects.toMatchObject({
    kind: 'refused',
    message: expect.stringContaining('413'),
  });
});
