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
  expect(forwarderRow({ ...item, state: { ...item.state!, circuit: 'closed' } }).slice(-1)).toEqual(['']);
});

test('prints nothing of what a target said that would move the cursor', () => {
  const lines = forwarderLines(item, 62_000);
  expect(lines).not.toContain('\u001b');
  expect(lines).toContain('last sent    60 s ago');
  expect(lines).toContain('filter       {"idPrefix":"pump-"}');
});
