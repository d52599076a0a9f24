import { pino } from 'pino';
import { expect, test } from 'vitest';
import { FakeClock } from './fake-clock.ts';
import { ThrottledLines } from './throttled-lines.ts';

function open(): { readonly clock: FakeClock; readonly lines: ThrottledLines; readonly said: () => object[] } {
  const written: string[] = [];
  const logLines = pino({ level: 'warn', base: null, timestamp: false }, { write: (line: string) => void written.push(line) });
  const clock = new FakeClock();
  const lines = new ThrottledLines({ logLines, clock, sentence: 'it ended' });
  return { clock, lines, said: () => written.splice(0).map((line) => JSON.parse(line) as object) };
}

test('of one kind three lines a second are written, and the next says how many were not', () => {
  const { clock, lines, said } = open();
  for (let i = 0; i < 100; i++) lines.write('warn', 'malformed', { client: `c${i}` });
  expect(said()).toMatchObject([{ client: 'c0', msg: 'it ended' }, { client: 'c1' }, { client: 'c2' }]);
  clock.advance(1_000);
  lines.write('warn', 'malformed', { client: 'next' });
  expect(said()).toMatchObject([{ reason: 'malformed', client: 'next', suppressed: 97 }]);
});

test('one kind takes no line from another', () => {
  const { lines, said } = open();
  for (let i = 0; i < 10; i++) lines.write('warn', 'malformed', {});
  lines.write('warn', 'slow-subscriber', {});
  expect(said()).toHaveLength(4);
});

test('a burst that nothing follows is told of by flush, once', () => {
  const { clock, lines, said } = open();
  for (let i = 0; i < 10; i++) lines.write('warn', 'malformed', {});
  lines.flush();
  expect(said()).toHaveLength(3);
  clock.advance(1_000);
  lines.flush();
  lines.flush();
  expect(said()).toMatchObject([{ reason: 'malformed', suppressed: 7 }]);
});

test('a level that is off costs and counts nothing', () => {
  const { clock, lines, said } = open();
  for (let i = 0; i < 10; i++) lines.write('info', 'connection-lost', {});
  clock.advance(1_000);
  lines.flush();
  expect(said()).toEqual([]);
});
