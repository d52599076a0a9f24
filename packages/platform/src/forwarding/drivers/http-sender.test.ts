import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { HttpSender } from './http-sender.ts';

const { signal } = new AbortController();

let server: Server;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let connections: number;
const senders: HttpSender[] = [];

beforeEach(async () => {
  connections = 0;
  answer = (_, response) => response.end('ok');
  server = createServer((request, response) => {
    request.resume();
    request.on('end', () => answer(request, response));
  });
  server.on('connection', () => (connections += 1));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  for (const sender of senders.splice(0)) sender[Symbol.dispose]();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function senderTo(host = '127.0.0.1', lookup?: LookupFunction): HttpSender {
  const { port } = server.address() as AddressInfo;
  const sender = new HttpSender({
    url: new URL(`http://${host}:${port}/in?a=b`),
    headers: { 'x-a': '1' },
    tls: undefined,
    clientKey: undefined,
    lookup,
  });
  senders.push(sender);
  return sender;
}

const body = Buffer.from('hello');

test('posts again and again on one connection', async () => {
  const seen: (string | undefined)[] = [];
  answer = (request, response) => {
    seen.push(`${request.method} ${request.url} ${String(request.headers['x-a'])} ${String(request.headers['x-b'])}`);
    response.writeHead(202).end();
  };
  const sender = senderTo();
  for (let n = 0; n < 3; n += 1) await sender.post(body, { 'x-b': '2' }, signal);
  expect(seen).toEqual(Array.from({ length: 3 }, () => 'POST /in?a=b 1 2'));
  expect(connections).toBe(1);
});

test.each([
  [400, 'refused'],
  [413, 'refused'],
  [422, 'refused'],
  [301, 'failed'],
  [401, 'failed'],
  [404, 'failed'],
  [429, 'failed'],
  [500, 'failed'],
  [503, 'failed'],
])('takes the status %i as %s, with what was said', async (status, kind) => {
  answer = (_, response) => response.writeHead(status, { location: 'http://127.0.0.1:1/' }).end('first line\nsecond');
  await expect(senderTo().post(body, {}, signal)).rejects.toMatchObject({
    name: 'DeliveryError',
    kind,
    message: `answered with the status ${status}: first line second`,
  });
});

test('knows for how long it is asked to wait', async () => {
  answer = (_, response) => response.writeHead(429, { 'retry-after': '7' }).end();
  await expect(senderTo().post(body, {}, signal)).rejects.toMatchObject({ retryAfterMs: 7_000 });
  answer = (_, response) =>
    response.writeHead(503, { 'retry-after': 'Wed, 21 Oct 2026 07:28:30 GMT', date: 'Wed, 21 Oct 2026 07:28:00 GMT' }).end();
  await expect(senderTo().post(body, {}, signal)).rejects.toMatchObject({ retryAfterMs: 30_000 });
});

test('shows but the beginning of a long answer, and does not wait for the end of an endless one', async () => {
  answer = (_, response) => {
    response.writeHead(400);
    const more = (): void => {
      if (response.destroyed) return;
      response.write('x'.repeat(20_000));
      setImmediate(more);
    };
    more();
  };
  const error = await senderTo()
    .post(body, {}, signal)
    .catch((cause: unknown) => cause);
  expect(String(error).length).toBeLessThan(400);
});

test('tries once more where the other side has closed a connection that was kept open', async () => {
  const sender = senderTo();
  await sender.post(body, {}, signal);
  let refused = 0;
  answer = (request, response) => {
    if (refused++ === 0) request.socket.destroy();
    else response.end();
  };
  await sender.post(body, {}, signal);
  expect(refused).toBe(2);
});

test('is broken off by its signal', async () => {
  const stop = new AbortController();
  answer = () => stop.abort();
  await expect(senderTo().post(body, {}, stop.signal)).rejects.toThrow();
});

test('goes to no address at which clouds keep the secrets of machines, whatever its name says', async () => {
  const lookup: LookupFunction = (_, options, done) =>
    options.all === true ? done(null, [{ address: '169.254.169.254', family: 4 }]) : done(null, '169.254.169.254', 4);
  await expect(senderTo('metadata.example', lookup).post(body, {}, signal)).rejects.toThrow('no hook may be');
  await expect(senderTo('169.254.169.254').post(body, {}, signal)).rejects.toThrow('no forwarder may send');
});
