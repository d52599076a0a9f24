import { describe, expect, it } from 'vitest';
import { settled } from './broker.fixture.ts';
import { RetainedDoubts } from './retained-doubts.ts';

describe('doubts about retained messages', () => {
  it('are over once all threads have twice said that all is here, and last longer for what came meanwhile', async () => {
    const rounds: (() => void)[] = [];
    let cleared = 0;
    const bus = { settled: async () => await new Promise<void>((resolve) => rounds.push(resolve)) };
    const doubts = new RetainedDoubts(bus, () => cleared++);
    const answer = async (): Promise<void> => {
      rounds.shift()?.();
      await settled();
    };
    doubts.add('a');
    doubts.add('b');
    await answer();
    doubts.add('b');
    doubts.add('c');
    const state = (): boolean[] => ['a', 'b', 'c', 'd'].map((topic) => doubts.has(topic));
    expect([state(), cleared]).toEqual([[true, true, true, false], 0]);
    await answer();
    expect([state(), cleared]).toEqual([[false, true, true, false], 1]);
    await answer();
    await answer();
    expect([state(), cleared, rounds.length]).toEqual([[false, false, false, false], 2, 0]);
    doubts.add('d');
    expect([doubts.has('d'), rounds.length]).toEqual([true, 1]);
  });
});
