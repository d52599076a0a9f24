import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AckOwner, AckRing } from './ack-ring.ts';

class Owner implements AckOwner {
  readonly answers: [packetId: number, qos: number, code: number][] = [];
  settle(packetId: number, qos: 0 | 1 | 2, code: number): void {
    this.answers.push([packetId, qos, code]);
  }
}

describe('the ring of waiting acknowledgements', () => {
  it('answers up to a ticket, in order', () => {
    const ring = new AckRing(100, 4);
    const owner = new Owner();
    ring.push(owner, 10, 1, 1);
    ring.push(owner, 11, 2, 2);
    ring.pushDecided(owner, 12, 1, 0x87);
    ring.push(owner, 13, 1, 3);
    ring.settle(1, 0);
    expect(owner.answers).toEqual([[10, 1, 0]]);
    ring.settle(2, 0x97);
    expect(owner.answers.slice(1)).toEqual([
      [11, 2, 0x97],
      [12, 1, 0x87],
    ]);
    ring.settle(9, 0);
    expect([owner.answers.length, ring.size]).toEqual([4, 0]);
  });

  it('says when it is full, and takes what comes all the same', () => {
    const ring = new AckRing(3, 2);
    const owner = new Owner();
    for (let ticket = 1; ticket <= 5; ticket++) {
      expect(ring.full).toBe(ticket > 3);
      ring.push(owner, ticket, 1, ticket);
    }
    ring.settle(5, 0);
    expect([owner.answers.length, ring.full]).toEqual([5, false]);
  });

  it('keeps the order however it is filled and emptied', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 9 }))), (steps) => {
        const ring = new AckRing(1_000, 2);
        const owner = new Owner();
        let pushed = 0;
        let settled = 0;
        for (const [push, settle] of steps) {
          for (let i = 0; i < push; i++) ring.push(owner, ++pushed, 1, pushed);
          settled = Math.min(pushed, settled + settle);
          ring.settle(settled, 0);
          expect(ring.size).toBe(pushed - settled);
        }
        expect(owner.answers.map(([packetId]) => packetId)).toEqual(Array.from({ length: settled }, (_, i) => i + 1));
      }),
    );
  });
});
