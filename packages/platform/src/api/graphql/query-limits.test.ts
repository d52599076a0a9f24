import { buildSchema, getOperationAST, type GraphQLSchema, isObjectType, parse } from 'graphql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { asAdmin, openTestApi, type TestApi } from '../api.fixture.ts';
import { ask } from './graphql.fixture.ts';
import { checkLimits, MAX_COST, MAX_DEPTH, measure } from './query-limits.ts';

let api: TestApi;
beforeAll(async () => {
  api = await openTestApi();
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

const schema = withSizes(
  buildSchema(`
    type Query { items(first: Int): [Item] one: Item name: String }
    type Item { id: ID inner(first: Int): [Item] parent: Item heavy: String }
  `),
);

function withSizes(built: GraphQLSchema): GraphQLSchema {
  for (const type of Object.values(built.getTypeMap())) {
    if (!isObjectType(type)) continue;
    for (const [name, field] of Object.entries(type.getFields())) {
      if (name === 'items' || name === 'inner') Object.assign(field.extensions, { defaultFirst: 10 });
      if (name === 'heavy') Object.assign(field.extensions, { cost: 50 });
    }
  }
  return built;
}

function measured(query: string, variables: Record<string, unknown> = {}) {
  const document = parse(query);
  return measure(schema, document, getOperationAST(document)!, variables);
}

test.each([
  ['{ name __typename }', 1, 0],
  ['{ one { id parent { id } } }', 3, 2],
  ['{ items { id } }', 2, 10],
  ['{ items(first: 3) { id inner(first: 4) { id parent { id } } } }', 4, 3 * (1 + 4 * (1 + 1))],
  ['{ items(first: 3) { heavy } }', 2, 3 * 51],
  ['{ a: items(first: 3) { id } b: items(first: 4) { id } }', 2, 7],
  ['{ items(first: null) { id } }', 2, 10],
  ['{ items(first: -5) { id } }', 2, 0],
  [
    'query { items(first: 2) { ...f ... on Item { parent { id } } } } fragment f on Item { inner(first: 5) { id } }',
    3,
    2 * (1 + 5 + 1),
  ],
  ['{ __schema { types { fields { type { ofType { ofType { ofType { name } } } } } } } }', 1, 0],
])('%s', (query, depth, cost) => {
  expect(measured(query)).toEqual({ depth, cost });
});

test('a size that comes by a variable counts as much', () => {
  expect(measured('query ($n: Int) { items(first: $n) { id } }', { n: 70 }).cost).toBe(70);
  expect(measured('query ($n: Int) { items(first: $n) { id } }', {}).cost).toBe(10);
});

test('fragments that double each other are reckoned without being walked again and again', () => {
  const levels = Array.from(
    { length: 60 },
    (_, i) => `fragment f${i} on Item { parent { ...f${i + 1} } again: parent { ...f${i + 1} } }`,
  );
  const { cost, depth } = measured(`{ one { ...f0 } } ${levels.join(' ')} fragment f60 on Item { id }`);
  expect(cost).toBeGreaterThan(2 ** 60);
  expect(depth).toBe(62);
  expect(() => checkLimits({ cost, depth: 1 })).toThrow(expect.objectContaining({ code: 'query.too-large' }));
});

const TOO_LARGE: unknown = expect.objectContaining({ extensions: expect.objectContaining({ code: 'query.too-large' }) });

test('a query that costs too much is refused with its cost, whichever way its size comes', async () => {
  const query = '{ devices(first: 1000) { items { shadows(first: 100) { version } } } }';
  expect(await ask(api, query)).toMatchObject({
    errors: [{ extensions: { code: 'query.too-large', details: { cost: 1 + 1000 * (1 + 1 + 100), maxCost: MAX_COST } } }],
  });
  const byDefault = 'query ($n: Int = 1000) { devices(first: $n) { items { shadows(first: 100) { version } } } }';
  expect((await ask(api, byDefault)).errors).toEqual([TOO_LARGE]);
  expect((await ask(api, byDefault, { n: 10 })).errors).toBeUndefined();
  expect((await ask(api, byDefault, { n: 1000 })).errors).toEqual([TOO_LARGE]);
});

test('a query that is too deep is refused with its depth', async () => {
  const deep = (levels: number): string => (levels === 0 ? 'id' : `commands(first: 1) { device { ${deep(levels - 1)} } }`);
  expect((await ask(api, `{ device(id: "a") { ${deep(5)} } }`)).errors).toBeUndefined();
  expect((await ask(api, `{ device(id: "a") { ${deep(6)} } }`)).errors).toEqual([
    expect.objectContaining({ extensions: expect.objectContaining({ details: { depth: 14, maxDepth: MAX_DEPTH } }) }),
  ]);
});

test('a mutation and a subscription have the same limits', async () => {
  const many = Array.from({ length: 101 }, (_, i) => `m${i}: cancelJob(id: "x") { id }`).join('\n');
  expect((await ask(api, `mutation { ${many} }`)).errors).toEqual([TOO_LARGE]);
  const circle = (inner: string) => `commands(first: 100) { device { ${inner} } }`;
  const watch = `subscription { commandChanged { command { device { ${circle(circle('id'))} } } } }`;
  const headers = { ...asAdmin, accept: 'text/event-stream' };
  const { body } = await api.app.inject({ method: 'POST', url: '/api/graphql', headers, payload: { query: watch } });
  expect(body).toContain('"code":"query.too-large"');
});

test('a document of too many words, or introspection in circles, is refused', async () => {
  expect((await ask(api, `{ ${'__typename '.repeat(5_400)} }`)).errors).toEqual([
    expect.objectContaining({ extensions: expect.objectContaining({ code: 'request.invalid' }) }),
  ]);
  const circles = '{ __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }';
  expect((await ask(api, circles)).errors).toEqual([
    expect.objectContaining({ extensions: expect.objectContaining({ code: 'request.invalid' }) }),
  ]);
});
