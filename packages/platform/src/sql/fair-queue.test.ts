import { expect, test } from 'vitest';
import { FairQueue } from './fair-queue.ts';

const turn = async (): Promise<void> => await new Promise((resolve) => setImmediate(resolve));

test('Whoever has fewest turns is next, and of these who came first', async () => {
  const queue = new FairQueue({ slots: 2, maxWaiting: 10 });
  const entered: string[] = [];
  const enter = (caller: string, name: string): void => {
    void queue.enter(caller, undefined).then(() => entered.push(name));
  };
  enter('greedy', 'g1');
  enter('greedy', 'g2');
  enter('greedy', 'g3');
  enter('greedy', 'g4');
  enter('modest', 'm1');
  enter('other', 'o1');
  enter('modest', 'm2');
  await turn();
  expect(entered).toEqual(['g1', 'g2']);
  queue.leave('greedy', 0);
  await turn();
  expect(entered.at(-1)).toBe('m1');
  queue.leave('greedy', 1);
  await turn();
  expect(entered.at(-1)).toBe('g3');
  queue.leave('modest', 0);
  await turn();
  expect(entered.at(-1)).toBe('o1');
  queue.leave('greedy', 1);
  await turn();
  expect(entered.slice(5)).toEqual(['g4']);
});

test('Who waits may give up, and more than can wait are told to come again', async () => {
  const queue = new FairQueue({ slots: 1, maxWaiting: 1 });
  const slot = await queue.enter('a', undefined);
  const giveUp = new AbortController();
  const waiting = queue.enter('b', giveUp.signal);
  waiting.catch(() => undefined);
  await expect(queue.enter('c', undefined)).rejects.toMatchObject({ code: 'sql.busy', retryable: true });
  giveUp.abort(new Error('no more'));
  await expect(waiting).rejects.toThrow('no more');
  const next = queue.enter('c', undefined);
  queue.leave('a', slot);
  expect(await next).toBe(slot);
  queue.leave('c', slot);
  expect(await queue.enter('a', undefined)).toBe(slot);
});
