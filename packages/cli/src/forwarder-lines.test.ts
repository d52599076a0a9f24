import type { ForwarderJson } from '@selsyn/platform/api/forwarder-schemas.ts';
import { expect, test } from 'vitest';
import { forwarderLines, forwarderRow } from './forwarder-lines.ts';

const item: ForwarderJson = {
  id: 'lake',
  target: { kind: 'kafka', brokers: ['a:9092', 'b:9092'], topic: 'telemetry' },
  format: 'raw',
  filter: { idPrefix: 'pump-' },
  batch: { maxRecords: 1_000, maxBytes: 1_048_576, lingerMs: 100 },
  startAt: 'now',
  paused: false,
  secretNames: ['password'],
  createdAtMs: 500,
  updatedAtMs: 500,
  state: {
    lagRecords: 1_200,
    lagSeconds: 65,
    lagBytes: 90_000,
    sent: 5,
    sentBytes: 400,
    batches: 1,
    failures: 7,
    filtered: 3,
    skipped: 0,
    undecodable: 0,
    refused: 2,
    refusedInRow: 0,
    lastRefusal: { message: 'no such \u001b[1mtenant', atMs: 32_000 },
    health: 'failing',
    circuit: 'open',
    lastError: { message: 'connect ECONNREFUSED\u001b[2J', atMs: 1_000 },
    lastSentMs: 2_000,
    partitions: [],
  },
};

test('says at a glance where a forwarder sends, and how far it is behind', () => {
  expect(forwarderRow(item)).toEqual([
    'lake',
    'kafka a:9092/telemetry',
    'failing',
    '1200',
    '1 min 5 s',
    '5',
    '2',
    '0',
    expect.stringContaining('ECONNREFUSED'),
  ]);
  expect(forwarderRow({ ...item, paused: true })[2]).toBe('paused');
  expect(forwarderRow({ ...item, state: { ...item.state!, health: 'well', circuit: 'closed' } }).slice(-1)).toEqual(['']);
});

test('a target that refuses what it is sent is not said to be well, and what it says is shown', () => {
  const row = forwarderRow({ ...item, state: { ...item.state!, health: 'refusing', circuit: 'closed' } });
  expect([row[2], row.at(-1)]).toEqual(['refusing', expect.stringContaining('tenant')]);
});

test('prints nothing of what a target said that would move the cursor', () => {
  const lines = forwarderLines(item, 62_000);
  expect(lines).not.toContain('\u001b');
  expect(lines).toMatch(/^last refusal {2}no such .*tenant \(30 s ago\)$/m);
  expect(lines).toContain('last sent     60 s ago');
  expect(lines).toContain('filter        {"idPrefix":"pump-"}');
});
