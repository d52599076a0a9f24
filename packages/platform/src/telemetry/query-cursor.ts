import { SelsynError } from '../kernel/errors.ts';

/** Where a range goes on: metrics before this one are done, this one goes on at the time. New points do not disturb it. */
export interface RangeCursor {
  readonly metric: string;
  readonly timeMs: number;
}

/** Opaque to whoever gets it: base64url of JSON whose first element says what it is a cursor of. */
export function encodeRangeCursor(cursor: RangeCursor): string {
  return encode(['range', cursor.metric, cursor.timeMs]);
}

/** @throws SelsynError `request.invalid` */
export function decodeRangeCursor(text: string): RangeCursor {
  const [metric, timeMs, ...rest] = decode(text, 'range');
  if (typeof metric !== 'string' || !isWhole(timeMs) || rest.length > 0) throw invalid(text);
  return { metric, timeMs };
}

export function encodeDeadLetterCursor(beforeId: number): string {
  return encode(['dead-letters', beforeId]);
}

/** @throws SelsynError `request.invalid` */
export function decodeDeadLetterCursor(text: string): number {
  const [beforeId, ...rest] = decode(text, 'dead-letters');
  if (!isWhole(beforeId) || rest.length > 0) throw invalid(text);
  return beforeId;
}

export function encodeQualityCursor(updated: number, id: number): string {
  return encode(['quality', updated, id]);
}

/** @throws SelsynError `request.invalid` */
export function decodeQualityCursor(text: string): readonly [updated: number, id: number] {
  const [updated, id, ...rest] = decode(text, 'quality');
  if (!isWhole(updated) || !isWhole(id) || rest.length > 0) throw invalid(text);
  return [updated, id];
}

function encode(value: readonly unknown[]): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decode(text: string, kind: string): unknown[] {
  if (!/^[A-Za-z0-9_-]{1,2000}$/.test(text)) throw invalid(text);
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    throw invalid(text);
  }
  if (!Array.isArray(value) || value[0] !== kind) throw invalid(text);
  return value.slice(1);
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function invalid(text: string): SelsynError {
  return new SelsynError('request.invalid', 'the cursor is none that this query gave', {
    details: { cursor: text.slice(0, 200) },
  });
}
