import { afterEach, expect, it, vi } from 'vitest';
import { ApiClient } from './client.ts';
import { fetchDevices } from './devices.ts';
import { Problem } from './problem.ts';
import { fetchWho } from './who.ts';
import { fetchRange, latestFrom, seriesFrom } from './telemetry.ts';

afterEach(() => void vi.unstubAllGlobals());

function setUp(answer: () => Response | Promise<Response>) {
  const sent: { url: string; headers: Headers }[] = [];
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    sent.push({ url, headers: new Headers(init.headers) });
    return await answer();
  });
  const onUnauthenticated = vi.fn();
  return { client: new ApiClient({ key: () => 'secret', onUnauthenticated }), sent, onUnauthenticated };
}

it('sends the key, and only parameters that are there', async () => {
  const { client, sent } = setUp(() => Response.json({ items: [] }));
  expect(await fetchDevices(client, { group: '/acme', cursor: undefined })).toEqual({ items: [], cursor: undefined });
  expect(sent[0]?.url).toBe('/api/v1/devices?limit=50&group=%2Facme&include=latest');
  expect(sent[0]?.headers.get('authorization')).toBe('Bearer secret');
});

it('knows from the header that an answer was cut', async () => {
  const request = { device: 'a:b', metrics: ['t'], fromMs: 1, toMs: 2, limit: 10 };
  const { client, sent } = setUp(() => Response.json({ t: [[1, 2]] }, { headers: { 'selsyn-next-cursor': 'x' } }));
  expect(await fetchRange(client, request)).toEqual({ series: new Map([['t', [[1, 2]]]]), complete: false });
  expect(sent[0]?.url).toBe('/api/v1/devices/a%3Ab/telemetry?metrics=t&from=1&to=2&limit=10');
});

it('throws the problem document of a refusal, and says when the key is not good any more', async () => {
  const body = { title: 'A valid key is required', detail: 'this key is not known', code: 'access.unauthenticated', status: 401 };
  const { client, onUnauthenticated } = setUp(() => Response.json(body, { status: 401 }));
  await expect(client.get('/devices')).rejects.toMatchObject(body);
  expect(onUnauthenticated).toHaveBeenCalledTimes(1);
  await expect(client.get('/me', { key: 'tried' })).rejects.toBeInstanceOf(Problem);
  expect(onUnauthenticated).toHaveBeenCalledTimes(1);
});

it('makes a readable problem of an answer that is none, and of no answer', async () => {
  const { client } = setUp(() => new Response('<html>', { status: 502, statusText: 'Bad Gateway' }));
  await expect(client.get('/x')).rejects.toMatchObject({ title: 'The server answered 502', status: 502 });
  const { client: offline } = setUp(() => Promise.reject(new TypeError('failed')));
  await expect(offline.get('/x')).rejects.toMatchObject({ title: 'The server does not answer', status: 0 });
});

it('reads telemetry strictly: another form is an error, not a broken chart', () => {
  expect(latestFrom({ b: [2, 'on'], a: [1, 2.5] })).toEqual([
    { metric: 'a', timeMs: 1, value: 2.5 },
    { metric: 'b', timeMs: 2, value: 'on' },
  ]);
  for (const wrong of [null, [], { a: 1 }, { a: ['x', 1] }, { a: [1, null] }]) expect(() => latestFrom(wrong)).toThrow(TypeError);
  expect(() => seriesFrom({ a: [[1, {}]] })).toThrow(/unexpected point of "a"/);
});

it('sends no key where the cookie of a session counts', async () => {
  const { client, sent } = setUp(() => Response.json({ kind: 'user', id: 'u1', name: 'hanna', grants: [] }));
  expect(await fetchWho(client, '')).toEqual({ kind: 'user', id: 'u1', name: 'hanna', grants: [] });
  expect(sent[0]?.headers.has('authorization')).toBe(false);
});
