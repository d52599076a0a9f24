import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addDevice, asAdmin, openTestApi, type TestApi } from '../api.fixture.ts';

let api: TestApi;
beforeAll(async () => {
  api = await openTestApi();
  await addDevice(api, 'a');
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

const runs = Number(process.env['SELSYN_FUZZ_ITERATIONS'] ?? 400);

const word = fc.constantFrom(
  'devices',
  'items',
  'shadow',
  'commands',
  'jobs',
  'executions',
  'id',
  'first',
  '__typename',
  '__schema',
  'mutation',
  'subscription',
  'query',
  'fragment f on Device',
  '...f',
  'on',
  '@skip(if: true)',
  'updateShadow',
  '{',
  '}',
  '(',
  ')',
  ':',
  '$n',
  '[',
  ']',
  '!',
  '"a"',
  '-1',
  '1e9',
  'null',
  '{a: 1, __proto__: 2}',
);
/** Arguments of any kind in places that take some. */
const value = fc.oneof(
  fc.constantFrom(
    'null',
    '-1',
    '0',
    '1e400',
    '99999999999',
    '"\\u0000"',
    '"a/b"',
    '[]',
    '{}',
    '$x',
    'true',
    'queued',
    '{__proto__: {a: 1}}',
  ),
  fc.string().map((text) => JSON.stringify(text)),
);
const field = fc.tuple(value, value).map(
  ([a, b]) => `{
    devices(first: ${a}, after: ${b}, filter: ${b}) { items { shadow(name: ${a}) { version } commands(first: ${b}) { id } } }
  }`,
);
const json = fc.jsonValue().map((each) => JSON.stringify(each).replaceAll(/"([A-Za-z_]\w*)":/g, '$1:'));
const text = fc.oneof(
  fc.constantFrom('"a"', '"b"', '"j"', 'null'),
  fc.string().map((each) => JSON.stringify(each)),
);
const number = fc.oneof(fc.integer().map(String), fc.constantFrom('0', '1', 'null'));
/** Those of the right kinds, so that they get past the schema. */
const change = fc
  .oneof(
    fc
      .tuple(text, json, number)
      .map(([a, b, c]) => `updateShadow(device: "a", name: ${a}, desired: ${b}, expectedVersion: ${c}) { version }`),
    fc
      .tuple(text, json, number)
      .map(([a, b, c]) => `sendCommand(device: "a", name: ${a}, payload: ${b}, expiresAt: ${c}) { id }`),
    fc
      .tuple(text, json, json)
      .map(([a, b, c]) => `createJob(id: ${a}, targets: [${a}], document: ${b}, config: ${c}, parameters: ${c}) { id }`),
    fc.tuple(text, text).map(([a, b]) => `cancelJob(id: ${a}, comment: ${b}) { id }`),
    fc.tuple(value, value).map(([a, b]) => `cancelCommand(device: ${a}, id: ${b}) { id }`),
  )
  .map((each) => `mutation { ${each} }`);
const document = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(word, { maxLength: 25 }).map((words) => words.join(' ')),
  field,
  change,
);
const accept = fc.constantFrom('application/json', 'application/graphql-response+json', '*/*', 'text/html', 'nonsense', '');

test('no document is a fault of the server', async () => {
  const variables = fc.option(fc.dictionary(fc.constantFrom('x', 'n', 'a'), fc.jsonValue()));
  await fc.assert(
    fc.asyncProperty(document, variables, accept, async (query, given, accepted) => {
      const answer = await api.app.inject({
        method: 'POST',
        url: '/api/graphql',
        headers: { ...asAdmin, 'content-type': 'application/json', accept: accepted },
        payload: JSON.stringify({ query, variables: given }),
      });
      expect(answer.statusCode).toBeLessThan(500);
      expect(answer.body).not.toContain('"internal"');
      expect(answer.body).not.toContain('UNEXPECTED');
    }),
    { numRuns: runs },
  );
});

test('no body is a fault of the server', async () => {
  const body = fc.oneof(
    fc.json(),
    fc
      .record(
        {
          query: fc.oneof(fc.constant('{ __typename }'), fc.jsonValue()),
          variables: fc.jsonValue(),
          operationName: fc.jsonValue(),
        },
        { requiredKeys: [] },
      )
      .map((each) => JSON.stringify(each)),
  );
  await fc.assert(
    fc.asyncProperty(body, async (payload) => {
      const headers = { ...asAdmin, 'content-type': 'application/json' };
      const answer = await api.app.inject({ method: 'POST', url: '/api/graphql', headers, payload });
      expect(answer.statusCode).toBeLessThan(500);
      expect(answer.body).not.toContain('"internal"');
    }),
    { numRuns: runs },
  );
});
