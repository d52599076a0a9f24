import { expect, test } from 'vitest';
import { parseDeviceId, type DeviceId } from '../kernel/device-id.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import type { LiveUpdate } from '../telemetry/telemetry-queries.ts';
import { FakeLive, STATS } from './fakes.fixture.ts';
import type { LiveSink } from './live-client.ts';
import { LiveHub } from './live-hub.ts';
import type { LiveViewer } from './live-viewer.ts';

/** A socket that takes nothing until it is drained. */
class FakeSink implements LiveSink {
  readonly events: string[] = [];
  waitingBytes = 0;
  ended = false;
  destroyed = false;
  slow = false;

  write(text: string): void {
    this.events.push(text);
    if (this.slow) this.waitingBytes += text.length;
  }

  end(): void {
    this.ended = true;
  }

  destroy(): void {
    this.destroyed = true;
  }

  named(name: string): unknown[] {
    const start = `event: ${name}\ndata: `;
    return this.events
      .filter((event) => event.startsWith(start))
      .map((event) => JSON.parse(event.slice(start.length)) as unknown);
  }
}

const one = parseDeviceId('one');
const two = parseDeviceId('two');
const update = (device: typeof one, metric: string, value: number | string): LiveUpdate => ({
  device,
  values: [{ metric, timeMs: 1, value }],
});

function open() {
  const live = new FakeLive();
  const clock = new FakeClock();
  const groups = new Map<DeviceId, string>();
  const devices = { groupOf: async (ids: Iterable<DeviceId>) => new Map([...ids].flatMap((id) => entryOf(groups, id))) };
  let statsRead = 0;
  const stats = { current: () => ({ ...STATS, points: ++statsRead }) };
  return {
    live,
    clock,
    hub: new LiveHub({ live, clock, stats, devices, logLines: silentLogLines }),
    groups,
    statsRead: () => statsRead,
  };
}

function entryOf(groups: ReadonlyMap<DeviceId, string>, id: DeviceId): [DeviceId, string][] {
  const group = groups.get(id);
  return group === undefined ? [] : [[id, group]];
}

test('values arrive as one object of devices, the later value of a metric wins', () => {
  const { hub, live } = open();
  const sink = new FakeSink();
  hub.join(sink, 'all');
  live.emit([update(one, 'a', 1), update(two, 'a', 'x'), update(one, 'b', 2), update(one, 'a', 3)]);
  expect(sink.named('values')).toEqual([{ one: { a: [1, 3], b: [1, 2] }, two: { a: [1, 'x'] } }]);
});

test('a client sees the devices it named, and none when it named none', () => {
  const { hub, live } = open();
  const [named, none] = [new FakeSink(), new FakeSink()];
  hub.join(named, new Set([two]));
  hub.join(none, new Set());
  live.emit([update(one, 'a', 1)]);
  live.emit([update(one, 'a', 1), update(two, 'a', 2)]);
  expect(named.named('values')).toEqual([{ two: { a: [1, 2] } }]);
  expect(none.named('values')).toEqual([]);
  expect(none.named('stats')).toHaveLength(1);
});

test('those who watch all share one watch, which ends with the last of them', () => {
  const { hub, live } = open();
  const first = hub.join(new FakeSink(), 'all');
  const second = hub.join(new FakeSink(), 'all');
  const third = hub.join(new FakeSink(), new Set([one]));
  expect(live.watches.size).toBe(2);
  first.leave();
  first.leave();
  expect([live.watches.size, hub.clients]).toEqual([2, 2]);
  second.leave();
  expect(live.watches.size).toBe(1);
  third.leave();
  expect([live.watches.size, hub.clients]).toEqual([0, 0]);
});

test('stats come at once and every second, heartbeats every 15, and nothing is gathered for nobody', () => {
  const { hub, clock, statsRead } = open();
  clock.advance(60_000);
  expect(statsRead()).toBe(0);
  const sink = new FakeSink();
  const { leave } = hub.join(sink, 'all');
  clock.advance(30_500);
  expect(sink.named('stats')).toHaveLength(31);
  expect(sink.events.filter((event) => event === ': \n\n')).toHaveLength(2);
  leave();
  const read = statsRead();
  clock.advance(60_000);
  expect(statsRead()).toBe(read);
});

