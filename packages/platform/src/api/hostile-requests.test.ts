import { Agent, get } from 'node:http';
import fc from 'fast-check';
import type { InjectOptions } from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addDevice, asAdmin, openTestApi, type TestApi } from './api.fixture.ts';
import { problemSchema } from './problem.ts';

let api: TestApi;
beforeAll(async () => {
  api = await openTestApi();
  await addDevice(api, 'sensor1');
  await api.app.listen({ port: 0, host: '127.0.0.1' });
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

const runs = Number(process.env['SELSYN_FUZZ_ITERATIONS'] ?? 400);

const name = fc.oneof(
  fc.constantFrom(
    'limit',
    'cursor',
    'q',
    'tag',
    'include',
    'metrics',
    'from',
    'to',
    'every',
    'fn',
    'tz',
    'device',
    'devices',
    '__proto__',
    'constructor',
  ),
  fc.string({ maxLength: 8 }),
);
const value = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.constantFrom(
    '',
    '0',
    '-1',
    '1e9',
    '1e400',
    'NaN',
    'Infinity',
    '99999999999999999999',
    '-8640000000000001',
    '1h',
    '0h',
    '1mo',
    '100y',
    'now',
    'now-1h',
  ),
  fc.constantFrom(
    'now-999999999w',
    '2026-02-30',
    '2026-11-22T25:00Z',
    'mean',
    'UTC',
    'Etc/GMT+99',
    '+25:00',
    'latest,total',
    ',,,',
    'a,b',
    '\0',
    "' or 1=1 --",
    '[]',
    '{}',
    'null',
  ),
  fc.integer().map(String),
  fc.date({ noInvalidDate: false }).map(String),
  fc.base64String(),
);
const route = fc.constantFrom(
  '/api/v1/devices',
  '/api/v1/devices/sensor1',
  '/api/v1/devices/sensor1/telemetry',
  '/api/v1/devices/sensor1/telemetry/latest',
  '/api/v1/devices/sensor1/shadow',
  '/api/v1/devices/sensor1/shadow/history',
  '/api/v1/devices/sensor1/shadows',
  '/api/v1/devices/sensor1/shadows/config',
  '/api/v1/dead-letters',
  '/api/v1/api-keys',
  '/api/v1/stats',
  '/api/v1/me',
  '/metrics',
  '/healthz',
);

async function expectAnAnswer(request: InjectOptions): Promise<void> {
  const answer = await api.app.inject(request);
  expectNoFault(answer.statusCode, answer.headers['content-type'], answer.body);
}

function expectNoFault(status: number | undefined, contentType: string | undefined, body: string): void {
  expect(status).toBeLessThan(500);
  if (status === undefined || status < 400) return;
  expect(contentType).toMatch(/^application\/problem\+json/);
  problemSchema.strict().parse(JSON.parse(body));
}

/** Sends the path as it is: what is no URL does not get past an injected request. */
async function expectAnAnswerToPath(agent: Agent, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const request = get(api.app.listeningOrigin, { agent, path, headers: asAdmin }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      answer.on('end', () => {
        try {
          resolve(expectNoFault(answer.statusCode, answer.headers['content-type'], body));
        } catch (error) {
          reject(error);
        }
      });
    });
    request.on('error', reject);
  });
}

test('no query parameter is a fault of the server', async () => {
  await fc.assert(
    fc.asyncProperty(route, fc.array(fc.tuple<[string, string]>(name, value), { maxLength: 6 }), async (url, parameters) => {
      const query = new URLSearchParams(parameters).toString();
      await expectAnAnswer({ url: `${url}?${query}`, headers: asAdmin });
    }),
    { numRuns: runs },
  );
});

test('no raw path or query is a fault of the server', async () => {
  const raw = fc.string({
    unit: fc.constantFrom('a', '%', '0', 'f', '/', '?', '&', '=', '#', '.', '+', ';', '[', '\\', '~', ':', '%00', '%ff', '%2f'),
    maxLength: 30,
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom('/api/v1/devices/', '/api/v1/devices?', '/', '//', ''), raw, async (start, text) => {
      await expectAnAnswerToPath(agent, `${start}${text}`);
    }),
    { numRuns: runs },
  );
  agent.destroy();
});

test('no key is a fault of the server', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string(), fc.constantFrom('Bearer ', 'Basic ', ''), async (key, scheme) => {
      await expectAnAnswer({ url: '/api/v1/me', headers: { authorization: scheme + key.replace(/[^\x20-\x7e]/g, '') } });
    }),
    { numRuns: runs },
  );
});

test('no body is a fault of the server', async () => {
  const draft = fc.record(
    {
      id: fc.oneof(fc.jsonValue(), fc.string()),
      name: fc.jsonValue(),
      tags: fc.jsonValue(),
      access: fc.constantFrom('read', 'root', 1),
    },
    { requiredKeys: [] },
  );
  const body = fc.oneof(
    fc.json(),
    fc.string(),
    draft.map((each) => JSON.stringify(each)),
  );
  const type = fc.constantFrom(
    'application/json',
    'application/json; charset=utf-16',
    'text/plain',
    'application/x-www-form-urlencoded',
    'nonsense',
    '',
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('/api/v1/devices', '/api/v1/api-keys', '/api/v1/devices/sensor1/token'),
      body,
      type,
      async (url, payload, contentType) => {
        await expectAnAnswer({ method: 'POST', url, headers: { ...asAdmin, 'content-type': contentType }, payload });
      },
    ),
    { numRuns: runs },
  );
});

test('no shadow that somebody asks for is a fault of the server', async () => {
  const state = fc.oneof(fc.jsonValue(), fc.json().map(String), fc.constant(null), fc.dictionary(fc.string(), fc.jsonValue()));
  const body = fc.record(
    { desired: state, reported: state, expectedVersion: fc.oneof(fc.integer(), fc.double(), fc.string()), more: fc.jsonValue() },
    { requiredKeys: [] },
  );
  const tag = fc.oneof(
    fc.constantFrom('*', '"1"', 'W/"1"', '"1", "2"', '"', '""', '"\u00ff"', ',', '"1",'),
    fc.stringMatching(/^[ -~]*$/),
  );
  const headers = fc.record(
    {
      'if-match': tag,
      'if-none-match': tag,
      'content-type': fc.constantFrom('application/json', 'application/merge-patch+json', 'text/plain'),
    },
    { requiredKeys: [] },
  );
  const names = fc.oneof(
    fc.constant('shadow'),
    fc.string({ maxLength: 70 }).map((each) => `shadows/${encodeURIComponent(each)}`),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('GET' as const, 'PUT' as const, 'PATCH' as const, 'DELETE' as const),
      names,
      body,
      headers,
      async (method, place, payload, more) => {
        const url = `/api/v1/devices/sensor1/${place}`;
        const request = { method, url, headers: { ...asAdmin, 'content-type': 'application/json', ...more } };
        await expectAnAnswer(
          method === 'GET' || method === 'DELETE' ? request : { ...request, payload: JSON.stringify(payload) },
        );
      },
    ),
    { numRuns: runs },
  );
});

test('no bytes of a body are a fault of the server', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      await expectAnAnswer({
        method: 'POST',
        url: '/api/v1/devices',
        headers: { ...asAdmin, 'content-type': 'application/json' },
        payload: Buffer.from(bytes),
      });
    }),
    { numRuns: runs },
  );
});
