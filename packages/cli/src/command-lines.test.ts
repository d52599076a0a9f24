import { expect, test } from 'vitest';
import { commandLines, commandRow, type CommandItem } from './command-lines.ts';

const ITEM: CommandItem = {
  id: '01J',
  device: 'd1',
  name: 'open',
  payload: { door: 1 },
  state: 'failed',
  oneWay: false,
  sends: 2,
  createdAtMs: 0,
  expiresAtMs: 86_400_000,
  reason: 'jammed',
  history: [
    { state: 'queued', atMs: 0 },
    { state: 'failed', atMs: 1_000 },
  ],
  answer: { outcome: 'failed', payload: { at: 3 }, reason: 'jammed', atMs: 1_000 },
  createdBy: { name: 'ann' },
};

test('a command is shown with its states, their times, and its answer', () => {
  expect(commandLines(ITEM).split('\n')).toEqual([
    'id         01J',
    'device     d1',
    'name       open',
    'payload    {"door":1}',
    'state      failed: jammed',
    'given by   ann',
    'sent       2 times',
    'queued     1970-01-01T00:00:00.000Z',
    'failed     1970-01-01T00:00:01.000Z',
    'answer     {"at":3}',
  ]);
});

test('one that has no answer yet shows how far it is and when it expires; an answer that came late is shown as such', () => {
  const { answer: _, reason: __, ...open } = { ...ITEM, state: 'delivered', progress: { payload: 40, atMs: 1 } };
  expect(commandLines(open)).toContain('progress   40');
  expect(commandLines(open)).toContain('expires    1970-01-02T00:00:00.000Z');
  const late = commandLines({ ...open, state: 'expired', lateAnswer: { outcome: 'succeeded', payload: 1, atMs: 2 } });
  expect(late).toContain('too late   succeeded 1');
});

test('in a table it is one line, without what a terminal would take for orders', () => {
  expect(commandRow(ITEM, 60_000)).toEqual(['01J', 'd1', 'open', 'failed', '60 s ago', '{"at":3}']);
  const evil = commandRow({ ...ITEM, answer: { outcome: 'failed', payload: `${'x'.repeat(60)}`, atMs: 0 } }, 0);
  expect(evil[5]!.length).toBe(40);
  const { answer: _, ...silent } = { ...ITEM, reason: '\u001b[2J' };
  expect(commandRow(silent, 0)[5]).not.toContain('\u001b');
});
