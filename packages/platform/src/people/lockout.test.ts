import { expect, test } from 'vitest';
import { FakeClock } from '../kernel/fake-clock.ts';
import { Lockout, networkOf } from './lockout.ts';

function open() {
  const clock = new FakeClock();
  const lockout = new Lockout({ clock });
  const fail = (account: string, address = '192.0.2.1', familiar = false) => lockout.begin({ account, address, familiar });
  /** Seconds to wait; 0: none. */
  const waitSec = (account: string, address = '192.0.2.1', familiar = false): number => {
    try {
      lockout.begin({ account, address, familiar }).succeeded();
      return 0;
    } catch (error) {
      return (error as { details: { retryAfterSec: number } }).details.retryAfterSec;
    }
  };
  return { clock, lockout, fail, waitSec };
}

/** ms until another attempt is looked at; one that has to wait counts for nothing. */
function waitAfter(attempt: () => { succeeded(): void }): number {
  try {
    attempt();
    return 0;
  } catch (error) {
    expect(error).toMatchObject({ code: 'access.locked-out', retryable: true });
    return (error as { details: { retryAfterSec: number } }).details.retryAfterSec * 1000;
  }
}

test('the wait of an account grows from one second to a quarter of an hour', () => {
  const { clock, fail } = open();
  const waits = Array.from({ length: 18 }, (_, n) => {
    // From another address each time, so that only the account counts.
    fail('ann', `198.51.100.${n}`);
    const waitMs = n < 4 ? 0 : waitAfter(() => fail('ann', '203.0.113.1'));
    clock.advance(waitMs);
    return waitMs / 1000;
  });
  expect(waits).toEqual([0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900]);
});

test('an address that fails with many accounts has to wait, others do not', () => {
  const { fail, waitSec } = open();
  for (let n = 0; n < 20; n++) fail(`user${n}`);
  expect(waitSec('ann')).toBeGreaterThan(0);
  expect(waitSec('ann', '192.0.2.2')).toBe(0);
});

test('a good account of one’s own does not pay for guesses at others', () => {
  const { fail, waitSec } = open();
  for (let n = 0; n < 19; n++) {
    fail(`user${n}`);
    expect(waitSec('mine')).toBe(0);
  }
  fail('user19');
  expect(waitSec('mine')).toBeGreaterThan(0);
});

test('guesses from elsewhere do not keep users out where they signed in before', () => {
  const { fail, waitSec } = open();
  for (let n = 0; n < 5; n++) fail('ann', `198.51.100.${n}`);
  expect(waitSec('ann', '203.0.113.1')).toBeGreaterThan(0);
  expect(waitSec('ann', '192.0.2.1', true)).toBe(0);
});

test('many attempts at once count as many', () => {
  const { fail } = open();
  let allowed = 0;
  for (let n = 0; n < 1000; n++) {
    try {
      fail('ann', `198.51.${n >> 8}.${n & 255}`);
      allowed++;
    } catch {
      // Has to wait.
    }
  }
  expect(allowed).toBe(5);
});

test('a success, an operator or a day makes failures forgotten', () => {
  const { clock, lockout, fail, waitSec } = open();
  const failFive = () => {
    for (let n = 0; n < 5; n++) fail('ann', `198.51.100.${n}`);
    expect(waitSec('ann')).toBeGreaterThan(0);
  };
  failFive();
  lockout.unlock('ann');
  expect(waitSec('ann')).toBe(0);
  failFive();
  clock.advance(25 * 3_600_000);
  expect(fail('ann').failures).toBe(1);
});

test('names are as many as anybody likes: memory is not', () => {
  const { fail } = open();
  for (let n = 0; n < 120_000; n++) {
    // An address is locked out after 20.
    fail(`name${n}`, `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`);
  }
  expect(fail('name0', '192.0.2.7').failures).toBe(1);
});

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
  ['2001:0DB8:0001::1', '2001:db8:1:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
])('%s counts as %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});
