import type { SampleVisitor } from '@selsyn/wire/payload/telemetry-payload.ts';

/** A message as a decoder gets it. The object and its bytes are used again: copy what must stay. */
export interface PayloadMessage {
  /** The payload is `data[start, end)`. */
  readonly data: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** Who sent it, and where to. */
  readonly device: string;
  readonly topic: string;
  /** When it came, whole ms: the same in every replay. */
  readonly arrivalMs: number;
  /** Its place in the log: in a replay the same message comes again with the same one. */
  readonly partition: number;
  readonly offset: number;
}

/** Where the samples of a message go. */
export interface PayloadVisitor extends SampleVisitor {
  /** A value is in a unit from which there is no way to that of the type's schema: it is given as it came. */
  unitKept(metric: string, unit: string): void;
}

/**
 * Makes samples of messages: what a device type, or a topic, says of how payloads are read.
 *
 * Pure but for what it remembers of earlier messages (see `taken`): the same messages in the same order give the same samples. Not
 * reentrant. One decoder serves all devices of a type.
 */
export interface PayloadDecoder {
  /**
   * Gives all samples of a message to the visitor, or throws.
   *
   * The visitor may have been called before it throws: whoever visits counts nothing until this returns. The same limits as of JSON
   * hold (PAYLOAD_LIMITS): SampleSheet (sample-sheet.ts) sees to them.
   *
   * @throws PayloadError why the message is no telemetry; SelsynError of a script; anything else is a bug
   */
  decode(message: PayloadMessage, visitor: PayloadVisitor): void;
  /**
   * The message that was decoded last counts, and what follows from it may be remembered. Not called where it was refused, or where
   * there was no room for its points yet: then `decode` gets it again.
   */
  taken?(message: PayloadMessage): void;
}
