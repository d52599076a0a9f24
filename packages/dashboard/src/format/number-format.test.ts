import { describe, expect, it } from 'vitest';
import { formatAxis, formatBytes, formatCompact, formatDuration, formatNumber, formatValue } from './number-format.ts';

describe('a measured number', () => {
  it('keeps its decimals, is grouped, and loses the noise of binary floats', () => {
    expect(formatNumber(23.5)).toBe('23.5');
    expect(formatNumber(49704.63)).toBe('49,704.63');
    expect(formatNumber(0.1 + 0.2)).toBe('0.3');
    expect(formatNumber(-0.0125)).toBe('-0.0125');
    expect(formatNumber(1_234_567)).toBe('1,234,567');
  });

  it('takes an exponent where it is very small or very large', () => {
    expect(formatNumber(0.0000123)).toBe('1.23e-5');
    expect(formatNumber(5e12)).toBe('5e12');
    expect(formatNumber(0)).toBe('0');
  });

  it('is a dash where there is none', () => {
    expect(formatNumber(Number.NaN)).toBe('–');
    expect(formatNumber(Infinity)).toBe('–');
  });
});

it('shows booleans and text as they are', () => {
  expect(formatValue(false)).toBe('false');
  expect(formatValue('idle')).toBe('idle');
});

it('gives the labels of an axis the decimals that tell them apart', () => {
  expect(formatAxis([49703.9, 49703.95, 49704])).toEqual(['49,703.90', '49,703.95', '49,704.00']);
  expect(formatAxis([1.35, 1.375, 1.4])).toEqual(['1.350', '1.375', '1.400']);
  expect(formatAxis([0, 50, 100])).toEqual(['0', '50', '100']);
  expect(formatAxis([-0.5, -0, 0.5])).toEqual(['-0.5', '0.0', '0.5']);
});

it('shortens rates to three digits and never to four', () => {
  expect([0, 3.4, 999, 999.9, 1000, 27_100, 250_000, 1_240_000].map(formatCompact)).toEqual([
    '0',
    '3.4',
    '999',
    '1k',
    '1k',
    '27.1k',
    '250k',
    '1.24M',
  ]);
});

it('uses binary units for bytes', () => {
  expect([0, 512, 1500, 999.9, 3.2e9, 5e15].map(formatBytes)).toEqual(['0 B', '512 B', '1.5 kB', '1 kB', '3.2 GB', '5 PB']);
});

it('chooses the unit of a duration by its length', () => {
  expect([0, 0.085, 0.42, 12, 1200, 180_000].map(formatDuration)).toEqual([
    '0 ms',
    '85 µs',
    '0.42 ms',
    '12 ms',
    '1.2 s',
    '3 min',
  ]);
});