test('a slow client loses events beyond 1 MiB, is told how many, and does not slow others', () => {
  const { hub, live } = open();
  const [slow, quick] = [new FakeSink(), new FakeSink()];
  slow.slow = true;
  const { client } = hub.join(slow, 'all');
  hub.join(quick, 'all');
  const big = 'x'.repeat(100_000);
  for (let i = 0; i < 50; i++) live.emit([update(one, 'a', big)]);
  expect(quick.named('values')).toHaveLength(50);
  expect(slow.waitingBytes).toBeLessThan(1024 * 1024 + 100_200);
  const sent = slow.named('values').length;
  expect(sent).toBeLessThan(12);
  expect(hub.droppedEvents).toBe(50 - sent);

  slow.waitingBytes = 0;
  client.drained();
  client.drained();
  live.emit([update(one, 'a', 'after')]);
  expect(slow.named('lagged')).toEqual([{ dropped: 50 - sent }]);
  expect(slow.named('values').at(-1)).toEqual({ one: { a: [1, 'after'] } });
});

test('a client that reads nothing for a minute is dropped', () => {
  const { hub, live, clock } = open();
  const sink = new FakeSink();
  sink.slow = true;
  hub.join(sink, 'all');
  for (let i = 0; i < 2; i++) live.emit([update(one, 'a', 'x'.repeat(1_200_000))]);
  clock.advance(60_000);
  expect(sink.destroyed).toBe(false);
  clock.advance(2000);
  expect(sink.destroyed).toBe(true);
});

test('there is a bound on clients, and none joins once it is closed', () => {
  const { hub } = open();
  const sinks = Array.from({ length: 256 }, () => new FakeSink());
  const joined = sinks.map((sink) => hub.join(sink, new Set()));
  expect(() => hub.join(new FakeSink(), 'all')).toThrow(expect.objectContaining({ code: 'request.rate-limited' }));
  joined[0]?.leave();
  hub.join(new FakeSink(), 'all');
  hub.close();
  expect(sinks.slice(1).every((sink) => sink.ended && sink.named('bye').length === 1)).toBe(true);
  expect(() => hub.ensureRoom()).toThrow(expect.objectContaining({ code: 'server.not-ready' }));
});

/** Sees devices of one group, as long as `allowed` says so. */
function viewerAt(group: string, allowed: () => boolean, groups = () => [group]): LiveViewer {
  return {
    scope: { groups: groups() },
    stats: false,
    renew: async () => (allowed() ? viewerAt(group, allowed, groups) : undefined),
  };
}

test('who sees one group is sent its devices only, and nothing of the server', async () => {
  const { hub, live, groups } = open();
  groups.set(one, '/acme/hall-1').set(two, '/beta');
  const [all, named] = [new FakeSink(), new FakeSink()];
  hub.join(
    all,
    'all',
    viewerAt('/acme', () => true),
  );
  hub.join(
    named,
    new Set([two]),
    viewerAt('/acme', () => true),
  );
  live.emit([update(one, 'a', 1), update(two, 'a', 2), update(parseDeviceId('unknown'), 'a', 3)]);
  live.emit([update(two, 'a', 4)]);
  live.emit([update(one, 'a', 5)]);
  await expect.poll(() => all.named('values').length).toBeGreaterThan(0);
  await new Promise(setImmediate);
  expect(JSON.stringify(all.events)).not.toContain('two');
  expect(Object.assign({}, ...all.named('values'))).toEqual({ one: { a: [1, 5] } });
  expect(named.named('values')).toEqual([]);
  expect([...all.named('stats'), ...named.named('stats')]).toEqual([]);
});

test('a stream ends within 5 s once the key or session behind it is gone', async () => {
  const { hub, clock } = open();
  let allowed = true;
  const sink = new FakeSink();
  hub.join(
    sink,
    'all',
    viewerAt('/', () => allowed),
  );
  clock.advance(10_000);
  await new Promise(setImmediate);
  expect(sink.named('bye')).toEqual([]);
  allowed = false;
  clock.advance(5_000);
  await expect.poll(() => sink.named('bye')).toHaveLength(1);
  expect(hub.clients).toBe(0);
});

test('a stream goes on with the groups that its viewer has now', async () => {
  const { hub, live, clock, groups } = open();
  groups.set(one, '/acme').set(two, '/beta');
  let mine = ['/acme'];
  const sink = new FakeSink();
  hub.join(
    sink,
    'all',
    viewerAt(
      '/acme',
      () => true,
      () => mine,
    ),
  );
  mine = ['/beta'];
  clock.advance(5_000);
  await new Promise(setImmediate);
  live.emit([update(one, 'a', 1), update(two, 'a', 2)]);
  await expect.poll(() => sink.named('values')).toEqual([{ two: { a: [1, 2] } }]);
});
