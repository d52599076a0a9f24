import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { addDevice, asAdmin, openTestApi, type TestApi } from './api.fixture.ts';

let api: TestApi;
let nowMs = 0;
beforeAll(async () => {
  api = await openTestApi();
  nowMs = api.clock.now();
});
beforeEach(() => {
  api.intake.points.length = 0;
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

async function write(
  payload: string | Buffer,
  type = 'application/json',
  query = '',
  headers: Readonly<Record<string, string>> = asAdmin,
) {
  return await api.app.inject({
    method: 'POST',
    url: `/api/v1/telemetry${query}`,
    payload,
    headers: { ...headers, 'content-type': type },
  });
}

const points = () => api.intake.points.map(({ device, metric, ts, value }) => [device, metric, ts, value]);

describe('POST /api/v1/telemetry', () => {
  test('takes a row, an array of rows, lines of rows, and CSV, long and wide', async () => {
    const row = { device: 'a', ts: 5.9, values: { t: 1.5, on: true, text: 'x "y"', nothing: null } };
    const expected = [['a', 't', 5, 1.5], ['a', 'on', 5, true], ['a', 'text', 5, 'x "y"']]; // prettier-ignore
    const bodies = [
      [JSON.stringify(row), 'application/json'],
      [JSON.stringify([row]), 'application/json; charset=utf-8'],
      [`${JSON.stringify(row)}\n\n`, 'application/x-ndjson'],
      ['{"device":"a","ts":5,"metric":"t","value":1.5}\n{"device":"a","ts":5,"metric":"on","value":true}\n{"device":"a","ts":5,"metric":"text","value":"x \\"y\\""}', 'application/x-ndjson'],
      ['device,metric,time,value,text,flag\r\na,t,1970-01-01T00:00:00.005Z,1.5,,\r\na,on,1970-01-01 00:00:00.005,,,true\r\na,text,5,,"x ""y""",\r\n', 'text/csv'],
      ['\ufeffts,device,t,on,text\n5,a,1.5,true,"x ""y"""\n', 'text/csv'],
    ] as const; // prettier-ignore
    for (const [body, type] of bodies) {
      api.intake.points.length = 0;
      const answer = await write(body, type);
      expect([answer.statusCode, answer.json()]).toEqual([200, { points: 3, refused: 0, problems: [] }]);
      expect(points()).toEqual(expected);
    }
    const packed = await write(gzipSync(JSON.stringify({ device: 'a', values: { v: 1 } })), 'application/json', '', {
      ...asAdmin,
      'content-encoding': 'gzip',
    });
    expect(packed.statusCode).toBe(200);
    expect(points().at(-1)).toEqual(['a', 'v', nowMs, 1]);
  });

  test('takes numbers and booleans of a wide table as pandas and spreadsheets write them', async () => {
    const cells = ['21.0', '1e-05', '1.50', ' -3', 'True', 'FALSE', 'NaN', '007', '"""1.10"""', '1.2.3', '9007199254740993'];
    const header = cells.map((_, at) => `m${at}`).join(',');
    const answer = await write(`device,time,${header}\na,5,${cells.join(',')}\n`, 'text/csv');
    expect(answer.json()).toMatchObject({ refused: 0 });
    expect(points().map(([, metric, , value]) => [metric, value])).toEqual([
      ['m0', 21],
      ['m1', 0.00001],
      ['m2', 1.5],
      ['m3', -3],
      ['m4', true],
      ['m5', false],
      ['m7', '007'],
      ['m8', '1.10'],
      ['m9', '1.2.3'],
      ['m10', 2 ** 53],
    ]);
  });

  test('reads no further where too many rows are none, or one is too long', async () => {
    const good = '{"device":"a","values":{"v":1}}\n';
    const broken = await write(good + 'x\n'.repeat(10_001), 'application/x-ndjson', '?partial=true');
    expect([broken.statusCode, broken.json()]).toEqual([
      400,
      expect.objectContaining({ details: expect.objectContaining({ refused: 10_000 }) }),
    ]);
    const csv = await write(`device,v\n${'x\n'.repeat(10_001)}`, 'text/csv', '?partial=true');
    expect([csv.statusCode, csv.json()]).toEqual([
      400,
      expect.objectContaining({ details: expect.objectContaining({ refused: 10_000 }) }),
    ]);
    const long = await write(
      `${good}{"device":"a","values":{"v":"${'x'.repeat(1_000_000)}"}}`,
      'application/x-ndjson',
      '?partial=true',
    );
    expect(long.json()).toMatchObject({
      points: 1,
      refused: 1,
      problems: [{ row: 2, message: 'a row has at most 1000000 bytes' }],
    });
    const cells = await write(`device,v\n${','.repeat(100_000)}`, 'text/csv', '?partial=true');
    expect(cells.json()).toMatchObject({
      refused: 1,
      problems: [{ row: 1, message: expect.stringContaining('too many cells') }],
    });
  });

  test('takes a row of many values as several records', async () => {
    const values = Object.fromEntries(Array.from({ length: 900 }, (_, i) => [`m${i}`, 'x'.repeat(1_000)]));
    const before = api.intake.records;
    const answer = await write(`{"device":"a","ts":5,"values":${JSON.stringify(values)}}`);
    expect([answer.json(), api.intake.records - before]).toEqual([{ points: 900, refused: 0, problems: [] }, 4]);
  });

  test.each([
    ['[1]', 'row 1: a row must be a JSON object'],
    ['{"device":"a b","values":{"v":1}}', 'row 1: "device" must be a device id'],
    ['{"device":"a","ts":"now","values":{"v":1}}', '"ts" must be a number of milliseconds'],
    ['{"device":"a","ts":-1,"values":{"v":1}}', 'the time lies before 1970'],
    ['{"device":"a","ts":9000000000000,"values":{"v":1}}', 'in the future'],
    ['{"device":"a","values":{}}', 'at least one value'],
    ['{"device":"a","values":{"v":[1]}}', 'the value of "v" is no number, boolean or text'],
    ['{"device":"a","values":{"":1}}', 'the name of a metric is empty'],
    ['{"device":"a","values":{"__proto__":1}}', 'no metric can have the name "__proto__"'],
    ['{"device":"a"}', 'a row has "values", or "metric" and "value"'],
    ['{"device":"a","metric":"v","value":1,"values":{"v":1}}', 'do not go with "values"'],
    ['{"device":"a","values":{"v":1},"unit":"K"}', 'there is no field "unit": there are device, ts, values, metric, value'],
    ['{"device":"a","values":{"v":1e999}}', 'no finite number'],
    ['{', 'it is not JSON'],
    [`${'['.repeat(99)}`, 'levels deep'],
  ])('refuses %s, and writes nothing of the rest', async (row, message) => {
    const good = '{"device":"a","values":{"v":1}}';
    const answer = await write(row.startsWith('{"') ? `[${row},${good}]` : row);
    expect([answer.statusCode, answer.json<{ detail: string }>().detail]).toEqual([400, expect.stringContaining(message)]);
    expect(points()).toEqual([]);
  });

  test('with `partial` takes what can be kept, and names the rest', async () => {
    const rows = [
      '{"device":"a","values":{"v":1}}',
      'x',
      '{"device":"a","values":{"v":{}}}',
      '{"device":"a","ts":7,"values":{"v":2}}',
    ];
    const answer = await write(rows.join('\n'), 'application/x-ndjson', '?partial=true');
    expect(answer.json()).toEqual({
      points: 2,
      refused: 2,
      problems: [
        { row: 2, message: 'it is not JSON' },
        { row: 3, message: 'the value of "v" is no number, boolean or text' },
      ],
    });
    expect(points()).toEqual([['a', 'v', nowMs, 1], ['a', 'v', 7, 2]]); // prettier-ignore
  });

  test('a device that the caller may not write to keeps the others out, but for `partial`', async () => {
    await addDevice(api, 'known');
    await api.app.inject({
      method: 'PUT',
      url: '/api/v1/roles/writer',
      headers: asAdmin,
      payload: { permissions: ['telemetry:write'] },
    });
    const made = await api.app.inject({
      method: 'POST',
      url: '/api/v1/api-keys',
      headers: asAdmin,
      payload: { name: 'w', grants: [{ role: 'writer', group: '/' }] },
    });
    const key = { authorization: `Bearer ${made.json<{ key: string }>().key}` };
    const body = JSON.stringify([{ device: 'known', values: { v: 1 } }, { device: 'unknown', values: { v: 1, w: 2 } }]); // prettier-ignore
    const strict = await write(body, 'application/json', '', key);
    expect([strict.statusCode, strict.json()]).toEqual([
      404,
      expect.objectContaining({ code: 'device.not-found', details: { devices: ['unknown'] } }),
    ]);
    expect(points()).toEqual([]);
    const partial = await write(body, 'application/json', '?partial=true', key);
    expect(partial.json()).toMatchObject({ points: 1, refused: 1 });
    expect(points()).toEqual([['known', 'v', nowMs, 1]]);
  });

  test('a text of JSON is bounded; lines of it may be many', async () => {
    const row = '{"device":"a","values":{"v":1}}';
    expect((await write(`[${`${row},`.repeat(70_000)}${row}]`)).statusCode).toBe(413);
    const lines = await write(`${row}\n`.repeat(70_000), 'application/x-ndjson');
    expect(lines.json()).toEqual({ points: 70_000, refused: 0, problems: [] });
    expect((await write('x', 'text/plain')).json()).toMatchObject({ status: 415, detail: expect.stringContaining('text/csv') });
  });

  test.each([
    ['a,b\n1,2\n', 'no column is named device'],
    ['device,metric,temperature\n', 'beside "metric" there is no column "temperature"'],
    ['device,device\n', 'twice'],
    ['', 'no column is named device'],
  ])('CSV needs columns: %j', async (body, message) => {
    const answer = await write(body, 'text/csv');
    expect([answer.statusCode, answer.json<{ detail: string }>().detail]).toEqual([400, expect.stringContaining(message)]);
  });

  test.each([
    ['device,metric,time,value,text\na,m,5,1,x\n', 'one of value, text and flag'],
    ['device,metric,time,value\na,m,5,warm\n', 'is no number'],
    ['device,metric,time,flag\na,m,5,maybe\n', 'true or false'],
    ['device,time,t\na,22.11.2026,1\n', 'is no time'],
    ['device,time,t\na,5\n', 'the row has 2 cells'],
    ['device,time,t\na,5,\n', 'the row has no value'],
    ['device,time,t\na,5,"1\n', 'the value'],
  ])('CSV with a bad row: %j', async (body, message) => {
    const answer = await write(body, 'text/csv');
    if (message === 'the value') expect(points()).toEqual([['a', 't', 5, '1\n']]);
    else expect([answer.statusCode, answer.json<{ detail: string }>().detail]).toEqual([400, expect.stringContaining(message)]);
  });
});
