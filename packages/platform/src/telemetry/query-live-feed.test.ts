import { once } from 'node:events';
import { MessageChannel } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseDeviceId } from '../kernel/device-id.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { LIVE_BATCH_TAKEN, type WatchRequest } from './hot-calls.ts';
import { SharedLiveFeed } from './query-live-feed.ts';
import type { LiveUpdate } from './telemetry-queries.ts';

const A = parseDeviceId('a');
const B = parseDeviceId('b');
const C = parseDeviceId('c');

let ports: MessageChannel;
let clock: FakeClock;
let feed: SharedLiveFeed;
let requests: WatchRequest[];
/** Answers the oldest `watch` call that waits for its answer. */
let answers: ((error?: Error) => void)[];

beforeEach(() => {
  ports = new MessageChannel();
  clock = new FakeClock();
  requests = [];
  answers = [];
  const call = (_: string, request: never): Promise<never> => {
    requests.push(request);
    return new Promise((resolve, reject) => {
      answers.push((error) => (error === undefined ? resolve(undefined as never) : reject(error)));
    });
  };
  feed = new SharedLiveFeed({ hot: { call }, updates: ports.port1, clock, log: silentLogLines });
  feed.start();
});
afterEach(() => {
  feed[Symbol.dispose]();
  ports.port1.close();
});

async function answered(error?: Error): Promise<void> {
  answers.shift()!(error);
  await new Promise((resolve) => void setImmediate(resolve));
}

function updateOf(device: LiveUpdate['device'], value = 1): LiveUpdate {
  return { device, values: [{ metric: 'm', timeMs: 1, value }] };
}

/** Posts as the processor does and waits until the feed has taken it. */
async function post(batch: readonly LiveUpdate[]): Promise<void> {
  ports.port2.postMessage(batch);
  const [taken] = (await once(ports.port2, 'message')) as [unknown];
  expect(taken).toBe(LIVE_BATCH_TAKEN);
}

describe('what the processor is told to watch', () => {
  it('is the union of all watchers, told only when it changes', async () => {
    const endAB = feed.watch(new Set([A, B]), () => {});
    await answered();
    const endB = feed.watch(new Set([B]), () => {});
    const endC = feed.watch(new Set([C]), () => {});
    await answered();
    endAB();
    await answered();
    endB();
    await answered();
    endC();
    await answered();
    endC();
    expect(requests).toEqual([
      { devices: [A, B] },
      { devices: [A, B, C] },
      { devices: [B, C] },
      { devices: [C] },
      { none: true },
    ]);
  });

  it('is everything while one watches everything', async () => {
    const endA = feed.watch(new Set([A]), () => {});
    await answered();
    const endAll = feed.watch(undefined, () => {});
    await answered();
    feed.watch(new Set([B]), () => {});
    endA();
    endAll();
    await answered();
    expect(requests).toEqual([{ devices: [A] }, { devices: undefined }, { devices: [B] }]);
  });

  it('is told in one call for all changes during another', async () => {
    feed.watch(new Set([A]), () => {});
    const end = feed.watch(new Set([B]), () => {});
    feed.watch(new Set([C]), () => {});
    end();
    await answered();
    await answered();
    expect(requests).toEqual([{ devices: [A] }, { devices: [A, C] }]);
  });

  it('is told again a second after a call that failed', async () => {
    feed.watch(new Set([A]), () => {});
    await answered(new Error('no answer'));
    feed.watch(new Set([B]), () => {});
    expect(requests).toHaveLength(1);
    clock.advance(1_000);
    await answered();
    expect(requests).toEqual([{ devices: [A] }, { devices: [A, B] }]);
  });
});

describe('updates', () => {
  it('reach each watcher with the devices it watches, until it ends', async () => {
    const seen: Record<string, unknown[]> = { all: [], ab: [], c: [] };
    const endAll = feed.watch(undefined, (updates) => seen['all']!.push(updates));
    feed.watch(new Set([A, B]), (updates) => seen['ab']!.push(updates));
    feed.watch(new Set([C]), (updates) => seen['c']!.push(updates));
    await post([updateOf(A), updateOf(B)]);
    endAll();
    await post([updateOf(A, 2), updateOf(C)]);
    expect(seen).toEqual({
      all: [[updateOf(A), updateOf(B)]],
      ab: [[updateOf(A), updateOf(B)], [updateOf(A, 2)]],
      c: [[updateOf(C)]],
    });
  });

  it('reach the others when one watcher fails', async () => {
    const seen: unknown[] = [];
    feed.watch(undefined, () => {
      throw new Error('a bug');
    });
    feed.watch(undefined, (updates) => seen.push(updates));
    await post([updateOf(A)]);
    expect(seen).toEqual([[updateOf(A)]]);
  });
});
