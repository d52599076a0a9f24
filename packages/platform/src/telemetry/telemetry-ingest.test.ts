import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeClock } from '../kernel/fake-clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { openMetrics } from '../kernel/metrics.ts';
import { ThreadCaller } from '../kernel/thread-channel.ts';
import { openDeadLettersForRead } from './dead-letter-schema.ts';
import { DAY_MS } from './day-file-schema.ts';
import { FakeLog } from './fake-log.ts';
import { LIVE_BATCH_TAKEN, type HotCalls, type LiveBatch } from './hot-calls.ts';
import type { FlushAnswer, UpkeepStoreCalls } from './upkeep-calls.ts';
import { TelemetryIngest, type TelemetryIngestOptions } from './telemetry-ingest.ts';
import { registerTelemetryMetrics } from './telemetry-metrics.ts';

const NOW = 20_000 * DAY_MS + 3_600_000;

let dir: string;
let log: FakeLog;
let clock: FakeClock;
let ingest: TelemetryIngest;
let calls: ThreadCaller<HotCalls>;
let live: MessagePort;
let ports: MessagePort[] = [];

async function start(options: Partial<TelemetryIngestOptions> = {}): Promise<void> {
  ingest = new TelemetryIngest({ log, dir, clock, logLines: silentLogLines, memtablePoints: 400_000, ...options });
  const [callPort, livePort] = [new MessageChannel(), new MessageChannel()];
  ingest.serve(callPort.port1, livePort.port1);
  calls = new ThreadCaller<HotCalls>(callPort.port2);
  live = livePort.port2;
  ports.push(callPort.port2, livePort.port2);
  await ingest.start();
}

async function stop(): Promise<void> {
  for (const port of ports) port.close();
  ports = [];
  const done = ingest[Symbol.asyncDispose]();
  await until(() => done.then(() => true));
}

