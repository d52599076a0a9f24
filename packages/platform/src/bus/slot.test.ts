import { expect, it } from 'vitest';
import { SLOTS, slotOf } from './slot.ts';

it('is the CRC-32 of the UTF-8 bytes, modulo 1,024', () => {
  // Its check value, and others that are widely printed.
  expect(slotOf('123456789')).toBe(0xcbf43926 % SLOTS);
  expect(slotOf('')).toBe(0);
  expect(slotOf('a')).toBe(0xe8b7be43 % SLOTS);
  expect(slotOf('The quick brown fox jumps over the lazy dog')).toBe(0x414fa339 % SLOTS);
});

it('is what HAProxy reckons by `crc32,mod(1024)`', () => {
  // What HAProxy 2.6 answered. `crc32(1)` is another function: it scatters the sum once more.
  const slots = { '123456789': 294, a: 579, 'device-1': 633, 'device-2': 963, 'thermostat-17': 516, é: 318 };
  for (const [name, slot] of Object.entries(slots)) expect([name, slotOf(name)]).toEqual([name, slot]);
});

it('spreads names that count up over all slots', () => {
  const counts = new Uint32Array(SLOTS);
  for (let i = 0; i < SLOTS * 100; i++) counts[slotOf(`device-${String(i).padStart(6, '0')}`)]! += 1;
  expect(Math.min(...counts)).toBeGreaterThan(50);
  expect(Math.max(...counts)).toBeLessThan(200);
});
