import type { SealContext } from './sealed-value.ts';

/** Seals values for whoever keeps them in rows of their own, and opens them again. */
export interface Sealer {
  /** @returns the sealed value, and the data key that it is sealed with: kept beside it, so that it is found when that key is changed. */
  seal(value: Uint8Array, context: SealContext): { readonly sealed: string; readonly keyId: string };
  /** @throws SelsynError `secrets.unreadable` */
  open(sealed: string, context: SealContext): Buffer;
}

/** Where the secret of an access key belongs. */
export function accessKeyPlace(id: string): SealContext {
  return { purpose: 'access-key', owner: id, name: 'secret' };
}

/** Where the secrets of a forwarder belong. */
export function forwarderPlace(id: string): SealContext {
  return { purpose: 'forwarder', owner: id, name: 'secrets' };
}
