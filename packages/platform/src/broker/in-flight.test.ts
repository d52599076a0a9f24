import { describe, expect, it } from 'vitest';
import { InFlight } from './in-flight.ts';

describe('outgoing packet ids', () => {
  it('are bounded by the window', () => {
    const inFlight = new InFlight(2);
    expect([inFlight.open(1), inFlight.open(1), inFlight.hasRoom]).toEqual([1, 2, false]);
    expect(inFlight.close(1, 'puback')).toBe(true);
    expect(inFlight.hasRoom).toBe(true);
  });

  it('are free again only after the answer they wait for', () => {
    const inFlight = new InFlight(10);
    const id = inFlight.open(2);
    expect(inFlight.close(id, 'puback')).toBe(false);
    expect(inFlight.close(id, 'pubcomp')).toBe(false);
    inFlight.set(id, 'pubcomp');
    expect(inFlight.close(id, 'pubrec')).toBe(false);
    expect([...inFlight.awaiting('pubcomp')]).toEqual([id]);
    expect(inFlight.close(id, 'pubcomp')).toBe(true);
    expect(inFlight.size).toBe(0);
  });

  it('go round after 65,535 and leave out those in use', () => {
    const inFlight = new InFlight(3);
    const kept = inFlight.open(1);
    for (let i = 2; i <= 65_535; i++) inFlight.close(inFlight.open(1), 'puback');
    expect([kept, inFlight.open(1)]).toEqual([1, 2]);
  });
});
