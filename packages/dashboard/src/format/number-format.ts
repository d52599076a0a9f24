import type { PointValue } from '../api/telemetry.ts';

const GROUPED = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 7 });
const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** A measured number: at most seven significant digits, grouped; exponent form below 0.0001 and from 1e9 on. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e9)) return tidyExponent(value.toExponential(3));
  return size >= 1e6 ? WHOLE.format(value) : GROUPED.format(value);
}

/** Labels of an axis: all with the decimals that their distance needs, so that no two are the same. */
export function formatAxis(splits: readonly number[]): string[] {
  const distance = Math.abs((splits[1] ?? 0) - (splits[0] ?? 0));
  const largest = Math.max(0, ...splits.map(Math.abs));
  if (distance === 0 || largest >= 1e9 || distance < 1e-6) return splits.map(formatNumber);
  const digits = decimalsOf(distance);
  const format = new Intl.NumberFormat('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return splits.map((value) => format.format(value === 0 ? 0 : value));
}

/** How many decimals a distance between labels has: 2 for 0.25. */
function decimalsOf(distance: number): number {
  for (let digits = 0; digits < 8; digits++) {
    const scaled = distance * 10 ** digits;
    if (Math.abs(scaled - Math.round(scaled)) < scaled * 1e-6) return digits;
  }
  return 8;
}

/** A value of any kind as the page shows it. */
export function formatValue(value: PointValue): string {
  return typeof value === 'number' ? formatNumber(value) : String(value);
}

/** A count that may be large: `950`, `12,400`. */
export function formatCount(value: number): string {
  return WHOLE.format(value);
}

/** A rate or size in three digits: `0`, `3.4`, `27.1k`, `250k`, `1.24M`. */
export function formatCompact(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  for (const [factor, suffix] of COMPACT_STEPS) {
    if (size >= factor * 0.9995) return `${threeDigits(value / factor)}${suffix}`;
  }
  return threeDigits(value);
}

const COMPACT_STEPS = [
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
] as const;

/** Bytes by thousands, as the command line says them: `512 B`, `1.5 kB`, `3.2 GB`. */
export function formatBytes(bytes: number): string {
  if (!Number.isFinite(bytes)) return '–';
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let size = bytes;
  let unit = 0;
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000;
    unit++;
  }
  return `${threeDigits(size)} ${units[unit] ?? 'B'}`;
}

/** A length of time that may be very short: `85 µs`, `0.42 ms`, `12 ms`, `1.2 s`, `3 min`. */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms)) return '–';
  if (ms === 0) return '0 ms';
  if (ms < 0.1) return `${threeDigits(ms * 1000)} µs`;
  if (ms < 1000) return `${threeDigits(ms)} ms`;
  if (ms < 120_000) return `${threeDigits(ms / 1000)} s`;
  return `${threeDigits(ms / 60_000)} min`;
}

function threeDigits(value: number): string {
  const size = Math.abs(value);
  const digits = size >= 99.95 || Number.isInteger(value) ? 0 : size >= 9.995 ? 1 : 2;
  const text = value.toFixed(digits);
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

function tidyExponent(text: string): string {
  return text.replace(/\.?0+e/, 'e').replace('e+', 'e');
}
