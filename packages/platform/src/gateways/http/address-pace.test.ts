import { expect, it } from 'vitest';
import { FakeClock } from '../../kernel/fake-clock.ts';
import { AddressPace, addressKeyOf } from './address-pace.ts';

it.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:0db8:1:2::9', '2001:db8:1:2'],
  ['2001:db8::9', '2001:db8:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
  ['::1', '0:0:0:0'],
  ['', ''],
])('%s counts as %s', (address, key) => {
  expect(addressKeyOf(address)).toBe(key);
});

it('an address enrols so often a second and no more, while others go on; looking is counted apart', () => {
  const clock = new FakeClock();
  const pace = new AddressPace(clock);
  const taken = (what: 'look' | 'enrol', address: string): boolean => {
    try {
      pace.ensure(what, address);
      return true;
    } catch (error) {
      expect(error).toMatchObject({ code: 'request.rate-limited', retryable: true });
      return false;
    }
  };
  const results = Array.from({ length: 30 }, (_, n) => taken('enrol', `2001:db8::${n}`));
  expect(results.filter(Boolean)).toHaveLength(20);
  expect([taken('look', '2001:db8::1'), taken('enrol', '2001:db8:0:1::1'), taken('enrol', '192.0.2.1')]).toEqual([
    true,
    true,
    true,
  ]);
  clock.advance(1_000);
  expect(Array.from({ length: 30 }, () => taken('enrol', '2001:db8::1')).filter(Boolean)).toHaveLength(20);
});
