import { PromqlError } from './promql-error.ts';

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};
const DURATION = /^(?:\d+(?:ms|[smhdwy]))+$/;
const HEXADECIMAL = /^[+-]?0x[0-9a-f]+$/i;

/** `1h30m`, `250ms`; or a number of seconds. @throws PromqlError `bad_data` */
export function parseDuration(text: string): number {
  const ms = isDuration(text) ? durationOf(text) : Math.round(Number(text) * 1000);
  if (!Number.isFinite(ms) || text.trim() === '') throw new PromqlError('bad_data', `not a valid duration: "${text}"`);
  return ms;
}

/** A number as PromQL writes it; a duration is its seconds. @throws PromqlError `bad_data` */
export function parseNumber(text: string): number {
  const plain = text.replaceAll('_', '').toLowerCase();
  if (/^[+-]?inf(inity)?$/.test(plain)) return plain.startsWith('-') ? -Infinity : Infinity;
  if (plain === 'nan') return NaN;
  if (HEXADECIMAL.test(plain)) return plain.startsWith('-') ? -Number(plain.slice(1)) : Number(plain.replace('+', ''));
  if (isDuration(plain)) return durationOf(plain) / 1000;
  const value = Number(plain);
  if (Number.isNaN(value) || plain === '') throw new PromqlError('bad_data', `not a valid number: "${text}"`);
  return value;
}

function isDuration(text: string): boolean {
  return DURATION.test(text);
}

function durationOf(text: string): number {
  let ms = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|[smhdwy])/g)) ms += Number(count) * UNITS[unit!]!;
  return ms;
}
