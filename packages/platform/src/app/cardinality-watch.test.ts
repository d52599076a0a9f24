import { expect, test } from 'vitest';
import type { OwnMessage } from '../broker/own-message.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import { localCaller } from '../kernel/thread-channel.ts';
import type { CardinalityUsage } from '../telemetry/cardinality-report.ts';
import type { HotCalls } from '../telemetry/hot-calls.ts';
import { CardinalityWatch } from './cardinality-watch.ts';

function opened() {
  let usage: CardinalityUsage = {
    whole: { series: 1, limit: 10, state: 'ok' },
    types: [
      { type: 'pump', series: 1, limit: 5, perDevice: 5, state: 'ok' },
      { type: 'free', series: 1, limit: Infinity, perDevice: 5, state: 'ok' },
    ],
    devices: [],
    refused: { device: 0, type: 0, whole: 0 },
  };
  const published: OwnMessage[] = [];
  const lines: string[] = [];
  let isFailing = false;
  const line = (level: string) => (fields: object, text: string) => void lines.push(`${level} ${JSON.stringify(fields)} ${text}`);
  const watch = new CardinalityWatch({
    hot: localCaller<HotCalls>({ cardinalityUsage: () => usage } as never),
    publish: async (messages) => {
      if (isFailing) throw new Error('no');
      published.push(...messages);
    },
    clock: new FakeClock(7),
    logLines: { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') } as unknown as LogLines,
  });
  return {
    watch,
    look: async (change: Partial<CardinalityUsage> = {}, failing = false) => {
      usage = { ...usage, ...change };
      isFailing = failing;
      await watch.look();
      const told = published
        .splice(0)
        .map(({ topic, payload, retain }) => [topic, JSON.parse(Buffer.from(payload).toString()), retain]);
      return [told, lines.splice(0)] as const;
    },
  };
}

test('at the start all levels are told, retained, and then each change once', async () => {
  const { look } = opened();
  expect(await look()).toEqual([
    [
      ['$selsyn/status/cardinality', { state: 'ok', series: 1, limit: 10, atMs: 7 }, true],
      ['$selsyn/status/cardinality/types/pump', { type: 'pump', series: 1, limit: 5, perDevice: 5, state: 'ok', atMs: 7 }, true],
    ],
    [],
  ]);
  expect(await look()).toEqual([[], []]);
  const near = await look({ whole: { series: 8, limit: 10, state: 'near' } });
  expect(near[0]).toEqual([['$selsyn/status/cardinality', { state: 'near', series: 8, limit: 10, atMs: 7 }, true]]);
  expect(near[1]).toEqual(['warn {"series":8,"limit":10} A limit of series is near: at 80 % or beyond']);
  expect((await look({ whole: { series: 10, limit: 10, state: 'full' } }))[1]).toEqual([
    'error {"series":10,"limit":10} A limit of series is reached: new metrics are refused',
  ]);
  expect((await look({ whole: { series: 5, limit: 10, state: 'ok' } }))[1]).toEqual([
    'info {"series":5,"limit":10} A limit of series is far again',
  ]);
});

test('a device is told of when it comes near its limit, when it reaches it, and when it comes there again', async () => {
  const { look } = opened();
  await look();
  const at = (series: number, state: 'near' | 'full') => ({ devices: [{ device: 'a', series, limit: 10, state }] });
  expect(await look(at(8, 'near'))).toEqual([
    [['$selsyn/events/cardinality/near/a', { device: 'a', series: 8, limit: 10, state: 'near', atMs: 7 }, false]],
    [expect.stringContaining('warn {"device":"a"')],
  ]);
  expect((await look(at(9, 'near')))[0]).toEqual([]);
  expect((await look(at(10, 'full')))[0]).toEqual([['$selsyn/events/cardinality/full/a', expect.any(Object), false]]);
  expect((await look({ devices: [] }))[0]).toEqual([]);
  expect((await look(at(8, 'near')))[0]).toHaveLength(1);
});

test('what could not be published is told at the next look', async () => {
  const { look } = opened();
  expect((await look({}, true))[1]).toEqual([expect.stringContaining('warn')]);
  expect((await look())[0]).toHaveLength(2);
});
