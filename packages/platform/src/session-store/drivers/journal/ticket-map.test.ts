import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Ticket } from '../../../log/log.ts';
import { TicketMap } from './ticket-map.ts';

test('tells for every ticket of the log how many changes are settled, whatever lies between them', () => {
  // Each record is a change, or the driver's own; after some of them tickets are settled.
  const row = fc.array(fc.record({ own: fc.boolean(), settle: fc.nat(3) }), { maxLength: 60 });
  const property = fc.property(row, (records) => {
    const map = new TicketMap();
    let settled = 0;
    records.forEach(({ own, settle }, i) => {
      if (own) map.own((i + 1) as Ticket);
      const upTo = Math.min(i + 1, settled + settle * 2);
      if (upTo === settled) return;
      settled = upTo;
      expect(map.settle(upTo as Ticket)).toBe(records.slice(0, upTo).filter((record) => !record.own).length);
    });
  });
  fc.assert(property);
});
