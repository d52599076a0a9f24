import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decimalOf } from '../float32.ts';
import { conversion } from './unit-conversion.ts';

test.each([
  [0, '°C', '°F', 32], [77, '°F', '°C', 25], [-40, '°F', '°C', -40], [294.25, 'K', '°C', 21.1], [21.1, 'Cel', 'K', 294.25], [100, '℃', '℉', 212],
  [1013.25, 'hPa', 'Pa', 101_325], [101_325, 'Pa', 'hPa', 1013.25], [1, 'bar', 'hPa', 1000], [2.5, 'mbar', 'Pa', 250], [1, 'psi', 'Pa', 6894.757293168361],
  [1500, 'W', 'kW', 1.5], [2, 'kWh', 'J', 7_200_000], [3_600_000, 'J', 'kWh', 1], [1, 'Wh', 'kWh', 0.001], [12_345_678.9, 'Wh', 'kWh', 12_345.6789],
  [1, 'mi', 'km', 1.609344], [12, 'in', 'ft', 1], [1, 'ft', 'm', 0.3048], [1, 'm', 'ft', 3.28083989501312], [10, 'm/s', 'km/h', 36], [36, 'km/h', 'm/s', 10],
  [60, 'mph', 'km/h', 96.56064], [1, 'kn', 'km/h', 1.852], [50, '%', '/', 0.5], [0.5, 'ratio', '%', 50], [40, '%RH', '%', 40], [400, 'ppm', '%', 0.04],
  [3300, 'mV', 'V', 3.3], [1.5, 'A', 'mA', 1500], [0, 'dBm', 'dBW', -30], [3.141592653589793, 'rad', '°', 180], [1024, 'MiB', 'GiB', 1], [60, 'rpm', 'Hz', 1],
  [1000, 'l', 'm3', 1], [36, 'm3/h', 'l/min', 600], [1, 'lb', 'kg', 0.45359237], [250, 'ug/m3', 'mg/m3', 0.25], [90, 'min', 'h', 1.5], [5, 'Beaufort', 'Beaufort', 5],
])('%s %s is in %s %s', (value, from, to, expected) => {
  expect(conversion(from, to)?.(value)).toBe(expected);
}); // prettier-ignore

test.each([
  ['°C', 'Pa'], ['C', '°C'], ['F', '°C'], ['mW', 'Wh'], ['mw', 'W'], ['?', '°C'], ['°C', '?'], ['', 'V'], ['toString', 'V'], ['VA', 'W'], ['__proto__', '__proto_'],
])('there is no way from %s to %s', (from, to) => {
  expect(conversion(from, to)).toBeUndefined();
}); // prettier-ignore

test('there and back is the same, for what sensors send', () => {
  const pairs = [['°C', '°F'], ['K', '°F'], ['bar', 'psi'], ['m', 'ft'], ['km/h', 'kn'], ['kWh', 'J'], ['l/min', 'm3/h'], ['kg', 'lb']]; // prettier-ignore
  fc.assert(
    fc.property(
      fc.constantFrom(...pairs),
      fc.integer({ min: -1_000_000, max: 1_000_000 }),
      ([from = '', to = ''], thousandths) => {
        const value = thousandths / 1000;
        const there = conversion(from, to)?.(value) ?? Number.NaN;
        expect(conversion(to, from)?.(there)).toBeCloseTo(value, 6);
      },
    ),
  );
});

test('a float of 32 bits is read as a decimal that is the same float, the one it was made from where that is short', () => {
  fc.assert(
    fc.property(fc.integer({ min: -99_999, max: 99_999 }), fc.integer({ min: 0, max: 4 }), (digits, decimals) => {
      const decimal = digits / 10 ** decimals;
      expect(decimalOf(Math.fround(decimal))).toBe(decimal);
    }),
    { numRuns: 5000 },
  );
  fc.assert(
    fc.property(fc.float({ noNaN: true }), (float) => {
      expect(Math.fround(decimalOf(float))).toBe(float);
      if (Number.isInteger(float)) expect(decimalOf(float)).toBe(float);
    }),
    { numRuns: 5000 },
  );
});
