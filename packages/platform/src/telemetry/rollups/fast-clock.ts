import { systemClock, type Clock } from '../../kernel/clock.ts';

/** For tests: the system's clock, by which time passes faster where only its passing counts. */
export function fastClock(factor: number): Clock {
  return { ...systemClock, monotonicMs: () => systemClock.monotonicMs() * factor };
}
