/** An item of CBOR (RFC 8949). Integers beyond 2^53 are the nearest double; `undefined` is as null. */
export type CborValue = number | boolean | string | null | Uint8Array | readonly CborValue[] | CborMap | CborTime;

/** Keys are texts or integers; none stands twice. */
export type CborMap = ReadonlyMap<string | number, CborValue>;

/** A time: tag 0 or 1. */
export class CborTime {
  /** Ms since 1970. */
  readonly ms: number;

  constructor(ms: number) {
    this.ms = ms;
  }
}