/** Lets time pass until it is so. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  let settled = false;
  for (let turns = 0; turns < 20_000; turns++) {
    const answer = isSo();
    if (typeof answer === 'boolean') settled = answer;
    else void answer.then((value) => (settled = value));
    if (settled) return;
    clock.advance(10);
    await nextTurn();
  }
  throw new Error('it did not come to be');
}

const consumed = (): Promise<void> => until(() => ingest.lagRecords === 0);

beforeEach(() => {
  dir = join(mkdtempSync(join(tmpdir(), 'selsyn-ingest-')), 'telemetry');
  log = new FakeLog(2);
  clock = new FakeClock(NOW);
});

afterEach(async () => {
  await stop();
  rmSync(join(dir, '..'), { recursive: true, force: true });
});

test('is ready once the log is replayed to the end it had, and answers what it consumed', async () => {
  log.append(0, NOW, [
    ['a', { ts: NOW, t: 1.5, on: true }],
    ['b', { t: 2 }],
  ]);
  log.append(1, NOW - 5, [['a', { ts: NOW - 10, t: 1 }]]);
  await start();
  await until(() => ingest.ready);
  await ingest.whenReady;
  expect(ingest.replayProgress).toBe(1);
  log.append(0, NOW, [
    [
      'a',
      [
        { ts: NOW + 1000, t: 3 },
        { ts: NOW + 1000, t: 4 },
      ],
    ],
  ]);
  await consumed();
  const answer = await calls.call('hotRead', { device: 'a', metrics: ['t', 'none'], fromMs: NOW - 10, toMs: NOW + 1001 });
  expect(answer.series).toEqual([
    {
      metric: 't',
      id: expect.any(Number),
      times: Float64Array.of(NOW - 10, NOW, NOW + 1000),
      values: Float64Array.of(1, 1.5, 4),
    },
  ]);
  expect((await calls.call('hotRead', { device: 'a', metrics: undefined, fromMs: NOW, toMs: NOW + 1000 })).series).toMatchObject([
    { metric: 't', values: Float64Array.of(1.5) },
    { metric: 'on', values: [true] },
  ]);
  expect((await calls.call('hotRead', { device: 'nobody', metrics: undefined, fromMs: 0, toMs: NOW })).series).toEqual([]);
});

test('knows the newest value of each series, and after a restart whether a day file may have a newer one', async () => {
  log.append(0, NOW, [
    ['a', { ts: NOW, t: 1, s: 'on' }],
    ['a', { ts: NOW - 2 * DAY_MS, t: 7 }],
  ]);
  await start();
  await consumed();
  const day = 20_000;
  expect(await calls.call('hotLatest', { devices: ['a', 'b'] })).toMatchObject({
    devices: [
      {
        device: 'a',
        series: [
          { metric: 't', timeMs: NOW, value: 1, lastDay: -1, inStore: false },
          { metric: 's', timeMs: NOW, value: 'on', lastDay: -1, inStore: false },
        ],
      },
      { device: 'b', series: [] },
    ],
  });
  await stop();
  await start();
  await until(() => ingest.ready);
  const latest = async () => (await calls.call('hotLatest', { devices: ['a'] })).devices[0]!.series;
  expect(await latest()).toMatchObject([
    { metric: 't', timeMs: -1, value: undefined, lastDay: day, inStore: true },
    { metric: 's', timeMs: -1, lastDay: day, inStore: true },
  ]);
  // A late point says nothing of what is newest; one of a later day does.
  log.append(0, NOW, [
    ['a', { ts: NOW - 5, t: 0 }],
    ['a', { ts: NOW + DAY_MS, s: 'off' }],
  ]);
  await consumed();
  expect(await latest()).toMatchObject([
    { metric: 't', timeMs: NOW - 5, value: 0, lastDay: day, inStore: true },
    { metric: 's', timeMs: NOW + DAY_MS, value: 'off', lastDay: day, inStore: false },
  ]);
  // Sealing finds out.
  log.append(0, NOW, [['a', { ts: NOW + 1, t: 9 }]]);
  await consumed();
  ingest.writer.policy.all();
  await until(() => ingest.writer.memtable.points === 0);
  expect(await latest()).toMatchObject([
    { metric: 't', timeMs: NOW + 1, value: 9, lastDay: day, inStore: false },
    { lastDay: day + 1 },
  ]);
});

test('seals by age, and then tells the log what it may drop', async () => {
  await start({ sealAfterMs: 60_000, lowWaterEveryMs: 1000 });
  log.append(0, NOW, [['a', { t: 1 }]]);
  log.append(1, NOW, [['b', 'not JSON']]);
  await consumed();
  for (let turns = 0; turns < 300; turns++) {
    clock.advance(100);
    await nextTurn();
  }
  // Nothing in memory came from before the first record of partition 0; nothing of partition 1 is in memory at all.
  expect([ingest.writer.memtable.points, log.released[0]]).toEqual([1, 0]);
  await until(() => log.released[0] === 1 && log.released[1] === 1);
  expect(ingest.writer.memtable.points).toBe(0);
  expect(clock.now() - NOW).toBeLessThan(70_000);
});

test('keeps records that are no telemetry as dead letters, with the reason, once each', async () => {
  const LIMITED = { seriesLimits: { perDevice: 256, perType: Infinity, whole: Infinity } };
  const names = (count: number, from = 0): Record<string, number> =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`m${from + index}`, index]));
  log.append(0, NOW, [
    ['a', '{"t":'],
    ['a', { ts: NOW + 2 * DAY_MS, t: 1 }],
    ['a', new Uint8Array(3000).fill(0x78)],
    ['flood', names(250)],
    ['flood', [names(3), names(6, 250), names(4, 256)]],
    ['flood', names(7, 250)],
    ['flood', names(6, 250)],
  ]);
  await start(LIMITED);
  await consumed();
  // None of the new metrics of the message that would have gone beyond 256 is there, not even those of its first samples.
  const flood = await calls.call('hotRead', { device: 'flood', metrics: undefined, fromMs: 0, toMs: Infinity });
  expect(flood.series.map(({ metric }) => metric).sort()).toEqual(Object.keys(names(256)).sort());
  expect(new Set(flood.series.map(({ id }) => id)).size).toBe(256);
  await stop();
  await start(LIMITED);
  await consumed();
  await until(() => ingest.writer.deadLetters.waiting === 0);
  const db = openDeadLettersForRead(dir);
  const rows = db
    .prepare('SELECT partition, "offset", device, topic, code, payload, payload_bytes FROM dead_letter ORDER BY id')
    .all();
  db.close();
  expect(rows.map(({ offset, code, payload_bytes }) => [offset, code, payload_bytes])).toEqual([
    [0, 'telemetry.malformed', 5],
    [1, 'telemetry.bad-time', expect.any(Number)],
    [2, 'telemetry.malformed', 3000],
    [4, 'telemetry.too-many-metrics', expect.any(Number)],
    [5, 'telemetry.too-many-metrics', expect.any(Number)],
  ]);
  expect(rows[2]).toMatchObject({ partition: 0, device: 'a', topic: 'telemetry/a', payload: new Uint8Array(1024).fill(0x78) });
});

test('posts the newest values of watched devices, and waits for a receiver that is slow', async () => {
  await start();
  await until(() => ingest.ready);
  await calls.call('watch', { devices: ['a'] });
  const next = async (): Promise<LiveBatch> => {
    const message = once(live, 'message');
    let batch: LiveBatch | undefined;
    void message.then(([value]) => (batch = value as LiveBatch));
    await until(() => batch !== undefined);
    return batch!;
  };
  log.append(0, NOW, [
    ['a', { t: 1, u: 2 }],
    ['b', { t: 5 }],
    ['a', { t: 3 }],
  ]);
  expect(await next()).toEqual([
    {
      device: 'a',
      values: [
        { metric: 't', timeMs: NOW + 1, value: 3 },
        { metric: 'u', timeMs: NOW, value: 2 },
      ],
    },
  ]);
  let received = 0;
  live.on('message', () => received++);
  for (let sent = 0; sent < 10; sent++) {
    log.append(0, NOW, [['a', { t: 10 + sent }]]);
    await consumed();
    for (let turns = 0; turns < 30; turns++) {
      clock.advance(10);
      await nextTurn();
    }
  }
  expect(received).toBe(3);
  live.postMessage(LIVE_BATCH_TAKEN);
  expect(await next()).toEqual([{ device: 'a', values: [{ metric: 't', timeMs: expect.any(Number), value: 19 }] }]);
  for (let answered = 0; answered < 4; answered++) live.postMessage(LIVE_BATCH_TAKEN);
  await calls.call('watch', { devices: undefined });
  log.append(0, NOW, [['b', { t: 6 }]]);
  expect(await next()).toMatchObject([{ device: 'b' }]);
  await calls.call('watch', { none: true });
  log.append(0, NOW, [['b', { t: 7 }]]);
  await consumed();
  expect(ingest.writer.devices.find('b')!.touched).toBeUndefined();
});

test('forgets a device: in memory, in day files, in the log, and after a restart', async () => {
  await start();
  log.append(0, NOW, [
    ['a', { t: 1 }],
    ['b', { t: 1 }],
    ['a', 'bad'],
    ['b', 'bad'],
  ]);
  await consumed();
  ingest.writer.policy.all();
  await until(() => ingest.writer.memtable.points === 0);
  log.append(0, NOW, [['a', { ts: NOW + 1, t: 2 }]]);
  await consumed();
  const before = await calls.call('hotRead', { device: 'a', metrics: undefined, fromMs: 0, toMs: Infinity });
  log.append(0, NOW, [['a', { ts: NOW + 2, t: 3 }]]);
  await calls.call('forget', { device: 'a' });
  expect((await calls.call('hotRead', { device: 'a', metrics: undefined, fromMs: 0, toMs: Infinity })).series).toEqual([]);
  log.append(0, NOW, [['a', { ts: NOW + 3, t: 4 }]]);
  await until(() => !ingest.writer.eraser.busy);
  await consumed();
  for (let restarts = 0; restarts < 2; restarts++) {
    const after = await calls.call('hotRead', { device: 'a', metrics: undefined, fromMs: 0, toMs: Infinity });
    expect(after.series.length).toBe(1);
    expect(after.series[0]!.id).not.toBe(before.series[0]!.id);
    const kept = ingest.writer.files.use(20_000).db.prepare('SELECT series, count FROM chunk').all();
    expect(kept.filter(({ series }) => series === before.series[0]!.id)).toEqual([]);
    await stop();
    await start();
    await until(() => ingest.ready);
  }
  const db = openDeadLettersForRead(dir);
  expect(db.prepare('SELECT device FROM dead_letter').all()).toEqual([{ device: 'b' }]);
  db.close();
});

test('reads another log from its beginning, and one that lost its end from where it is', async () => {
  log.append(0, NOW, [
    ['a', { ts: 1, t: 1 }],
    ['a', { ts: 2, t: 2 }],
  ]);
  await start();
  await consumed();
  await stop();
  log = new FakeLog(2, 'log-2');
  log.append(0, NOW, [['a', { ts: 3, t: 3 }]]);
  await start();
  await until(() => ingest.ready);
  const inMemory = async () =>
    (await calls.call('hotRead', { device: 'a', metrics: undefined, fromMs: 0, toMs: Infinity })).series[0]!.times;
  expect(await inMemory()).toEqual(Float64Array.of(3));
  log.append(0, NOW, [['a', { ts: 4, t: 4 }]]);
  await consumed();
  await stop();
  log.cut(0, 1);
  log.append(0, NOW, [['a', { ts: 5, t: 5 }]]);
  await start();
  await until(() => ingest.ready);
  expect(await inMemory()).toEqual(new Float64Array());
  log.append(0, NOW, [['a', { ts: 6, t: 6 }]]);
  await consumed();
  expect(await inMemory()).toEqual(Float64Array.of(6));
});

test('shows its counters as metrics', async () => {
  await start();
  const registry = openMetrics('processor');
  registerTelemetryMetrics(registry, ingest);
  log.append(0, NOW, [
    ['a', { t: 1, u: 2 }],
    ['a', '[]'],
  ]);
  await consumed();
  const text = await registry.metrics();
  expect(text).toContain('selsyn_telemetry_points_total{thread="processor"} 2');
  expect(text).toContain('selsyn_telemetry_dead_letters_total{code="telemetry.malformed",thread="processor"} 1');
  expect(text).toContain('selsyn_telemetry_consumer_lag_records{thread="processor"} 0');
  expect(await registry.metrics()).toContain('selsyn_telemetry_points_total{thread="processor"} 2');
});

test('what is in memory is written into day files on demand, with what of the log is not read yet', async () => {
  await start({ sealAfterMs: 3_600_000 });
  const port = new MessageChannel();
  ports.push(port.port2);
  ingest.serveUpkeep(port.port1);
  const upkeep = new ThreadCaller<UpkeepStoreCalls>(port.port2, 1_000_000);
  log.append(0, NOW, [['a', { ts: NOW - 7_200_000, t: 1 }]]);
  await consumed();
  log.append(1, NOW, [['b', { ts: NOW, t: 2 }]]);
  let answer: FlushAnswer | undefined;
  void upkeep.call('flush', null).then((found) => (answer = found));
  await until(() => answer !== undefined);
  expect(answer).toEqual({ done: true });
  expect(ingest.writer.memtable.points).toBe(0);
  expect(ingest.writer.files.days()).toEqual([19_999, 20_000]);
});

test('what cannot be written on demand is told, and why', async () => {
  await start({ sealAfterMs: 3_600_000 });
  const port = new MessageChannel();
  ports.push(port.port2);
  ingest.serveUpkeep(port.port1);
  const upkeep = new ThreadCaller<UpkeepStoreCalls>(port.port2, 1_000_000);
  log.append(0, NOW, [['a', { t: 1 }]]);
  await consumed();
  const { files } = ingest.writer;
  const use = files.use.bind(files);
  files.use = () => {
    throw new Error('the disk is gone');
  };
  let answer: FlushAnswer | undefined;
  void upkeep.call('flush', null).then((found) => (answer = found));
  await until(() => answer !== undefined);
  expect(answer).toEqual({ done: false, because: 'failing', waiting: 1 });
  files.use = use;
});
