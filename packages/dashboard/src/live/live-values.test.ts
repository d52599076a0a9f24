import { describe, expect, it, vi } from 'vitest';
import type { LatestValue } from '../api/telemetry.ts';
import { LiveValues, mergeLatest } from './live-values.ts';

function setUp() {
  const frames: (() => void)[] = [];
  const values = new LiveValues((run) => frames.push(run));
  return { values, frames, frame: () => frames.splice(0).forEach((run) => run()) };
}

const at = (metric: string, timeMs: number, value: number): LatestValue => ({ metric, timeMs, value });

describe('live values', () => {
  it('tell a listener once a frame, however many updates came', () => {
    const { values, frames, frame } = setUp();
    const listener = vi.fn();
    values.subscribe('a', listener);
    for (let i = 0; i < 10_000; i++) values.apply([{ device: 'a', values: [at('t', i, i)] }]);
    expect(frames).toHaveLength(1);
    expect(listener).not.toHaveBeenCalled();
    frame();
    expect(listener).toHaveBeenCalledTimes(1);
    expect(values.snapshot('a')).toEqual([at('t', 9999, 9999)]);
  });

  it('leave devices alone that did not change, and forget those that nobody looks at', () => {
    const { values, frames, frame } = setUp();
    const other = vi.fn();
    const end = values.subscribe('b', other);
    values.apply([{ device: 'nobody', values: [at('t', 1, 1)] }]);
    expect(frames).toHaveLength(0);
    values.subscribe('a', vi.fn());
    values.apply([{ device: 'a', values: [at('t', 1, 1)] }]);
    frame();
    expect(other).not.toHaveBeenCalled();
    values.apply([{ device: 'b', values: [at('t', 1, 1)] }]);
    frame();
    end();
    expect(values.snapshot('b')).toEqual([]);
  });

  it('keep the same snapshot until something changes', () => {
    const { values, frame } = setUp();
    values.subscribe('a', vi.fn());
    values.apply([{ device: 'a', values: [at('t', 1, 1)] }]);
    frame();
    const before = values.snapshot('a');
    expect(values.snapshot('a')).toBe(before);
    values.apply([{ device: 'a', values: [at('t', 2, 2)] }]);
    frame();
    expect(values.snapshot('a')).not.toBe(before);
    expect(before).toEqual([at('t', 1, 1)]);
  });

  it('never go back in time', () => {
    const { values, frame } = setUp();
    values.subscribe('a', vi.fn());
    values.apply([{ device: 'a', values: [at('t', 5, 5)] }]);
    frame();
    values.apply([{ device: 'a', values: [at('t', 4, 4)] }]);
    frame();
    expect(values.snapshot('a')).toEqual([at('t', 5, 5)]);
  });

  it('hand charts every point in arrival order, at most 4,096 a frame', () => {
    const { values, frame } = setUp();
    const points = vi.fn();
    values.subscribePoints('a', points);
    values.apply([{ device: 'a', values: [at('t', 1, 1)] }]);
    values.apply([{ device: 'a', values: [at('t', 2, 2), at('u', 2, 7)] }]);
    frame();
    expect(points).toHaveBeenCalledExactlyOnceWith([at('t', 1, 1), at('t', 2, 2), at('u', 2, 7)]);
    for (let i = 0; i < 6000; i++) values.apply([{ device: 'a', values: [at('t', i, i)] }]);
    frame();
    const last = points.mock.lastCall?.[0] as readonly LatestValue[]; // what the listener was given
    expect(last).toHaveLength(4096);
    expect(last.at(-1)).toEqual(at('t', 5999, 5999));
  });
});

it('merges fetched and live values by metric, newer first, in alphabetical order', () => {
  const base = [at('b', 10, 1), at('c', 10, 1)];
  expect(mergeLatest(base, [at('a', 1, 0), at('b', 9, 9), at('c', 10, 2)])).toEqual([
    at('a', 1, 0),
    at('b', 10, 1),
    at('c', 10, 2),
  ]);
  expect(mergeLatest(base, [])).toBe(base);
});
