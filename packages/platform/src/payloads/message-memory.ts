/** Offsets by partition. */
export type PartitionOffsets = ReadonlyMap<number, number>;

/**
 * What readers of messages remember of earlier ones, kept on disk so that a message that is read again after a crash has the same samples.
 *
 * Nothing is durable by itself: whoever lets go of the log asks first (`makeDurable`). All methods return soon, and throw what SQLite throws.
 */
export interface MessageMemory {
  /**
   * Called once, before the first message. Of what is kept only what was before `starts` counts: the rest is read again.
   *
   * @param log number of the log that offsets speak of; what is kept of others was before it
   */
  open(log: number, starts: PartitionOffsets): void;
  /** Everything that was taken until now survives a power loss. @param lowWater messages before it are never read again */
  makeDurable(lowWater: PartitionOffsets): void;
  /** What was in the log at the start is read: from now on messages are new. */
  caughtUp(): void;
  /**
   * Nothing is to be known any more of what this device has sent.
   *
   * @param before only of what it has sent before these offsets, and in other logs: at the start, for what a crash has brought back
   */
  forget(device: string, before?: PartitionOffsets): void;
  close(): void;
}
