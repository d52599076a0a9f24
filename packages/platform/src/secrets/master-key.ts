/** A key that wraps data keys, wherever it is kept. It need not leave that place. */
export interface MasterKey {
  /** Says which key it is, without telling anything of it: kept beside what it has wrapped. */
  readonly id: string;
  /**
   * @param dataKey 32 bytes.
   * @param name that of the data key: what was wrapped under it is unwrapped only under it.
   * @throws SelsynError `secrets.unavailable`, retryable, when the place where it is kept cannot be reached
   */
  wrap(dataKey: Uint8Array, name: string): Promise<string>;
  /** @throws SelsynError `secrets.unavailable`; `secrets.wrong-master-key` when it is not what this key has wrapped */
  unwrap(wrapped: string, name: string): Promise<Uint8Array>;
}

/** The master keys that can be used. */
export interface MasterKeys {
  /** Wraps from now on. */
  readonly current: MasterKey;
  /** Have wrapped before, and are still there to unwrap. */
  readonly others: readonly MasterKey[];
  /** Where the current one is, for people. */
  readonly place: string;
}

export const DATA_KEY_BYTES = 32;
