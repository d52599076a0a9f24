import { LineReader, LineSeriesCache } from '@selsyn/platform/gateways/http/influx/line-reader.ts';
import { TimeReader } from '@selsyn/platform/gateways/http/influx/line-time.ts';
import { PointWriter } from '@selsyn/platform/points/point-writer.ts';
import { pointsOf } from '@selsyn/platform/points/points.fixture.ts';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { InfluxDb } from '../harness/influxdb.ts';

let influxdb: InfluxDb | undefined;

beforeAll(async () => {
  influxdb = await InfluxDb.start();
  await influxdb?.query('CREATE DATABASE test');
});
afterAll(async () => {
  await influxdb?.[Symbol.asyncDispose]();
});

/** What we make of a body: twice, for the second time its series are known and it is read in one pass. */
function read(text: string) {
  const series = new LineSeriesCache({ deviceTags: [], device: 'd', droppedTags: new Set() });
  const [first, second] = [0, 1].map(() => {
    const writer = new PointWriter({ lanes: 1, laneOf: () => 0 });
    const reader = new LineReader(Buffer.from(text), { series, time: new TimeReader('ns'), writer, nowMs: Date.now() });
    while (reader.read(1_000));
    const values = writer.batches().flatMap((batch) => (batch === undefined ? [] : pointsOf(batch)));
    return {
      points: values.map(({ metric, value }) => [metric, value] as const),
      malformed: reader.malformed,
      message: reader.problems.find(({ kind }) => kind === 'malformed')?.message,
    };
  });
  expect(second).toEqual(first);
  return first!; // there are two
}

async function write(peer: InfluxDb, lines: string): Promise<{ readonly status: number; readonly text: string }> {
  const answer = await fetch(`${peer.url}/write?db=test`, { method: 'POST', body: lines });
  return { status: answer.status, text: await answer.text() };
}

/** What InfluxDB makes of it; a type that a field had before is none of the line's fault. */
async function ask(peer: InfluxDb, text: string): Promise<{ readonly taken: boolean; readonly message: string }> {
  const { status, text: answer } = await write(peer, text);
  const message = answer === '' ? '' : (JSON.parse(answer) as { error: string }).error;
  return { taken: status < 300 || /field type conflict|invalid tag key|invalid field name/.test(message), message };
}

const LINES: readonly string[] = [
  'a v=1 1', 'a v=1 ', 'a  v=1', ' a v=1', '\ta v=1', 'a v=1\t', 'a', 'a ', 'a,v=1', ',x=1 v=1', 'a, v=1', 'a,b v=1', 'a,b= v=1', 'a,=b v=1',
  'a,b=c', 'a,b=c ', 'a,b=c v', 'a,b=c v=', 'a,b=c =1', 'a,b=c v=1,', 'a,b=c v=1,w', 'a,b=c v=1,,w=2', 'a,b=c,b=d v=1', 'a,b=c\\,d v=1',
  'a\\ b,c=d v=1', 'a,b=c\\=d v=1', 'a,b=c=d v=1', 'a v="x"', 'a v="x', 'a v=x"', 'a v="x y",w=2', 'a v="x\\"y"', 'a v="x\\\\"', 'a v="x\\"',
  'a v="a,b=c"', 'a v=t', 'a v=tr', 'a v=TRUE', 'a v=tRUE', 'a v=F', 'a v=1i', 'a v=-1i', 'a v=1.0i', 'a v=1e3', 'a v=1e', 'a v=1E+5', 'a v=.5',
  'a v=5.', 'a v=.', 'a v=-', 'a v=-.5', 'a v=+1', 'a v=1.1.1', 'a v=NaN', 'a v=nan', 'a v=inf', 'a v=0x1', 'a v=9223372036854775807i',
  'a v=9223372036854775808i', 'a v=-9223372036854775808i', 'a v=1e400', 'a v=1 x', 'a v=1 1.5', 'a v=1 1 1', 'a v=1 1 ', '#c', 'a v\\=w=1',
  'a v\\,w=1', 'a v\\ w=1', 'a\\,b v=1', 'a\\=b v=1', 'a,b\\ c=d v=1', 'a "v"=1', 'a v="x\ny"', 'a,b="c" v=1', 'a,b="c d" v=1', 'a v=1,v=2',
  'a v=007', 'a v=00i', 'a v=1i1', 'a v=1_0', 'a\\ v=1', 'a,b=c\\ v=1', 'a v=1\\', '"a b" v=1', 'a v="\\n"', 'a v="a\\\\b\\,c"', 'a v=1 0',
  'a v=--1', 'a v=1-', 'a v= 1', 'a v =1', 'a v=1 ,w=2', 'a v="x"y', 'a v="x""y"', 'a v=truex', 'a v=1e5i', 'a v=1i,w=1.5,x="s",y=t 5',
  'a v=\\"x"', 'a v="é"', 'é v=1', 'a é=1', '# x="\na v=1', 'a v=1E', 'a v=1e1e1', 'a v=1 \t', 'a v=1 1\t', 'a\tb v=1', 'a v=1,\tw=2',
  'a=b v=1', 'a,b=c,v=1', 'a v=-e5', 'a v=1.e5', 'a v=.e5', 'a v=-i', 'a v=.i', 'a v=e5', 'a v=1ie',
]; // prettier-ignore

