import { expect, test } from 'vitest';
import type { OwnMessage } from '../broker/own-message.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import type { MetricsSnapshot } from '../kernel/metrics.ts';
import { SysPublisher } from './sys-publisher.ts';

function metric(
  name: string,
  ...values: readonly (readonly [value: number, labels: Record<string, string>])[]
): MetricsSnapshot[number] {
  return {
    name,
    help: '',
    type: 'gauge',
    aggregator: 'sum',
    values: values.map(([value, labels]) => ({ value, labels })),
  } as never;
}

function open(options: { intervalSec?: number; failing?: () => boolean } = {}): {
  publisher: SysPublisher;
  clock: FakeClock;
  published: (readonly OwnMessage[])[];
  snapshots: MetricsSnapshot[];
} {
  const clock = new FakeClock();
  const published: (readonly OwnMessage[])[] = [];
  const snapshots: MetricsSnapshot[] = [];
  const publisher = new SysPublisher({
    snapshots: async () => snapshots,
    publish: async (messages) => {
      if (options.failing?.() === true) throw new Error('a thread is busy');
      published.push(messages);
    },
    clock,
    logLines: silentLogLines,
    version: '1.2.3',
    intervalSec: options.intervalSec ?? 10,
  });
  return { publisher, clock, published, snapshots };
}

function texts(messages: readonly OwnMessage[] | undefined): Record<string, string> {
  return Object.fromEntries(
    (messages ?? []).map(({ topic, payload }) => [topic.slice('$SYS/broker/'.length), Buffer.from(payload).toString()]),
  );
}

async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise(setImmediate);
}

test('the metrics of all threads are added up; of what every thread has a copy it is counted once', async () => {
  const { publisher, published, snapshots } = open();
  for (const thread of ['gateway-0', 'gateway-1']) {
    snapshots.push([
      metric('selsyn_mqtt_sessions', [3, { thread, state: 'connected' }], [1, { thread, state: 'offline' }]),
      metric('selsyn_mqtt_messages_received_total', [1, { thread, qos: '0' }], [2, { thread, qos: '1' }]),
      metric('selsyn_mqtt_retained_messages', [5, { thread }]),
      metric('selsyn_mqtt_queued_messages', [4, { thread }]),
    ]);
  }
  publisher.start();
  await settle();
  expect(published[0]?.every(({ qos, retain }) => qos === 0 && retain)).toBe(true);
  expect(texts(published[0])).toMatchObject({
    version: 'selsyn version 1.2.3',
    'clients/connected': '6',
    'clients/disconnected': '2',
    'clients/total': '8',
    'publish/messages/received': '6',
    'retained messages/count': '5',
    'messages/stored': '13',
  });
  publisher[Symbol.dispose]();
});

test('what has changed is published every interval, until it is stopped', async () => {
  const { publisher, clock, published, snapshots } = open({ intervalSec: 5 });
  publisher.start();
  await settle();
  snapshots.push([metric('selsyn_mqtt_queued_messages', [1, {}])]);
  clock.advance(4_999);
  await settle();
  expect(published).toHaveLength(1);
  clock.advance(1);
  await settle();
  const { uptime, 'heap/current': _now, 'heap/maximum': _most, ...others } = texts(published[1]);
  expect([uptime, others]).toEqual(['5 seconds', { 'messages/stored': '1', 'store/messages/count': '1' }]);
  publisher[Symbol.dispose]();
  clock.advance(60_000);
  await settle();
  expect(published).toHaveLength(2);
});

test('when it could not be published all of it is, the next time', async () => {
  let failing = true;
  const { publisher, clock, published } = open({ failing: () => failing });
  publisher.start();
  await settle();
  failing = false;
  clock.advance(10_000);
  await settle();
  expect(Object.keys(texts(published[0]))).toEqual(expect.arrayContaining(['version', 'load/sockets/15min']));
  publisher[Symbol.dispose]();
});

test('an interval of 0 publishes nothing', async () => {
  const { publisher, clock, published } = open({ intervalSec: 0 });
  publisher.start();
  await settle();
  clock.advance(60_000);
  await settle();
  expect(published).toEqual([]);
});
