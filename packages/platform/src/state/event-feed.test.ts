import { expect, test } from 'vitest';
import { EventFeed } from './event-feed.ts';
import { EventWatch, type EventReport, type WatchOrder } from './event-watch.ts';
import type { StateEvent } from './state-events.ts';

const event = (device: string, version = 1): StateEvent => ({
  kind: 'shadow',
  device,
  shadow: '',
  version,
  change: 'updated',
  documents: undefined,
});

/** Both ends, joined; `hold` keeps what the feed says from arriving. */
function open() {
  const orders: WatchOrder[] = [];
  const held: WatchOrder[] = [];
  let isHeld = false;
  const watch: EventWatch = new EventWatch((report: EventReport) => feed.take(report));
  const feed = new EventFeed((order) => {
    orders.push(order);
    if (isHeld) held.push(order);
    else watch.take(order);
  });
  return {
    feed,
    watch,
    orders,
    hold: () => void (isHeld = true),
    release: () => {
      isHeld = false;
      for (const order of held.splice(0)) watch.take(order);
    },
  };
}

function collect() {
  const seen: string[] = [];
  let lost = 0;
  return {
    seen,
    lost: () => lost,
    on: (events: readonly StateEvent[], dropped: number) => {
      seen.push(...events.map(({ device }) => device));
      lost += dropped;
    },
  };
}

test('nobody is watched until somebody asks, and only as long as anybody does', () => {
  const { feed, watch } = open();
  expect(watch.isWatched('a')).toBe(false);
  const first = feed.watch(new Set(['a', 'b']), () => undefined);
  const second = feed.watch(new Set(['b', 'c']), () => undefined);
  expect(['a', 'b', 'c', 'd'].map((device) => watch.isWatched(device))).toEqual([true, true, true, false]);
  first();
  first();
  expect(['a', 'b', 'c'].map((device) => watch.isWatched(device))).toEqual([false, true, true]);
  const all = feed.watch('all', () => undefined);
  expect(watch.isWatched('d')).toBe(true);
  second();
  all();
  expect(['b', 'd'].map((device) => watch.isWatched(device))).toEqual([false, false]);
});

test('the other end is told only what changes', () => {
  const { feed, orders } = open();
  const first = feed.watch(new Set(['a']), () => undefined);
  const second = feed.watch(new Set(['a', 'b']), () => undefined);
  first();
  second();
  expect(orders).toEqual([
    { kind: 'watch', all: false, added: ['a'], removed: [] },
    { kind: 'watch', all: false, added: ['b'], removed: [] },
    { kind: 'watch', all: false, added: [], removed: [] },
    { kind: 'watch', all: false, added: [], removed: ['a', 'b'] },
  ]);
});

test('each watcher gets the events of its devices, in their order', () => {
  const { feed, watch } = open();
  const [one, both, all] = [collect(), collect(), collect()];
  feed.watch(new Set(['a']), one.on);
  feed.watch(new Set(['a', 'b']), both.on);
  feed.watch('all', all.on);
  watch.tell([event('b'), event('a'), event('c'), event('b')]);
  expect([one.seen, both.seen, all.seen]).toEqual([['a'], ['b', 'a', 'b'], ['b', 'a', 'c', 'b']]);
});

test('what nobody takes is lost beyond ten thousand events, and all watchers are told how many', () => {
  const { feed, watch, hold, release } = open();
  const [named, all] = [collect(), collect()];
  feed.watch(new Set(['a']), named.on);
  feed.watch('all', all.on);
  hold();
  for (let n = 0; n < 10; n++) watch.tell(Array.from({ length: 1_500 }, () => event('b')));
  expect([all.seen.length, all.lost()]).toEqual([10_000, 0]);
  release();
  expect([all.lost(), named.lost()]).toEqual([5_000, 5_000]);
  watch.tell([event('a')]);
  expect([all.seen.length, named.seen, all.lost()]).toEqual([10_001, ['a'], 5_000]);
});
