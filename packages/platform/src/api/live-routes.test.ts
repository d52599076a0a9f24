import { connect, type AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { parseDeviceId } from '../kernel/device-id.ts';
import { systemClock } from '../kernel/clock.ts';
import { asAdmin, openTestApi, type TestApi } from './api.fixture.ts';
import { STATS } from './fakes.fixture.ts';

const one = parseDeviceId('one');

async function listen(api: TestApi): Promise<string> {
  await api.app.listen({ port: 0, host: '127.0.0.1' });
  return api.app.listeningOrigin;
}

/** Reads the stream until `enough` of its text says so. */
async function readUntil(reader: ReadableStreamDefaultReader<Uint8Array>, enough: (text: string) => boolean): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  while (!enough(text)) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
  }
  return text;
}

async function open(
  origin: string,
  query = '',
): Promise<{ response: Response; reader: ReadableStreamDefaultReader<Uint8Array> }> {
  const response = await fetch(`${origin}/api/v1/live${query}`, { headers: asAdmin });
  if (response.body === null) throw new Error('no body');
  return { response, reader: response.body.getReader() };
}

test('a browser’s fetch with the key reads stats at once and values as they come', async () => {
  await using api = await openTestApi();
  const { response, reader } = await open(await listen(api));
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(response.headers.get('content-security-policy')).toContain("default-src 'self'");
  const start = await readUntil(reader, (text) => text.includes('event: stats'));
  expect(start).toBe(`retry: 2000\n\nevent: stats\ndata: ${JSON.stringify(STATS)}\n\n`);
  api.live.emit([{ device: one, values: [{ metric: 'a', timeMs: 5, value: 1.5 }] }]);
  const next = await readUntil(reader, (text) => text.endsWith('\n\n'));
  expect(next).toBe('event: values\ndata: {"one":{"a":[5,1.5]}}\n\n');
  await reader.cancel();
});

test('a client that leaves is forgotten', async () => {
  await using api = await openTestApi();
  const { reader } = await open(await listen(api), '?devices=one');
  await readUntil(reader, (text) => text.includes('stats'));
  expect([...api.live.watches].map((watch) => watch.devices)).toEqual([new Set([one])]);
  await reader.cancel();
  await expect.poll(() => api.live.watches.size).toBe(0);
});

test('closing says goodbye and does not wait for those who watch', async () => {
  const api = await openTestApi();
  const { reader } = await open(await listen(api), '?devices=');
  await readUntil(reader, (text) => text.includes('stats'));
  const rest = readUntil(reader, () => false);
  await api[Symbol.asyncDispose]();
  expect(await rest).toBe('event: bye\ndata: {}\n\n');
});

test.each([
  ['?devices=a/b', 400, 'device.invalid-id'],
  [`?devices=${Array.from({ length: 1001 }, (_, i) => `d${i}`).join(',')}`, 400, 'request.invalid'],
  ['?device=one', 400, 'request.invalid'],
])('a stream with %.20s is refused before it begins', async (query, status, code) => {
  await using api = await openTestApi();
  const answer = await api.app.inject({ url: `/api/v1/live${query}`, headers: asAdmin });
  expect(answer.statusCode).toBe(status);
  expect(answer.json()).toMatchObject({ code });
  expect(api.live.watches.size).toBe(0);
});

test('a socket that is not read costs a bounded buffer; once it is read again it learns how much it missed', async () => {
  await using api = await openTestApi({ clock: systemClock });
  await listen(api);
  const { port } = api.app.server.address() as AddressInfo;
  const socket = connect(port, '127.0.0.1');
  socket.write(`GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${asAdmin.authorization}\r\n\r\n`);
  await new Promise((resolve) => socket.once('data', resolve));
  socket.pause();
  const value = 'x'.repeat(60_000);
  const before = heldBytes();
  // Far more than the kernel's buffers of both sides take: 120 MB.
  const total = 2000;
  for (let i = 0; i < total; i++) {
    api.live.emit([{ device: one, values: [{ metric: 'a', timeMs: i, value }] }]);
    if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(heldBytes() - before).toBeLessThan(60_000_000);
  let text = '';
  const all = new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (received(text) + dropped(text) >= total) resolve();
    });
  });
  socket.resume();
  await all;
  expect(received(text)).toBeLessThan(total / 2);
  // Stats that were due meanwhile are counted too.
  expect(received(text) + dropped(text)).toBeLessThan(total + 10);
  socket.destroy();
});

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void; // what the flag above makes

/** Without what is only not collected yet. */
function heldBytes(): number {
  collect();
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  return arrayBuffers + heapUsed;
}

function received(stream: string): number {
  return stream.split('event: values').length - 1;
}

function dropped(stream: string): number {
  return [...stream.matchAll(/event: lagged\ndata: \{"dropped":(\d+)\}/g)].reduce((sum, match) => sum + Number(match[1]), 0);
}
