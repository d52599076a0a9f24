import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compareClients, firstClients } from './client-order.ts';
import type { ClientPlace } from './inspection.ts';

const place = fc.record({ clientId: fc.string({ maxLength: 2 }), namespace: fc.constantFrom('', 'a', 'b') });

it('finds the same clients as sorting all of them would', () => {
  fc.assert(
    fc.property(fc.array(place), fc.option(place, { nil: undefined }), fc.integer({ min: 1, max: 8 }), (all, after, limit) => {
      const expected = all
        .toSorted(compareClients)
        .filter((each) => after === undefined || compareClients(each, after) > 0)
        .slice(0, limit);
      expect(firstClients(all, { after, limit })).toEqual(expected);
    }),
  );
});

it('walks through all clients page by page, also through many of one id', () => {
  const all: ClientPlace[] = Array.from({ length: 25 }, (_, n) => ({ clientId: 'same', namespace: `device-${n % 25}` }));
  const seen: string[] = [];
  let after: ClientPlace | undefined;
  for (;;) {
    const page = firstClients(all, { after, limit: 4 });
    if (page.length === 0) break;
    seen.push(...page.map(({ namespace }) => namespace));
    after = page.at(-1);
  }
  expect(seen).toEqual(all.map(({ namespace }) => namespace).toSorted());
});
