/** A topic name that was checked once: the same object each time while it is in the cache. */
export class Topic {
  readonly name: string;
  readonly bytes: Uint8Array;

  constructor(name: string, bytes: Uint8Array) {
    this.name = name;
    this.bytes = bytes;
  }
}
