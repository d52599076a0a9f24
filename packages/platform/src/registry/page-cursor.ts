import { SelsynError } from '../kernel/errors.ts';

/** An opaque place in a list that is ordered by id: what follows it comes next, also when rows came or went meanwhile. */
export function encodePageCursor(lastId: string): string {
  return Buffer.from(lastId, 'utf8').toString('base64url');
}

/** @throws SelsynError `request.invalid` when no list gave this text. */
export function decodePageCursor(cursor: string): string {
  const lastId = Buffer.from(cursor, 'base64url').toString('utf8');
  if (lastId === '' || encodePageCursor(lastId) !== cursor) {
    throw new SelsynError('request.invalid', 'the cursor is not one that an earlier answer gave', {
      details: { field: 'cursor' },
    });
  }
  return lastId;
}
