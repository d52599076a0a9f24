import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LossWatch, type PresenceNews } from './loss-watch.ts';

const MINUTE = 60_000;
const open = () => new LossWatch({ offlineAfterMs: 5 * MINUTE, flapping: { losses: 4, windowMs: 10 * MINUTE } });
const told = (news: readonly PresenceNews[]) => news.map(({ news: what, kind, device }) => `${what} ${kind} ${device}`);

describe('who is told of as gone', () => {
  it('is who has been gone for long enough, once, until it is back', () => {
    const watch = open();
    expect(watch.gone('a', 0, 'keep-alive')).toEqual([]);
    expect(watch.due(5 * MINUTE - 1, 10)).toEqual([]);
    expect(watch.due(5 * MINUTE, 10)).toEqual([
      { news: 'raised', kind: 'offline', device: 'a', sinceMs: 0, reason: 'keep-alive', losses: 1 },
    ]);
    expect([watch.due(9 * MINUTE, 10), watch.sweep(30 * MINUTE)]).toEqual([[], []]);
    expect(told(watch.back('a'))).toEqual(['resolved offline a']);
    expect([watch.back('a'), watch.sweep(60 * MINUTE), watch.size]).toEqual([[], [], 0]);
  });

  it('is nobody who comes back in time', () => {
    const watch = open();
    watch.gone('a', 0, undefined);
    watch.back('a');
    expect(watch.due(60 * MINUTE, 10)).toEqual([]);
  });

  it('is told in the order of going, so many at once', () => {
    const watch = open();
    for (const [index, device] of ['c', 'a', 'b'].entries()) watch.gone(device, index, undefined);
    expect(told(watch.due(5 * MINUTE + 2, 2))).toEqual(['raised offline c', 'raised offline a']);
    expect(told(watch.due(5 * MINUTE + 2, 2))).toEqual(['raised offline b']);
  });

  it('is flapping where it goes often: that is told once, and resolved when it has been quiet', () => {
    const watch = open();
    const news: string[] = [];
    for (let n = 0; n < 20; n++) {
      news.push(...told(watch.gone('a', n * MINUTE, undefined)), ...told(watch.back('a')), ...told(watch.due(n * MINUTE, 10)));
    }
    expect(news).toEqual(['raised flapping a']);
    expect(watch.sweep(28 * MINUTE)).toEqual([]);
    expect(told(watch.sweep(29 * MINUTE))).toEqual(['resolved flapping a']);
  });

  it('is told of as gone where one that was flapping stays away', () => {
    const watch = open();
    for (let n = 0; n < 4; n++) {
      if (n > 0) watch.back('a');
      watch.gone('a', n, undefined);
    }
    expect(told(watch.due(5 * MINUTE + 3, 10))).toEqual(['resolved flapping a', 'raised offline a']);
    expect(told(watch.back('a'))).toEqual(['resolved offline a']);
  });

  it('goes on with what was told before the server started', () => {
    const watch = open();
    watch.restore('a', 'offline', 0);
    expect(watch.gone('a', MINUTE, undefined)).toEqual([]);
    expect(watch.due(60 * MINUTE, 10)).toEqual([]);
    expect(told(watch.back('a'))).toEqual(['resolved offline a']);
  });

  it('never has two alerts open of a device, nor resolves what is not, whatever happens', () => {
    const step = fc.record({
      device: fc.constantFrom('a', 'b'),
      what: fc.constantFrom('gone', 'back', 'due', 'sweep'),
      afterMs: fc.integer({ min: 0, max: 7 * MINUTE }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const watch = open();
        const alerts = new Map<string, string>();
        const isGone = new Map<string, number>();
        let nowMs = 0;
        for (const { device, what, afterMs } of steps) {
          nowMs += afterMs;
          const news = [...(what === 'sweep' ? watch.sweep(nowMs) : watch.due(nowMs, 100))];
          if (what === 'gone' && !isGone.has(device)) {
            isGone.set(device, nowMs);
            news.push(...watch.gone(device, nowMs, undefined));
          } else if (what === 'back' && isGone.delete(device)) news.push(...watch.back(device));
          for (const { news: kindOfNews, kind, device: of } of news) {
            if (kindOfNews === 'raised') expect(alerts.has(of)).toBe(false);
            else expect(alerts.get(of)).toBe(kind);
            if (kindOfNews === 'raised') alerts.set(of, kind);
            else alerts.delete(of);
          }
          if (what !== 'due') continue;
          for (const [of, sinceMs] of isGone) if (nowMs - sinceMs >= 5 * MINUTE) expect(alerts.get(of)).toBe('offline');
        }
      }),
    );
  });
});