describe('line protocol, beside InfluxDB itself', () => {
  test('the same lines are taken, and the same refused for the same reason', async ({ skip }) => {
    if (influxdb === undefined) return skip('InfluxDB is not installed');
    for (const [n, line] of LINES.entries()) {
      const peer = await ask(influxdb, line);
      const own = read(line);
      expect([n, line, own.malformed === 0]).toEqual([n, line, peer.taken]);
      if (!peer.taken) expect(own.message).toBe(peer.message);
    }
  });

  test('so are lines that nobody would write', async ({ skip }) => {
    if (influxdb === undefined) return skip('InfluxDB is not installed');
    const peer = influxdb;
    const piece = fc.constantFrom(
      'a',
      'b',
      'v=1',
      'w="x"',
      ',',
      '=',
      ' ',
      '\\',
      '"',
      '1',
      'i',
      '.',
      'e',
      '-',
      't',
      'é',
      '\n',
      '5',
      '#',
    );
    const text = fc.oneof(
      fc.array(piece, { minLength: 1, maxLength: 12 }).map((pieces) => pieces.join('')),
      fc.array(piece, { maxLength: 6 }).map((pieces) => `m,t=u v=${pieces.join('')}`),
      fc.array(piece, { maxLength: 6 }).map((pieces) => `m,t=${pieces.join('')} v=1`),
      fc.array(piece, { maxLength: 6 }).map((pieces) => `m,t=u v=1 ${pieces.join('')}`),
      fc.array(piece, { maxLength: 6 }).map((pieces) => `m,t=u w="${pieces.join('')}"`),
    );
    await fc.assert(
      fc.asyncProperty(text, async (line) => {
        const { taken, message } = await ask(peer, line);
        const own = read(line);
        // It says nothing of a second line where the first one was not stored.
        if (taken && message !== '' && line.includes('\n')) return;
        if (taken) expect([line, own.message]).toEqual([line, undefined]);
        // Of several lines it tells of all, or writes those that are one; the first fault is the same.
        else expect([line, message]).toEqual([line, expect.stringContaining(own.message ?? 'nothing')]);
      }),
      { numRuns: 2500 },
    );
  });

  test('what is taken has the same names and values', async ({ skip }) => {
    if (influxdb === undefined) return skip('InfluxDB is not installed');
    const peer = influxdb;
    const key = fc.string({ unit: fc.constantFrom('a', 'b', ' ', ',', '=', 'é', '"'), minLength: 1, maxLength: 4 });
    const value = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.boolean(),
      fc.string({ unit: fc.constantFrom('x', '"', '\\', ' ', ',', '=', '\n') }),
    );
    let number = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.tuple(key, value), { minLength: 1, maxLength: 4, selector: ([name]) => name }),
        async (fields) => {
          const measurement = `m${number++}`;
          const text = fields.map(([name, each]) => {
            const shown =
              typeof each === 'string' ? `"${each.replaceAll(/["\\]/g, '\\$&')}"` : Object.is(each, -0) ? '-0' : String(each);
            return `${name.replaceAll(/[,= "]/g, '\\$&')}=${shown}`;
          });
          const line = `${measurement} ${text.join(',')} 1000000`;
          expect([line, await write(peer, line)]).toMatchObject([line, { status: 204 }]);
          const { columns, rows } = await peer.query(`SELECT * FROM ${measurement}`, 'test');
          const [row = []] = rows;
          const stored = columns.slice(1).map((name, at): readonly [string, unknown] => [`${measurement}.${name}`, row[at + 1]]);
          const sorted = (points: readonly (readonly [string, unknown])[]) =>
            new Map(
              points.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, each]) => [name, Object.is(each, -0) ? 0 : each]),
            );
          expect(sorted(read(line).points)).toEqual(sorted(stored));
        },
      ),
      { numRuns: 150 },
    );
  });
});
