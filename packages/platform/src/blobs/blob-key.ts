import { SelsynError } from '../kernel/errors.ts';

const PART = /^[\u0020-\u005b\u005d-\u007e]{1,255}$/;
const MAX_BYTES = 900;

/** @throws SelsynError `request.invalid` for what no driver could store, or what would leave the folder. */
export function checkBlobKey(key: string): void {
  const parts = key.split('/');
  if (key.length <= MAX_BYTES && parts.every((part) => PART.test(part) && part !== '.' && part !== '..')) return;
  throw new SelsynError('request.invalid', 'not the key of an object', { details: { key } });
}
