import { expect, test } from 'vitest';
import { FakeClock } from '../kernel/fake-clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { EVERYTHING, type Scope } from '../registry/scope.ts';
import { EventFeed } from '../state/event-feed.ts';
import { EventWatch } from '../state/event-watch.ts';
import type { StateEvent } from '../state/state-events.ts';
import type { LiveSink } from './live-client.ts';
import { StateHub } from './state-hub.ts';

class FakeSink implements LiveSink {
  readonly events: string[] = [];
  waitingBytes = 0;
  isEnded = false;
  isDestroyed = false;
  isSlow = false;
  write(text: string): void {
    this.events.push(text);
    if (this.isSlow) this.waitingBytes += text.length;
  }
  end(): void {
    this.isEnded = true;
  }
  destroy(): void {
    this.isDestroyed = true;
  }
  named(name: string): readonly string[] {
    return this.events.filter((event) => event.startsWith(`event: ${name}\n`));
  }
}

function open() {
  const clock = new FakeClock();
  const watch: EventWatch = new EventWatch((report) => feed.take(report));
  const feed = new EventFeed((order) => watch.take(order));
  const asked: string[][] = [];
  let fault: unknown;
  const devices = {
    among: async (ids: Iterable<string>) => {
      asked.push([...ids]);
      if (fault !== undefined) throw fault;
      return new Set([...ids].filter((id) => id.startsWith('mine'))) as never;
    },
  };
  return {
    clock,
    watch,
    asked,
    fail: (error: unknown) => void (fault = error),
    hub: new StateHub({ feed, devices, clock, logLines: silentLogLines }),
  };
}

const event = (device: string, documents = '{}'): StateEvent => ({
  kind: 'shadow',
  device,
  shadow: '',
  version: 1,
  change: 'updated',
  documents,
});
const MINE: Scope = { groups: ['/mine'] };
const request = { wanted: {}, isWanted: () => true, scope: EVERYTHING, renew: async () => EVERYTHING };
const settle = async (): Promise<void> => await new Promise((resolve) => void setImmediate(resolve));

test('a reader that does not read loses events beyond 1 MiB, is told how many, and is let go after a minute', () => {
  const { hub, watch, clock } = open();
  const [slow, quick] = [new FakeSink(), new FakeSink()];
  slow.isSlow = true;
  const { client } = hub.join(slow, request);
  hub.join(quick, request);
  const big = JSON.stringify('x'.repeat(100_000));
  for (let n = 0; n < 30; n++) watch.tell([event('a', big)]);
  expect(quick.named('shadow')).toHaveLength(30);
  const sent = slow.named('shadow').length;
  expect(sent).toBeLessThan(12);
  slow.waitingBytes = 0;
  client.drained();
  expect(slow.named('lagged')).toEqual([`event: lagged\ndata: {"dropped":${30 - sent}}\n\n`]);
  for (let n = 0; n < 30; n++) watch.tell([event('a', big)]);
  clock.advance(70_000);
  expect([slow.isDestroyed, quick.isDestroyed, hub.clients]).toEqual([true, false, 1]);
});

test('who sees a part is asked about devices once in five seconds, many at a time', async () => {
  const { hub, watch, clock, asked } = open();
  const sink = new FakeSink();
  hub.join(sink, { ...request, scope: MINE, renew: async () => MINE });
  watch.tell([event('mine-1'), event('theirs-1'), event('mine-1')]);
  await settle();
  watch.tell([event('mine-1'), event('mine-2')]);
  watch.tell([event('theirs-1'), event('mine-3')]);
  clock.advance(50);
  await settle();
  expect(asked).toEqual([
    ['mine-1', 'theirs-1'],
    ['mine-2', 'mine-3'],
  ]);
  expect(sink.named('shadow').map((text) => /"device":"([^"]*)"/.exec(text)?.[1])).toEqual([
    'mine-1',
    'mine-1',
    'mine-1',
    'mine-2',
    'mine-3',
  ]);
  clock.advance(5_000);
  watch.tell([event('mine-1')]);
  await settle();
  expect(asked.at(-1)).toEqual(['mine-1']);
});

test('a scope that grew narrower is heeded, and one that is gone ends the stream', async () => {
  const { hub, watch, clock } = open();
  const sink = new FakeSink();
  let scope: Scope | undefined = EVERYTHING;
  hub.join(sink, { ...request, renew: async () => scope });
  watch.tell([event('theirs')]);
  scope = MINE;
  clock.advance(5_000);
  await settle();
  watch.tell([event('theirs'), event('mine')]);
  await settle();
  expect(sink.named('shadow')).toHaveLength(2);
  scope = undefined;
  clock.advance(5_000);
  await settle();
  expect([sink.named('bye').length, sink.isEnded, hub.clients, watch.isWatched('mine')]).toEqual([1, true, 0, false]);
});

test('who cannot be shown what they may see is shown nothing', async () => {
  const { hub, watch, fail } = open();
  const sink = new FakeSink();
  hub.join(sink, { ...request, scope: MINE });
  fail(new Error('the database is gone'));
  watch.tell([event('mine')]);
  await settle();
  expect([sink.named('shadow').length, sink.isDestroyed, hub.clients]).toEqual([0, true, 0]);
});

test('there is room for 256, and for none once it has closed', () => {
  const { hub } = open();
  const leaves = Array.from({ length: 256 }, () => hub.join(new FakeSink(), request).leave);
  expect(() => hub.ensureRoom()).toThrow(expect.objectContaining({ code: 'request.rate-limited' }));
  leaves[0]?.();
  hub.ensureRoom();
  hub.close();
  expect(() => hub.ensureRoom()).toThrow(expect.objectContaining({ code: 'server.not-ready' }));
});
